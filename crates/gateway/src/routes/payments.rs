//! Payments.

use super::answers::ok;
use super::orders::check_owner;
use crate::access::Owner;
use crate::admission::Gate;
use crate::documents::{NotFound, ReadProblems};
use crate::problem::{Code, Problem};
use crate::views::PaymentView;
use actix_web::{HttpRequest, HttpResponse, get, web};
use domain::{OrderId, PaymentId};
use uuid::Uuid;

/// Read a payment.
///
/// Needs the scope `payments:read`. Customers who have signed in see those of their orders.
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
    let (caller, owner) = gate.admit_owner(&request).await?;
    let absent = || Problem::not_found("payment");
    let id: PaymentId = id.parse().map_err(|_| absent())?;
    if owner != Owner::Anybody {
        // Whose it is, the order says. As many queries are made for a payment that does not exist
        // as for somebody else's.
        let payment = caller.read(gate.services.payments.get(id)).await?;
        let order = payment.map_or(OrderId(Uuid::nil()), |payment| payment.order_id);
        check_owner(&gate, &caller, owner, order)
            .await
            .map_err(|problem| if problem.code() == Code::NotFound { absent() } else { problem })?;
    }
    let found = caller.read(gate.services.payments.get_with_operations(id)).await?;
    let (payment, operations) = found.ok_or_else(absent)?;
    Ok(ok(&PaymentView::new(&payment, &operations)))
}
