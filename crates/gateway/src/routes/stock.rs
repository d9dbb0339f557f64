//! Stock.

use super::answers::{self, Entry, ok, render_stock_answer, respond};
use super::products::{path_sku, path_sku_to_write};
use crate::admission::{Caller, Gate};
use crate::documents::{
    PageParameters, ReadProblems, StockOutcome, StreamProblems, WriteProblems, problems,
};
use crate::http::body::{self, Faults, check_ndjson, parse};
use crate::http::conditional::max_age;
use crate::http::idempotency::{fingerprint, optional_key, required_key};
use crate::http::number::WholeNumber;
use crate::http::query::page_of;
use crate::problem::{Code, Fault, Problem};
use crate::views::{self, StockDetailView, StockView};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use domain::{AMOUNT_MAX_MINOR, Sku};
use inventory::{Adjustment, LocationName, Outcome, StockView as Level, Verdict};
use serde::{Deserialize, Serialize};
use store::answers::Answer;
use utoipa::ToSchema;

pub(super) const REASON_LENGTH_MAX: usize = 200;

/// The place of the location in an adjustment.
const LOCATION: &str = "/location";

/// Recorded when the client gives no reason.
const REASON_DEFAULT: &str = "adjustment";

/// Units to add to a shelf, or to take away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StockAdjustment)]
pub(crate) struct AdjustmentBody {
    /// Only in a stream; else the SKU stands in the path.
    #[schema(ignore)]
    sku: Option<String>,
    /// Units to add; negative takes away; not 0.
    #[schema(required = true, value_type = i64, examples(100))]
    delta: Option<WholeNumber>,
    /// Why, up to 200 characters; `adjustment` by default.
    #[schema(examples("delivery"))]
    reason: Option<String>,
    /// At which location; `main` by default.
    #[schema(examples("north"))]
    location: Option<String>,
}

/// An adjustment as a line of a stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes AdjustmentBody in a stream for the OpenAPI document")]
pub(crate) struct AdjustmentInStream {
    /// Which SKU.
    #[schema(examples("SKU-1"))]
    sku: String,
    #[schema(inline)]
    #[serde(flatten)]
    adjustment: AdjustmentBody,
}

/// What makes two adjustments the same request.
#[derive(Serialize)]
struct Canonical<'a> {
    sku: &'a Sku,
    delta: i64,
    reason: &'a str,
    /// Left out for the main location: what was asked before there were others is the same request
    /// as ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'a str>,
}

impl AdjustmentBody {
    /// The adjustment of `sku`, or of the SKU in the body.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    fn check(self, sku: Option<Sku>) -> Result<Adjustment, Problem> {
        let mut faults = Faults::default();
        let sku = sku.or_else(|| faults.sku(self.sku));
        let delta = faults.require(self.delta, "/delta").and_then(|number| {
            let within = number.within(-AMOUNT_MAX_MINOR, AMOUNT_MAX_MINOR, || "/delta".to_owned());
            faults.take(within)
        });
        if delta == Some(0) {
            faults.add("/delta", "may not be 0");
        }
        faults.check_text(self.reason.as_deref(), REASON_LENGTH_MAX, "/reason");
        let location = self
            .location
            .map_or_else(|| Some(LocationName::main()), |text| faults.location(text, LOCATION));
        faults.finish()?;
        let (Some(sku), Some(delta), Some(location)) = (sku, delta, location) else {
            // Whatever is missing was noted above.
            return Err(Problem::internal());
        };
        let reason = self.reason.unwrap_or_else(|| REASON_DEFAULT.to_owned());
        Ok(Adjustment { sku, delta, location, reason, request: None })
    }
}

/// Makes an adjustment happen at most once under `key`.
///
/// A key names a request of one kind: that of an order may name an adjustment too. The path before
/// it keeps them apart; no key of a client has a space.
fn once(mut adjustment: Adjustment, caller: &Caller, key: &str, path: &str) -> Adjustment {
    let Adjustment { sku, delta, location, reason, .. } = &adjustment;
    let location = (!location.is_main()).then_some(location.as_str());
    let canonical = Canonical { sku, delta: *delta, reason, location };
    let fingerprint = fingerprint("POST", path, &canonical);
    adjustment.request = Some((caller.request_key(format!("{path} {key}")), fingerprint));
    adjustment
}

