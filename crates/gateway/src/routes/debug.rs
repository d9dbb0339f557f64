//! What an operator may look into and change while the process runs; on the private listener only.

use super::answers::ok;
use crate::http::body;
use crate::http::query::Query;
use crate::problem::{Code, Fault, Problem};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, get, put, web};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// How many seconds a profile may take; its size is bounded by that, too.
const SECONDS: RangeInclusive<u64> = 1..=60;
/// How many it takes if nothing is said.
const SECONDS_DEFAULT: u64 = 10;

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

    /// Takes a profile for so long. Blocks.
    ///
    /// # Errors
    /// See [`NoProfile`].
    fn profile(&self, of: Profiled, form: Form, time: Duration) -> Result<Vec<u8>, NoProfile>;

    /// How much memory the process uses; `None` if the system does not say.
    fn memory(&self) -> Option<MemoryUse>;
}

/// What is profiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profiled {
    /// Where the processor's time goes.
    Cpu,
    /// How long messages wait in the mailboxes, by actor and kind of message.
    Mailboxes,
}

/// How a profile is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For the tool `pprof`.
    Protobuf,
    /// As a picture.
    FlameGraph,
}

/// Why there is no profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoProfile {
    /// Another one is being taken.
    Busy,
    /// It cannot be done here, for this reason.
    Failed(String),
}

/// Bytes of the memory of the process, as the kernel sees it. No heap profile: who allocated what is
/// not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemoryUse {
    /// In memory now.
    pub resident_bytes: u64,
    /// The most that ever was.
    pub resident_peak_bytes: u64,
    /// Heap and stacks, of what is in memory.
    pub anonymous_bytes: u64,
    /// Files, such as the program itself, of what is in memory.
    pub file_bytes: u64,
    /// Moved out to disk.
    pub swapped_bytes: u64,
    /// Threads.
    pub threads: u64,
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

    fn profile(&self, _: Profiled, _: Form, _: Duration) -> Result<Vec<u8>, NoProfile> {
        Err(NoProfile::Failed("This process takes no profiles.".to_owned()))
    }

    fn memory(&self) -> Option<MemoryUse> {
        None
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

/// A CPU profile for `pprof`.
#[get("/debug/pprof/profile")]
pub(crate) async fn cpu(
    request: HttpRequest,
    offered: web::Data<Offered>,
) -> Result<HttpResponse, Problem> {
    profile(&request, offered, Profiled::Cpu, Form::Protobuf).await
}

/// A CPU profile as a flame graph.
#[get("/debug/pprof/flamegraph")]
pub(crate) async fn cpu_flame_graph(
    request: HttpRequest,
    offered: web::Data<Offered>,
) -> Result<HttpResponse, Problem> {
    profile(&request, offered, Profiled::Cpu, Form::FlameGraph).await
}

/// How long messages wait, for `pprof`.
#[get("/debug/pprof/mailboxes")]
pub(crate) async fn mailboxes(
    request: HttpRequest,
    offered: web::Data<Offered>,
) -> Result<HttpResponse, Problem> {
    profile(&request, offered, Profiled::Mailboxes, Form::Protobuf).await
}

/// How long messages wait, as a flame graph.
#[get("/debug/pprof/mailboxes/flamegraph")]
pub(crate) async fn mailboxes_flame_graph(
    request: HttpRequest,
    offered: web::Data<Offered>,
) -> Result<HttpResponse, Problem> {
    profile(&request, offered, Profiled::Mailboxes, Form::FlameGraph).await
}

/// What memory is used for, as far as the kernel knows.
#[get("/debug/pprof/heap")]
pub(crate) async fn heap(
    request: HttpRequest,
    offered: web::Data<Offered>,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let memory = offered.memory();
    Ok(ok(&memory.ok_or_else(|| Problem::not_found("account of the memory"))?))
}

async fn profile(
    request: &HttpRequest,
    offered: web::Data<Offered>,
    of: Profiled,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let query = Query::of(request, &["seconds"])?;
    let in_range = |text: &str| text.parse().ok().filter(|seconds| SECONDS.contains(seconds));
    let seconds = query.read("seconds", "seconds is a whole number from 1 to 60.", in_range)?;
    let seconds: u64 = seconds.unwrap_or(SECONDS_DEFAULT);
    let time = Duration::from_secs(seconds);
    let taken = web::block(move || offered.profile(of, form, time)).await;
    let profile = match taken.map_err(|error| Problem::internal().because(error))? {
        Ok(profile) => profile,
        Err(NoProfile::Busy) => {
            let message = "Another profile is being taken; there is one at a time.";
            return Err(Problem::new(Code::RateLimited, message).retry_after(seconds));
        }
        Err(NoProfile::Failed(why)) => return Err(Problem::new(Code::Unavailable, why)),
    };
    let media_type = match form {
        Form::Protobuf => "application/octet-stream",
        Form::FlameGraph => "image/svg+xml",
    };
    Ok(HttpResponse::Ok().content_type(media_type).body(profile))
}
