//! The whole catalogue as a stream.

use super::answers::json;
use crate::admission::Gate;
use crate::documents::{ReadProblems, StreamProblems};
use crate::http::ndjson;
use crate::problem::Problem;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, get, web};
use catalog::{Product, Wanted};
use serde::Serialize;
use utoipa::ToSchema;

/// How many products there are: a client that counts lines knows how far it is.
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

/// A product as `POST /v1/products:batch` takes it.
#[derive(Serialize, ToSchema)]
#[schema(as = ExportedProduct)]
pub(crate) struct Exported<'a> {
    sku: &'a str,
    name: &'a str,
    category: &'a str,
    /// Price of one unit, in minor units.
    unit_amount: i64,
    /// ISO 4217 currency.
    currency: &'static str,
    /// Whether it can be ordered.
    active: bool,
}

impl<'a> From<&'a Product> for Exported<'a> {
    fn from(product: &'a Product) -> Self {
        Self {
            sku: product.sku.as_str(),
            name: &product.name,
            category: &product.category,
            unit_amount: product.unit_amount,
            currency: product.currency.code(),
            active: product.active,
        }
    }
}

/// Export all products.
///
/// Newline-delimited JSON, by SKU: one product per line, in the form that `POST /v1/products:batch`
/// takes. The products are those of one moment, as the node knows them. `X-Total-Count` tells how many
/// lines will come. Needs the scope `products:read`.
#[utoipa::path(
    tag = "products",
    responses(
        (status = 200, description = "One product per line.", body = Exported<'static>,
            content_type = "application/x-ndjson", headers(("X-Total-Count" = i64))),
        ReadProblems,
        StreamProblems,
    ),
)]
#[get("/v1/products:export")]
pub(crate) async fn export_products(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    caller.must_remember(&request);
    let (snapshot, rules) = (gate.services.catalog.snapshot(), gate.services.catalog.rules());
    let all = move || snapshot.search(&rules, &Wanted::default(), None, usize::MAX);
    let products = web::block(all).await.map_err(|error| Problem::internal().because(error))?;
    let total = HeaderValue::from(products.len());
    let mut response = ndjson::respond(async move |outlet| {
        for chunk in products.chunks(ndjson::CHUNK_LINES_MAX) {
            let lines = chunk.iter().map(|product| json(&Exported::from(&**product)) + "\n");
            if outlet.send(lines.collect()).await.is_err() {
                return;
            }
        }
    });
    response.headers_mut().insert(TOTAL, total);
    Ok(response)
}
