//! The program at its command line.

use crate::database::Folder;
use crate::process::{Environment, Finished, Program};
use crate::world::{World, on_both, order_of};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A file of the sample that ships with the program.
fn sample(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/replay/sample");
    folder.join(name).display().to_string()
}

/// `replay` of the sample with more arguments.
async fn replay(world: &World, more: &[&str]) -> Finished {
    let (products, stock, orders) =
        (sample("products.csv.gz"), sample("stock.csv.gz"), sample("orders.ndjson.gz"));
    let mut arguments =
        vec!["replay", "--products", &products, "--stock", &stock, "--orders", &orders, "--json"];
    arguments.extend_from_slice(more);
    world.run("replay", &arguments).await
}

/// The report on the last line.
fn report(finished: &Finished) -> Value {
    let last = finished.stdout.trim_end().lines().next_back().unwrap_or("");
    let report = serde_json::from_str(last);
    report.unwrap_or_else(|error| panic!("{error}: {}\n{}", finished.stdout, finished.stderr))
}

fn assert_good(finished: &Finished) {
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
}

/// A sentence for people, not a dump.
fn assert_refused(finished: &Finished, about: &str) {
    assert_eq!(finished.code, Some(2), "{}\n{}", finished.stdout, finished.stderr);
    assert!(finished.stderr.contains(about), "{about}: {}", finished.stderr);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
}

on_both! {
    async fn a_replay_fits_to_the_cent_and_its_repetition_adds_nothing(world in World) {
        let first = replay(&world, &[]).await;
        assert_good(&first);
        let first = report(&first);
        for (figure, expected) in [
            ("orders_sent", 2_000),
            ("accepted", 2_000),
            ("refused", 0),
            ("failed", 0),
            ("replayed", 0),
            ("lines", 22_054),
            ("units", 29_092),
            ("gross_minor", 7_364_229),
            ("discount_minor", 1_116_936),
            ("total_minor", 6_247_293),
            ("customers", 1_125),
            ("skus", 9_745),
        ] {
            assert_eq!(first[figure], expected, "{figure}");
        }
        assert_eq!(first["ok"], true);
        let counts = async || {
            let orders = world.database.number("SELECT count(*) FROM orders").await;
            let events = world.database.number("SELECT count(*) FROM event").await;
            let stock =
                world.database.number("SELECT CAST(sum(on_hand) AS bigint) FROM stock").await;
            (orders, events, stock, world.bank.ledger().await.len())
        };
        let before = counts().await;
        assert_eq!((before.0, before.2), (2_000, 29_092));
        let again = replay(&world, &[]).await;
        assert_good(&again);
        let again = report(&again);
        assert_eq!((&again["replayed"], &again["ok"]), (&2_000.into(), &true.into()));
        assert_eq!(counts().await, before);
        world.assert_balanced().await;
        let audit = world.run("audit", &["audit", "--json"]).await;
        assert_good(&audit);
        assert_eq!(report(&audit)["balanced"], true);
        assert!(audit.stdout.contains("The books balance."), "{}", audit.stdout);
    }

    async fn best_sellers_sell_out_without_being_oversold(world in World) {
        let scaled = replay(&world, &["--stock-scale", "top100:0.9"]).await;
        assert_good(&scaled);
        let report = report(&scaled);
        assert!(report["refused"].as_i64() > Some(0), "{report}");
        assert_eq!(report["failed"], 0, "{report}");
        let accepted = report["accepted"].as_i64().unwrap();
        let confirmed = "SELECT count(*) FROM orders WHERE status = 'confirmed'";
        assert_eq!(world.database.number(confirmed).await, accepted);
        world.assert_balanced().await;
    }

    async fn a_program_works_on_what_a_newer_one_expanded_and_not_on_what_it_contracted(
        mut world in World
    ) {
        world.terminate().await;
        let newer = "INSERT INTO _sqlx_migrations (version, description, installed_on, success, \
                     checksum, execution_time) SELECT 9001, 'more', installed_on, success, \
                     checksum, execution_time FROM _sqlx_migrations WHERE version = 1";
        assert_eq!(world.database.change(newer).await, 1);
        // A node of the old version that ends during a roll-out comes up again.
        world.restart().await;
        world.terminate().await;
        let contract = "UPDATE _sqlx_migrations SET description = 'contract 9001: drop orders' \
                        WHERE version = 9001";
        assert_eq!(world.database.change(contract).await, 1);
        let refused = world.run("migrate", &["migrate"]).await;
        assert_refused(&refused, "this program is too old for the database");
        world.database.change("DELETE FROM _sqlx_migrations WHERE version = 9001").await;
        world.restart().await;
    }

    async fn migrating_twice_changes_nothing(mut world in World) {
        world.stocked("TEA", 250, 10).await;
        world.api.place("k-1", &order_of(&[("TEA", 1)])).await.expect(201);
        assert_eq!(world.terminate().await.code(), Some(0));
        for _ in 0..2 {
            let migrate = world.run("migrate", &["migrate"]).await;
            assert_good(&migrate);
            assert!(migrate.stdout.contains("migrations"), "{}", migrate.stdout);
        }
        world.restart().await;
        assert_eq!(world.stock("TEA").await, (10, 1, 9));
        world.assert_balanced().await;
    }

    async fn an_audit_that_fails_says_so_with_its_exit_code(world in World) {
        world.stocked("TEA", 250, 10).await;
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
        let audit = world.run("audit", &["audit"]).await;
        assert_eq!(audit.code, Some(1), "{}\n{}", audit.stdout, audit.stderr);
        assert!(audit.stdout.contains("do NOT balance"), "{}", audit.stdout);
    }
}

