//! Where the pricing engines differ.

use super::answers::ok;
use crate::admission::Gate;
use crate::documents::{PageParameters, ReadProblems};
use crate::http::query::page_of;
use crate::problem::Problem;
use crate::views::{self, MismatchView};
use actix_web::{HttpRequest, HttpResponse, get, web};
use domain::OrderId;

/// List orders of which the other pricing engine would have wanted another total, newest first.
///
/// Needs the scope `pricing:read`. Orders are compared while the flag `pricing.shadow` is on.
#[utoipa::path(
    tag = "pricing",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::MismatchPage),
        ReadProblems,
    ),
)]
#[get("/v1/pricing/mismatches")]
pub(crate) async fn list_mismatches(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let page = page_of(&request, "/v1/pricing/mismatches", &gate.cursors)?;
    let before = page.after(|text| text.parse::<OrderId>().ok())?;
    let rows = caller.read(gate.services.orders.mismatches(before, page.rows())).await?;
    let page = page.page(rows, &gate.cursors, |row| row.order_id.to_string());
    Ok(ok(&page.view::<MismatchView<'_>>()))
}
