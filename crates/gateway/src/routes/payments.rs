//! Payments.

use super::answers::ok;
use crate::admission::Gate;
use crate::documents::{NotFound, ReadProblems};
use crate::problem::Problem;
use crate::views::PaymentView;
use actix_web::{HttpRequest, HttpResponse, get, web};
use domain::PaymentId;

/// Read a payment.
///
/// Needs the scope `payments:read`.
#[utoipa::path(
    tag = "payments",
    params(("id" = Uuid, Path, description = "The payment.")),
    responses(
        (status = 200, description = "The payment, with what was done with it since.", body = PaymentView<'static>),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/payments/{id}")]
pub(crate) async fn get_payment(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request, "payments:read").await?;
    let absent = || Problem::not_found("payment");
    let id: PaymentId = id.parse().map_err(|_| absent())?;
    let found = caller.read(gate.services.payments.get_with_operations(id)).await?;
    let (payment, operations) = found.ok_or_else(absent)?;
    Ok(ok(&PaymentView::new(&payment, &operations)))
}
