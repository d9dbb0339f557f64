//! Where goods lie: locations, and moves between them.

use super::answers::{json, ok};
use super::products::path_sku_to_write;
use super::stock::{insufficient, out_of_range, tell};
use crate::admission::Gate;
use crate::documents::{PageParameters, ReadProblems, WriteProblems, problems};
use crate::http::body::{self, Faults};
use crate::http::idempotency::{fingerprint, required_key};
use crate::http::number::WholeNumber;
use crate::http::query::page_of;
use crate::problem::Problem;
use crate::views::{self, LocationView, StockDetailView};
use actix_web::{HttpRequest, HttpResponse, get, post, put, web};
use domain::{AMOUNT_MAX_MINOR, Sku};
use inventory::{Location, LocationName, Relocation, StockDetail, Verdict};
use serde::{Deserialize, Serialize};
use store::answers::Answer;
use utoipa::ToSchema;

const LOCATIONS: &str = "/v1/stock-locations";
const MOVES: &str = "/v1/stock/{sku}/moves";

/// Largest rank. Nobody has so many locations.
pub(super) const RANK_MAX: i64 = 1_000_000;

/// What a location is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StockLocationChange)]
pub(crate) struct LocationBody {
    /// Goods leave the locations in this order, lowest first, those of one rank by name: 0 to
    /// 1000000. The main location has 0.
    #[schema(required = true, value_type = i64, examples(10))]
    rank: Option<WholeNumber>,
}

impl LocationBody {
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    fn check(self, name: &str) -> Result<Location, Problem> {
        let mut faults = Faults::default();
        let name = LocationName::parse(name);
        if let Err(error) = &name {
            faults.add("", format!("the name in the path: {error}"));
        }
        let is_main = name.as_ref().is_ok_and(LocationName::is_main);
        let most = if is_main { Location::MAIN_RANK } else { RANK_MAX };
        let rank = faults.require(self.rank, "/rank").and_then(|number| {
            faults.take(number.within(Location::MAIN_RANK, most, || "/rank".to_owned()))
        });
        faults.finish()?;
        let (Ok(name), Some(rank)) = (name, rank) else {
            // Whatever is missing was noted above.
            return Err(Problem::internal());
        };
        Ok(Location { name, rank })
    }
}

/// Make a location, or give it another rank.
///
/// Needs the scope `stock:write`. The location `main` is always there and keeps the rank 0. A
/// location cannot be taken away.
#[utoipa::path(
    tag = "stock",
    params(("name" = String, Path, description = "The location, up to 64 bytes of printable text.")),
    request_body(content = LocationBody, example = json!({"rank": 10})),
    responses(
        (status = 200, description = "The location as it is now.", body = LocationView<'static>),
        WriteProblems,
    ),
)]
#[put("/v1/stock-locations/{name}")]
pub(crate) async fn put_stock_location(
    request: HttpRequest,
    gate: web::Data<Gate>,
    name: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let body: LocationBody = body::json(&request, payload).await?;
    let location = body.check(&name)?;
    if location.name.is_main() {
        return Ok(ok(&LocationView::from(&location)));
    }
    let (inventory, context) = (gate.services.inventory.clone(), caller.context());
    let put = async move { inventory.put_location(location, &context).await };
    let location = caller.write(put).await?;
    Ok(ok(&LocationView::from(&location)))
}

