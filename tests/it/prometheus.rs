//! A real Prometheus scrapes a running shop, and its alerts fire.
//!
//! The rules of the objectives run a hundred times faster than they are meant: their hour is 36
//! seconds, their five minutes are three. All else about them is as it ships.

use crate::client::send;
use crate::process::eventually;
use crate::scraper::Prometheus;
use crate::world::{World, order_of};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use telemetry::{Speed, slo_rules};

const SPEED: Speed = Speed(100);

/// The rules that ship, those of the objectives a hundred times as fast.
fn write_rules(folder: &Path) {
    let rules = folder.join("rules");
    fs::create_dir_all(&rules).unwrap();
    fs::write(rules.join("slo.yml"), slo_rules(SPEED)).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/prometheus/rules/alerts.yml");
    fs::copy(shipped, rules.join("alerts.yml")).unwrap();
}

/// Whether somebody would be woken for this objective.
async fn burns(prometheus: &Prometheus, slo: &str) -> bool {
    let alerts =
        format!("ALERTS{{alertname=\"SloBurnsFast\",alertstate=\"firing\",slo=\"{slo}\"}}");
    !prometheus.query(&alerts).await.is_empty()
}

/// Every rule, when all have been evaluated.
async fn rules(prometheus: &Prometheus) -> Vec<Value> {
    eventually("all rules are evaluated", async || {
        let groups = prometheus.get("rules").await;
        let groups = groups["groups"].as_array().unwrap();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
        let rules: Vec<Value> = rules.cloned().collect();
        let waits = rules.iter().find(|rule| rule["health"] == "unknown");
        waits.map_or(Ok(rules.clone()), |rule| Err(rule.to_string()))
    })
    .await
}

/// Places some orders, side by side; all must be answered with `status`.
async fn place(world: &World, number: &mut usize, status: u16, prefer: &str) {
    let orders = (0..8).map(|_| {
        *number += 1;
        let order = world.api.order(&format!("k-{number}"), &order_of(&[("TEA", 1)]));
        send(order.header("Prefer", prefer))
    });
    for reply in futures_util::future::join_all(orders).await {
        assert_eq!(reply.status, status, "{}", reply.text);
    }
}

#[tokio::test]
async fn a_bank_that_fails_and_a_bank_that_is_slow_fire_the_burn_rate_alerts() {
    let mut world = World::sqlite().await;
    world.stocked("TEA", 250, 100_000).await;
    write_rules(world.path());
    let prometheus = Prometheus::start(world.path(), &world.private, "").await;
    let mut number = 0;

    // All is well: the objectives are measured, and nobody is woken.
    eventually("the calls to the inventory are measured", async || {
        place(&world, &mut number, 201, "wait=60").await;
        let seen = prometheus.query("slo:error_ratio:rate5m{slo=\"orders_inventory\"} == 0").await;
        let calls = prometheus.query("slo:calls:rate1h{slo=\"payments_bank\"} * 36 > 30").await;
        if seen.is_empty() || calls.is_empty() {
            Err(format!("{seen:?} {calls:?}"))
        } else {
            Ok(())
        }
    })
    .await;
    let rules = rules(&prometheus).await;
    assert!(rules.len() > 90, "the rules are not loaded: {}", rules.len());
    let ill: Vec<&Value> = rules.iter().filter(|rule| rule["health"] != "ok").collect();
    assert!(ill.is_empty(), "{ill:#?}");
    eventually("the server is scraped", async || {
        let up = prometheus.query("up{job=\"orderly\"} == 1").await;
        if up.len() == 1 { Ok(()) } else { Err(format!("{up:?}")) }
    })
    .await;
    // How quick orders are is for the machine to say, which may be busy with other tests.
    let firing = "ALERTS{alertstate=\"firing\",slo!=\"orders_quick\"}";
    let firing = prometheus.query(firing).await;
    assert!(firing.is_empty(), "{firing:#?}");

    // The bank is slow: orders are not answered within a second.
    world.bank.faults(&json!({"delay_ms": 1_200})).await;
    eventually("slow orders burn their budget", async || {
        place(&world, &mut number, 201, "wait=60").await;
        if burns(&prometheus, "orders_quick").await { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    assert!(!burns(&prometheus, "payments_bank").await, "it is slow, but it answers");
    world.bank.recover().await;

    // The bank is away.
    world.bank.kill();
    eventually("calls to the bank burn their budget", async || {
        place(&world, &mut number, 202, "respond-async").await;
        if burns(&prometheus, "payments_bank").await { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    assert!(
        !burns(&prometheus, "orders_inventory").await,
        "the inventory has nothing to do with it"
    );
    // It is evaluated more rarely than the rest.
    eventually("the budget is overspent", async || {
        let left = prometheus.query("slo:budget_left:30d{slo=\"payments_bank\"}").await;
        let spent = |left: &Value| left["value"][1].as_str().is_some_and(|n| n.starts_with('-'));
        if left.iter().any(spent) { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    world.bank.restart().await;
    world.pending(0).await;
}
