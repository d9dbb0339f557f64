//! Categories: the groups that products belong to.

use super::price_rules;
use crate::admission::Gate;
use crate::documents::{NotFound, PageParameters, ReadProblems, WriteProblems};
use crate::problem::Problem;
use crate::views;
use actix_web::{HttpRequest, HttpResponse, get, put, web};
use catalog::Rule;
use pricing::{Category, Document, Rules};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Make or change a category.
///
/// Needs the scope `products:write`. Products name categories that nobody has made, too; what a
/// category adds is a name for people, and its place below another one. A category cannot be taken
/// away.
#[utoipa::path(
    tag = "products",
    params(("id" = String, Path, description = "The category, as products name it.")),
    request_body(content = Category, example = json!({"name": "Coffee", "parent": null})),
    responses(
        (status = 200, description = "The category as it is now.", body = views::CategoryView),
        WriteProblems,
    ),
)]
#[put("/v1/categories/{id}")]
pub(crate) async fn put_category(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let kind = (Rule::Category as fn(Category) -> Rule, categories as price_rules::Shelf<Category>);
    price_rules::put((request, payload), &gate, id, kind).await
}

/// Read a category.
///
/// Needs the scope `products:read`.
#[utoipa::path(
    tag = "products",
    params(("id" = String, Path, description = "The category.")),
    responses(
        (status = 200, description = "The category.", body = views::CategoryView),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/categories/{id}")]
pub(crate) async fn get_category(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    price_rules::get(request, &gate, &id, categories).await
}

/// List categories by id.
///
/// Needs the scope `products:read`.
#[utoipa::path(
    tag = "products",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::CategoryPage),
        ReadProblems,
    ),
)]
#[get("/v1/categories")]
pub(crate) async fn list_categories(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    price_rules::list(request, &gate, "/v1/categories", categories).await
}

fn categories(rules: &Rules) -> &BTreeMap<String, Arc<Document<Category>>> {
    &rules.categories
}
