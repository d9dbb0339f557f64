//! The catalogue.

use super::answers::{self, Entry, json, ok};
use crate::admission::{Caller, Gate};
use crate::documents::{
    NotFound, PageParameters, ProductOutcome, ReadProblems, StreamProblems, WriteProblems,
};
use crate::http::body::{self, Faults, check_ndjson, parse};
use crate::http::number::WholeNumber;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::views::{self, ProductView};
use actix_web::{HttpRequest, HttpResponse, get, post, put, web};
use catalog::{Product, ProductChange, Wanted};
use domain::{AMOUNT_MAX_MINOR, Sku, parse_currency};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

pub(super) const NAME_LENGTH_MAX: usize = 200;

/// What a product is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProductChange)]
pub(crate) struct ProductBody {
    /// Only in a stream; else the SKU stands in the path.
    #[schema(ignore)]
    sku: Option<String>,
    /// What people call it, up to 200 characters.
    #[schema(required = true, value_type = String, examples("Espresso beans 1 kg"))]
    name: Option<String>,
    /// The group it belongs to, up to 200 characters; none by default.
    #[schema(examples("Coffee"))]
    category: Option<String>,
    /// Price of one unit, in minor units, from 0.
    #[schema(required = true, value_type = i64, examples(1990))]
    unit_amount: Option<WholeNumber>,
    /// ISO 4217 currency of the price.
    #[schema(required = true, value_type = String, examples("USD"))]
    currency: Option<String>,
    /// Whether it can be ordered; true by default.
    active: Option<bool>,
}

/// What a product is to be, as a line of a stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes ProductBody in a stream for the OpenAPI document")]
pub(crate) struct ProductInStream {
    /// Which product.
    #[schema(examples("SKU-1"))]
    sku: String,
    #[schema(inline)]
    #[serde(flatten)]
    product: ProductBody,
}

impl ProductBody {
    /// The change of `sku`, or of the SKU in the body.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    fn check(self, sku: Option<Sku>) -> Result<ProductChange, Problem> {
        let mut faults = Faults::default();
        let sku = sku.or_else(|| faults.sku(self.sku));
        faults.check_text(self.name.as_deref(), NAME_LENGTH_MAX, "/name");
        let name = faults.require(self.name, "/name");
        let category = self.category.unwrap_or_default();
        if !category.is_empty() {
            faults.check_text(Some(&category), NAME_LENGTH_MAX, "/category");
        }
        let amount = faults.require(self.unit_amount, "/unit_amount");
        let unit_amount = amount.and_then(|number| {
            faults.take(number.within(0, AMOUNT_MAX_MINOR, || "/unit_amount".to_owned()))
        });
        let currency = faults.require(self.currency, "/currency").and_then(|code| {
            let currency = parse_currency(&code);
            faults.require_valid(currency, "/currency", "must be an ISO 4217 code in capitals")
        });
        faults.finish()?;
        let (Some(sku), Some(name), Some(unit_amount), Some(currency)) =
            (sku, name, unit_amount, currency)
        else {
            // Whatever is missing was noted above.
            return Err(Problem::internal());
        };
        let active = self.active.unwrap_or(true);
        Ok(ProductChange { sku, name, category, unit_amount, currency, active })
    }
}

/// Make or change a product.
///
/// Needs the scope `products:write`. A product that is there already is replaced.
#[utoipa::path(
    tag = "products",
    params(("sku" = String, Path, description = "The product.")),
    request_body(content = ProductBody,
        example = json!({"name": "Espresso beans 1 kg", "category": "Coffee",
            "unit_amount": 1990, "currency": "USD", "active": true})),
    responses(
        (status = 200, description = "The product as it is now.", body = ProductView<'static>),
        WriteProblems,
    ),
)]
#[put("/v1/products/{sku}")]
pub(crate) async fn put_product(
    request: HttpRequest,
    gate: web::Data<Gate>,
    sku: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let body: ProductBody = body::json(&request, payload).await?;
    if body.sku.is_some() {
        return Err(body::unknown_member("sku"));
    }
    let change = body.check(Some(path_sku_to_write(&sku)?))?;
    let products = put(&gate, &caller, vec![change]).await?;
    // One change in, one product out.
    let product = products.first().ok_or_else(Problem::internal)?;
    Ok(ok(&ProductView::from(product)))
}