/// List the locations in the order in which goods leave.
///
/// Needs the scope `stock:read`.
#[utoipa::path(
    tag = "stock",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::LocationPage),
        ReadProblems,
    ),
)]
#[get("/v1/stock-locations")]
pub(crate) async fn list_stock_locations(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let page = page_of(&request, LOCATIONS, &gate.cursors)?;
    let after = page.after(|text| {
        let (rank, name) = text.split_once(' ')?;
        Some(Location { name: LocationName::parse(name).ok()?, rank: rank.parse().ok()? })
    })?;
    let rows = caller.read(gate.services.inventory.locations(after, page.rows())).await?;
    let position = |location: &Location| format!("{} {}", location.rank, location.name);
    let rows = page.page(rows, &gate.cursors, position);
    Ok(ok(&rows.view::<LocationView<'_>>()))
}

/// Units to bring from one location to another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StockMove)]
pub(crate) struct MoveBody {
    /// How many, from 1.
    #[schema(required = true, value_type = i64, examples(5))]
    quantity: Option<WholeNumber>,
    /// From which location.
    #[schema(required = true, value_type = String, examples("main"))]
    from: Option<String>,
    /// To which location; another one.
    #[schema(required = true, value_type = String, examples("north"))]
    to: Option<String>,
}

/// What makes two moves the same request.
#[derive(Serialize)]
struct Canonical<'a> {
    sku: &'a Sku,
    quantity: i64,
    from: &'a str,
    to: &'a str,
}

impl MoveBody {
    /// Quantity, origin and target.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    fn check(self) -> Result<(i64, LocationName, LocationName), Problem> {
        let mut faults = Faults::default();
        let quantity = faults.require(self.quantity, "/quantity").and_then(|number| {
            faults.take(number.within(1, AMOUNT_MAX_MINOR, || "/quantity".to_owned()))
        });
        let from = faults.require(self.from, "/from");
        let from = from.and_then(|text| faults.location(text, "/from"));
        let to = faults.require(self.to, "/to");
        let to = to.and_then(|text| faults.location(text, "/to"));
        if from.is_some() && from == to {
            faults.add("/to", "must be another location");
        }
        faults.finish()?;
        // Whatever is missing was noted above.
        quantity.zip(from).zip(to).map_or_else(
            || Err(Problem::internal()),
            |((quantity, from), to)| Ok((quantity, from, to)),
        )
    }
}

problems! {
    /// What keeps units from being moved.
    NotMovable:
    409 "`INSUFFICIENT_STOCK`: fewer lie there, `details.available`; or `IDEMPOTENCY_IN_PROGRESS`.",
}

/// Bring units of a SKU from one location to another.
///
/// Needs the scope `stock:write`. Units that are promised to orders may be moved too: a promise is
/// to an order and not to a place.
#[utoipa::path(
    tag = "stock",
    params(
        ("sku" = String, Path, description = "The SKU."),
        ("Idempotency-Key" = String, Header, description = "Names the request, up to 255 visible ASCII characters. The units are moved at most once."),
    ),
    request_body(content = MoveBody, example = json!({"quantity": 5, "from": "main", "to": "north"})),
    responses(
        (status = 200, description = "The stock after the move.", body = StockDetailView<'static>,
            headers(("Idempotent-Replayed" = String))),
        NotMovable,
        WriteProblems,
    ),
)]
#[post("/v1/stock/{sku}/moves")]
pub(crate) async fn move_stock(
    request: HttpRequest,
    gate: web::Data<Gate>,
    sku: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let key = required_key(request.headers())?;
    let body: MoveBody = body::json(&request, payload).await?;
    let sku = path_sku_to_write(&sku)?;
    let (quantity, from, to) = body.check()?;
    let canonical = Canonical { sku: &sku, quantity, from: from.as_str(), to: to.as_str() };
    let fingerprint = fingerprint("POST", MOVES, &canonical);
    let request = (caller.request_key(format!("{MOVES} {key}")), fingerprint);
    let pointers = [(from.clone(), "/from"), (to.clone(), "/to")];
    let relocation = Relocation { sku, quantity, from, to, request };
    let (inventory, context) = (gate.services.inventory.clone(), caller.context());
    let relocate = async move { inventory.relocate(relocation, render, &context).await };
    tell(caller.write(relocate).await?, &pointers)
}

