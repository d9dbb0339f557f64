//! What clients do: a table of operations. A new kind of operation is one row and one function.

use super::judge::Expected;
use crate::http::{Answer, Request};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use std::time::Duration;

/// One kind of operation.
pub struct Operation {
    /// Its name in tables and ledgers.
    pub name: &'static str,
    /// How often it is drawn, compared with the others.
    pub weight: u32,
    /// The path in the shop's API document without which it is left out; empty if it always is.
    pub route: &'static str,
    make: fn(&mut Draw<'_>) -> Option<Step>,
}

const fn operation(
    name: &'static str,
    weight: u32,
    route: &'static str,
    make: fn(&mut Draw<'_>) -> Option<Step>,
) -> Operation {
    Operation { name, weight, route, make }
}

/// Every kind of operation.
pub const OPERATIONS: &[Operation] = &[
    operation("place", 50, "", |draw| Some(draw.place(None))),
    operation("place_async", 8, "", |draw| Some(draw.place(Some("respond-async")))),
    operation("place_wait", 4, "", |draw| Some(draw.place(Some("wait=1")))),
    operation("place_impatient", 6, "", |draw| draw.place_impatient()),
    operation("same_again", 5, "", |draw| draw.same_again()),
    operation("other_body", 3, "", |draw| draw.other_body()),
    operation("read_back", 16, "", |draw| draw.read_back()),
    operation("read_events", 4, "", |draw| draw.read_events()),
    operation("list_orders", 3, "", |draw| Some(draw.list_orders())),
    operation("read_product", 2, "", |draw| Some(draw.read_product())),
    operation("read_stock", 4, "", |draw| Some(draw.read_stock())),
    operation("restock", 3, "", |draw| Some(draw.restock())),
    operation("cancel", 6, "/v1/orders/{id}/cancel", |draw| draw.cancel()),
    operation("ship", 10, "/v1/orders/{id}/shipments", |draw| draw.ship()),
    operation("deliver", 4, "/v1/orders/{id}/deliver", |draw| draw.deliver()),
    operation("refund", 4, "/v1/orders/{id}/refunds", |draw| draw.refund()),
    operation("return", 3, "/v1/orders/{id}/returns", |draw| draw.return_goods()),
];

/// Something that is sold.
#[derive(Clone, Copy, Debug)]
pub struct Good {
    /// Its name.
    pub sku: &'static str,
    /// Its price in cents.
    pub unit_amount: i64,
    /// Units on the shelf when the shop opens.
    pub opening: i64,
    /// How often it is drawn, compared with the others.
    pub weight: u32,
}

const fn good(sku: &'static str, unit_amount: i64, opening: i64, weight: u32) -> Good {
    Good { sku, unit_amount, opening, weight }
}

/// Everything that is sold: some goods are wanted by all and sell out, one is given away.
pub const CATALOGUE: &[Good] = &[
    good("HOT-1", 1_999, 250, 6),
    good("HOT-2", 4_950, 800, 9),
    good("HOT-3", 105, 1_000_000, 12),
    good("FREE-1", 0, 1_000_000, 1),
    good("SKU-01", 137, 1_000_000, 2),
    good("SKU-02", 174, 1_000_000, 2),
    good("SKU-03", 211, 1_000_000, 2),
    good("SKU-04", 248, 1_000_000, 2),
    good("SKU-05", 285, 1_000_000, 2),
    good("SKU-06", 322, 1_000_000, 2),
    good("SKU-07", 359, 1_000_000, 2),
    good("SKU-08", 396, 1_000_000, 2),
    good("SKU-09", 433, 1_000_000, 2),
    good("SKU-10", 470, 1_000_000, 2),
    good("SKU-11", 507, 1_000_000, 2),
    good("SKU-12", 544, 1_000_000, 2),
];

/// An order as the client knows it.
#[derive(Clone, Debug)]
pub struct Known {
    /// The order.
    pub id: String,
    /// The request that placed it.
    pub request: Request,
    /// The answer that the client got.
    pub answer: Answer,
    /// The highest version that the client has seen.
    pub version: i64,
    /// The status that the client saw last.
    pub status: String,
}

/// What is to be done, and what is to come back.
pub struct Step {
    /// The request.
    pub request: Request,
    /// The order that it is about.
    pub about: Option<String>,
    /// Whether the key is new.
    pub owns_key: bool,
    /// What may come back.
    pub expected: Expected,
}

/// Where operations are drawn from.
pub struct Draw<'a> {
    /// Chance.
    pub rng: &'a mut StdRng,
    /// The client's orders.
    pub known: &'a [Known],
    /// Names this client and this operation: a key that nobody else uses.
    pub key: String,
}

impl Draw<'_> {
    /// Makes an operation of this kind; `None` if there is nothing to do it with.
    pub fn make(&mut self, operation: &Operation) -> Option<Step> {
        (operation.make)(self)
    }

