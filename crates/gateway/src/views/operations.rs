//! The state of the shop.

use broker::DeadLetter;
use customers::ApiKey;
use domain::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// The result of the audit.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes orders::AuditReport for the OpenAPI document")]
pub(crate) struct Audit {
    /// Whether every check is ok.
    balanced: bool,
    checks: Vec<AuditCheck>,
}

/// One check of the audit.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes orders::AuditReport for the OpenAPI document")]
pub(crate) struct AuditCheck {
    name: String,
    ok: bool,
    /// How many things were looked at.
    checked: i64,
    /// What is wrong, the first of them.
    #[schema(value_type = Vec<Object>)]
    violations: Vec<Value>,
    /// Sums that were compared, by currency.
    #[schema(value_type = Object, required = false)]
    figures: Value,
}

/// An event that a consumer could not digest in all its attempts. It waits for a person, and the
/// later events of its order wait behind it.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct DeadLetterView<'a> {
    /// Who could not digest it.
    #[schema(examples("shipping"))]
    consumer: &'a str,
    order_id: Uuid,
    /// The order's version after the event; the event itself is in the order's timeline.
    version: i64,
    #[serde(rename = "type")]
    #[schema(examples("order.confirmed"))]
    kind: &'a str,
    attempts: i64,
    /// When the last attempt failed.
    #[schema(value_type = String, format = DateTime)]
    dead_since: Timestamp,
    /// Why it failed.
    last_error: &'a str,
}

impl<'a> From<&'a DeadLetter> for DeadLetterView<'a> {
    fn from(letter: &'a DeadLetter) -> Self {
        Self {
            consumer: &letter.consumer,
            order_id: letter.order_id.0,
            version: letter.version,
            kind: &letter.kind,
            attempts: letter.attempts,
            dead_since: letter.dead_since,
            last_error: &letter.last_error,
        }
    }
}

/// How many dead letters are tried again.
#[derive(Serialize, ToSchema)]
pub(crate) struct Redriven {
    pub(crate) redriven: u64,
}

/// An API key, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct KeyView {
    id: Uuid,
    name: String,
    /// What its holder may do.
    #[schema(examples(json!(["orders:read", "orders:write"])))]
    scopes: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Whether it opens nothing any more.
    revoked: bool,
    /// Its first characters, to tell keys apart; `null` for a key that was configured.
    #[schema(examples("ok_Xc3vB9Qa"))]
    prefix: Option<String>,
    /// When it stops to open anything; `null`: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was used last, to a minute or so; `null`: not yet.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<&ApiKey> for KeyView {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name.clone(),
            scopes: key.scopes.names(),
            created_at: key.created_at,
            revoked: key.revoked,
            prefix: key.prefix.clone(),
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        }
    }
}

/// An API key that was just made. Its secret is told here and never again.
#[derive(Serialize, ToSchema)]
#[schema(as = NewApiKey)]
pub(crate) struct MadeKeyView {
    #[schema(inline)]
    #[serde(flatten)]
    pub(crate) key: KeyView,
    /// To be sent as `Authorization: Bearer <secret>`.
    pub(crate) secret: String,
}
