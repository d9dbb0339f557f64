//! `orderly replay --returns`: cancellations come back to the orders of the same customer and SKU.
//!
//! The files are made by hand, in the form of the real data, and small enough to be checked by
//! hand.

use crate::process::Finished;
use crate::world::{World, on_both};
use serde_json::{Value, json};

const PRODUCTS: &str = "sku,name,category,unit_price_minor,currency
TEA,Green tea,tea,450,GBP
CUP,Cup,china,1000,GBP
POT,Pot,china,2500,GBP
";

const STOCK: &str = "sku,opening_stock\nTEA,20\nCUP,10\nPOT,3\n";

fn line((sku, quantity, price, less): &(&str, i64, i64, i64)) -> Value {
    json!({"sku": sku, "quantity": quantity, "unit_price_minor": price, "discount_minor": less})
}

/// One line of a file of orders or returns; its lines are `(sku, quantity, unit price, discount)`.
fn entry(name: &str, customer: &str, at: &str, lines: &[(&str, i64, i64, i64)]) -> String {
    let total: i64 = lines.iter().map(|(_, quantity, price, less)| quantity * price - less).sum();
    let lines: Vec<Value> = lines.iter().map(line).collect();
    json!({"order_ref": name, "customer_ref": customer, "store_ref": "United Kingdom",
        "timestamp": at, "currency": "GBP", "lines": lines, "total_minor": total})
    .to_string()
}

fn orders() -> Vec<String> {
    vec![
        entry("1", "ann", "2010-12-01T08:26:00Z", &[("TEA", 6, 450, 0), ("CUP", 2, 1_000, 0)]),
        entry("2", "ann", "2010-12-01T09:00:00Z", &[("TEA", 4, 400, 0)]),
        entry("3", "bob", "2010-12-02T08:00:00Z", &[("POT", 3, 2_500, 1)]),
        entry("4", "bob", "2010-12-03T08:00:00Z", &[("CUP", 8, 1_000, 0), ("TEA", 10, 450, 0)]),
    ]
}

fn returns() -> Vec<String> {
    vec![
        // Order 1 has six of the tea at the note's price; the seventh is from order 2, which is later.
        entry("C1", "ann", "2010-12-01T10:00:00Z", &[("TEA", 7, 450, 0), ("CUP", 1, 1_000, 0)]),
        // Bob buys cups tomorrow.
        entry("C2", "bob", "2010-12-02T12:00:00Z", &[("POT", 1, 2_500, 0), ("CUP", 1, 1_000, 0)]),
        // Two pots are left.
        entry("C3", "bob", "2010-12-04T08:00:00Z", &[("POT", 3, 2_500, 0)]),
        entry("C4", "eve", "2010-12-04T09:00:00Z", &[("TEA", 2, 450, 0)]),
    ]
}

fn expected() -> Value {
    json!({
        "totals": {"orders": 4, "lines": 6, "units": 33, "gross_minor": 26_300,
            "discount_minor": 1, "total_minor": 26_299, "customers": 2, "skus": 3},
        "returns": {"totals": {"orders": 4, "lines": 6, "units": 15, "gross_minor": 16_050,
            "discount_minor": 0, "total_minor": 16_050, "customers": 3, "skus": 3}},
    })
}

/// Writes a file of the test and gives its path.
fn write(world: &World, name: &str, text: &str) -> String {
    let path = world.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// `replay` of the orders with more arguments.
async fn replay(world: &World, more: &[&str]) -> Finished {
    let products = write(world, "products.csv", PRODUCTS);
    let stock = write(world, "stock.csv", STOCK);
    let orders = write(world, "orders.ndjson", &orders().join("\n"));
    let files = ["replay", "--products", &products, "--stock", &stock, "--orders", &orders];
    let mut arguments = files.to_vec();
    arguments.push("--json");
    arguments.extend_from_slice(more);
    world.run("replay", &arguments).await
}

/// The report of a replay that ended with this code.
fn report(finished: &Finished, code: i32) -> Value {
    assert_eq!(finished.code, Some(code), "{}\n{}", finished.stdout, finished.stderr);
    let last = finished.stdout.trim_end().lines().next_back().unwrap_or("");
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {}", finished.stdout))
}

/// Names of the checks that failed.
fn wrong(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["ok"] != true)
        .map(|check| check["name"].as_str().unwrap())
        .collect()
}

