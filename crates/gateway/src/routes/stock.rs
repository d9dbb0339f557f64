//! Stock.

use super::answers::{self, Entry, json, ok, render_stock_answer, respond};
use super::products::{path_sku, path_sku_to_write};
use crate::admission::{Caller, Gate};
use crate::documents::{ReadProblems, StockOutcome, StreamProblems, WriteProblems};
use crate::http::body::{self, Faults, check_ndjson, parse};
use crate::http::idempotency::{fingerprint, optional_key, required_key};
use crate::http::ndjson::{self, Lines};
use crate::http::number::WholeNumber;
use crate::http::query::Query;
use crate::problem::{Code, Problem};
use crate::views::{self, StockView};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use domain::{AMOUNT_MAX_MINOR, Sku};
use inventory::{Adjusted, Adjustment};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const REASON_LENGTH_MAX: usize = 200;

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
        faults.finish()?;
        let (Some(sku), Some(delta)) = (sku, delta) else {
            // Whatever is missing was noted above.
            return Err(Problem::internal());
        };
        let reason = self.reason.unwrap_or_else(|| REASON_DEFAULT.to_owned());
        Ok(Adjustment { sku, delta, reason, request: None })
    }
}

/// Makes an adjustment happen at most once under `key`.
///
/// A key names a request of one kind: that of an order may name an adjustment too. The path before
/// it keeps them apart; no key of a client has a space.
fn once(mut adjustment: Adjustment, caller: &Caller, key: &str, path: &str) -> Adjustment {
    let Adjustment { sku, delta, reason, .. } = &adjustment;
    let fingerprint = fingerprint("POST", path, &Canonical { sku, delta: *delta, reason });
    adjustment.request = Some((caller.request_key(format!("{path} {key}")), fingerprint));
    adjustment
}

async fn adjust(
    gate: &Gate,
    caller: &Caller,
    adjustments: Vec<Adjustment>,
) -> Result<Vec<Adjusted>, Problem> {
    let (inventory, context) = (gate.services.inventory.clone(), caller.context());
    let adjust = async move { inventory.adjust(adjustments, render_stock_answer, &context).await };
    caller.write(adjust).await
}

/// Why an adjustment was refused.
fn refusal(adjusted: &Adjusted) -> Option<Problem> {
    match adjusted {
        Adjusted::Done(_) | Adjusted::Replayed(_) => None,
        Adjusted::KeyReused => Some(Problem::key_reused()),
        Adjusted::Insufficient { available } => {
            let message = format!("Only {available} units are free to be taken.");
            let problem = Problem::new(Code::InsufficientStock, message);
            Some(problem.with("available", *available))
        }
        Adjusted::OutOfRange => {
            let mut faults = Faults::default();
            faults.add("/delta", "the stock would leave the range of numbers");
            faults.finish().err()
        }
    }
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
        (status = 409, description = "`INSUFFICIENT_STOCK`, with `details.available`; or `IDEMPOTENCY_IN_PROGRESS`.",
            body = views::Problem, content_type = "application/problem+json"),
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
    let caller = gate.admit(&request, "stock:write").await?;
    let key = required_key(request.headers())?;
    let body: AdjustmentBody = body::json(&request, payload).await?;
    if body.sku.is_some() {
        return Err(body::unknown_member("sku"));
    }
    let adjustment = body.check(Some(path_sku_to_write(&sku)?))?;
    let adjustment = once(adjustment, &caller, &key, "/v1/stock/{sku}/adjustments");
    let adjusted = adjust(&gate, &caller, vec![adjustment]).await?;
    // One adjustment in, one outcome out.
    match adjusted.into_iter().next().ok_or_else(Problem::internal)? {
        Adjusted::Done(level) => Ok(respond(render_stock_answer(&level), false)),
        Adjusted::Replayed(answer) => Ok(respond(answer, true)),
        refused => Err(refusal(&refused).unwrap_or_else(Problem::internal)),
    }
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
    let caller = gate.admit(&request, "stock:write").await?;
    let key = optional_key(request.headers())?;
    check_ndjson(&request)?;
    Ok(ndjson::respond(|outlet| {
        let trace_id = caller.trace_id();
        let work = move |lines| {
            let (gate, caller, key) = (gate.clone(), caller.renewed(), key.clone());
            async move {
                let read = |number: u64, line: &[u8]| {
                    let adjustment = parse::<AdjustmentBody>(line)?.check(None)?;
                    Ok(match &key {
                        None => adjustment,
                        Some(key) => {
                            let key = format!("{key}/{number}");
                            once(adjustment, &caller, &key, "/v1/stock:batch")
                        }
                    })
                };
                let call = async |adjustments| {
                    let adjusted = adjust(&gate, &caller, adjustments).await?;
                    Ok(adjusted.into_iter().map(entry).collect())
                };
                answers::chunk(lines, "stock", &caller.trace_id(), read, call).await
            }
        };
        ndjson::chunks(Lines::new(payload), outlet, trace_id, work)
    }))
}

