//! Price lists, and the prices on them.

use super::answers::{self, Entry, json, ok};
use super::price_rules;
use crate::admission::{Caller, Gate};
use crate::documents::{
    NotFound, PageParameters, PriceOutcome, ReadProblems, StreamProblems, WriteProblems,
};
use crate::http::body::{Faults, check_ndjson, parse};
use crate::http::number::WholeNumber;
use crate::http::query::page_of;
use crate::problem::Problem;
use crate::views::{self, ListedPriceView, PriceView};
use actix_web::{HttpRequest, HttpResponse, get, post, put, web};
use catalog::{PriceChange, Rule};
use domain::{AMOUNT_MAX_MINOR, Sku};
use pricing::{Document, PriceList, Rules};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

const PRICES: &str = "/v1/price-lists/{id}/prices";

fn price_lists(rules: &Rules) -> &BTreeMap<String, Arc<Document<PriceList>>> {
    &rules.price_lists
}

/// Make or change a price list.
///
/// Needs the scope `pricing:write`. Its prices go before those of the products where the engine
/// `promotional` works out what an order costs. A list cannot be taken away, but made inactive.
#[utoipa::path(
    tag = "pricing",
    params(("id" = String, Path, description = "The list, up to 200 bytes of printable text.")),
    request_body(content = PriceList,
        example = json!({"name": "Spring 2027", "currency": "USD", "priority": 10,
            "starts_at": "2027-03-01T00:00:00.000Z", "ends_at": "2027-06-01T00:00:00.000Z"})),
    responses(
        (status = 200, description = "The list as it is now.", body = views::PriceListView),
        WriteProblems,
    ),
)]
#[put("/v1/price-lists/{id}")]
pub(crate) async fn put_price_list(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let kind =
        (Rule::PriceList as fn(PriceList) -> Rule, price_lists as price_rules::Shelf<PriceList>);
    price_rules::put((request, payload), &gate, id, kind).await
}

/// Read a price list.
///
/// Needs the scope `pricing:read`.
#[utoipa::path(
    tag = "pricing",
    params(("id" = String, Path, description = "The list.")),
    responses(
        (status = 200, description = "The list.", body = views::PriceListView),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/price-lists/{id}")]
pub(crate) async fn get_price_list(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    price_rules::get(request, &gate, &id, price_lists).await
}

/// List the price lists by id.
///
/// Needs the scope `pricing:read`.
#[utoipa::path(
    tag = "pricing",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::PriceListPage),
        ReadProblems,
    ),
)]
#[get("/v1/price-lists")]
pub(crate) async fn list_price_lists(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    price_rules::list(request, &gate, "/v1/price-lists", price_lists).await
}

/// A price to stand on a list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceInStream)]
pub(crate) struct PriceBody {
    /// Of which product. It need not exist yet.
    #[schema(required = true, value_type = String, examples("SKU-1"))]
    sku: Option<String>,
    /// Price of one unit, in minor units of the list's currency; needed unless `off` is true.
    #[schema(value_type = Option<i64>, examples(1790))]
    unit_amount: Option<WholeNumber>,
    /// Take the price off the list; false by default.
    off: Option<bool>,
}

impl PriceBody {
    fn check(self) -> Result<PriceChange, Problem> {
        let mut faults = Faults::default();
        let sku = faults.sku(self.sku);
        let off = self.off.unwrap_or(false);
        let unit_amount = match self.unit_amount {
            Some(_) if off => faults.require_valid(None, "/unit_amount", "cannot stand with off"),
            Some(number) => {
                faults.take(number.within(0, AMOUNT_MAX_MINOR, || "/unit_amount".to_owned()))
            }
            None if off => None,
            None => faults.require(None, "/unit_amount"),
        };
        faults.finish()?;
        let sku = sku.ok_or_else(Problem::internal)?;
        Ok(PriceChange { sku, unit_amount })
    }
}

/// Put prices on a list, or take them off it.
///
/// Newline-delimited JSON: each line is a price, each line of the answer tells the outcome of one:
/// `{line, status, price}` or `{line, status, error}`; `line` counts from 1. Needs the scope
/// `pricing:write`.
#[utoipa::path(
    tag = "pricing",
    params(("id" = String, Path, description = "The list.")),
    request_body(content = PriceBody, content_type = "application/x-ndjson",
        description = "One price per line.", example = json!({"sku": "SKU-1", "unit_amount": 1790})),
    responses(
        (status = 200, description = "One outcome per line.", body = PriceOutcome,
            content_type = "application/x-ndjson"),
        StreamProblems,
    ),
)]
#[post("/v1/price-lists/{id}/prices:batch")]
pub(crate) async fn put_prices(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    check_ndjson(&request)?;
    let list = id.into_inner();
    let read = |_: &Caller, _, line: &[u8]| parse::<PriceBody>(line)?.check();
    let call = async move |gate: &Gate, caller: &Caller, changes: Vec<PriceChange>| {
        let told = |change: &PriceChange| Entry::Ok((200, json(&PriceView::from(change))));
        let entries: Vec<Entry> = changes.iter().map(told).collect();
        let (catalog, context) = (gate.services.catalog.clone(), caller.context());
        let list = list.clone();
        let put = async move { catalog.put_prices(list, changes, &context).await };
        if caller.write(put).await? { Ok(entries) } else { Err(Problem::not_found("price list")) }
    };
    Ok(answers::batch((gate, caller), payload, "price", read, call))
}

fn check_list(gate: &Gate, id: &str) -> Result<(), Problem> {
    let known = gate.services.catalog.rules().price_lists.contains_key(id);
    if known { Ok(()) } else { Err(Problem::not_found("price list")) }
}

/// List the prices of a list by SKU.
///
/// Needs the scope `pricing:read`.
#[utoipa::path(
    tag = "pricing",
    params(("id" = String, Path, description = "The list."), PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::ListedPricePage),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/price-lists/{id}/prices")]
pub(crate) async fn list_prices(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    // A cursor of one list is no good for another.
    let page = page_of(&request, &PRICES.replace("{id}", &id), &gate.cursors)?;
    check_list(&gate, &id)?;
    let after = page.after(|text| Sku::parse(text).ok())?;
    let rows = caller.read(gate.services.catalog.prices(&id, after, page.rows())).await?;
    let rows = page.page(rows, &gate.cursors, |price| price.sku.to_string());
    Ok(ok(&rows.view::<ListedPriceView<'_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_stands_or_is_taken_off() {
        let check = |body: &str| parse::<PriceBody>(body.as_bytes())?.check();
        let good = check(r#"{"sku": "A", "unit_amount": 5}"#).expect("a price");
        assert_eq!((good.sku.as_str(), good.unit_amount), ("A", Some(5)));
        let off = check(r#"{"sku": "A", "off": true}"#).expect("taken off");
        assert_eq!(off.unit_amount, None);
        for bad in [
            r#"{"sku": "A"}"#,
            r#"{"sku": "A", "unit_amount": null}"#,
            r#"{"sku": "A", "unit_amount": 5, "off": true}"#,
            r#"{"sku": "A", "unit_amount": -1}"#,
            r#"{"unit_amount": 5}"#,
            r#"{"sku": "A", "unit_amount": 5, "currency": "USD"}"#,
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
