//! Taxes per jurisdiction.

use super::price_rules;
use crate::admission::Gate;
use crate::documents::{NotFound, PageParameters, ReadProblems, WriteProblems};
use crate::problem::Problem;
use crate::views;
use actix_web::{HttpRequest, HttpResponse, get, put, web};
use catalog::Rule;
use pricing::{Document, Rules, TaxTable};
use std::collections::BTreeMap;
use std::sync::Arc;

fn tax_tables(rules: &Rules) -> &BTreeMap<String, Arc<Document<TaxTable>>> {
    &rules.tax_tables
}

/// Make or change a tax table.
///
/// Needs the scope `pricing:write`. Orders name it as their `jurisdiction`. Taxes are added
/// to prices by the engine `promotional` alone.
#[utoipa::path(
    tag = "pricing",
    params(("id" = String, Path, description = "The jurisdiction, up to 200 bytes of printable text.")),
    request_body(content = TaxTable,
        example = json!({"name": "New York City", "rates": [{"rate_ppm": 88750},
            {"category": "food", "rate_ppm": 0}], "rounding": "half_up"})),
    responses(
        (status = 200, description = "The table as it is now.", body = views::TaxTableView),
        WriteProblems,
    ),
)]
#[put("/v1/tax-tables/{id}")]
pub(crate) async fn put_tax_table(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let kind = (Rule::TaxTable as fn(TaxTable) -> Rule, tax_tables as price_rules::Shelf<TaxTable>);
    price_rules::put((request, payload), &gate, id, kind).await
}

/// Read a tax table.
///
/// Needs the scope `pricing:read`.
#[utoipa::path(
    tag = "pricing",
    params(("id" = String, Path, description = "The jurisdiction.")),
    responses(
        (status = 200, description = "The table.", body = views::TaxTableView),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/tax-tables/{id}")]
pub(crate) async fn get_tax_table(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    price_rules::get(request, &gate, &id, tax_tables).await
}

/// List the tax tables by id.
///
/// Needs the scope `pricing:read`.
#[utoipa::path(
    tag = "pricing",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::TaxTablePage),
        ReadProblems,
    ),
)]
#[get("/v1/tax-tables")]
pub(crate) async fn list_tax_tables(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    price_rules::list(request, &gate, "/v1/tax-tables", tax_tables).await
}