#[tokio::test]
async fn the_demo_places_two_thousand_orders_and_ends() {
    let folder = Folder::new();
    let environment = Environment::default().with("ORDERLY_LISTEN", "127.0.0.1:0");
    let demo =
        Program::run(&["demo", "--exit", "--json"], &environment, folder.path(), "demo").await;
    assert_good(&demo);
    let report = report(&demo);
    assert_eq!((&report["accepted"], &report["ok"]), (&2_000.into(), &true.into()));
    assert!(demo.stdout.contains("The books balance."), "{}", demo.stdout);
    let made = demo.stdout.split("all in ").nth(1).and_then(|rest| rest.lines().next());
    let made = PathBuf::from(made.expect("the demo tells its directory"));
    assert!(!made.exists(), "{} is left behind", made.display());
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_a_sentence() {
    let world = World::sqlite().await;
    let broken = world.path().join("broken.ndjson");
    std::fs::write(&broken, "{\"order_ref\":").unwrap();
    let broken = broken.display().to_string();
    let (products, stock, orders) =
        (sample("products.csv.gz"), sample("stock.csv.gz"), sample("orders.ndjson.gz"));
    for (files, about) in [
        (["/nowhere/products.csv", &stock, &orders], "/nowhere/products.csv"),
        ([&products, "/nowhere/stock.csv", &orders], "/nowhere/stock.csv"),
        ([&products, &stock, "/nowhere/orders.ndjson"], "/nowhere/orders.ndjson"),
        ([&products, &stock, &broken], "broken.ndjson"),
        ([&broken, &stock, &orders], "broken.ndjson"),
    ] {
        let [products, stock, orders] = files;
        let arguments = ["replay", "--products", products, "--stock", stock, "--orders", orders];
        assert_refused(&world.run("replay", &arguments).await, about);
    }
    assert_eq!(world.database.number("SELECT count(*) FROM orders").await, 0);
}

#[tokio::test]
async fn usage_and_configuration_errors_end_with_2() {
    let folder = Folder::new();
    let data = folder.path().join("data").display().to_string();
    let plain = Environment::default()
        .with("ORDERLY_DATA_DIR", data)
        .with("ORDERLY_LISTEN", "127.0.0.1:0")
        .with("ORDERLY_PRIVATE_LISTEN", "127.0.0.1:0");
    for (environment, arguments, about) in [
        (plain.clone(), vec!["nonsense"], "nonsense"),
        (plain.clone(), vec!["serve", "--listen", "nowhere"], "nowhere"),
        (plain.clone(), vec!["replay"], "--products"),
        (plain.clone().with("DATABASE_URL", "mysql://u:secret@h/d"), vec!["serve"], "postgres://"),
        (plain.clone().with("ORDERLY_ADMIN_KEY", "short"), vec!["serve"], "at least 16"),
        (plain.clone().with("ORDERLY_LOG", "=====,"), vec!["serve"], ""),
        (
            plain.clone().with("ORDERLY_PAYMENTS_URL", "http://127.0.0.1:9"),
            vec!["serve"],
            "--payments-key",
        ),
        (
            plain.clone().with("DATABASE_URL", "postgres://u:secret@127.0.0.1:9/d"),
            vec!["serve"],
            "reached",
        ),
        (
            plain
                .clone()
                .with("ORDERLY_ADMIN_KEY", "sixteen-letters-x")
                .with("ORDERLY_TARGET", "http://127.0.0.1:9"),
            vec!["audit"],
            "127.0.0.1:9",
        ),
    ] {
        let finished = Program::run(&arguments, &environment, folder.path(), "refused").await;
        assert_refused(&finished, about);
        // Logs are read by many.
        assert!(!finished.stderr.contains("secret"), "{}", finished.stderr);
        std::fs::remove_file(folder.path().join("refused.log")).unwrap();
    }
    let help = Program::run(&["--help"], &plain, folder.path(), "help").await;
    assert_good(&help);
    for command in ["serve", "demo", "bank", "migrate", "import", "replay", "bench", "audit"] {
        assert!(help.stdout.contains(command), "{command}: {}", help.stdout);
    }
}

#[tokio::test]
async fn with_nothing_set_everything_is_inside() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let environment = Environment::default()
        .with("ORDERLY_DATA_DIR", data.display().to_string())
        .with("ORDERLY_LISTEN", "127.0.0.1:0")
        .with("ORDERLY_PRIVATE_LISTEN", "127.0.0.1:0")
        .with("ORDERLY_DRAIN_DELAY_SECS", "0");
    let mut keys = Vec::new();
    for start in ["first", "second"] {
        let mut program = Program::start(&[], &environment, folder.path(), start);
        let base = program.announced("orderly serves on ").await.unwrap();
        program.announced("metrics and probes on ").await.unwrap();
        let file = data.join("admin.key");
        let key = std::fs::read_to_string(&file).unwrap().trim().to_owned();
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
        assert_eq!(mode & 0o777, 0o600);
        let mut api = crate::client::Api::new(base);
        api.key.clone_from(&key);
        if start == "first" {
            let tea = serde_json::json!({"name": "tea", "unit_amount": 5, "currency": "USD"});
            api.put("/v1/products/TEA", &tea).await.expect(200);
            let opening = serde_json::json!({"delta": 5});
            crate::client::send(api.keyed("/v1/stock/TEA/adjustments", "s", &opening))
                .await
                .expect(200);
        }
        api.place(&format!("k-{start}"), &order_of(&[("TEA", 2)])).await.expect(201);
        assert_eq!(api.get("/v1/audit").await.expect(200)["balanced"], true);
        program.ask_to_stop();
        let ended = program.finish().await;
        assert_good(&ended);
        // The key is shown when it is made, and never again.
        assert_eq!(ended.stdout.contains(&key), start == "first", "{}", ended.stdout);
        keys.push(key);
    }
    assert_eq!(keys[0], keys[1]);
}