/// How a move is told. Pure: the answer is stored, and replayed byte for byte.
fn render(verdict: &Verdict<StockDetail>, trace_id: &str) -> Answer {
    match verdict {
        Verdict::Done(stock) => {
            let body = json(&StockDetailView::from(stock));
            Answer { status: 200, location: None, etag: None, body }
        }
        Verdict::Insufficient { available } => {
            insufficient(format!("Only {available} units lie there."), *available, trace_id)
        }
        Verdict::OutOfRange => out_of_range("/quantity", trace_id),
    }
}

impl Faults {
    /// The name of a location, or a note of its fault.
    pub(crate) fn location(&mut self, text: String, pointer: &str) -> Option<LocationName> {
        let name = LocationName::parse(text);
        name.map_err(|error| self.add(pointer, error.to_string())).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::body::parse;
    use crate::problem::Code;
    use serde_json::{Value, json};

    fn pointers(problem: &Problem) -> Vec<String> {
        let body: Value = serde_json::from_str(&problem.json("")).expect("json");
        let errors = body["errors"].as_array().expect("errors");
        errors.iter().map(|e| e["pointer"].as_str().expect("a pointer").to_owned()).collect()
    }

    #[test]
    fn locations_are_checked() {
        let check = |name: &str, body: &Value| {
            parse::<LocationBody>(body.to_string().as_bytes())?.check(name)
        };
        let good = check("north", &json!({"rank": 10})).expect("a good location");
        assert_eq!((good.name.as_str(), good.rank), ("north", 10));
        assert!(check("main", &json!({"rank": 0})).is_ok());
        for (name, body, expected) in [
            ("north", json!({}), "/rank"),
            ("north", json!({"rank": -1}), "/rank"),
            ("north", json!({"rank": 1_000_001}), "/rank"),
            ("north", json!({"rank": 1.5}), "/rank"),
            ("main", json!({"rank": 1}), "/rank"),
            (" north", json!({"rank": 1}), ""),
        ] {
            let problem = check(name, &body).expect_err("a fault");
            assert_eq!(pointers(&problem), [expected], "{name} {body}");
        }
        let unknown = check("north", &json!({"rank": 1, "name": "south"})).expect_err("unknown");
        assert_eq!(unknown.code(), Code::InvalidBody);
    }

    #[test]
    fn the_document_tells_every_member_of_a_stock() {
        let document = serde_json::to_value(crate::documents::openapi()).expect("json");
        let schema = &document["components"]["schemas"]["StockDetail"];
        let members: Vec<&String> =
            schema["properties"].as_object().expect("members").keys().collect();
        let told = ["sku", "on_hand", "reserved", "available", "version", "locations"];
        let mut expected = told.to_vec();
        expected.sort_unstable();
        let mut members: Vec<&str> = members.into_iter().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, expected);
        let required = schema["required"].as_array().expect("names");
        assert!(told.iter().all(|name| required.contains(&Value::from(*name))), "{schema}");
    }

    #[test]
    fn moves_are_checked() {
        let check =
            |body: &Value| parse::<MoveBody>(body.to_string().as_bytes()).and_then(MoveBody::check);
        let good = json!({"quantity": 5, "from": "main", "to": "north"});
        let (quantity, from, to) = check(&good).expect("a good move");
        assert_eq!((quantity, from.as_str(), to.as_str()), (5, "main", "north"));
        let problem = check(&json!({})).expect_err("faults");
        assert_eq!(pointers(&problem), ["/quantity", "/from", "/to"]);
        for (member, value) in [
            ("quantity", json!(0)),
            ("quantity", json!(-5)),
            ("quantity", json!(i64::MAX)),
            ("from", json!("")),
            ("to", json!("main")),
            ("to", json!("a\n")),
        ] {
            let mut body = good.clone();
            body[member] = value;
            let problem = check(&body).expect_err("a fault");
            assert_eq!(pointers(&problem), [format!("/{member}")], "{body}");
        }
    }
}
