//! `orderly gate` before a real Prometheus that scrapes a real shop.

use crate::client::send;
use crate::process::{Finished, Program};
use crate::scraper::Prometheus;
use crate::world::{World, order_of};
use serde_json::{Value, json};
use std::fs;

/// Orders in flight.
const CLIENTS: usize = 32;

/// How long requests take is for the machine to say, which may be busy with other tests. So only
/// orders and errors are judged strictly, and orders may take a second longer than they did.
const LOOSE: &[&str] = &[
    "order_p50=0.5,1",
    "order_p99=0.5,100",
    "request_p99=0.5,100",
    "bank_p99=0.5,100",
    "store_p99=0.5,100",
    "begin_p99=0.5,100",
    "mailbox_p99=0.5,100",
    "pool_busy=0.5,100",
    "cpu=0.5,100",
    "cpu_per_request=0.5,100",
];

/// Clients that place orders for as long as it is waited for something else.
struct Shoppers<'a> {
    world: &'a World,
    placed: usize,
}

impl Shoppers<'_> {
    /// Waits for `work` while orders are placed.
    async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let (world, first) = (self.world, self.placed);
        // Each run has keys of its own.
        self.placed += 1_000_000;
        let client = |number: usize| async move {
            for order in 0.. {
                let key = format!("k-{}", first + order * CLIENTS + number);
                let order = world.api.order(&key, &order_of(&[("TEA", 1)]));
                let reply = send(order.header("Prefer", "wait=60")).await;
                assert_eq!(reply.status, 201, "{}", reply.text);
            }
        };
        tokio::select! {
            done = work => done,
            _ = futures_util::future::join_all((0..CLIENTS).map(client)) => {
                panic!("shoppers never have enough")
            }
        }
    }
}

/// Runs the gate with bounds that a busy machine keeps.
async fn gate(world: &World, prometheus: &str, more: &[&str]) -> Finished {
    let baseline = world.path().join("baseline.json").display().to_string();
    let mut arguments = vec!["gate", "--prometheus", prometheus, "--baseline", &baseline, "--json"];
    for bound in LOOSE {
        arguments.extend(["--bound", bound]);
    }
    arguments.extend(["--windows", "3"]);
    arguments.extend(more);
    Program::run(&arguments, &world.environment(), world.path(), "gate").await
}

/// Records windows of two seconds; more are asked for than there are, and three are needed.
async fn record(world: &World, prometheus: &str) -> Finished {
    let baseline = world.path().join("baseline.json").display().to_string();
    let arguments = [
        ["gate", "record", "--prometheus", prometheus, "--baseline", &baseline],
        ["--select", "track=\"canary\"", "--window", "2", "--windows", "4"],
    ];
    Program::run(&arguments.concat(), &world.environment(), world.path(), "record").await
}

/// The result on the last line.
fn report(finished: &Finished) -> Value {
    let last = finished.stdout.trim_end().lines().next_back().unwrap_or("");
    let report = serde_json::from_str(last);
    report.unwrap_or_else(|error| panic!("{error}: {}\n{}", finished.stdout, finished.stderr))
}

fn signal<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut signals = report["signals"].as_array().unwrap().iter();
    signals.find(|signal| signal["signal"] == name).unwrap()
}

#[tokio::test]
async fn a_healthy_release_passes_and_one_that_was_made_slow_is_stopped() {
    let world = World::sqlite().await;
    world.stocked("TEA", 250, 1_000_000).await;
    fs::create_dir_all(world.path().join("rules")).unwrap();
    let mut prometheus = Prometheus::start(world.path(), &world.private, "track: \"canary\"").await;
    let url = prometheus.url.clone();
    let mut shoppers = Shoppers { world: &world, placed: 0 };

    // Nothing was sold yet: that is no baseline.
    let early = record(&world, &url).await;
    assert_eq!(early.code, Some(2), "{}\n{}", early.stdout, early.stderr);
    assert!(early.stderr.contains("too little traffic"), "{}", early.stderr);

    // A baseline of what is well, and the same release against it.
    let recorded = shoppers
        .during(async {
            loop {
                let recorded = record(&world, &url).await;
                if recorded.code != Some(2) {
                    return recorded;
                }
            }
        })
        .await;
    assert_eq!(recorded.code, Some(0), "{}\n{}", recorded.stdout, recorded.stderr);
    let healthy = ["--select", "track=\"canary\"", "--release", env!("CARGO_PKG_VERSION")];
    let healthy = [&healthy[..], &["--wait", "60"]].concat();
    let passed = shoppers.during(gate(&world, &url, &healthy)).await;
    assert_eq!(passed.code, Some(0), "{}\n{}", passed.stdout, passed.stderr);
    assert_eq!(report(&passed)["verdict"], "good");
    assert!(passed.stdout.contains("As good as the baseline."), "{}", passed.stdout);

    // Of nodes that are not there nothing is known, and that is not good.
    for unknown in [["--select", "track=\"stable\""], ["--release", "9.9.9"]] {
        let unknown = gate(&world, &url, &unknown).await;
        assert_eq!(unknown.code, Some(2), "{}\n{}", unknown.stdout, unknown.stderr);
        assert_eq!(report(&unknown)["verdict"], "not_judged");
    }

    // The release was made slow.
    world.bank.faults(&json!({"delay_ms": 2_500})).await;
    let stopped = shoppers
        .during(async {
            loop {
                let judged = gate(&world, &url, &["--select", "track=\"canary\""]).await;
                if judged.code == Some(1) {
                    return judged;
                }
            }
        })
        .await;
    let verdict = report(&stopped);
    assert_eq!(verdict["verdict"], "out_of_bounds", "{}", stopped.stdout);
    let order = signal(&verdict, "order_p50");
    assert_eq!(order["state"], "out_of_bounds", "{}", stopped.stdout);
    assert!(order["since"].is_number(), "{order}");
    assert!(order["now"].as_f64().unwrap() > order["limit"].as_f64().unwrap(), "{order}");
    assert_eq!(signal(&verdict, "errors")["state"], "good", "slow is not wrong: {verdict}");
    let sentence = "order_p50: half of the orders are answered within ";
    assert!(stopped.stdout.contains(sentence), "{}", stopped.stdout);
    world.bank.recover().await;

    // Without Prometheus nobody can say.
    prometheus.kill();
    let blind = gate(&world, &url, &[]).await;
    assert_eq!(blind.code, Some(2), "{}\n{}", blind.stdout, blind.stderr);
    assert!(blind.stderr.contains("does not answer"), "{}", blind.stderr);
}
