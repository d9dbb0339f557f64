//! What each operation needs, written into the document out of the table of `access`: a route cannot
//! say anything else than what it is judged by.

use crate::access::{Entry, Reach, Rules};
use crate::routes::operations_mut;
use serde_json::json;
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

/// API keys.
const KEY: &str = "bearer";
/// Access tokens.
const TOKEN: &str = "token";

/// The ways of saying who one is.
pub(super) struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut OpenApi) {
        let key = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key. Each operation names the scope that it needs."));
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
        let token = token.description(Some(
            "An access token of `POST /v1/tokens`. Operators and admins have the scopes of their \
             role; `x-access` says what is there for customers.",
        ));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(KEY, SecurityScheme::Http(key.build()));
        components.add_security_scheme(TOKEN, SecurityScheme::Http(token.build()));
    }
}

/// Writes into each operation what it needs.
pub(super) fn write(document: &mut OpenApi) {
    let rules = Rules::new();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations_mut(item) {
            // A route without a row lets nobody in; a test sees to it that there is none.
            let Ok(rule) = rules.of(method, path) else { continue };
            let (names, entry): (Vec<&str>, _) = match rule.entry {
                Entry::Open => (Vec::new(), "open"),
                Entry::Signed => (Vec::new(), "signed"),
                Entry::Known => (Vec::new(), "known"),
                Entry::Scope(scope) => (vec![scope], "scope"),
            };
            let customers = match rule.customers {
                _ if rule.entry == Entry::Open => "all",
                Reach::Nothing => "nothing",
                Reach::Own => "own",
                Reach::All => "all",
            };
            operation.security = Some(match rule.entry {
                Entry::Open | Entry::Signed => vec![SecurityRequirement::default()],
                Entry::Known | Entry::Scope(_) => {
                    [KEY, TOKEN].map(|way| SecurityRequirement::new(way, names.clone())).into()
                }
            });
            let access = json!({"entry": entry, "scope": names.first(), "customers": customers});
            let access = ExtensionsBuilder::new().add("x-access", access).build();
            operation.extensions.get_or_insert_default().merge(access);
        }
    }
}