fn entry(adjusted: Adjusted) -> Entry {
    match adjusted {
        Adjusted::Done(level) => Ok((200, json(&StockView::from(&level)))),
        Adjusted::Replayed(answer) => Ok((answer.status, answer.body)),
        refused => Err(refusal(&refused).unwrap_or_else(Problem::internal)),
    }
}

/// Read the stock of a SKU.
///
/// Needs the scope `stock:read`.
#[utoipa::path(
    tag = "stock",
    params(("sku" = String, Path, description = "The SKU.")),
    responses(
        (status = 200, description = "The stock.", body = StockView<'static>),
        (status = 404, description = "`NOT_FOUND`: the SKU never had stock.", body = views::Problem, content_type = "application/problem+json"),
        ReadProblems,
    ),
)]
#[get("/v1/stock/{sku}")]
pub(crate) async fn get_stock(
    request: HttpRequest,
    gate: web::Data<Gate>,
    sku: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request, "stock:read").await?;
    let sku = path_sku(&sku, "stock")?;
    let level = caller.read(gate.services.inventory.get(&sku)).await?;
    let level = level.ok_or_else(|| Problem::not_found("stock"))?;
    Ok(ok(&StockView::from(&level)))
}

/// List the stock by SKU.
///
/// Needs the scope `stock:read`.
#[utoipa::path(
    tag = "stock",
    params(
        ("limit" = Option<i64>, Query, description = "Rows of a page: 1 to 100, default 20."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
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
    let caller = gate.admit(&request, "stock:read").await?;
    let query = Query::of(&request, &["limit", "cursor"])?;
    let page = query.page("/v1/stock", &gate.cursors)?;
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
        assert!(good.request.is_none());
        for bad in [
            json!({"sku": "A"}),
            json!({"delta": 1}),
            json!({"sku": "A", "delta": 0}),
            json!({"sku": "A", "delta": 1.5}),
            json!({"sku": "A", "delta": i64::MAX}),
            json!({"sku": "A", "delta": i64::MIN}),
            json!({"sku": "A", "delta": 1, "reason": ""}),
        ] {
            assert_eq!(check(&bad).err(), Some(Code::ValidationFailed), "{bad}");
        }
        for bad in [json!({"sku": "A", "delta": "1"}), json!({"sku": "A", "on_hand": 5}), json!([])]
        {
            assert_eq!(check(&bad).err(), Some(Code::InvalidBody), "{bad}");
        }
    }

    #[test]
    fn refusals_have_their_codes() {
        let code = |adjusted| refusal(&adjusted).map(|problem| problem.code());
        assert_eq!(code(Adjusted::KeyReused), Some(Code::IdempotencyKeyReused));
        assert_eq!(code(Adjusted::OutOfRange), Some(Code::ValidationFailed));
        let insufficient = Adjusted::Insufficient { available: 2 };
        let problem = refusal(&insufficient).expect("a refusal");
        assert_eq!(problem.code(), Code::InsufficientStock);
        assert!(problem.json("").contains(r#""details":{"available":2}"#));
    }
}