    fn place(&mut self, prefer: Option<&str>) -> Step {
        let mut request = Request::post("/v1/orders", self.key.clone(), self.order());
        // Some orders are given less time than a slow bank needs.
        let deadline = *[2_000, 5_000, 8_000].choose(self.rng).unwrap_or(&5_000);
        request = request.with("X-Request-Timeout-Ms", deadline.to_string());
        if let Some(prefer) = prefer {
            request = request.with("Prefer", prefer);
        }
        Step { request, about: None, owns_key: true, expected: Expected::Placed }
    }

    /// A client that hangs up before the answer can be there, most often.
    fn place_impatient(&mut self) -> Option<Step> {
        let mut step = self.place(None);
        let patience = self.rng.random_range(5..200);
        step.request.patience = Some(Duration::from_millis(patience));
        Some(step)
    }

    fn order(&mut self) -> Value {
        let lines: Vec<Value> = (0..self.rng.random_range(1..=5))
            .map(|_| json!({"sku": self.sku(), "quantity": self.rng.random_range(1..=3)}))
            .collect();
        let (method, capture) = match self.rng.random_range(0..100) {
            0..6 => ("pm_card_chargeDeclined", "automatic"),
            6..14 => ("pm_card_visa", "manual"),
            _ => ("pm_card_visa", "automatic"),
        };
        json!({"external_ref": self.key, "currency": "USD", "lines": lines,
            "payment": {"method": method, "capture": capture}, "metadata": {"harness": "chaos"}})
    }