async fn adjust(
    gate: &Gate,
    caller: &Caller,
    adjustments: Vec<Adjustment>,
) -> Result<Vec<Outcome>, Problem> {
    let (inventory, context) = (gate.services.inventory.clone(), caller.context());
    let adjust = async move { inventory.adjust(adjustments, render, &context).await };
    caller.write(adjust).await
}

/// How an adjustment is told. Pure: the answer is stored, and replayed byte for byte.
fn render(verdict: &Verdict<Level>, trace_id: &str) -> Answer {
    match verdict {
        Verdict::Done(level) => render_stock_answer(level),
        Verdict::Insufficient { available } => {
            let message = format!("Only {available} units are free to be taken.");
            insufficient(message, *available, trace_id)
        }
        Verdict::OutOfRange => out_of_range("/delta", trace_id),
    }
}

/// `INSUFFICIENT_STOCK`, as it is kept.
pub(crate) fn insufficient(message: String, available: i64, trace_id: &str) -> Answer {
    let problem = Problem::new(Code::InsufficientStock, message).with("available", available);
    kept(&problem, trace_id)
}

/// `VALIDATION_FAILED` about a number that would lead too far, as it is kept.
pub(crate) fn out_of_range(pointer: &str, trace_id: &str) -> Answer {
    let fault = Fault::at(pointer, "the stock would leave the range of numbers");
    kept(&Problem::invalid(vec![fault]), trace_id)
}

fn kept(problem: &Problem, trace_id: &str) -> Answer {
    let body = problem.json(trace_id);
    Answer { status: problem.code().status(), location: None, etag: None, body }
}

/// The response to a change of the stock; `pointers` are the places in the body of the locations
/// that it names.
pub(crate) fn tell(
    outcome: Outcome,
    pointers: &[(LocationName, &str)],
) -> Result<HttpResponse, Problem> {
    match outcome {
        Outcome::Told { answer, replayed } => Ok(respond(answer, replayed)),
        Outcome::KeyReused => Err(Problem::key_reused()),
        Outcome::UnknownLocations(unknown) => Err(unknown_locations(&unknown, pointers)),
    }
}

fn unknown_locations(unknown: &[LocationName], pointers: &[(LocationName, &str)]) -> Problem {
    let mut faults = Faults::default();
    for (_, pointer) in pointers.iter().filter(|(name, _)| unknown.contains(name)) {
        faults.add(*pointer, "there is no such location");
    }
    faults.finish().err().unwrap_or_else(Problem::internal)
}

problems! {
    /// What keeps stock from being adjusted.
    NotAdjustable:
    409 "`INSUFFICIENT_STOCK`, with `details.available`; or `IDEMPOTENCY_IN_PROGRESS`. The former is kept like a success.",
}

/// Adjust the stock of a SKU.
///
/// Needs the scope `stock:write`. The SKU's stock begins with its first adjustment.
#[utoipa::path(
    tag = "stock",
    params(
        ("sku" = String, Path, description = "The SKU."),
        ("Idempotency-Key" = String, Header, description = "Names the request, up to 255 visible ASCII characters. The adjustment is made at most once."),
    ),
    request_body(content = AdjustmentBody, example = json!({"delta": 100, "reason": "delivery"})),
    responses(
        (status = 200, description = "The stock after the adjustment.", body = StockView<'static>,
            headers(("Idempotent-Replayed" = String))),
        NotAdjustable,
        WriteProblems,
    ),
)]
#[post("/v1/stock/{sku}/adjustments")]
pub(crate) async fn adjust_stock(
    request: HttpRequest,
    gate: web::Data<Gate>,
    sku: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let key = required_key(request.headers())?;
    let body: AdjustmentBody = body::json(&request, payload).await?;
    if body.sku.is_some() {
        return Err(body::unknown_member("sku"));
    }
    let adjustment = body.check(Some(path_sku_to_write(&sku)?))?;
    let adjustment = once(adjustment, &caller, &key, "/v1/stock/{sku}/adjustments");
    let pointers = [(adjustment.location.clone(), LOCATION)];
    let outcomes = adjust(&gate, &caller, vec![adjustment]).await?;
    // One adjustment in, one outcome out.
    tell(outcomes.into_iter().next().ok_or_else(Problem::internal)?, &pointers)
}

