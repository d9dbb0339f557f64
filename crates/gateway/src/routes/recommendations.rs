//! What is bought together.

use super::answers::ok;
use super::products::path_sku;
use crate::admission::Gate;
use crate::documents::{NotFound, ReadProblems};
use crate::http::edge;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::views::{RecommendationList, RecommendationView};
use actix_web::{HttpRequest, HttpResponse, get, web};

/// Read what is bought together with a product.
///
/// Needs the scope `products:read`. When it cannot be read, the answer is an empty list with
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
    let caller = gate.admit(&request, "products:read").await?;
    let limit = Query::of(&request, &["limit"])?.limit()?;
    // In range: 1 to 100.
    let limit = usize::try_from(limit).unwrap_or(1);
    let sku = path_sku(&sku, "product")?;
    if gate.services.catalog.snapshot().get(sku.as_str()).is_none() {
        return Err(Problem::not_found("product"));
    }
    let recommendations = &gate.services.recommendations;
    let read = async { recommendations.for_product(&sku, limit).await.map(Some) };
    let found = caller.read_or_remember(&request, read, || None).await.unwrap_or_else(|problem| {
        edge::log(&problem);
        None
    });
    Ok(ok(&match found {
        Some(found) => RecommendationList {
            data: found.into_iter().map(RecommendationView::from).collect(),
            degraded: false,
        },
        None => RecommendationList { data: Vec::new(), degraded: true },
    }))
}
