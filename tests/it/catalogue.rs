//! The catalogue beyond single products: finding, export, categories and price lists.

use crate::client::{Reply, points_at, send};
use crate::world::{World, on_both, order_of};
use reqwest::Method;
use serde_json::{Value, json};

fn product(sku: &str, name: &str, category: &str, unit_amount: i64) -> String {
    json!({"sku": sku, "name": name, "category": category, "unit_amount": unit_amount,
        "currency": "USD"})
    .to_string()
}

fn skus(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|row| row["sku"].as_str().unwrap()).collect()
}

async fn fill(world: &World) {
    let lines = [
        product("BEAN-1", "Espresso beans 1 kg", "coffee", 1990),
        product("BEAN-2", "Filter beans 500 g", "coffee", 990),
        product("LEAF", "Sencha", "tea", 1290),
        product("MUG", "Mug", "kitchen", 790),
        "{\"sku\": \"BROKEN\"}".to_owned(),
    ];
    let outcomes = world.api.stream("/v1/products:batch", None, &lines).await;
    for line in 1..=4 {
        assert_eq!(outcomes.status(line).0, 200);
    }
    assert_eq!(outcomes.status(5), (422, "VALIDATION_FAILED"));
    let put = async |id: &str, body: Value| -> Reply {
        world.api.put(&format!("/v1/categories/{id}"), &body).await
    };
    put("drinks", json!({"name": "Drinks"})).await.expect(200);
    for id in ["coffee", "tea"] {
        put(id, json!({"name": id, "parent": "drinks"})).await.expect(200);
    }
    let circle = put("drinks", json!({"name": "Drinks", "parent": "tea"})).await;
    assert!(points_at(&circle.problem(422, "VALIDATION_FAILED"), "/parent"));
    let unknown = put("x", json!({"name": "x", "rank": 1})).await;
    assert!(points_at(&unknown.problem(400, "INVALID_BODY"), "/rank"));
}

on_both! {
    async fn products_are_found_and_exported(mut world in World) {
        fill(&world).await;
        let find = async |query: &str| -> Value {
            world.api.get(&format!("/v1/products?{query}")).await.expect(200)
        };
        assert_eq!(skus(&find("q=BEANS%20kg").await), ["BEAN-1"]);
        assert_eq!(skus(&find("q=bean-").await), ["BEAN-1", "BEAN-2"]);
        assert_eq!(skus(&find("category=drinks").await), ["BEAN-1", "BEAN-2", "LEAF"]);
        assert_eq!(skus(&find("category=tea&active=true").await), ["LEAF"]);
        assert_eq!(skus(&find("amount_from=990&amount_to=1290").await), ["BEAN-2", "LEAF"]);
        assert_eq!(skus(&find("currency=EUR").await), Vec::<&str>::new());
        let first = find("category=drinks&limit=2").await;
        assert_eq!(skus(&first), ["BEAN-1", "BEAN-2"]);
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = find(&format!("category=drinks&limit=2&cursor={cursor}")).await;
        assert_eq!((skus(&second), &second["has_more"]), (vec!["LEAF"], &json!(false)));
        for query in ["active=maybe", "amount_from=-1", "currency=usd"] {
            let refused = world.api.get(&format!("/v1/products?{query}")).await;
            refused.problem(400, "INVALID_PARAMETER");
        }

        // What was exported can be imported as it is.
        let export = send(world.api.request(Method::GET, "/v1/products:export")).await;
        assert_eq!((export.status, export.header("x-total-count")), (200, "4"));
        let lines: Vec<String> = export.text.lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 4);
        let before = world.api.get("/v1/products/LEAF").await.expect(200);
        let outcomes = world.api.stream("/v1/products:batch", None, &lines).await;
        for line in 1..=4 {
            assert_eq!(outcomes.status(line).0, 200);
        }
        assert_eq!(world.api.get("/v1/products/LEAF").await.expect(200), before);

        // A product that is not sold any more is found, and cannot be ordered.
        world.stocked("MUG", 790, 5).await;
        let off = json!({"name": "Mug", "unit_amount": 790, "currency": "USD", "active": false});
        world.api.put("/v1/products/MUG", &off).await.expect(200);
        assert_eq!(skus(&find("active=false").await), ["MUG"]);
        let refused = world.api.place("off", &order_of(&[("MUG", 1)])).await;
        assert!(points_at(&refused.problem(422, "VALIDATION_FAILED"), "/lines/0/sku"));

        // An order keeps the price it was placed at.
        world.stocked("LEAF", 1290, 5).await;
        let id = world.api.place("before", &order_of(&[("LEAF", 2)])).await.order_id();
        world.product("LEAF", 1490).await;
        assert_eq!(world.order(&id).await["amount_total"], 2 * 1290);
        let after = world.api.place("after", &order_of(&[("LEAF", 2)])).await.expect(201);
        assert_eq!(after["amount_total"], 2 * 1490);

        // Rules and products are there after a restart.
        world.terminate().await;
        world.restart().await;
        let found = world.api.get("/v1/products?category=drinks").await.expect(200);
        // The leaf was put without a category.
        assert_eq!(skus(&found), ["BEAN-1", "BEAN-2"]);
        let parent = world.api.get("/v1/categories/tea").await.expect(200);
        assert_eq!(parent["parent"], "drinks");
    }

    async fn price_lists_are_kept(world in World) {
        fill(&world).await;
        let list = |ends_at: &str| json!({"name": "Spring", "currency": "USD", "priority": 3,
            "starts_at": "2027-03-01T00:00:00.000Z", "ends_at": ends_at});
        let path = "/v1/price-lists/spring";
        let backwards = world.api.put(path, &list("2027-02-01T00:00:00.000Z")).await;
        assert!(points_at(&backwards.problem(422, "VALIDATION_FAILED"), "/ends_at"));
        world.api.get(path).await.problem(404, "NOT_FOUND");
        let prices = format!("{path}/prices:batch");
        let early = [json!({"sku": "LEAF", "unit_amount": 1}).to_string()];
        let early = world.api.stream(&prices, None, &early).await;
        assert_eq!(early.status(1), (404, "NOT_FOUND"));
        let made = world.api.put(path, &list("2027-06-01T00:00:00.000Z")).await.expect(200);
        assert_eq!((&made["id"], &made["active"]), (&json!("spring"), &json!(true)));
        assert_eq!(world.api.get(path).await.expect(200), made);
        let lines = [
            json!({"sku": "LEAF", "unit_amount": 1190}).to_string(),
            json!({"sku": "MUG", "unit_amount": 590}).to_string(),
            json!({"sku": "MUG"}).to_string(),
            json!({"sku": "LATER", "unit_amount": 0}).to_string(),
            json!({"sku": "LEAF", "off": true}).to_string(),
        ];
        let outcomes = world.api.stream(&prices, None, &lines).await;
        assert_eq!(outcomes.status(1).0, 200);
        assert_eq!(outcomes.status(3), (422, "VALIDATION_FAILED"));
        assert_eq!(outcomes.of(5)["price"]["unit_amount"], Value::Null);
        let listed = world.api.get(&format!("{path}/prices")).await.expect(200);
        assert_eq!(skus(&listed), ["LATER", "MUG"]);
        assert_eq!(listed["data"][1]["unit_amount"], 590);
        let lists = world.api.get("/v1/price-lists").await.expect(200);
        assert_eq!(lists["data"], json!([made]));
        world.api.get("/v1/price-lists/none/prices").await.problem(404, "NOT_FOUND");
    }
}