/// Adjust the stock of many SKUs.
///
/// Newline-delimited JSON: each line is an adjustment with its `sku`, each line of the answer
/// tells the outcome of one: `{line, status, stock}` or `{line, status, error}`; `line` counts
/// from 1. With an `Idempotency-Key`, line *n* is made at most once under the key
/// `<Idempotency-Key>/<n>`: the same stream can be sent again after it broke off.
/// Needs the scope `stock:write`.
#[utoipa::path(
    tag = "stock",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the stream; line n is made at most once.")),
    request_body(content = AdjustmentInStream, content_type = "application/x-ndjson",
        description = "One adjustment per line, each line at most 1 MiB.",
        example = json!({"sku": "SKU-1", "delta": 100, "reason": "opening_stock"})),
    responses(
        (status = 200, description = "One outcome per line.", body = StockOutcome,
            content_type = "application/x-ndjson"),
        StreamProblems,
    ),
)]
#[post("/v1/stock:batch")]
pub(crate) async fn adjust_stocks(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let key = optional_key(request.headers())?;
    check_ndjson(&request)?;
    let read = move |caller: &Caller, number: u64, line: &[u8]| {
        let adjustment = parse::<AdjustmentBody>(line)?.check(None)?;
        Ok(match &key {
            None => adjustment,
            Some(key) => once(adjustment, caller, &format!("{key}/{number}"), "/v1/stock:batch"),
        })
    };
    let call = async |gate: &Gate, caller: &Caller, adjustments| {
        let outcomes = adjust(gate, caller, adjustments).await?;
        Ok(outcomes.into_iter().map(entry).collect())
    };
    Ok(answers::batch((gate, caller), payload, "stock", read, call))
}

fn entry(outcome: Outcome) -> Entry {
    match outcome {
        Outcome::Told { answer, .. } => Ok((answer.status, answer.body)),
        Outcome::KeyReused => Err(Problem::key_reused()),
        Outcome::UnknownLocations(unknown) => {
            let pointers: Vec<_> = unknown.iter().map(|name| (name.clone(), LOCATION)).collect();
            Err(unknown_locations(&unknown, &pointers))
        }
    }
}

problems! {
    /// There is no stock to read.
    NoStock:
    404 "`NOT_FOUND`: the SKU never had stock.",
}

/// Read the stock of a SKU.
///
/// It is as the database has it. With `Cache-Control: max-age=1` it may come from the memory of the
/// node, as it was so many seconds ago at most, and never more than half a second unless the node is
/// set up to remember for longer; `Age` says how long ago. Needs the scope `stock:read`.
#[utoipa::path(
    tag = "stock",
    params(
        ("sku" = String, Path, description = "The SKU."),
        ("Cache-Control" = Option<String>, Header, description = "`max-age`: how old the answer may be, in seconds; 0 when absent."),
    ),
    responses(
        (status = 200, description = "The stock, and where it lies.", body = StockDetailView<'static>, headers(("Age" = i64))),
        NoStock,
        ReadProblems,
    ),
)]
#[get("/v1/stock/{sku}")]
pub(crate) async fn get_stock(
    request: HttpRequest,
    gate: web::Data<Gate>,
    sku: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let sku = path_sku(&sku, "stock")?;
    let max_age = max_age(request.headers());
    let recent = gate.services.inventory.recent(&sku, max_age);
    let (stock, age) = caller.read(recent).await?;
    let stock = stock.ok_or_else(|| Problem::not_found("stock"))?;
    let mut response = ok(&StockDetailView::from(&stock));
    if !max_age.is_zero() {
        // Rounded up: it is no older than that.
        let seconds = age.as_secs() + u64::from(age.subsec_nanos() > 0);
        response.headers_mut().insert(header::AGE, seconds.into());
    }
    Ok(response)
}

