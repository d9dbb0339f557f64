//! What an operator may look into and change while the process runs; on the private listener only.

use super::answers::ok;
use crate::http::body;
use crate::problem::{Fault, Problem};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, get, put, web};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the process offers to those who look into it. A process may offer nothing.
pub trait Diagnostics: Send + Sync {
    /// Which log lines are kept, such as `info,orders=debug`; `None` if the process has no log of its
    /// own.
    fn log_filter(&self) -> Option<String>;

    /// Keeps other log lines from now on.
    ///
    /// # Errors
    /// A sentence for people, if the filter cannot be read. Then the old one stays.
    fn set_log_filter(&self, filter: &str) -> Result<(), String>;
}

/// A process that offers nothing.
pub struct NoDiagnostics;

impl Diagnostics for NoDiagnostics {
    fn log_filter(&self) -> Option<String> {
        None
    }

    fn set_log_filter(&self, _: &str) -> Result<(), String> {
        Err("This process has no log of its own.".to_owned())
    }
}

/// As application data.
pub(crate) type Offered = Arc<dyn Diagnostics>;

/// Which log lines are kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogLevel {
    /// Directives such as `info` or `warn,orders=debug`.
    filter: String,
}

/// Which log lines are kept?
#[get("/debug/log-level")]
pub(crate) async fn get_log_level(offered: web::Data<Offered>) -> Result<HttpResponse, Problem> {
    let filter = offered.log_filter().ok_or_else(|| Problem::not_found("log"))?;
    Ok(ok(&LogLevel { filter }))
}

/// Keeps other log lines from the next one on, until the process ends.
#[put("/debug/log-level")]
pub(crate) async fn put_log_level(
    request: HttpRequest,
    payload: Payload,
    offered: web::Data<Offered>,
) -> Result<HttpResponse, Problem> {
    let wanted: LogLevel = body::json(&request, payload).await?;
    let before = offered.log_filter().ok_or_else(|| Problem::not_found("log"))?;
    let set = offered.set_log_filter(&wanted.filter);
    set.map_err(|why| Problem::invalid(vec![Fault::at("/filter", why)]))?;
    tracing::warn!(
        event = "log_level_changed",
        before,
        now = wanted.filter,
        "other log lines are kept from now on"
    );
    Ok(ok(&wanted))
}
