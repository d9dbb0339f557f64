//! Promotions: what takes something off prices.

use super::price_rules;
use crate::admission::Gate;
use crate::documents::{NotFound, PageParameters, ReadProblems, WriteProblems};
use crate::problem::Problem;
use crate::views;
use actix_web::{HttpRequest, HttpResponse, get, put, web};
use catalog::Rule;
use pricing::{Document, Promotion, Rules};
use std::collections::BTreeMap;
use std::sync::Arc;

fn promotions(rules: &Rules) -> &BTreeMap<String, Arc<Document<Promotion>>> {
    &rules.promotions
}

/// Make or change a promotion.
///
/// Needs the scope `pricing:write`. It counts where the engine `promotional`
/// works out what an order costs. A promotion cannot be taken away, but made inactive.
#[utoipa::path(
    tag = "pricing",
    params(("id" = String, Path, description = "The promotion, up to 200 bytes of printable text.")),
    request_body(content = Promotion,
        example = json!({"name": "Three for two", "benefit": {"kind": "buy_x_get_y", "buy": 2, "get": 1,
            "rate_ppm": 1000000}, "target": {"categories": ["coffee"]}})),
    responses(
        (status = 200, description = "The promotion as it is now.", body = views::PromotionView),
        WriteProblems,
    ),
)]
#[put("/v1/promotions/{id}")]
pub(crate) async fn put_promotion(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let kind =
        (Rule::Promotion as fn(Promotion) -> Rule, promotions as price_rules::Shelf<Promotion>);
    price_rules::put((request, payload), &gate, id, kind).await
}

/// Read a promotion.
///
/// Needs the scope `pricing:read`.
#[utoipa::path(
    tag = "pricing",
    params(("id" = String, Path, description = "The promotion.")),
    responses(
        (status = 200, description = "The promotion.", body = views::PromotionView),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/promotions/{id}")]
pub(crate) async fn get_promotion(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    price_rules::get(request, &gate, &id, promotions).await
}

/// List the promotions by id.
///
/// Needs the scope `pricing:read`.
#[utoipa::path(
    tag = "pricing",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::PromotionPage),
        ReadProblems,
    ),
)]
#[get("/v1/promotions")]
pub(crate) async fn list_promotions(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    price_rules::list(request, &gate, "/v1/promotions", promotions).await
}