/// Fails unless these members of the report on the returns have these values.
fn assert_figures(report: &Value, figures: &Value) {
    for (member, value) in figures.as_object().unwrap() {
        assert_eq!(&report["returns"][member], value, "{member}: {:#}", report["returns"]);
    }
}

/// `(captured, refunded)` in the bank's books.
async fn at_the_bank(world: &World) -> (i64, i64) {
    let ledger = world.bank.ledger().await;
    let sum = |member: &str| ledger.iter().map(|entry| entry[member].as_i64().unwrap()).sum();
    (sum("captured"), sum("refunded"))
}

/// The order with this name in the file.
async fn order(world: &World, name: &str) -> Value {
    let page = world.api.get(&format!("/v1/orders?external_ref={name}")).await.expect(200);
    let found = page["data"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{page}");
    found[0].clone()
}

/// Fails unless goods and money are where they are after all orders and all returns.
async fn assert_everything_came_back(world: &World) {
    // On hand, promised, free: order 4 was not shipped, the others were.
    assert_eq!(world.stock("TEA").await, (17, 10, 7));
    assert_eq!(world.stock("CUP").await, (9, 8, 1));
    assert_eq!(world.stock("POT").await, (3, 0, 3));
    assert_eq!(at_the_bank(world).await, (26_299, 11_599));
    for (name, status, refunded, returned) in [
        ("1", "shipped", 3_700, vec![6, 1]),
        ("2", "shipped", 400, vec![1]),
        ("3", "shipped", 7_499, vec![3]),
        ("4", "confirmed", 0, vec![0, 0]),
    ] {
        let order = order(world, name).await;
        assert_eq!(
            (&order["status"], &order["amount_refunded"]),
            (&json!(status), &json!(refunded))
        );
        let lines = order["lines"].as_array().unwrap().iter();
        let found: Vec<_> = lines.map(|line| line["quantity_returned"].clone()).collect();
        assert_eq!(json!(found), json!(returned), "{order}");
    }
    world.assert_balanced().await;
}

on_both! {
    async fn returns_find_their_orders_and_a_repetition_adds_nothing(world in World) {
        let file = write(&world, "returns.ndjson", &returns().join("\n"));
        write(&world, "expected.json", &expected().to_string());
        let first = report(&replay(&world, &["--returns", &file]).await, 0);
        assert_figures(&first, &json!({
            "credit_notes": 4, "lines": 6, "units": 15, "amount_minor": 16_050,
            "placed_whole": 1, "placed_partly": 2, "not_placed": 1,
            "placed_units": 11, "placed_amount_minor": 11_650, "placed_cost_minor": 11_599,
            "units_at_other_price": 1,
            "unplaced": {"lines": 3, "units": 4, "amount_minor": 4_400},
            "never_bought": {"lines": 1, "units": 2, "amount_minor": 900},
            "bought_later": {"lines": 1, "units": 1, "amount_minor": 1_000},
            "too_few": {"lines": 1, "units": 1, "amount_minor": 2_500},
            "orders_shipped": 3, "returned": 4, "units_returned": 11,
            "refunded_minor": 11_599, "refunded_by_currency": {"GBP": 11_599},
            "failed": 0, "replayed": 0,
        }));
        assert_everything_came_back(&world).await;

        let again = replay(&world, &["--returns", &file]).await;
        assert!(again.stdout.contains("(4 answered to an earlier run first)"), "{}", again.stdout);
        let again = report(&again, 0);
        assert_figures(&again, &json!({"returned": 4, "refunded_minor": 11_599, "replayed": 4}));
        assert_everything_came_back(&world).await;
    }

    async fn returns_go_on_where_they_were_broken_off(world in World) {
        let orders_only = report(&replay(&world, &[]).await, 0);
        assert_eq!(orders_only["returns"], Value::Null);
        assert_eq!(world.stock("TEA").await, (20, 20, 0));
        let half = write(&world, "half.ndjson", &returns()[..2].join("\n"));
        let half = report(&replay(&world, &["--returns", &half]).await, 0);
        assert_figures(&half, &json!({"returned": 3, "replayed": 0, "refunded_minor": 6_599}));
        assert_eq!(at_the_bank(&world).await, (26_299, 6_599));
        let whole = write(&world, "returns.ndjson", &returns().join("\n"));
        let whole = report(&replay(&world, &["--returns", &whole]).await, 0);
        assert_figures(&whole, &json!({"returned": 4, "replayed": 3, "refunded_minor": 11_599}));
        assert_everything_came_back(&world).await;
    }

    async fn what_was_refused_or_left_out_does_not_come_back(world in World) {
        let file = write(&world, "returns.ndjson", &returns().join("\n"));
        let few = ["--limit", "3", "--stock-scale", "all:0.4", "--connections", "1"];
        let more = [&["--returns", &file][..], &few].concat();
        // There are 8 tea, 4 cups and 1 pot: after order 1 there is too little for orders 2 and 3.
        let scarce = report(&replay(&world, &more).await, 0);
        assert_eq!((&scarce["accepted"], &scarce["refused"]), (&json!(1), &json!(2)));
        assert_figures(&scarce, &json!({
            "placed_partly": 1, "not_placed": 3, "placed_units": 7, "placed_cost_minor": 3_700,
            "too_few": {"lines": 1, "units": 1, "amount_minor": 450},
            "after_the_end": {"lines": 4, "units": 7, "amount_minor": 11_900},
            "orders_shipped": 1, "returned": 1, "units_returned": 7, "refunded_minor": 3_700,
            "failed": 0,
        }));
        assert_eq!(world.stock("TEA").await, (8, 0, 8));
        assert_eq!(at_the_bank(&world).await, (4_700, 3_700));
        world.assert_balanced().await;
    }

    async fn a_file_of_returns_that_is_not_the_authors_is_found(world in World) {
        let file = write(&world, "returns.ndjson", &returns()[..3].join("\n"));
        write(&world, "expected.json", &expected().to_string());
        let short = report(&replay(&world, &["--returns", &file]).await, 1);
        let want = [
            "credit notes",
            "credit notes: lines",
            "credit notes: units",
            "credit notes: gross, minor units",
            "credit notes: total, minor units",
            "credit notes: customers",
        ];
        assert_eq!(wrong(&short), want);
        // The books are right all the same: what was missing had no order.
        assert_everything_came_back(&world).await;
    }

    async fn a_file_of_returns_that_cannot_be_read_is_refused_before_anything_is_placed(
        world in World
    ) {
        let wrong_total = returns()[0].replace("\"total_minor\":4150", "\"total_minor\":4151");
        assert_ne!(wrong_total, returns()[0]);
        for (name, text, about) in [
            ("broken.ndjson", "{\"order_ref\":", "broken.ndjson, line 1"),
            ("total.ndjson", &wrong_total, "total_minor is 4151"),
        ] {
            let file = write(&world, name, text);
            let refused = replay(&world, &["--returns", &file]).await;
            assert_eq!(refused.code, Some(2), "{}\n{}", refused.stdout, refused.stderr);
            assert!(refused.stderr.contains(about), "{}", refused.stderr);
        }
        let refused = replay(&world, &["--returns", "/nowhere/returns.ndjson"]).await;
        assert_eq!(refused.code, Some(2), "{}\n{}", refused.stdout, refused.stderr);
        assert!(refused.stderr.contains("/nowhere/returns.ndjson"), "{}", refused.stderr);
        assert_eq!(world.database.number("SELECT count(*) FROM orders").await, 0);
    }
}
