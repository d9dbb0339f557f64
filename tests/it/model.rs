//! Refunds and returns against a model that is as simple as can be: it keeps each unit of an order by
//! itself, with its price. After every step the service says what the model says.

use crate::client::{Reply, send};
use crate::process::eventually;
use crate::world::{World, on_both};
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Value, json};

/// Orders lived through on each database, and steps of each.
const ORDERS: u64 = 60;
const STEPS: u64 = 9;

struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        i64::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// One line: its units one by one.
struct Line {
    sku: &'static str,
    quantity: i64,
    total: i64,
    shipped: i64,
    returned: i64,
    /// Units whose money went back.
    refunded: i64,
}

impl Line {
    /// The price of unit number `n`, from 0: the minor units that do not divide go to later ones.
    fn price(&self, n: i64) -> i64 {
        self.total * (n + 1) / self.quantity - self.total * n / self.quantity
    }

    /// Refunds the next units and gives their price.
    fn refund(&mut self, units: i64) -> i64 {
        let prices = (self.refunded..self.refunded + units).map(|n| self.price(n)).sum();
        self.refunded += units;
        prices
    }
}

struct Model {
    lines: Vec<Line>,
    captured: i64,
    refunded: i64,
}

/// What a step should be answered with, and what it gives back.
enum Expected {
    Done { back: i64 },
    Refused(&'static str),
}

impl Model {
    fn draw(dice: &mut Dice) -> (Self, Value) {
        let lines: Vec<Line> = ["TEA", "CUP", "POT"]
            .into_iter()
            .take(usize::try_from(1 + dice.throw(3)).unwrap())
            .map(|sku| {
                let quantity = 1 + dice.throw(5);
                let price = quantity * 97;
                let total = price - dice.throw(price / 2);
                Line { sku, quantity, total, shipped: 0, returned: 0, refunded: 0 }
            })
            .collect();
        let bodies: Vec<Value> = lines
            .iter()
            .map(|line| {
                json!({"sku": line.sku, "quantity": line.quantity,
                    "discount_amount": line.quantity * 97 - line.total})
            })
            .collect();
        let captured = lines.iter().map(|line| line.total).sum();
        let body = json!({"currency": "USD", "lines": bodies,
            "payment": {"method": "pm_card_visa"}});
        (Self { lines, captured, refunded: 0 }, body)
    }

    fn left(&self) -> i64 {
        self.captured - self.refunded
    }

    fn ship(&mut self) -> Expected {
        if self.lines.iter().all(|line| line.shipped == line.quantity) {
            return Expected::Refused("INVALID_STATE");
        }
        self.lines.iter_mut().for_each(|line| line.shipped = line.quantity);
        Expected::Done { back: 0 }
    }

    fn refund_amount(&mut self, amount: i64) -> Expected {
        if amount > self.left() {
            return Expected::Refused("REFUND_EXCEEDS_CAPTURED");
        }
        self.refunded += amount;
        Expected::Done { back: amount }
    }

    fn refund_units(&mut self, at: usize, units: i64) -> Expected {
        let left = self.left();
        let line = &mut self.lines[at];
        if units > line.quantity - line.refunded {
            return Expected::Refused("REFUND_EXCEEDS_CAPTURED");
        }
        let back = line.refund(units);
        if back > left || back == 0 {
            line.refunded -= units;
            return Expected::Refused("REFUND_EXCEEDS_CAPTURED");
        }
        self.refunded += back;
        Expected::Done { back }
    }

    fn take_back(&mut self, at: usize, units: i64) -> Expected {
        let left = self.left();
        if self.lines.iter().all(|line| line.shipped == 0) {
            return Expected::Refused("INVALID_STATE");
        }
        let line = &mut self.lines[at];
        if units > line.shipped - line.returned {
            return Expected::Refused("NOTHING_TO_RETURN");
        }
        // Units that were refunded and kept come back first, and bring nothing.
        let kept = (line.refunded - line.returned).max(0);
        let back = line.refund((units - kept).max(0)).min(left);
        line.returned += units;
        self.refunded += back;
        Expected::Done { back }
    }

    fn agrees_with(&self, order: &Value) {
        assert_eq!(order["amount_captured"], self.captured, "{order}");
        assert_eq!(order["amount_refunded"], self.refunded, "{order}");
        for (line, shown) in self.lines.iter().zip(order["lines"].as_array().unwrap()) {
            assert_eq!(shown["quantity_shipped"], line.shipped, "{order}");
            assert_eq!(shown["quantity_returned"], line.returned, "{order}");
        }
    }
}

async fn step(world: &World, id: &str, model: &mut Model, dice: &mut Dice, key: &str) {
    let at = usize::try_from(dice.throw(i64::try_from(model.lines.len()).unwrap())).unwrap();
    let units = 1 + dice.throw(3);
    let lines = json!([{"sku": model.lines[at].sku, "quantity": units}]);
    let (route, body, expected) = match dice.throw(7) {
        0 => ("shipments", json!({}), model.ship()),
        1 => {
            let amount = 1 + dice.throw(200);
            ("refunds", json!({"amount": amount}), model.refund_amount(amount))
        }
        2 | 3 => ("refunds", json!({"lines": lines}), model.refund_units(at, units)),
        _ => {
            let restock = dice.throw(2) == 0;
            ("returns", json!({"lines": lines, "restock": restock}), model.take_back(at, units))
        }
    };
    let path = format!("/v1/orders/{id}/{route}");
    let reply: Reply = send(world.api.keyed(&path, key, &body)).await;
    match expected {
        Expected::Done { back } => {
            let shown = reply.expect(201);
            let given = match route {
                "refunds" => shown["refund"]["amount"].as_i64().unwrap(),
                "returns" => shown["return"]["amount_refunded"].as_i64().unwrap(),
                _ => 0,
            };
            assert_eq!(given, back, "{path} {body}: {shown}");
        }
        Expected::Refused(code) => drop(reply.problem(409, code)),
    }
    model.agrees_with(&world.order(id).await);
}

async fn live(world: &World, number: u64) -> (String, Model) {
    let mut dice = Dice(number + 1);
    let (mut model, body) = Model::draw(&mut dice);
    let id = world.api.place(&format!("model-{number}"), &body).await.order_id();
    for turn in 0..STEPS {
        step(world, &id, &mut model, &mut dice, &format!("model-{number}-{turn}")).await;
    }
    (id, model)
}

on_both! {
    async fn the_service_gives_back_what_the_model_says(world in World) {
        for sku in ["TEA", "CUP", "POT"] {
            world.stocked(sku, 97, 10_000).await;
        }
        let lived: Vec<(String, Model)> =
            stream::iter(0..ORDERS).map(|n| live(&world, n)).buffer_unordered(8).collect().await;
        let open = "SELECT count(*) FROM payment_operation WHERE status = 'open'";
        eventually("the bank has given it back", async || match world.database.number(open).await {
            0 => Ok(()),
            count => Err(count.to_string()),
        })
        .await;
        for (id, model) in &lived {
            let ledger = world.bank.ledger_of(id).await;
            let back: i64 = ledger.iter().map(|entry| entry["refunded"].as_i64().unwrap()).sum();
            assert_eq!(back, model.refunded, "{id}: {ledger:?}");
        }
        assert!(lived.iter().any(|(_, model)| model.refunded > 0), "nothing ever went back");
        world.assert_balanced().await;
    }
}