/// List the stock by SKU.
///
/// Needs the scope `stock:read`.
#[utoipa::path(
    tag = "stock",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::StockPage),
        ReadProblems,
    ),
)]
#[get("/v1/stock")]
pub(crate) async fn list_stock(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let page = page_of(&request, "/v1/stock", &gate.cursors)?;
    let after = page.after(|text| Sku::parse(text).ok())?;
    let rows = caller.read(gate.services.inventory.list(after, page.rows())).await?;
    let rows = page.page(rows, &gate.cursors, |level| level.sku.to_string());
    Ok(ok(&rows.view::<StockView<'_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(body: &Value) -> Result<Adjustment, Code> {
        parse::<AdjustmentBody>(body.to_string().as_bytes())
            .and_then(|body| body.check(None))
            .map_err(|problem| problem.code())
    }

    #[test]
    fn adjustments_are_checked() {
        let good = check(&json!({"sku": "A", "delta": -3})).expect("a good adjustment");
        assert_eq!((good.delta, good.reason.as_str()), (-3, REASON_DEFAULT));
        assert!(good.request.is_none() && good.location.is_main());
        let north = check(&json!({"sku": "A", "delta": 1, "location": "north"})).expect("good");
        assert_eq!(north.location.as_str(), "north");
        for bad in [
            json!({"sku": "A"}),
            json!({"delta": 1}),
            json!({"sku": "A", "delta": 0}),
            json!({"sku": "A", "delta": 1.5}),
            json!({"sku": "A", "delta": i64::MAX}),
            json!({"sku": "A", "delta": i64::MIN}),
            json!({"sku": "A", "delta": 1, "reason": ""}),
            json!({"sku": "A", "delta": 1, "location": ""}),
            json!({"sku": "A", "delta": 1, "location": " north"}),
        ] {
            assert_eq!(check(&bad).err(), Some(Code::ValidationFailed), "{bad}");
        }
        for bad in [json!({"sku": "A", "delta": "1"}), json!({"sku": "A", "on_hand": 5}), json!([])]
        {
            assert_eq!(check(&bad).err(), Some(Code::InvalidBody), "{bad}");
        }
    }

    fn refused(verdict: &Verdict<Level>) -> (u16, Value) {
        let answer = render(verdict, "0af7");
        (answer.status, serde_json::from_str(&answer.body).expect("json"))
    }

    #[test]
    fn refusals_are_kept_as_whole_problems() {
        let (status, body) = refused(&Verdict::Insufficient { available: 2 });
        assert_eq!((status, &body["status"]), (409, &json!(409)));
        assert_eq!(body["code"], "INSUFFICIENT_STOCK");
        assert_eq!(
            (&body["details"], &body["trace_id"]),
            (&json!({"available": 2}), &json!("0af7"))
        );
        let (status, body) = refused(&Verdict::OutOfRange);
        assert_eq!((status, &body["code"]), (422, &json!("VALIDATION_FAILED")));
        assert_eq!(body["errors"][0]["pointer"], "/delta");
    }

    #[test]
    fn what_is_not_kept_has_its_code() {
        let main = || LocationName::main();
        let pointers = [(main(), "/from")];
        let code = |outcome| tell(outcome, &pointers).expect_err("a problem").code();
        assert_eq!(code(Outcome::KeyReused), Code::IdempotencyKeyReused);
        assert_eq!(code(Outcome::UnknownLocations(vec![main()])), Code::ValidationFailed);
        let problem = entry(Outcome::UnknownLocations(vec![main()])).expect_err("a problem");
        assert!(problem.json("").contains(r#""pointer":"/location""#));
    }

    #[test]
    fn the_main_location_changes_no_fingerprint() {
        let sku = Sku::parse("A").expect("a SKU");
        let canonical = Canonical { sku: &sku, delta: 1, reason: "r", location: None };
        let body = serde_json::to_string(&canonical).expect("json");
        assert_eq!(body, r#"{"sku":"A","delta":1,"reason":"r"}"#);
    }
}
