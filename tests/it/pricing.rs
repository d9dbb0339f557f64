//! What orders cost: engines, flags, promotions, coupons, taxes, and the two engines compared.

use crate::client::{Api, Reply, points_at, send};
use crate::process::eventually;
use crate::world::{World, on_both, on_each, order_of};
use futures_util::future::join_all;
use replay::Dataset;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A flag with this rule.
fn flag(variants: &Value, default: &str, targeting: &Value) -> Value {
    json!({"state": "ENABLED", "variants": variants, "defaultVariant": default,
        "targeting": targeting,
        "metadata": {"owner": "checkout", "expires": "2099-01-01T00:00:00.000Z"}})
}

fn engine(targeting: &Value) -> Value {
    flag(&json!({"legacy": "legacy", "promotional": "promotional"}), "legacy", targeting)
}

async fn put(api: &Api, path: &str, body: &Value) -> Value {
    api.put(path, body).await.expect(200)
}

/// Σ over the lines, and the order's own sums.
fn check_sums(order: &Value) {
    let lines = order["lines"].as_array().unwrap();
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let sum = |member: &str| lines.iter().map(|line| number(&line[member])).sum::<i64>();
    assert_eq!(sum("amount_total"), number(&order["amount_total"]), "{order}");
    assert_eq!(sum("tax_amount"), number(&order["amount_tax"]), "{order}");
    assert_eq!(sum("discount_amount"), number(&order["amount_discount"]), "{order}");
}

async fn rules(world: &World) {
    put(&world.api, "/v1/price-lists/spring", &json!({"name": "Spring", "currency": "USD"})).await;
    let price = json!({"sku": "TEA", "unit_amount": 200}).to_string();
    world.api.stream("/v1/price-lists/spring/prices:batch", None, &[price]).await;
    let three_for_two = json!({"name": "3 for 2", "rank": 1, "target": {"skus": ["POT"]},
        "benefit": {"kind": "buy_x_get_y", "buy": 2, "get": 1, "rate_ppm": 1_000_000}});
    put(&world.api, "/v1/promotions/three", &three_for_two).await;
    let ten = json!({"name": "10 %", "rank": 2, "coupon_only": true,
        "benefit": {"kind": "percentage", "rate_ppm": 100_000}});
    put(&world.api, "/v1/promotions/ten", &ten).await;
    put(&world.api, "/v1/coupons/TEN", &json!({"promotion": "ten", "limit": 5})).await;
    let tax = json!({"name": "NYC", "rates": [{"rate_ppm": 88_750}]});
    put(&world.api, "/v1/tax-tables/US-NYC", &tax).await;
    let dangling = world.api.put("/v1/coupons/X", &json!({"promotion": "none"})).await;
    assert!(points_at(&dangling.problem(422, "VALIDATION_FAILED"), "/promotion"));
}

async fn used(world: &World, code: &str) -> i64 {
    let coupon = world.api.get(&format!("/v1/coupons/{code}")).await.expect(200);
    coupon["used"].as_i64().unwrap()
}

/// Flags: checked, told, and each change kept.
async fn choose_promotional(world: &World) {
    let wrong = flag(&json!({"new": "newest"}), "new", &Value::Null);
    let wrong = world.api.put("/v1/flags/pricing.engine", &wrong).await;
    assert!(points_at(&wrong.problem(422, "VALIDATION_FAILED"), "/variants/new"));
    let for_usd = engine(&json!({"if": [{"==": [{"var": "currency"}, "USD"]}, "promotional"]}));
    let set = put(&world.api, "/v1/flags/pricing.engine", &for_usd).await;
    assert_eq!((&set["owner"], &set["is_expired"]), (&json!("checkout"), &json!(false)));
    let all = world.api.get("/v1/flags").await.expect(200);
    let keys: Vec<&Value> = all["data"].as_array().unwrap().iter().map(|f| &f["key"]).collect();
    assert_eq!(keys, ["pricing.engine", "pricing.shadow"]);
    let changes = world.api.get("/v1/flags/pricing.engine/changes").await.expect(200);
    let change = &changes["data"][0];
    assert_eq!((&change["actor"], &change["from"]), (&json!("key:admin"), &Value::Null));
    assert_eq!(change["to"]["targeting"], for_usd["targeting"]);
}

