//! The books.

use super::answers::ok;
use crate::admission::Gate;
use crate::documents::ReadProblems;
use crate::problem::Problem;
use crate::views;
use actix_web::{HttpRequest, HttpResponse, get, web};

/// Audit the books.
///
/// Compares orders, stock, payments, events and the provider's ledger over the live database.
/// Needs the scope `audit:read`.
#[utoipa::path(
    tag = "operations",
    responses(
        (status = 200, description = "The result, balanced or not.", body = views::Audit),
        ReadProblems,
    ),
)]
#[get("/v1/audit")]
pub(crate) async fn audit(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let context = caller.context();
    let report = caller.read(gate.services.orders.audit(&context)).await?;
    Ok(ok(&report))
}