async fn put(
    gate: &Gate,
    caller: &Caller,
    changes: Vec<ProductChange>,
) -> Result<Vec<Product>, Problem> {
    let (catalog, context) = (gate.services.catalog.clone(), caller.context());
    caller.write(async move { catalog.put(changes, &context).await }).await
}

/// Make or change many products.
///
/// Newline-delimited JSON: each line is a product with its `sku`, each line of the answer tells
/// the outcome of one: `{line, status, product}` or `{line, status, error}`; `line` counts from 1.
/// Needs the scope `products:write`.
#[utoipa::path(
    tag = "products",
    request_body(content = ProductInStream, content_type = "application/x-ndjson",
        description = "One product per line, each line at most 1 MiB.",
        example = json!({"sku": "SKU-1", "name": "Espresso beans 1 kg", "category": "Coffee",
            "unit_amount": 1990, "currency": "USD", "active": true})),
    responses(
        (status = 200, description = "One outcome per line.", body = ProductOutcome,
            content_type = "application/x-ndjson"),
        StreamProblems,
    ),
)]
#[post("/v1/products:batch")]
pub(crate) async fn put_products(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    check_ndjson(&request)?;
    let read = |_: &Caller, _, line: &[u8]| parse::<ProductBody>(line)?.check(None);
    let call = async |gate: &Gate, caller: &Caller, changes| {
        let products = put(gate, caller, changes).await?;
        let entry = |product| Entry::Ok((200, json(&ProductView::from(product))));
        Ok(products.iter().map(entry).collect())
    };
    Ok(answers::batch((gate, caller), payload, "product", read, call))
}

/// Read a product.
///
/// Needs the scope `products:read`.
#[utoipa::path(
    tag = "products",
    params(("sku" = String, Path, description = "The product.")),
    responses(
        (status = 200, description = "The product.", body = ProductView<'static>),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/products/{sku}")]
pub(crate) async fn get_product(
    request: HttpRequest,
    gate: web::Data<Gate>,
    sku: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let sku = path_sku(&sku, "product")?;
    let catalog = &gate.services.catalog;
    let remember = || catalog.snapshot().get(sku.as_str()).map(|product| Product::clone(product));
    let product = caller.read_or_remember(&request, catalog.get(&sku), remember).await?;
    let product = product.ok_or_else(|| Problem::not_found("product"))?;
    Ok(ok(&ProductView::from(&product)))
}

/// List or search products by SKU.
///
/// Needs the scope `products:read`. With a filter the node answers from its memory, which knows what
/// was written through other nodes about a second later.
#[utoipa::path(
    tag = "products",
    params(
        ("q" = Option<String>, Query, description = "Words that stand in the name or the SKU, each anywhere, in capitals or not."),
        ("category" = Option<String>, Query, description = "Only products of this category and of those below it."),
        ("active" = Option<bool>, Query, description = "Only products that can (`true`) or cannot (`false`) be ordered."),
        ("currency" = Option<String>, Query, description = "Only products priced in this ISO 4217 currency."),
        ("amount_from" = Option<i64>, Query, description = "Only products that cost at least so much, in minor units."),
        ("amount_to" = Option<i64>, Query, description = "Only products that cost at most so much, in minor units."),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page.", body = views::ProductPage),
        ReadProblems,
    ),
)]
#[get("/v1/products")]
pub(crate) async fn list_products(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let query = Query::of(&request, FILTERS)?;
    let page = query.page("/v1/products", &gate.cursors)?;
    let after = page.after(|text| Sku::parse(text).ok())?;
    let wanted = wanted(&query)?;
    let catalog = gate.services.catalog.clone();
    let rows = usize::try_from(page.rows()).unwrap_or(0);
    let rows = if wanted == Wanted::default() {
        let read = catalog.list(after.clone(), page.rows());
        let shared = |product: &Arc<Product>| Product::clone(product);
        let remember = || {
            let found = catalog.snapshot().search(&catalog.rules(), &wanted, after.as_ref(), rows);
            found.iter().map(shared).collect()
        };
        caller.read_or_remember(&request, read, remember).await?.into_iter().map(Arc::new).collect()
    } else {
        caller.must_remember(&request);
        // A search looks at every product: not on a thread that others wait for.
        let (snapshot, rules) = (catalog.snapshot(), catalog.rules());
        let search = move || snapshot.search(&rules, &wanted, after.as_ref(), rows);
        web::block(search).await.map_err(|error| Problem::internal().because(error))?
    };
    let rows = page.page(rows, &gate.cursors, |product| product.sku.to_string());
    Ok(ok(&rows.view::<ProductView<'_>>()))
}

const FILTERS: &[&str] =
    &["q", "category", "active", "currency", "amount_from", "amount_to", "limit", "cursor"];

fn wanted(query: &Query) -> Result<Wanted, Problem> {
    let amount = |name| {
        let in_range = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|amount| digits && (0..=AMOUNT_MAX_MINOR).contains(amount))
        };
        query.read(name, "An amount is a whole number of minor units.", in_range)
    };
    let is_active = |text: &str| text.parse().ok();
    let currency = "currency is an ISO 4217 code in capitals.";
    Ok(Wanted {
        words: query.get("q").map(Wanted::words_of).unwrap_or_default(),
        category: query.get("category").map(str::to_owned),
        active: query.read("active", "active is true or false.", is_active)?,
        currency: query.read("currency", currency, parse_currency)?,
        amount_from: amount("amount_from")?,
        amount_to: amount("amount_to")?,
    })
}