    fn sku(&mut self) -> &'static str {
        let drawn = CATALOGUE.choose_weighted(self.rng, |good| good.weight);
        drawn.map_or("SKU-01", |good| good.sku)
    }

    fn one_of_mine(&mut self) -> Option<Known> {
        // Mostly a recent one: it may still be under way.
        let from = if self.rng.random_bool(0.7) { self.known.len().saturating_sub(5) } else { 0 };
        self.known[from..].choose(self.rng).cloned()
    }

    fn same_again(&mut self) -> Option<Step> {
        let known = self.one_of_mine()?;
        let mut request = known.request.clone();
        request.patience = None;
        let expected = Expected::Same(Box::new(known.answer));
        Some(Step { request, about: Some(known.id), owns_key: false, expected })
    }

    fn other_body(&mut self) -> Option<Step> {
        let known = self.one_of_mine()?;
        let mut request = known.request.clone();
        request.patience = None;
        if let Some(body) = &mut request.body {
            body["external_ref"] = json!(format!("{}-other", self.key));
        }
        Some(Step {
            request,
            about: Some(known.id),
            owns_key: false,
            expected: Expected::KeyReused,
        })
    }

    fn read_back(&mut self) -> Option<Step> {
        let known = self.one_of_mine()?;
        let request = Request::get(format!("/v1/orders/{}", known.id));
        let (id, version) = (known.id.clone(), known.version);
        let expected = Expected::Order { id, version };
        Some(Step { request, about: Some(known.id), owns_key: false, expected })
    }

    fn read_events(&mut self) -> Option<Step> {
        let known = self.one_of_mine()?;
        let request = Request::get(format!("/v1/orders/{}/events", known.id));
        let expected = Expected::Events { version: known.version };
        Some(Step { request, about: Some(known.id), owns_key: false, expected })
    }

    fn list_orders(&mut self) -> Step {
        let limit = self.rng.random_range(1..=50);
        read(format!("/v1/orders?limit={limit}"), Expected::Read)
    }

    fn read_product(&mut self) -> Step {
        let sku = self.sku();
        read(format!("/v1/products/{sku}"), Expected::Read)
    }

    fn read_stock(&mut self) -> Step {
        let sku = self.sku();
        read(format!("/v1/stock/{sku}"), Expected::Stock)
    }

    fn restock(&mut self) -> Step {
        let sku = *["HOT-1", "HOT-2"].choose(self.rng).unwrap_or(&"HOT-1");
        // The reason names the request, so that its effects can be counted.
        let body = json!({"delta": self.rng.random_range(1..=20), "reason": self.key});
        let path = format!("/v1/stock/{sku}/adjustments");
        let request = Request::post(path, self.key.clone(), body);
        Step { request, about: None, owns_key: true, expected: Expected::Adjusted }
    }

    /// Does something with an order that was confirmed when the client last saw it.
    fn with_order(&mut self, what: &str, body: Value) -> Option<Step> {
        let alive = |known: &&Known| known.status != "rejected";
        let alive: Vec<&Known> = self.known.iter().filter(alive).collect();
        let recent = &alive[alive.len().saturating_sub(8)..];
        let id = recent.choose(self.rng)?.id.clone();
        Some(operate(&id, what, &self.key, body))
    }

    fn cancel(&mut self) -> Option<Step> {
        self.with_order("cancel", json!({"reason": "chaos"}))
    }

    /// All of an order leaves, or one unit.
    fn ship(&mut self) -> Option<Step> {
        let mut step = self.with_order("shipments", json!({"lines": []}))?;
        let known = self.known.iter().find(|known| Some(&known.id) == step.about.as_ref())?;
        if self.rng.random_bool(0.4) {
            let line = known.request.body.as_ref()?["lines"].as_array()?.choose(self.rng)?;
            let part = json!({"lines": [{"sku": line["sku"], "quantity": 1}]});
            step.request.body = Some(part);
        }
        Some(step)
    }

    /// Mostly an order that can be delivered.
    fn deliver(&mut self) -> Option<Step> {
        let shipped: Vec<&Known> =
            self.known.iter().filter(|known| known.status == "shipped").collect();
        match shipped.choose(self.rng).filter(|_| self.rng.random_bool(0.8)) {
            Some(known) => Some(operate(&known.id, "deliver", &self.key, json!({}))),
            None => self.with_order("deliver", json!({})),
        }
    }

    fn refund(&mut self) -> Option<Step> {
        let amount = self.rng.random_range(1..=400);
        self.with_order("refunds", json!({"amount": amount}))
    }

    fn return_goods(&mut self) -> Option<Step> {
        let has_left = |known: &&Known| matches!(known.status.as_str(), "shipped" | "delivered");
        let gone: Vec<&Known> = self.known.iter().filter(has_left).collect();
        let known = gone.choose(self.rng).map(|known| (*known).clone());
        let known = known.or_else(|| self.one_of_mine())?;
        let line = known.request.body.as_ref()?["lines"].as_array()?.choose(self.rng)?.clone();
        let lines = json!([{"sku": line["sku"], "quantity": 1}]);
        let restock = self.rng.random_bool(0.5);
        let body = json!({"lines": lines, "restock": restock});
        Some(operate(&known.id, "returns", &self.key, body))
    }
}

fn operate(id: &str, what: &str, key: &str, body: Value) -> Step {
    let request = Request::post(format!("/v1/orders/{id}/{what}"), key, body);
    let about = Some(id.to_owned());
    Step { request, about, owns_key: true, expected: Expected::Operated }
}

fn read(path: String, expected: Expected) -> Step {
    Step { request: Request::get(path), about: None, owns_key: false, expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn drawn(seed: u64, operation: &Operation) -> Option<Value> {
        let mut rng = StdRng::seed_from_u64(seed);
        let known = [Known {
            id: "o".to_owned(),
            request: Request::post("/v1/orders", "k0", json!({"lines": [{"sku": "HOT-1"}]})),
            answer: Answer::default(),
            version: 2,
            status: "confirmed".to_owned(),
        }];
        let mut draw = Draw { rng: &mut rng, known: &known, key: "k1".to_owned() };
        let step = draw.make(operation)?;
        Some(json!([step.request.path, step.request.key, step.request.body]))
    }

    #[test]
    fn one_seed_draws_the_same_operation_again() {
        for operation in OPERATIONS {
            let first = drawn(7, operation);
            assert!(first.is_some(), "{}", operation.name);
            assert_eq!(first, drawn(7, operation), "{}", operation.name);
        }
        let place = &OPERATIONS[0];
        assert!((0..20).any(|seed| drawn(seed, place) != drawn(7, place)));
    }

    #[test]
    fn names_differ() {
        for (index, operation) in OPERATIONS.iter().enumerate() {
            assert!(OPERATIONS[..index].iter().all(|other| other.name != operation.name));
            assert!(operation.weight > 0);
        }
    }
}
