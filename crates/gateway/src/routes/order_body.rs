//! The body of an order: everything that can be wrong with it by itself, told at once.

use crate::admission::Caller;
use crate::http::body::{Faults, Object};
use crate::http::idempotency::fingerprint;
use crate::http::number::WholeNumber;
use crate::problem::Problem;
use domain::{AMOUNT_MAX_MINOR, Capture, CustomerId, Sku, parse_currency};
use orders::{OrderRequest, RequestedLine};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::answers::Fingerprint;
use utoipa::ToSchema;

/// Most lines of an order that is placed by itself.
pub(crate) const LINES_MAX: usize = 500;

/// Most lines of an order in a stream, the way of imports.
pub(crate) const LINES_MAX_IMPORT: usize = 5_000;

pub(super) const EXTERNAL_REF_LENGTH_MAX: usize = 200;
const METADATA_BYTES_MAX: usize = 16 * 1024;
pub(super) const METHOD_LENGTH_MAX: usize = 100;

/// The scope that lets a key name prices.
const PRICE: &str = "orders:price";

/// An order to be placed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrder)]
pub(crate) struct OrderBody {
    /// The client's own name of the order, up to 200 characters.
    #[schema(examples("basket-40100000123"))]
    external_ref: Option<String>,
    /// Who orders.
    #[schema(value_type = Option<uuid::Uuid>)]
    customer_id: Option<String>,
    /// ISO 4217 currency; the products must be priced in it.
    #[schema(required = true, value_type = String, examples("USD"))]
    currency: Option<String>,
    /// What is ordered: 1 to 500 lines (5,000 in a stream).
    #[schema(required = true, value_type = Vec<LineBody>)]
    lines: Option<Vec<Object<LineBody>>>,
    /// How it is paid; by default with the customer's own method, at once.
    #[schema(value_type = Option<PaymentBody>)]
    payment: Option<Object<PaymentBody>>,
    /// The client's own data, up to 16 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// Codes of coupons, up to 10, each once.
    coupons: Option<Vec<String>>,
    /// Whose taxes the order bears: the id of a tax table. None by default.
    #[schema(examples("US-NYC"))]
    jurisdiction: Option<String>,
    /// Only in a stream, where each order has its own key.
    #[schema(ignore)]
    idempotency_key: Option<String>,
}

/// A line of an order to be placed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrderLine)]
pub(crate) struct LineBody {
    #[schema(required = true, value_type = String, examples("SKU-1"))]
    sku: Option<String>,
    /// Units, from 1.
    #[schema(required = true, value_type = i64, examples(2))]
    quantity: Option<WholeNumber>,
    /// Price of one unit in minor units; needs the scope `orders:price`. By default the
    /// catalogue's.
    #[schema(value_type = Option<i64>)]
    unit_amount: Option<WholeNumber>,
    /// Taken off the whole line, in minor units; needs the scope `orders:price`.
    #[schema(value_type = Option<i64>)]
    discount_amount: Option<WholeNumber>,
}

/// How an order is to be paid.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrderPayment)]
pub(crate) struct PaymentBody {
    /// The provider's name of the means of payment.
    #[schema(examples("pm_card_visa"))]
    method: Option<String>,
    /// `automatic` (default): take the money at once. `manual`: hold it until goods ship.
    #[schema(examples("automatic"))]
    capture: Option<String>,
}

/// An order to be placed, as a line of a stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes OrderBody in a stream for the OpenAPI document")]
pub(crate) struct NewOrderInStream {
    /// Names the request: the same key and the same order give the same answer.
    #[schema(examples("import-1-basket-40100000123"))]
    idempotency_key: String,
    #[schema(inline)]
    #[serde(flatten)]
    order: OrderBody,
}

/// What makes two orders the same request, however they were spelt.
#[derive(Serialize)]
struct Canonical<'a> {
    external_ref: Option<&'a str>,
    customer_id: Option<CustomerId>,
    currency: &'a str,
    lines: Vec<(&'a Sku, i64, Option<i64>, i64)>,
    payment_method: Option<&'a str>,
    capture: Capture,
    metadata: &'a Map<String, Value>,
    // Left out where there is none, so that requests from before they existed are still the same.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    coupons: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    jurisdiction: Option<&'a str>,
}

/// The fingerprint of an order. An order in a stream and the same order by itself are one request.
pub(crate) fn order_fingerprint(request: &OrderRequest) -> Fingerprint {
    let lines = request.lines.iter();
    let lines =
        lines.map(|line| (&line.sku, line.quantity, line.unit_amount, line.discount_amount));
    let canonical = Canonical {
        external_ref: request.external_ref.as_deref(),
        customer_id: request.customer_id,
        currency: request.currency.code(),
        lines: lines.collect(),
        payment_method: request.payment_method.as_deref(),
        capture: request.capture,
        metadata: &request.metadata,
        coupons: &request.coupons,
        jurisdiction: request.jurisdiction.as_deref(),
    };
    fingerprint("POST", "/v1/orders", &canonical)
}

impl OrderBody {
    /// Takes the key out, which only an order in a stream has.
    pub(crate) fn take_key(&mut self) -> Option<String> {
        self.idempotency_key.take()
    }

