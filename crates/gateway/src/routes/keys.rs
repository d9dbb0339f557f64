//! API keys.

use super::answers::{ok, with_status};
use crate::admission::{Caller, Gate};
use crate::documents::{PageParameters, ReadProblems, WriteProblems, problems};
use crate::http::body::{self, Faults};
use crate::http::query::page_of;
use crate::problem::{Code, Problem};
use crate::views::{self, KeyView, MadeKeyView};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use customers::{NewKey, Scopes};
use domain::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) const NAME_LENGTH_MAX: usize = 100;
pub(super) const SCOPES_MAX: usize = 50;
pub(super) const SCOPE_LENGTH_MAX: usize = 64;

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiKeyRequest)]
pub(crate) struct KeyBody {
    /// What people call it, up to 100 characters; stands in the timelines of orders.
    #[schema(required = true, value_type = String, examples("till 3"))]
    name: Option<String>,
    /// What its holder may do: names such as `orders:write`, `orders:*` for all that begin so, `*`
    /// for everything. No more than the key that makes it.
    #[schema(required = true, value_type = Vec<String>, examples(json!(["orders:read"])))]
    scopes: Option<Vec<String>>,
    /// When it stops to open anything, as RFC 3339 writes it; never when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
}

impl KeyBody {
    /// The key that is asked for.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    fn check(self, now: Timestamp) -> Result<NewKey, Problem> {
        let mut faults = Faults::default();
        faults.check_text(self.name.as_deref(), NAME_LENGTH_MAX, "/name");
        let name = faults.require(self.name, "/name");
        let scopes = faults.require(self.scopes, "/scopes");
        if let Some(scopes) = &scopes {
            if scopes.is_empty() || scopes.len() > SCOPES_MAX {
                faults.add("/scopes", format!("has 1 to {SCOPES_MAX} scopes"));
            }
            for (index, _) in scopes.iter().enumerate().filter(|(_, scope)| !is_scope(scope)) {
                let expected = "must be *, or like orders:write or orders:*";
                faults.add(format!("/scopes/{index}"), expected);
            }
        }
        let expires_at = self.expires_at.and_then(|text| {
            let end = Timestamp::parse(&text).filter(|end| *end > now);
            faults.require_valid(end, "/expires_at", "must be an RFC 3339 time to come")
        });
        faults.finish()?;
        // What is missing was noted above.
        let (name, scopes) = name.zip(scopes).ok_or_else(Problem::internal)?;
        Ok(NewKey { name, scopes: Scopes::parse(&scopes.join(" ")), expires_at })
    }
}

/// Whether a text can be a scope.
fn is_scope(text: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    };
    let is_pair = || {
        let pair = text.split_once(':');
        pair.is_some_and(|(family, what)| is_name(family) && (what == "*" || is_name(what)))
    };
    text.len() <= SCOPE_LENGTH_MAX && (text == "*" || is_pair())
}

/// Refuses to give away, or to take from others, more than the caller has.
pub(super) fn check_scopes(caller: &Caller, scopes: &Scopes) -> Result<(), Problem> {
    match scopes.names().into_iter().find(|scope| !caller.allows(scope)) {
        Some(scope) => {
            let message = format!("Nobody gives or takes more than they may do; not {scope}.");
            Err(Problem::new(Code::Forbidden, message).with("scope", scope))
        }
        None => Ok(()),
    }
}

