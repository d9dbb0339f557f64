//! The ledger of a SKU.

use super::answers::ok;
use super::products::path_sku;
use super::stock::NoStock;
use crate::admission::Gate;
use crate::documents::{PageParameters, ReadProblems};
use crate::http::query::Query;
use crate::problem::Problem;
use crate::views::{self, MovementView};
use actix_web::{HttpRequest, HttpResponse, get, web};
use domain::Timestamp;
use inventory::{Entry, Position};
use uuid::Uuid;

/// List what happened to the stock of a SKU, newest first.
///
/// Adjustments, shipments, returns and moves in one list. Needs the scope `stock:read`.
#[utoipa::path(
    tag = "stock",
    params(
        ("sku" = String, Path, description = "The SKU."),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page.", body = views::MovementPage),
        NoStock,
        ReadProblems,
    ),
)]
#[get("/v1/stock/{sku}/movements")]
pub(crate) async fn list_stock_movements(
    request: HttpRequest,
    gate: web::Data<Gate>,
    sku: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let query = Query::of(&request, &["limit", "cursor"])?;
    let sku = path_sku(&sku, "stock")?;
    // The SKU is part of the list's name: a cursor is of no use for another SKU.
    let page = query.page(&format!("/v1/stock/{sku}/movements"), &gate.cursors)?;
    let after = page.after(position_of)?;
    let rows = caller.read(gate.services.inventory.movements(&sku, after, page.rows())).await?;
    let rows = rows.ok_or_else(|| Problem::not_found("stock"))?;
    let rows = page.page(rows, &gate.cursors, named);
    Ok(ok(&rows.view::<MovementView<'_>>()))
}

/// The place of an entry as text.
fn named(entry: &Entry) -> String {
    let Position { at, id } = entry.position();
    format!("{} {id}", at.micros())
}

fn position_of(text: &str) -> Option<Position> {
    let (at, id) = text.split_once(' ')?;
    let at = Timestamp::from_micros(at.parse().ok()?);
    Some(Position { at, id: Uuid::try_parse(id).ok()? })
}
