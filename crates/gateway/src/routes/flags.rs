//! Feature flags, in flagd's form.

use super::answers::ok;
use crate::admission::Gate;
use crate::documents::{NotFound, PageParameters, ReadProblems, WriteProblems};
use crate::http::body;
use crate::http::query::page_of;
use crate::problem::Problem;
use crate::views::{self, FlagChangeView, FlagView};
use actix_web::{HttpRequest, HttpResponse, get, put, web};
use domain::Timestamp;
use flags::{Definition, Flag, Metadata, State};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::ops::Bound;
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

const CHANGES: &str = "/v1/flags/{key}/changes";

/// A flag, as flagd writes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FlagDefinition)]
pub(crate) struct FlagBody {
    /// `ENABLED`, or `DISABLED`: then the program does as it was built to.
    #[schema(value_type = String, examples("ENABLED"))]
    state: State,
    /// Values by name.
    #[schema(value_type = Object)]
    variants: Map<String, Value>,
    /// The variant when no rule says otherwise.
    #[serde(rename = "defaultVariant")]
    #[schema(examples("legacy"))]
    default_variant: String,
    /// A rule of JsonLogic that gives the name of a variant, or null for the default.
    #[schema(value_type = Option<Object>)]
    targeting: Option<Value>,
    /// Who answers for it, and until when it is meant to be there.
    metadata: FlagMetadata,
}

/// Who answers for a flag, and until when it is meant to be there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagMetadata {
    /// A person or a team, 1 to 200 characters.
    #[schema(examples("checkout"))]
    owner: String,
    /// From then on it is complained about; it still holds.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
}

impl From<FlagBody> for Definition {
    fn from(body: FlagBody) -> Self {
        let FlagBody { state, variants, default_variant, targeting, metadata } = body;
        let metadata = Metadata { owner: metadata.owner, expires: metadata.expires };
        Self { state, variants, default_variant, targeting, metadata }
    }
}

/// Set a flag.
///
/// Needs the scope `flags:write`. The whole flag is replaced; every node goes by it within about a
/// second. Each change is kept.
#[utoipa::path(
    tag = "flags",
    params(("key" = String, Path, description = "The flag.")),
    request_body(content = FlagBody,
        example = json!({"state": "ENABLED",
            "variants": {"legacy": "legacy", "promotional": "promotional"},
            "defaultVariant": "legacy",
            "targeting": {"fractional": [["promotional", 10], ["legacy", 90]]},
            "metadata": {"owner": "checkout", "expires": "2027-06-30T00:00:00.000Z"}})),
    responses(
        (status = 200, description = "The flag as it is now.", body = views::FlagView<'static>),
        WriteProblems,
    ),
)]
#[put("/v1/flags/{key}")]
pub(crate) async fn put_flag(
    request: HttpRequest,
    gate: web::Data<Gate>,
    key: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let body: FlagBody = body::json(&request, payload).await?;
    let (flags, context, name) = (gate.services.flags.clone(), caller.context(), key.clone());
    caller.write(async move { flags.put(name, body.into(), &context).await }).await?;
    tell(&gate, &key)
}

fn tell(gate: &Gate, key: &str) -> Result<HttpResponse, Problem> {
    let table = gate.services.flags.table();
    let flag = table.flags.get(key).ok_or_else(|| Problem::not_found("flag"))?;
    Ok(ok(&FlagView::new(flag, gate.services.clock.now())))
}

/// Read a flag.
///
/// Needs the scope `flags:read`.
#[utoipa::path(
    tag = "flags",
    params(("key" = String, Path, description = "The flag.")),
    responses(
        (status = 200, description = "The flag.", body = views::FlagView<'static>),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/flags/{key}")]
pub(crate) async fn get_flag(
    request: HttpRequest,
    gate: web::Data<Gate>,
    key: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    gate.admit(&request).await?;
    tell(&gate, &key)
}

/// List the flags by key.
///
/// Needs the scope `flags:read`. Flags that the program knows are there even if nobody has set them.
#[utoipa::path(
    tag = "flags",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::FlagPage),
        ReadProblems,
    ),
)]
#[get("/v1/flags")]
pub(crate) async fn list_flags(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    gate.admit(&request).await?;
    let page = page_of(&request, "/v1/flags", &gate.cursors)?;
    let after = page.after(|text| Some(text.to_owned()))?;
    let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let table = gate.services.flags.table();
    let rows = table.flags.range::<str, _>((from, Bound::Unbounded));
    let rows = rows.take(usize::try_from(page.rows()).unwrap_or(0));
    let rows: Vec<Arc<Flag>> = rows.map(|(_, flag)| flag.clone()).collect();
    let page = page.page(rows, &gate.cursors, |flag| flag.key.clone());
    let now = gate.services.clock.now();
    Ok(ok(&page.told(|flag| FlagView::new(flag, now))))
}

/// List the changes of a flag, newest first.
///
/// Needs the scope `flags:read`.
#[utoipa::path(
    tag = "flags",
    params(("key" = String, Path, description = "The flag."), PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::FlagChangePage),
        ReadProblems,
    ),
)]
#[get("/v1/flags/{key}/changes")]
pub(crate) async fn list_flag_changes(
    request: HttpRequest,
    gate: web::Data<Gate>,
    key: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let page = page_of(&request, &CHANGES.replace("{key}", &key), &gate.cursors)?;
    let before = page.after(|text| Uuid::try_parse(text).ok())?;
    let rows = caller.read(gate.services.flags.changes(&key, before, page.rows())).await?;
    let page = page.page(rows, &gate.cursors, |change| change.id.to_string());
    Ok(ok(&page.view::<FlagChangeView<'_>>()))
}