/// Make an API key.
///
/// The answer has the secret, which is told once and kept nowhere. It may expire by itself
/// (`expires_at`). Needs the scope `api-keys:write`.
#[utoipa::path(
    tag = "keys",
    request_body(content = KeyBody, example = json!({"name": "till 3", "scopes": ["orders:write"]})),
    responses(
        (status = 201, description = "The key, with its secret.", body = MadeKeyView,
            headers(("Location" = String))),
        WriteProblems,
    ),
)]
#[post("/v1/api-keys")]
pub(crate) async fn create_key(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let body: KeyBody = body::json(&request, payload).await?;
    let new = body.check(gate.services.clock.now())?;
    check_scopes(&caller, &new.scopes)?;
    let customers = gate.services.customers.clone();
    let (key, secret) = caller.write(async move { customers.make_key(new).await }).await?;
    let view = MadeKeyView { key: KeyView::from(&key), secret };
    let mut response = with_status(StatusCode::CREATED, &view);
    if let Ok(location) = header::HeaderValue::try_from(format!("/v1/api-keys/{}", key.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// List the API keys, newest first.
///
/// Also those that were revoked; never their secrets. Needs the scope `api-keys:read`.
#[utoipa::path(
    tag = "keys",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::KeyPage),
        ReadProblems,
    ),
)]
#[get("/v1/api-keys")]
pub(crate) async fn list_keys(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let page = page_of(&request, "/v1/api-keys", &gate.cursors)?;
    let after = page.after(|text| text.parse::<Uuid>().ok())?;
    let rows = caller.read(gate.services.customers.list_keys(after, page.rows())).await?;
    let rows = page.page(rows, &gate.cursors, |key| key.id.to_string());
    Ok(ok(&rows.view::<KeyView>()))
}

problems! {
    /// There is no key to revoke.
    NoKey:
    404 "`NOT_FOUND`: there is no such key, or it was revoked before.",
}

/// Revoke an API key.
///
/// On this node it opens nothing any more at once, on the others within ten seconds. A key cannot
/// revoke itself, and nobody revokes a key that may do more than they may do: somebody must be left
/// who can. Needs the scope `api-keys:write`.
#[utoipa::path(
    tag = "keys",
    params(("id" = Uuid, Path, description = "The key.")),
    responses(
        (status = 204, description = "It is revoked."),
        NoKey,
        ReadProblems,
    ),
)]
#[delete("/v1/api-keys/{id}")]
pub(crate) async fn revoke_key(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let absent = || Problem::not_found("API key");
    let id: Uuid = id.parse().map_err(|_| absent())?;
    if caller.principal().id == id {
        return Err(Problem::new(Code::Forbidden, "A key cannot revoke itself."));
    }
    let customers = gate.services.customers.clone();
    let key = caller.read(customers.key(id)).await?.ok_or_else(absent)?;
    check_scopes(&caller, &key.scopes)?;
    match caller.write(async move { customers.revoke_key(id).await }).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(absent()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::body::parse;
    use serde_json::{Value, json};

    #[test]
    fn scopes_have_a_form() {
        for good in ["*", "orders:write", "orders:*", "api-keys:read"] {
            assert!(is_scope(good), "{good}");
        }
        let long = format!("orders:{}", "x".repeat(60));
        for bad in
            ["", "orders", ":", "orders:", ":write", "a:b:c", "a b:c", "Orders:read", "**", &long]
        {
            assert!(!is_scope(bad), "{bad}");
        }
    }

    #[test]
    fn bodies_are_checked() {
        let check = |body: &Value| {
            let body = parse::<KeyBody>(body.to_string().as_bytes());
            let now = Timestamp::parse("2026-01-02T03:04:05Z").expect("a time");
            body.and_then(|body| body.check(now)).map_err(|problem| problem.code())
        };
        let end = "2026-01-02T03:04:06Z";
        let good = json!({"name": "till", "scopes": ["orders:read", "orders:write"],
            "expires_at": end});
        let scopes = Scopes::parse("orders:read orders:write");
        let expires_at = Timestamp::parse(end);
        assert_eq!(check(&good), Ok(NewKey { name: "till".to_owned(), scopes, expires_at }));
        for bad in [
            json!({"name": "till"}),
            json!({"scopes": ["*"]}),
            json!({"name": "", "scopes": ["*"]}),
            json!({"name": "till", "scopes": []}),
            json!({"name": "till", "scopes": ["orders:read orders:write"]}),
            json!({"name": "till", "scopes": vec!["*"; 51]}),
            json!({"name": "till", "scopes": ["*"], "expires_at": "2026-01-02T03:04:05Z"}),
            json!({"name": "till", "scopes": ["*"], "expires_at": "soon"}),
        ] {
            assert_eq!(check(&bad), Err(Code::ValidationFailed), "{bad}");
        }
        let secret = json!({"name": "till", "scopes": ["*"], "secret": "my-own"});
        assert_eq!(check(&secret), Err(Code::InvalidBody));
    }
}
