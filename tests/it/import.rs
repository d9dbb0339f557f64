//! `orderly import`: files put on the server, told row by row, and safe to repeat.

use crate::process::Finished;
use crate::world::{World, on_both};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

async fn import(world: &World, kind: &str, file: &Path, more: &[&str]) -> (Finished, Value) {
    let file = file.display().to_string();
    let mut arguments = vec!["import", kind, &file, "--json"];
    arguments.extend_from_slice(more);
    let finished = world.run("import", &arguments).await;
    let last = finished.stdout.trim_end().lines().next_back().unwrap_or("");
    let report = serde_json::from_str(last).unwrap_or(Value::Null);
    (finished, report)
}

/// Rows, accepted and refused; and the exit code that goes with them.
fn counts(done: &(Finished, Value)) -> (u64, u64, u64) {
    let (finished, report) = done;
    let count = |member: &str| {
        let count = report[member].as_u64();
        count.unwrap_or_else(|| panic!("{}\n{}", finished.stdout, finished.stderr))
    };
    let counts = (count("rows"), count("accepted"), count("refused"));
    assert_eq!(finished.code, Some(i32::from(counts.2 > 0)), "{}", finished.stdout);
    counts
}

fn write(world: &World, name: &str, text: &str) -> PathBuf {
    let path = world.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn lines_and_reasons(rows: &Value) -> Vec<(u64, String)> {
    let row =
        |row: &Value| (row["line"].as_u64().unwrap(), row["reason"].as_str().unwrap().to_owned());
    rows.as_array().unwrap().iter().map(row).collect()
}

on_both! {
    async fn files_are_imported_row_by_row_and_bad_rows_are_named(world in World) {
        let products = write(&world, "products.csv", "\
            sku,name,department,unit_price_minor,currency,active\n\
            TEA,\"Tea, green\",FOOD,250,USD,\n\
            CUP,Cup,HOME,1.99,USD,true\n\
            POT,Pot,HOME,900,NO-MONEY,true\n\
            CAN,Can,HOME,100,USD,false\n");
        let done = import(&world, "products", &products, &[]).await;
        assert_eq!(counts(&done), (4, 2, 2));
        assert_eq!(done.1["unused_columns"], json!(["department"]));
        let bad = lines_and_reasons(&done.1["bad_rows"]);
        assert_eq!((bad[0].0, bad[0].1.as_str()), (3, "`unit_amount` is no whole number"));
        assert!(bad[1].0 == 4 && bad[1].1.starts_with("`currency`"), "{bad:?}");
        // People are told the same.
        assert!(done.0.stdout.contains("line 3: `unit_amount` is no whole number"), "{}", done.0.stdout);
        let rejected = std::fs::read_to_string(done.1["bad_rows_file"].as_str().unwrap()).unwrap();
        let first: Value = serde_json::from_str(rejected.lines().next().unwrap()).unwrap();
        assert_eq!((&first["line"], &first["row"]), (&json!(3), &json!("CUP,Cup,HOME,1.99,USD,true")));
        let tea = world.api.get("/v1/products/TEA").await.expect(200);
        assert_eq!((&tea["name"], &tea["unit_amount"]), (&json!("Tea, green"), &json!(250)));
        assert_eq!(world.api.get("/v1/products/CAN").await.expect(200)["active"], json!(false));
        world.api.get("/v1/products/POT").await.problem(404, "NOT_FOUND");

        let people = "{\"external_ref\": \"c-1\", \"name\": \"Ada\"}\n\
            {\"name\": \"nobody\"}\n\n\
            {\"external_ref\": \"c-2\", \"name\": \"Bob\", \"email\": \"bob@example.org\"}\n";
        let people = write(&world, "people.ndjson", people);
        for _ in 0..2 {
            let done = import(&world, "customers", &people, &[]).await;
            assert_eq!(counts(&done), (3, 2, 1));
            assert_eq!(lines_and_reasons(&done.1["bad_rows"]), [(2, "`external_ref` is missing".to_owned())]);
        }
        let found = world.api.get("/v1/customers").await.expect(200);
        let names: Vec<&Value> = found["data"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
        assert_eq!(names, [&json!("Bob"), &json!("Ada")]);
    }

    async fn stock_is_taken_in_once_however_often_and_from_wherever_it_is_imported(world in World) {
        let mut text = "sku,delta,reason\n".to_owned();
        for row in 0..600 {
            text += &format!("S{row},{},delivery\n", row % 7 + 1);
        }
        text += "S0,much,delivery\nS1,-100,theft\n";
        let file = write(&world, "stock.csv", &text);
        let shelf = async || {
            let levels = [world.stock("S0").await.0, world.stock("S1").await.0, world.stock("S599").await.0];
            (levels, world.api.get("/v1/audit").await.expect(200)["balanced"].clone())
        };
        // The same file again, and once more as if it had been broken off after its first part.
        let note = world.path().join("stock.csv.import.json");
        for (begun, before) in [(false, 0), (false, 0), (true, 500)] {
            if begun {
                let (_, report) = import(&world, "stock", &file, &[]).await;
                let note_of = json!({"run_id": report["run_id"], "kind": "stock", "target": format!("{}/v1/stock:batch", report["target"].as_str().unwrap()),
                    "rows": 500, "accepted": 500, "refused": 0, "bad_bytes": 0});
                std::fs::write(&note, note_of.to_string()).unwrap();
            }
            let done = import(&world, "stock", &file, &[]).await;
            assert_eq!(counts(&done), (602, 600, 2));
            assert_eq!(done.1["before"], json!(before));
            let bad = lines_and_reasons(&done.1["bad_rows"]);
            assert_eq!(bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [602, 603], "{bad:?}");
            assert!(!note.exists(), "what is through needs no note");
            assert_eq!(shelf().await, ([1, 2, 599 % 7 + 1], json!(true)));
        }
        // A row that is mended in place counts once, and no other does again.
        let run_id = import(&world, "stock", &file, &[]).await.1["run_id"].as_str().unwrap().to_owned();
        write(&world, "stock.csv", &text.replace("S0,much", "S0,40"));
        // Not by itself, if the import of the file as it was had been broken off.
        let target = format!("{}/v1/stock:batch", world.api.base);
        let broken_off = json!({"run_id": run_id, "kind": "stock", "target": target, "rows": 500,
            "accepted": 500, "refused": 0, "bad_bytes": 0});
        std::fs::write(&note, broken_off.to_string()).unwrap();
        let (finished, _) = import(&world, "stock", &file, &[]).await;
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        assert!(finished.stderr.contains(&format!("--run-id {run_id}")), "{}", finished.stderr);
        assert_eq!(shelf().await, ([1, 2, 599 % 7 + 1], json!(true)));
        std::fs::remove_file(&note).unwrap();
        for _ in 0..2 {
            let done = import(&world, "stock", &file, &["--run-id", &run_id]).await;
            assert_eq!(counts(&done), (602, 601, 1));
            assert_eq!(shelf().await, ([41, 2, 599 % 7 + 1], json!(true)));
        }
    }

    async fn prices_are_put_on_a_list(world in World) {
        world.product("TEA", 250).await;
        let list = json!({"name": "Spring", "currency": "USD"});
        world.api.put("/v1/price-lists/spring", &list).await.expect(200);
        let prices = write(&world, "prices.csv", "sku,unit_amount,off\nTEA,199,\nCUP,300,\nPOT,,\n");
        for _ in 0..2 {
            let done = import(&world, "prices", &prices, &["--list", "spring"]).await;
            assert_eq!(counts(&done), (3, 2, 1));
            assert_eq!(lines_and_reasons(&done.1["bad_rows"])[0].0, 4);
        }
        let prices = write(&world, "prices.csv", "sku,off\nCUP,true\n");
        assert_eq!(counts(&import(&world, "prices", &prices, &["--list", "spring"]).await), (1, 1, 0));
        let listed = world.api.get("/v1/price-lists/spring/prices").await.expect(200);
        let listed: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|row| &row["sku"]).collect();
        assert_eq!(listed, [&json!("TEA")]);
        let nowhere = import(&world, "prices", &prices, &["--list", "autumn"]).await;
        assert_eq!(counts(&nowhere), (1, 0, 1));
        assert_eq!(nowhere.1["bad_rows"][0]["code"], "NOT_FOUND");
    }

    async fn an_import_that_cannot_be_made_says_why(world in World) {
        let stock = write(&world, "stock.csv", "sku,units\nA,1\n");
        let plain = write(&world, "stock.txt", "sku,delta\nA,1\n");
        let reader = world.api.post("/v1/api-keys", &json!({"name": "r", "scopes": ["stock:read"]})).await;
        let reader = reader.expect(201)["secret"].as_str().unwrap().to_owned();
        let absent = world.path().join("absent.csv");
        for (file, more, about) in [
            (&stock, vec![], "the column `delta` is missing"),
            (&plain, vec![], "--format"),
            (&absent, vec![], "absent.csv"),
            (&plain, vec!["--format", "csv", "--api-key", &reader], "stock:write"),
            (&plain, vec!["--format", "csv", "--run-id", "a/b"], "run id"),
        ] {
            let (finished, _) = import(&world, "stock", file, &more).await;
            assert_eq!(finished.code, Some(2), "{about}: {}\n{}", finished.stdout, finished.stderr);
            assert!(finished.stderr.contains(about), "{about}: {}", finished.stderr);
        }
        world.api.get("/v1/stock/A").await.problem(404, "NOT_FOUND");
    }
}