/// Four more may use the coupon, however many want to.
async fn race(world: &World, with_coupon: &Value) {
    let race = (0..20).map(|number| {
        let (api, body) = (&world.api, with_coupon);
        async move { api.place(&format!("race-{number}"), body).await }
    });
    let replies: Vec<Reply> = join_all(race).await;
    let won = replies.iter().filter(|reply| reply.status == 201).count();
    let lost: Vec<&Reply> = replies.iter().filter(|reply| reply.status != 201).collect();
    assert_eq!((won, lost.len(), used(world, "TEN").await), (4, 16, 5));
    for reply in &lost {
        let problem = reply.problem(409, "COUPON_USED_UP");
        assert_eq!(problem["details"]["coupons"], json!(["TEN"]));
        let id = problem["details"]["order_id"].as_str().unwrap();
        assert_eq!(world.order(id).await["status"], "rejected");
    }
    let lost_key = replies.iter().position(|reply| reply.status == 409).unwrap();
    let again = world.api.place(&format!("race-{lost_key}"), with_coupon).await;
    assert_eq!((again.status, again.is_replay()), (409, true));
}

/// Tax goes back with the units.
async fn return_with_tax(world: &World, basket: &Value) {
    let full = world
        .api
        .place("returned", &{
            let mut order = basket.clone();
            order["jurisdiction"] = json!("US-NYC");
            order
        })
        .await
        .expect(201);
    let path = format!("/v1/orders/{}", full["id"].as_str().unwrap());
    send(world.api.keyed(&format!("{path}/shipments"), "s", &json!({}))).await.expect(201);
    let back = json!({"lines": [], "restock": true});
    send(world.api.keyed(&format!("{path}/returns"), "r", &back)).await.expect(201);
    let returned = world.api.get(&path).await.expect(200);
    assert_eq!(returned["amount_refunded"], full["amount_total"]);
    assert!(returned["amount_tax"].as_i64().unwrap() > 0);
}

on_both! {
    async fn the_flag_chooses_the_engine_and_coupons_hold_in_a_race(world in World) {
        world.stocked("TEA", 250, 1_000).await;
        world.stocked("POT", 1_000, 1_000).await;
        rules(&world).await;
        let basket = order_of(&[("TEA", 2), ("POT", 3)]);
        let mut with_coupon = basket.clone();
        with_coupon["coupons"] = json!(["TEN"]);
        with_coupon["jurisdiction"] = json!("US-NYC");

        // As long as nobody says otherwise, price by quantity; a coupon would be a false promise.
        let legacy = world.api.place("legacy", &basket).await.expect(201);
        assert_eq!((&legacy["amount_total"], legacy.get("pricing")), (&json!(3_500), None));
        let refused = world.api.place("early", &with_coupon).await;
        assert!(points_at(&refused.problem(422, "VALIDATION_FAILED"), "/coupons/0"));

        choose_promotional(&world).await;

        // 2 tea at 200, 3 pots for 2 at 1,000; 10 % of 2,400; 8.875 % of 2,160 is 191.7.
        let unknown = {
            let mut order = with_coupon.clone();
            order["coupons"] = json!(["NONE"]);
            order["jurisdiction"] = json!("XX");
            world.api.place("unknown", &order).await.problem(422, "VALIDATION_FAILED")
        };
        assert!(points_at(&unknown, "/coupons/0") && points_at(&unknown, "/jurisdiction"));
        let first = world.api.place("first", &with_coupon).await.expect(201);
        check_sums(&first);
        assert_eq!(first["amount_subtotal"], 3_400);
        assert_eq!(first["amount_discount"], 1_240);
        assert_eq!((&first["amount_tax"], &first["amount_total"]), (&json!(192), &json!(2_352)));
        assert_eq!(first["pricing"], json!({"engine": "promotional",
            "promotions": ["three", "ten"], "coupons": ["TEN"], "jurisdiction": "US-NYC"}));
        assert_eq!(first["degraded"], json!([]));
        let id = first["id"].as_str().unwrap();
        assert_eq!(world.order(id).await["pricing"], first["pricing"]);

        race(&world, &with_coupon).await;

        // Whoever cancels, or does not pay, gives the coupon back.
        let cancel = world.api.keyed(&format!("/v1/orders/{id}/cancel"), "c", &json!({"reason": "x"}));
        send(cancel).await.expect(200);
        assert_eq!(used(&world, "TEN").await, 4);
        let mut declined = with_coupon.clone();
        declined["payment"]["method"] = json!("pm_card_chargeDeclined");
        world.api.place("declined", &declined).await.problem(402, "PAYMENT_DECLINED");
        assert_eq!(used(&world, "TEN").await, 4);
        let mut short = with_coupon.clone();
        short["lines"][0]["quantity"] = json!(100_000);
        world.api.place("short", &short).await.problem(409, "OUT_OF_STOCK");
        assert_eq!(used(&world, "TEN").await, 4);
        world.api.place("next", &with_coupon).await.expect(201);
        assert_eq!(used(&world, "TEN").await, 5);
        return_with_tax(&world, &basket).await;
        world.assert_balanced().await;
    }
}

