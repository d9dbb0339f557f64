//! Is the process alive, and should it get requests?

use super::answers::{ok, with_status};
use super::debug::Diagnostics;
use crate::limits::DatabaseProbe;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use std::sync::Arc;
use topology::Report;
use utoipa::ToSchema;

/// Whether this node should get requests now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It should.
    Ready,
    /// It should not, for these reasons (such as `draining`, `database`).
    NotReady(Vec<String>),
}

/// What the gateway asks the process about itself. These are called for each request, so they must
/// be quick and must not block.
#[derive(Clone)]
pub struct Probes {
    /// Whether this node should get requests now.
    pub ready: Arc<dyn Fn() -> Readiness + Send + Sync>,
    /// Whether the database answers.
    pub database: DatabaseProbe,
    /// All metrics in the text format of Prometheus.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// How the parts of the shop are, and the calls between them.
    pub topology: Arc<dyn Fn() -> Report + Send + Sync>,
    /// What may be looked into and changed through the private listener.
    pub diagnostics: Arc<dyn Diagnostics>,
}

/// The state of the process.
#[derive(Serialize, ToSchema)]
#[schema(as = ProcessState)]
pub(crate) struct State {
    /// `live`, `ready` or `not_ready`.
    #[schema(examples("ready"))]
    status: &'static str,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    reasons: Vec<String>,
}

/// Is the process alive?
///
/// Touches nothing: a database that is away is no reason to restart the process.
#[utoipa::path(
    tag = "operations",
    security(()),
    responses((status = 200, description = "Always.", body = State)),
)]
#[get("/livez")]
pub(crate) async fn livez() -> HttpResponse {
    ok(&State { status: "live", reasons: Vec::new() })
}

/// Should this node get requests?
#[utoipa::path(
    tag = "operations",
    security(()),
    responses(
        (status = 200, description = "Yes.", body = State),
        (status = 503, description = "No, for these reasons.", body = State),
    ),
)]
#[get("/readyz")]
pub(crate) async fn readyz(probes: web::Data<Probes>) -> HttpResponse {
    match (probes.ready)() {
        Readiness::Ready => ok(&State { status: "ready", reasons: Vec::new() }),
        Readiness::NotReady(reasons) => {
            let state = State { status: "not_ready", reasons };
            with_status(StatusCode::SERVICE_UNAVAILABLE, &state)
        }
    }
}

/// All metrics; on the private listener only.
#[get("/metrics")]
pub(crate) async fn metrics(probes: web::Data<Probes>) -> HttpResponse {
    let text = (probes.metrics)();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}