/// The SKU of a path that is read: what is no SKU names nothing.
pub(crate) fn path_sku(text: &str, what: &str) -> Result<Sku, Problem> {
    Sku::parse(text).map_err(|_| Problem::not_found(what))
}

/// The SKU of a path that is written.
pub(crate) fn path_sku_to_write(text: &str) -> Result<Sku, Problem> {
    Sku::parse(text).map_err(|error| {
        let mut faults = Faults::default();
        faults.add("", format!("the SKU in the path: {error}"));
        faults.finish().err().unwrap_or_else(Problem::internal)
    })
}

impl Faults {
    /// The SKU of a line, or a note of its fault.
    pub(crate) fn sku(&mut self, text: Option<String>) -> Option<Sku> {
        let text = self.require(text, "/sku")?;
        match Sku::parse(text) {
            Ok(sku) => Some(sku),
            Err(error) => {
                self.add("/sku", error.to_string());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;
    use serde_json::{Value, json};

    fn check(body: &Value) -> Result<ProductChange, Problem> {
        parse::<ProductBody>(body.to_string().as_bytes())?.check(None)
    }

    #[test]
    fn a_product_has_defaults() {
        let least = json!({"sku": "A", "name": "a", "unit_amount": 0, "currency": "EUR"});
        let change = check(&least).expect("a good product");
        assert_eq!((change.category.as_str(), change.active), ("", true));
        let inactive = json!({"sku": "A", "name": "a", "unit_amount": 0, "currency": "EUR",
            "category": "c", "active": false});
        let change = check(&inactive).expect("a good product");
        assert_eq!((change.category.as_str(), change.active), ("c", false));
    }

    #[test]
    fn every_fault_is_told() {
        let problem = check(&json!({"unit_amount": 1.5, "category": "\n"})).expect_err("faults");
        assert_eq!(problem.code(), Code::ValidationFailed);
        let body: Value = serde_json::from_str(&problem.json("")).expect("json");
        let pointers: Vec<_> =
            body["errors"].as_array().expect("errors").iter().map(|e| &e["pointer"]).collect();
        assert_eq!(pointers, ["/sku", "/name", "/category", "/unit_amount", "/currency"]);
        let unknown = check(&json!({"sku": "A", "revision": 3})).expect_err("unknown");
        assert_eq!(unknown.code(), Code::InvalidBody);
    }

    #[test]
    fn what_is_no_sku_is_absent_for_readers_and_wrong_for_writers() {
        assert_eq!(path_sku("", "product").expect_err("none").code(), Code::NotFound);
        let problem = path_sku_to_write(&"x".repeat(65)).expect_err("too long");
        assert_eq!(problem.code(), Code::ValidationFailed);
        assert_eq!(path_sku_to_write("A/1 ü").map(String::from).ok().as_deref(), Some("A/1 ü"));
    }
}
