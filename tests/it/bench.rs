//! `orderly bench`: it measures, and it does not take a run whose books do not balance for a result.

use crate::database::Folder;
use crate::process::{Environment, Finished, Program, eventually, read};
use crate::world::{World, on_both};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

/// A bench of a second.
const SHORT: [&str; 12] = [
    "bench",
    "--runs=1",
    "--seconds=1",
    "--warm-up=0.2",
    "--connections=8",
    "--skus=40",
    "--seed=7",
    "--orders=150",
    "--bank-delay-ms=0",
    "--lines=3",
    "--serve-arg=--queue-age-limit-ms=60000",
    "--json",
];

/// The report on the last line.
fn report(finished: &Finished) -> Value {
    let last = finished.stdout.trim_end().lines().last().unwrap_or("");
    let said = format!("{}\n{}", finished.stdout, finished.stderr);
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[track_caller]
fn good(finished: &Finished) -> Value {
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    let report = report(finished);
    assert_eq!(report["ok"], true, "{report}");
    report
}

/// The arguments of a short bench, with more.
fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SHORT.iter().chain(more).copied().collect()
}

/// Runs a bench with a stack of its own, on the server of the tests or on SQLite.
async fn own_stack(folder: &Folder, database: &str, more: &[&str]) -> Finished {
    let environment = Environment::default().with("DATABASE_URL", database);
    Program::run(&with(more), &environment, folder.path(), "bench").await
}

fn postgres() -> String {
    std::env::var("TEST_DATABASE_URL").expect("TEST_DATABASE_URL: run scripts/test")
}

/// What every good report of orders tells.
#[track_caller]
fn check_orders(report: &Value) {
    let run = &report["runs"][0];
    assert!(run["orders_per_second"].as_f64().unwrap() > 0.0, "{run}");
    assert_eq!(run["sent"], run["accepted"], "{run}");
    assert_eq!(run["answers"]["201"], run["sent"], "{run}");
    let latency = |name: &str| run["latency_ms"][name].as_f64().unwrap();
    assert!(latency("p50") > 0.0 && latency("p50") <= latency("max"), "{run}");
    assert!(run["cores"]["generator"].is_number(), "{run}");
    let checks = run["checks"].as_array().unwrap();
    assert!(checks.len() >= 7 && checks.iter().all(|check| check["ok"] == true), "{run}");
}

/// What a bench has left in the folder for temporary files.
fn left_behind(process: u32) -> Vec<String> {
    std::fs::read_dir(std::env::temp_dir())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| name.starts_with(&format!("orderly-bench-{process}-")))
        .collect()
}

#[tokio::test]
async fn a_stack_of_its_own_on_sqlite_is_measured_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let plot = folder.path().join("plot.svg");
    let drawn = plot.display().to_string();
    let environment = Environment::default().with("DATABASE_URL", "sqlite");
    let program = Program::start(&with(&["--plot", &drawn]), &environment, folder.path(), "bench");
    let process = program.id();
    eventually("the bench has made its folder", async || {
        let made = left_behind(process);
        if made.is_empty() { Err("nothing".to_owned()) } else { Ok(()) }
    })
    .await;
    let report = good(&program.finish().await);
    check_orders(&report);
    assert_eq!((&report["database"], &report["skus"]), (&"sqlite".into(), &40.into()));
    let cores = &report["runs"][0]["cores"];
    assert!(cores["server"].is_number() && cores["bank"].is_number(), "{cores}");
    assert!(cores["database"].is_null(), "SQLite works within the server: {cores}");
    assert!(read(&plot).starts_with("<svg"), "{}", read(&plot));
    assert_eq!(left_behind(process), [""; 0]);
}

#[tokio::test]
async fn a_stack_of_its_own_on_postgres_is_measured_and_leaves_nothing_behind() {
    let folder = Folder::new();
    for scenario in ["uniform", "hot", "baskets", "mixed", "two-nodes"] {
        let environment = Environment::default().with("DATABASE_URL", postgres());
        let scenario_argument = format!("--scenario={scenario}");
        let arguments = with(&[&scenario_argument]);
        let program = Program::start(&arguments, &environment, folder.path(), scenario);
        let name = format!("orderly_bench_{}_%", program.id());
        let report = good(&program.finish().await);
        assert_eq!(report["database"], "postgres");
        let run = &report["runs"][0];
        match scenario {
            "two-nodes" => assert_eq!(run["figures"]["deadlocks"], 0.0, "{run}"),
            "mixed" => assert_eq!(run["kinds_ms"].as_object().unwrap().len(), 6, "{run}"),
            _ => check_orders(&report),
        }
        let mut connection = PgConnection::connect(&postgres()).await.unwrap();
        let left: i64 = sqlx::query("SELECT count(*) FROM pg_database WHERE datname LIKE $1")
            .bind(&name)
            .fetch_one(&mut connection)
            .await
            .unwrap()
            .get(0);
        assert_eq!(left, 0, "{name}");
    }
}