    /// Refuses prices unless the caller may name them.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub(crate) fn check_prices(&self, caller: &Caller) -> Result<(), Problem> {
        if self.names_prices() { caller.require(PRICE) } else { Ok(()) }
    }

    fn names_prices(&self) -> bool {
        self.lines.iter().flatten().any(|Object(line)| {
            let discount = line.discount_amount.unwrap_or(WholeNumber::Is(0));
            line.unit_amount.is_some() || discount != WholeNumber::Is(0)
        })
    }

    /// The order that is asked for.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    pub(crate) fn check(self, lines_max: usize) -> Result<OrderRequest, Problem> {
        let mut faults = Faults::default();
        faults.check_text(self.external_ref.as_deref(), EXTERNAL_REF_LENGTH_MAX, "/external_ref");
        let customer_id = self.customer_id.and_then(|text| {
            let id = text.parse::<CustomerId>().ok();
            faults.require_valid(id, "/customer_id", "must be a UUID")
        });
        let currency = faults.require(self.currency, "/currency").and_then(|code| {
            let currency = parse_currency(&code);
            faults.require_valid(currency, "/currency", "must be an ISO 4217 code in capitals")
        });
        let lines = faults.require(self.lines, "/lines");
        let lines = lines.map(|lines| check_lines(lines, lines_max, &mut faults));
        let nothing = PaymentBody { method: None, capture: None };
        let payment = self.payment.map_or(nothing, |Object(payment)| payment);
        check_method(payment.method.as_deref(), "/payment/method", &mut faults);
        let capture = payment.capture.map_or(Some(Capture::default()), |text| {
            let expected = "must be automatic or manual";
            faults.require_valid(Capture::parse(&text), "/payment/capture", expected)
        });
        let metadata = self.metadata.unwrap_or_default();
        if !metadata.is_empty() && metadata_bytes(&metadata) > METADATA_BYTES_MAX {
            faults.add("/metadata", "has at most 16 KiB of JSON");
        }
        let coupons = self.coupons.unwrap_or_default();
        check_coupons(&coupons, &mut faults);
        if self.jurisdiction.as_ref().is_some_and(|id| !pricing::check_id(id)) {
            faults.add("/jurisdiction", NO_ID);
        }
        faults.finish()?;
        let (Some(currency), Some(lines), Some(capture)) = (currency, lines, capture) else {
            // Whatever is missing was noted above.
            return Err(Problem::internal());
        };
        Ok(OrderRequest {
            external_ref: self.external_ref,
            customer_id,
            currency,
            lines,
            payment_method: payment.method,
            capture,
            metadata,
            coupons,
            jurisdiction: self.jurisdiction,
        })
    }
}

/// Most coupons of an order.
pub(crate) const COUPONS_MAX: usize = 10;

const NO_ID: &str = "must be 1 to 200 bytes of printable text without outer spaces";

fn check_coupons(coupons: &[String], faults: &mut Faults) {
    if coupons.len() > COUPONS_MAX {
        faults.add("/coupons", format!("has at most {COUPONS_MAX} entries"));
        return;
    }
    for (index, code) in coupons.iter().enumerate() {
        let place = || format!("/coupons/{index}");
        if !pricing::check_id(code) {
            faults.add(place(), NO_ID);
        } else if coupons.iter().take(index).any(|earlier| earlier == code) {
            faults.add(place(), "stands more than once");
        }
    }
}

fn check_lines(
    lines: Vec<Object<LineBody>>,
    lines_max: usize,
    faults: &mut Faults,
) -> Vec<RequestedLine> {
    if lines.is_empty() {
        faults.add("/lines", "must have at least one line");
    }
    if lines.len() > lines_max {
        faults.add("/lines", format!("has at most {lines_max} lines"));
        return Vec::new();
    }
    let indexed = lines.into_iter().enumerate();
    indexed.filter_map(|(index, Object(line))| check_line(line, index, faults)).collect()
}

fn check_line(line: LineBody, index: usize, faults: &mut Faults) -> Option<RequestedLine> {
    let place = |member: &str| format!("/lines/{index}/{member}");
    let sku = match line.sku {
        None => faults.missing(place("sku")),
        Some(text) => match Sku::parse(text) {
            Ok(sku) => Some(sku),
            Err(error) => {
                faults.add(place("sku"), error.to_string());
                None
            }
        },
    };
    let quantity = match line.quantity {
        None => faults.missing(place("quantity")),
        Some(number) => faults.take(number.within(1, AMOUNT_MAX_MINOR, || place("quantity"))),
    };
    let mut amount = |number: Option<WholeNumber>, member: &str| match number {
        None => Some(None),
        Some(number) => faults.take(number.within(0, AMOUNT_MAX_MINOR, || place(member))).map(Some),
    };
    let unit_amount = amount(line.unit_amount, "unit_amount");
    let discount_amount = amount(line.discount_amount, "discount_amount");
    Some(RequestedLine {
        sku: sku?,
        quantity: quantity?,
        unit_amount: unit_amount?,
        discount_amount: discount_amount?.unwrap_or(0),
    })
}

fn is_method(text: &str) -> bool {
    (1..=METHOD_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn metadata_bytes(metadata: &Map<String, Value>) -> usize {
    serde_json::to_vec(metadata).map_or(usize::MAX, |json| json.len())
}

/// A payment method as customers may keep it.
pub(crate) fn check_method(method: Option<&str>, pointer: &str, faults: &mut Faults) {
    if method.is_some_and(|method| !is_method(method)) {
        faults.add(pointer, "must be 1 to 100 letters, digits or underscores");
    }
}

#[cfg(test)]
#[path = "order_body_tests.rs"]
mod tests;
