//! Coupons: codes that open promotions, for so many orders.

use super::answers::ok;
use super::price_rules;
use crate::admission::Gate;
use crate::documents::{NotFound, PageParameters, ReadProblems, WriteProblems};
use crate::problem::Problem;
use crate::views;
use actix_web::{HttpRequest, HttpResponse, get, put, web};
use catalog::Rule;
use pricing::{Coupon, Document, Rules};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

fn coupons(rules: &Rules) -> &BTreeMap<String, Arc<Document<Coupon>>> {
    &rules.coupons
}

/// A coupon, and how far it is used.
#[derive(Serialize)]
struct CouponUse<'a> {
    #[serde(flatten)]
    coupon: &'a Document<Coupon>,
    used: i64,
}

/// Make or change a coupon.
///
/// Needs the scope `pricing:write`. The promotion that it opens must exist. A limit that is
/// lowered takes no coupon away from an order that has it.
#[utoipa::path(
    tag = "pricing",
    params(("id" = String, Path, description = "The code, up to 200 bytes of printable text.")),
    request_body(content = Coupon,
        example = json!({"promotion": "spring", "limit": 500, "limit_per_customer": 1})),
    responses(
        (status = 200, description = "The coupon as it is now.", body = views::CouponView),
        WriteProblems,
    ),
)]
#[put("/v1/coupons/{id}")]
pub(crate) async fn put_coupon(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let kind = (Rule::Coupon as fn(Coupon) -> Rule, coupons as price_rules::Shelf<Coupon>);
    price_rules::put((request, payload), &gate, id, kind).await
}

/// Read a coupon.
///
/// Needs the scope `pricing:read`.
#[utoipa::path(
    tag = "pricing",
    params(("id" = String, Path, description = "The code.")),
    responses(
        (status = 200, description = "The coupon.", body = views::CouponUseView),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/coupons/{id}")]
pub(crate) async fn get_coupon(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let known = gate.services.catalog.rules().coupons.get(&*id).cloned();
    let coupon = known.ok_or_else(|| Problem::not_found("rule"))?;
    let used = caller.read(gate.services.catalog.coupons_used(vec![coupon.id.clone()])).await?;
    let used = used.get(&coupon.id).copied().unwrap_or(0);
    Ok(ok(&CouponUse { coupon: &coupon, used }))
}

/// List the coupons by id.
///
/// Needs the scope `pricing:read`.
#[utoipa::path(
    tag = "pricing",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::CouponPage),
        ReadProblems,
    ),
)]
#[get("/v1/coupons")]
pub(crate) async fn list_coupons(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    price_rules::list(request, &gate, "/v1/coupons", coupons).await
}