#[tokio::test]
async fn an_open_loop_counts_from_when_an_order_was_due() {
    let folder = Folder::new();
    // The bank takes longer than the time between two orders of one connection: those that wait for
    // it are late, and that is part of their latency.
    let more = ["--rate=40", "--connections=1", "--bank-delay-ms=100"];
    // An argument may not come twice.
    let mut arguments = with(&[]);
    arguments.retain(|argument| {
        !argument.starts_with("--connections") && !argument.starts_with("--bank-delay")
    });
    arguments.extend(more);
    let environment = Environment::default().with("DATABASE_URL", "sqlite");
    let bench = Program::run(&arguments, &environment, folder.path(), "bench").await;
    let run = &good(&bench)["runs"][0];
    assert_eq!(run["sent"], 48, "those of the warm-up, and of the second after it");
    let at = |part: &str, name: &str| run[part][name].as_f64().unwrap();
    // The last order was due after 1.2 s and cannot be answered before 4.8 s.
    assert!(at("latency_ms", "max") > 3_000.0, "{run}");
    assert!(at("sent_late_ms", "max") > 3_000.0, "{run}");
    let over = at("latency_ms", "max") - at("latency_over_bank_ms", "max");
    assert!((99.0..101.0).contains(&over), "{run}");
}

#[tokio::test]
async fn a_server_that_dies_with_orders_in_flight_settles_them_all() {
    let folder = Folder::new();
    let more = ["--scenario=restart", "--serve-arg=--recover-after-secs=1"];
    let run = &good(&own_stack(&folder, "sqlite", &more).await)["runs"][0];
    assert_eq!((&run["answers"]["202"], &run["accepted"]), (&150.into(), &150.into()), "{run}");
    assert_eq!(run["figures"]["orders in flight"], 150.0, "{run}");
    assert!(run["figures"]["all settled after, s"].as_f64().unwrap() > 0.0, "{run}");
}

#[tokio::test]
async fn orders_in_flight_and_orders_stored_are_measured() {
    let folder = Folder::new();
    let run = &good(&own_stack(&folder, "sqlite", &["--scenario=inflight"]).await)["runs"][0];
    assert!(run["figures"]["memory per order in flight, bytes"].is_number(), "{run}");
    assert!(run["kinds_ms"]["read by id"]["p99"].as_f64().unwrap() > 0.0, "{run}");
    let run = &good(&own_stack(&folder, &postgres(), &["--scenario=stored"]).await)["runs"][0];
    assert_eq!(run["figures"]["orders stored"], 150.0, "{run}");
    assert!(run["kinds_ms"]["list"]["p99"].as_f64().unwrap() > 0.0, "{run}");
}

#[tokio::test]
async fn the_rival_is_measured_on_the_same_server() {
    let folder = Folder::new();
    let more = ["--scenario=hot", "--baseline=sql"];
    let report = good(&own_stack(&folder, &postgres(), &more).await);
    let rivals = report["baseline"].as_array().unwrap();
    assert_eq!(rivals.len(), 2, "{report}");
    for rival in rivals {
        assert!(rival["ratio"]["median"].as_f64().unwrap() > 0.0, "{rival}");
    }
}

on_both! {
    async fn books_that_do_not_balance_are_no_result(world in World) {
        let url = world.api.base.clone();
        let bench = world.run("bench", &with(&["--url", &url])).await;
        check_orders(&good(&bench));
        // Money that no order knows of.
        let form = [
            ("amount", "777"),
            ("currency", "usd"),
            ("confirm", "true"),
            ("payment_method", "pm_card_visa"),
            ("metadata[order_id]", "nobody"),
        ];
        let charge = world.api.http.post(format!("{}/v1/payment_intents", world.bank.url));
        let charge = charge.bearer_auth("sk_x").header("Idempotency-Key", "orphan").form(&form);
        crate::client::send(charge).await.expect(200);
        let bench = world.run("bench", &with(&["--url", &url])).await;
        assert_eq!(bench.code, Some(1), "{}\n{}", bench.stdout, bench.stderr);
        assert_eq!(report(&bench)["ok"], false);
        assert!(bench.stdout.contains("THE BOOKS DO NOT BALANCE"), "{}", bench.stdout);
        assert!(bench.stdout.contains("WRONG the audit balances"), "{}", bench.stdout);
    }
}

#[tokio::test]
async fn what_cannot_be_measured_is_refused_in_a_sentence() {
    let folder = Folder::new();
    for (arguments, about) in [
        (vec!["--scenario=nonsense"], "uniform"),
        (vec!["--baseline=sql"], "Postgres"),
        (vec!["--scenario=stored"], "Postgres"),
        (vec!["--url=http://127.0.0.1:9"], "--api-key"),
        (vec!["--url=https://127.0.0.1:9", "--api-key=k"], "http://"),
        (vec!["--url=http://127.0.0.1:9", "--api-key=k", "--scenario=restart"], "own"),
        (vec!["--rate=0"], "rate"),
        (vec!["--serve-arg=--nonsense"], "nonsense"),
        (vec!["--scenario=baskets", "--data=/nowhere"], "/nowhere"),
        (vec!["--database-url=mysql://u:secret@h/d"], "postgres://"),
    ] {
        let bench = Program::run(
            &with(&arguments),
            &Environment::default(),
            folder.path(),
            &format!("bench-{}", about.replace('/', "")),
        )
        .await;
        assert_eq!(bench.code, Some(2), "{arguments:?}: {}\n{}", bench.stdout, bench.stderr);
        assert!(bench.stderr.contains(about), "{arguments:?}: {}", bench.stderr);
        assert!(!bench.stderr.contains("secret"), "{}", bench.stderr);
    }
}