fn sample(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/replay/sample").join(name)
}

/// Every product of the sample, and more of each than is bought.
async fn stock_the_sample(world: &World, data: &Dataset) {
    let products: Vec<String> = data
        .products
        .iter()
        .map(|product| {
            json!({"sku": product.sku, "name": product.name, "category": product.category,
                "unit_amount": product.unit_amount, "currency": product.currency})
            .to_string()
        })
        .collect();
    let made = world.api.stream("/v1/products:batch", None, &products).await;
    assert!(made.0.iter().all(|outcome| outcome["status"] == 200));
    let stock: Vec<String> = data
        .products
        .iter()
        .map(|product| json!({"sku": product.sku, "delta": 10_000}).to_string())
        .collect();
    let stocked = world.api.stream("/v1/stock:batch", Some("stock"), &stock).await;
    assert!(stocked.0.iter().all(|outcome| outcome["status"] == 200));
}

/// All mismatches, by order.
async fn mismatches(world: &World) -> BTreeMap<String, (i64, i64)> {
    let (mut found, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let path = format!("/v1/pricing/mismatches?limit=100{cursor}");
        let page = world.api.get(&path).await.expect(200);
        for row in page["data"].as_array().unwrap() {
            let id = row["order_id"].as_str().unwrap().to_owned();
            let total = |member: &str| row[member].as_i64().unwrap();
            let totals = (total("amount_total"), total("other_amount_total"));
            assert!(found.insert(id, totals).is_none(), "an order came twice");
        }
        let Some(next) = page["next_cursor"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

/// What a metric with these words in its line adds up to.
async fn measured(world: &World, name: &str) -> f64 {
    let page = world.private("/metrics").await.text;
    let lines = page.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn largest_category(data: &Dataset) -> &str {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for product in &data.products {
        *sizes.entry(&product.category).or_default() += 1;
    }
    sizes.into_iter().max_by_key(|(_, size)| *size).unwrap().0
}

/// The orders of the sample as lines of a stream, without prices; and for each what it costs by the
/// catalogue, and with a tenth off the products of `category`, a half rounded up.
fn baskets(data: &Dataset, category: &str) -> (Vec<String>, BTreeMap<String, (i64, i64)>) {
    let products: BTreeMap<&str, (i64, &str)> = data
        .products
        .iter()
        .map(|product| (product.sku.as_str(), (product.unit_amount, product.category.as_str())))
        .collect();
    let (mut lines, mut expected) = (Vec::new(), BTreeMap::new());
    for order in data.orders().unwrap() {
        let order = order.unwrap();
        let (mut gross, mut marked) = (0, 0);
        for line in &order.lines {
            let (price, of) = products[line.sku.as_str()];
            let worth = i64::try_from(line.quantity).unwrap() * price;
            gross += worth;
            marked += if of == category { worth } else { 0 };
        }
        let off = (marked + 5) / 10;
        expected.insert(order.order_ref.clone(), (gross, gross - off));
        let units: Vec<Value> = order
            .lines
            .iter()
            .map(|line| json!({"sku": line.sku, "quantity": line.quantity}))
            .collect();
        lines.push(
            json!({"idempotency_key": order.order_ref, "external_ref": order.order_ref,
            "currency": order.currency, "lines": units,
            "payment": {"method": "pm_card_visa"}})
            .to_string(),
        );
    }
    (lines, expected)
}

on_both! {
    async fn a_replay_priced_by_the_catalogue_is_compared_exactly(world in World) {
        let data = Dataset::open(
            &sample("products.csv.gz"),
            &sample("stock.csv.gz"),
            &sample("orders.ndjson.gz"),
        ).unwrap();
        stock_the_sample(&world, &data).await;
        // A tenth off the largest category: of which many baskets have nothing.
        let category = largest_category(&data);
        let promotion = json!({"name": "10 %", "target": {"categories": [category]},
            "benefit": {"kind": "percentage", "rate_ppm": 100_000}});
        put(&world.api, "/v1/promotions/ten", &promotion).await;
        let shadow = flag(&json!({"on": true, "off": false}), "on", &Value::Null);
        put(&world.api, "/v1/flags/pricing.shadow", &shadow).await;

        let (lines, expected) = baskets(&data, category);
        let outcomes = world.api.stream("/v1/orders:batch", None, &lines).await;
        let mut ids = BTreeMap::new();
        let mut total = 0;
        for outcome in &outcomes.0 {
            assert_eq!(outcome["status"], 201, "{outcome}");
            let order = &outcome["order"];
            let reference = order["external_ref"].as_str().unwrap().to_owned();
            let amount = order["amount_total"].as_i64().unwrap();
            assert_eq!(amount, expected[&reference].0, "{reference}");
            total += amount;
            ids.insert(reference, order["id"].as_str().unwrap().to_owned());
        }
        let figures = std::fs::read_to_string(sample("expected.json")).unwrap();
        let figures: Value = serde_json::from_str(&figures).unwrap();
        assert_eq!(figures["totals"]["catalogue_gross_minor"], total);

        // The other engine has priced every order, and each that differs is told, and no other.
        eventually("all orders are compared", async || {
            let compared = measured(&world, "pricing_shadow_total").await;
            let all = f64::from(u32::try_from(ids.len()).unwrap());
            if compared >= all { Ok(()) } else { Err(format!("{compared} of {all}")) }
        })
        .await;
        assert!(measured(&world, "pricing_shadow_dropped_total").await < 0.5, "all were compared");
        let differing: BTreeMap<String, (i64, i64)> = expected
            .iter()
            .filter(|(_, (gross, net))| gross != net)
            .map(|(reference, totals)| (ids[reference].clone(), *totals))
            .collect();
        let unlike: BTreeSet<&(i64, i64)> = differing.values().collect();
        assert!(unlike.len() > 10 && differing.len() < ids.len(), "{}", differing.len());
        eventually("all mismatches are kept", async || {
            let found = mismatches(&world).await;
            if found.len() >= differing.len() { Ok(()) } else { Err(found.len().to_string()) }
        })
        .await;
        assert_eq!(mismatches(&world).await, differing);
    }
}

// On SQLite nobody can break a table of a program that runs; the catalogue's own tests do it there.
on_each! {
    [postgres]
    /// Orders go on while the catalogue cannot be refreshed, and the map shows it.
    async fn a_dead_refresh_changes_no_order(world in World) {
        world.stocked("TEA", 250, 100).await;
        let before = world.api.place("before", &order_of(&[("TEA", 2)])).await.expect(201);
        world.database.change("ALTER TABLE product RENAME COLUMN revision TO gone").await;
        let mut number = 0;
        eventually("the map shows that prices may be old", async || {
            number += 1;
            let key = format!("look-{number}");
            world.api.place(&key, &order_of(&[("TEA", 1)])).await.expect(201);
            let map = world.api.get("/v1/topology").await.expect(200);
            let edges = map["edges"].as_array().unwrap();
            let edge = edges.iter().find(|e| e["from"] == "orders" && e["to"] == "catalog");
            let failing = edge.and_then(|edge| edge["error_rate"].as_f64()).unwrap_or(0.0);
            if failing > 0.0 { Ok(()) } else { Err(map.to_string()) }
        })
        .await;
        let during = world.api.place("during", &order_of(&[("TEA", 2)])).await.expect(201);
        assert_eq!(during["amount_total"], before["amount_total"]);
        world.database.change("ALTER TABLE product RENAME COLUMN gone TO revision").await;
    }
}
