//! What is bought together.

use super::answers::ok;
use super::customers::{absent, customer_id};
use super::products::path_sku;
use crate::admission::Gate;
use crate::documents::{NotFound, ReadProblems};
use crate::http::query::Query;
use crate::problem::Problem;
use crate::views::RecommendationList;
use actix_web::{HttpRequest, HttpResponse, get, web};

/// How many are asked for.
fn limit(request: &HttpRequest) -> Result<usize, Problem> {
    let limit = Query::of(request, &["limit"])?.limit()?;
    // In range: 1 to 100.
    Ok(usize::try_from(limit).unwrap_or(1))
}

/// Read what is bought together with a product.
///
/// Needs the scope `products:read`. Counted in the memory of the node, in the latest orders. When
/// that is not possible in time, the answer is the best sellers, or an empty list, with
/// `degraded: true`: a shop goes on without recommendations.
#[utoipa::path(
    tag = "products",
    params(
        ("sku" = String, Path, description = "The product."),
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20."),
    ),
    responses(
        (status = 200, description = "Products, those most often bought together first.", body = RecommendationList),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/products/{sku}/recommendations")]
pub(crate) async fn recommend(
    request: HttpRequest,
    gate: web::Data<Gate>,
    sku: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let limit = limit(&request)?;
    let sku = path_sku(&sku, "product")?;
    if gate.services.catalog.snapshot().get(sku.as_str()).is_none() {
        return Err(Problem::not_found("product"));
    }
    let found = gate.services.recommendations.for_product(&sku, limit).await;
    Ok(ok(&RecommendationList::of(found, caller.must_remember(&request))))
}

/// Read what goes with what a customer bought lately.
///
/// Needs the scope `customers:read`; customers who have signed in read their own. What they bought lately is not in it. For a customer who is not
/// known to have bought anything the answer is the best sellers, with `degraded: true`.
#[utoipa::path(
    tag = "customers",
    params(
        ("id" = Uuid, Path, description = "The customer."),
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20."),
    ),
    responses(
        (status = 200, description = "Products, those that go best with the customer's first.", body = RecommendationList),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/customers/{id}/recommendations")]
pub(crate) async fn recommend_to_customer(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (caller, owner) = gate.admit_owner(&request).await?;
    let limit = limit(&request)?;
    let id = customer_id(&id, owner)?;
    caller.read(gate.services.customers.get(id)).await?.ok_or_else(absent)?;
    let found = gate.services.recommendations.for_customer(&id, limit).await;
    Ok(ok(&RecommendationList::of(found, false)))
}
