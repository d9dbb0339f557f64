//! What goes over the wire: request bodies, and what an answer to an order means.

use serde::{Deserialize, Serialize};

use super::dataset::{Opening, Order, Product};

/// The payment method of every customer: a Visa card that is always accepted.
pub const PAYMENT_METHOD: &str = "pm_card_visa";

/// The single-order call takes no more lines; longer orders go through the import call.
pub const MAX_SINGLE_LINES: usize = 500;

#[derive(Serialize)]
struct ProductBody<'a> {
    sku: &'a str,
    name: &'a str,
    category: &'a str,
    unit_amount: i64,
    currency: &'a str,
    active: bool,
}

#[derive(Serialize)]
struct StockBody<'a> {
    sku: &'a str,
    delta: u64,
    reason: &'static str,
}

#[derive(Serialize)]
struct CustomerBody<'a> {
    external_ref: &'a str,
    name: String,
    default_payment_method: &'static str,
}

#[derive(Serialize)]
struct LineBody<'a> {
    sku: &'a str,
    quantity: u64,
    unit_amount: i64,
    discount_amount: i64,
}

#[derive(Serialize)]
struct PaymentBody {
    method: &'static str,
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    store_ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ordered_at: Option<&'a str>,
}

#[derive(Serialize)]
struct OrderBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    external_ref: &'a str,
    customer_id: &'a str,
    currency: &'a str,
    lines: Vec<LineBody<'a>>,
    payment: PaymentBody,
    metadata: Metadata<'a>,
}

/// One JSON value per line.
fn ndjson<T: Serialize>(values: impl Iterator<Item = T>) -> Result<Vec<u8>, serde_json::Error> {
    let mut body = Vec::new();
    for value in values {
        serde_json::to_writer(&mut body, &value)?;
        body.push(b'\n');
    }
    Ok(body)
}

/// The body of `POST /v1/products:batch`.
pub(super) fn products(products: &[Product]) -> Result<Vec<u8>, serde_json::Error> {
    ndjson(products.iter().map(|product| ProductBody {
        sku: &product.sku,
        name: &product.name,
        category: &product.category,
        unit_amount: product.unit_amount,
        currency: &product.currency,
        active: true,
    }))
}

/// The body of `POST /v1/stock:batch`.
pub(super) fn stock(stock: &[Opening]) -> Result<Vec<u8>, serde_json::Error> {
    ndjson(stock.iter().map(|opening| StockBody {
        sku: &opening.sku,
        delta: opening.units,
        reason: "opening_stock",
    }))
}

/// The body of `POST /v1/customers:batch`.
pub(super) fn customers(refs: &[String]) -> Result<Vec<u8>, serde_json::Error> {
    ndjson(refs.iter().map(|external_ref| CustomerBody {
        external_ref,
        name: format!("Customer {external_ref}"),
        default_payment_method: PAYMENT_METHOD,
    }))
}

/// The body of `POST /v1/orders`; with a key, one line of `POST /v1/orders:batch`.
///
/// # Errors
/// None that can happen: the parts are texts and whole numbers.
pub fn order(
    order: &Order,
    customer_id: &str,
    batch_key: Option<&str>,
) -> Result<Vec<u8>, serde_json::Error> {
    let lines = order.lines.iter().map(|line| LineBody {
        sku: &line.sku,
        quantity: line.quantity,
        unit_amount: line.unit_amount,
        discount_amount: line.discount_amount,
    });
    let body = OrderBody {
        idempotency_key: batch_key,
        external_ref: &order.order_ref,
        customer_id,
        currency: &order.currency,
        lines: lines.collect(),
        payment: PaymentBody { method: PAYMENT_METHOD },
        metadata: Metadata {
            store_ref: order.store_ref.as_deref(),
            ordered_at: order.timestamp.as_deref(),
        },
    };
    serde_json::to_vec(&body)
}

/// The idempotency key of one thing a run sends: `<run_id>-<name>`, where every byte that a key
/// must not hold is percent-encoded, so that different names give different keys.
pub(super) fn idempotency_key(run_id: &str, name: &str) -> String {
    let mut key = format!("{run_id}-");
    for byte in name.bytes() {
        match byte {
            b'%' | b'"' => key.push_str(&format!("%{byte:02X}")),
            0x21..=0x7e => key.push(char::from(byte)),
            _ => key.push_str(&format!("%{byte:02X}")),
        }
    }
    key
}

/// The parts of an order answer that the replay looks at. Amounts are in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct OrderAnswer {
    pub(super) id: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) amount_subtotal: i64,
    #[serde(default)]
    pub(super) amount_discount: i64,
    #[serde(default)]
    pub(super) amount_total: i64,
    #[serde(default)]
    pub(super) lines: Vec<LineAnswer>,
}

/// One line of an order answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct LineAnswer {
    pub(super) quantity: u64,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Reserved and paid.
    Accepted(OrderAnswer),
    /// Durable, but not settled; to be asked for by this id.
    Pending(String),
    /// A refusal that is part of the business: nothing was sold.
    Refused,
    /// Anything else: the answer, for people.
    Failed(String),
}

/// The `code` of a problem answer.
pub(super) fn problem_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Problem {
        code: String,
    }
    serde_json::from_slice::<Problem>(body).ok().map(|problem| problem.code)
}

/// The first characters of a body, on one line, for messages.
pub(super) fn excerpt(body: &[u8]) -> String {
    const MAX_CHARS: usize = 300;
    let text = String::from_utf8_lossy(body);
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(MAX_CHARS) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// What the answer to a placed order means, and the label it is counted under.
pub(super) fn classify(status: u16, body: &[u8]) -> (String, Outcome) {
    let failed = |why: &str| Outcome::Failed(format!("{why}: {}", excerpt(body)));
    if matches!(status, 200..=202) {
        let label = |state: &str| format!("{status} {state}");
        return match serde_json::from_slice::<OrderAnswer>(body) {
            Err(error) => (label("unreadable"), failed(&format!("not an order ({error})"))),
            Ok(order) => match settled(order) {
                Settled::Accepted(order) => (label(&order.status), Outcome::Accepted(order)),
                Settled::NotYet(id) => (label("pending"), Outcome::Pending(id)),
                // Answered as a success, yet nothing was sold: that is not a refusal in due form.
                Settled::Refused(state) => (label(&state), failed("success without a sale")),
                Settled::Unknown(state) => (label(&state), failed("unknown order status")),
            },
        };
    }
    let code = problem_code(body);
    let label = format!("{status} {}", code.as_deref().unwrap_or("without code"));
    let outcome = match (status, code.as_deref()) {
        (409, Some("OUT_OF_STOCK")) | (402, Some("PAYMENT_DECLINED")) => Outcome::Refused,
        _ => failed("unexpected answer"),
    };
    (label, outcome)
}

/// What the status of an order says about the sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Settled {
    /// Sold: confirmed or later.
    Accepted(OrderAnswer),
    /// Not sold; the status.
    Refused(String),
    /// Not settled yet; the order's id.
    NotYet(String),
    /// A status this program does not know.
    Unknown(String),
}

/// Reads the status of an order.
pub(super) fn settled(order: OrderAnswer) -> Settled {
    match order.status.as_str() {
        "confirmed" | "partially_shipped" | "shipped" | "delivered" => Settled::Accepted(order),
        "rejected" | "cancelled" => Settled::Refused(order.status),
        "pending" => Settled::NotYet(order.id),
        _ => Settled::Unknown(order.status),
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
