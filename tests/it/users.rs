//! Customers: changed, with addresses, erased; accounts of the staff; keys that expire.

use crate::client::{Api, Reply, send};
use crate::world::{World, on_both, order_of};
use reqwest::Method;
use serde_json::{Value, json};

pub const PASSWORD: &str = "correct horse battery";
pub const ABSENT: &str = "0190a000-0000-7000-8000-000000000001";

/// Somebody who has signed up and in.
pub struct Person {
    pub id: String,
    pub email: String,
    pub api: Api,
    pub refresh_token: String,
}

/// Makes an account and signs in.
pub async fn person(world: &World, name: &str) -> Person {
    let email = format!("{name}@example.org");
    let body = json!({"email": email, "password": PASSWORD, "name": name});
    let customer = world.api.with_key("").post("/v1/sign-up", &body).await.expect(201);
    let grant = sign_in(world, &email, PASSWORD).await.expect(200);
    Person {
        id: customer["id"].as_str().unwrap().to_owned(),
        email,
        api: world.api.with_key(grant["access_token"].as_str().unwrap()),
        refresh_token: grant["refresh_token"].as_str().unwrap().to_owned(),
    }
}

/// Tries a password. Nothing else is shown.
pub async fn sign_in(world: &World, email: &str, password: &str) -> Reply {
    let body = json!({"grant_type": "password", "email": email, "password": password});
    send(world.api.http.post(format!("{}/v1/tokens", world.api.base)).json(&body)).await
}

/// An operator or admin who has signed in.
pub async fn staff(world: &World, role: &str) -> Api {
    let email = format!("{role}@shop.example");
    let body = json!({"email": email, "password": PASSWORD, "role": role});
    world.api.post("/v1/accounts", &body).await.expect(201);
    let grant = sign_in(world, &email, PASSWORD).await.expect(200);
    world.api.with_key(grant["access_token"].as_str().unwrap())
}

async fn patch(api: &Api, id: &str, body: &Value, if_match: Option<&str>) -> Reply {
    let mut request = api.request(Method::PATCH, &format!("/v1/customers/{id}")).json(body);
    if let Some(tag) = if_match {
        request = request.header("If-Match", tag);
    }
    send(request).await
}

async fn delete(api: &Api, path: &str) -> Reply {
    send(api.request(Method::DELETE, path)).await
}

fn home() -> Value {
    json!({"recipient": "Ada", "line1": "12 St James's Square", "line2": null, "city": "London",
        "region": null, "postal_code": "SW1Y 4JH", "country": "GB"})
}

on_both! {
    async fn a_customer_is_changed_by_whoever_knows_the_version(world in World) {
        let body = json!({"name": "Ada", "external_ref": "h-1", "email": "ada@example.org"});
        let made = world.api.post("/v1/customers", &body).await;
        assert_eq!(made.header("etag"), "\"v1\"");
        let id = made.expect(201)["id"].as_str().unwrap().to_owned();
        let change = json!({"name": "Ada King", "email": null, "default_payment_method": "pm_card_visa"});
        let changed = patch(&world.api, &id, &change, Some("\"v1\"")).await;
        assert_eq!(changed.header("etag"), "\"v2\"");
        let changed = changed.expect(200);
        assert_eq!((&changed["name"], &changed["email"]), (&json!("Ada King"), &Value::Null));
        assert_eq!((&changed["external_ref"], &changed["version"]), (&json!("h-1"), &json!(2)));
        let late = patch(&world.api, &id, &json!({"name": "B"}), Some("\"v1\"")).await;
        assert_eq!(late.problem(412, "VERSION_MISMATCH")["details"]["current_version"], 2);
        // What changes nothing is no new version.
        let same = patch(&world.api, &id, &change, None).await;
        assert_eq!((same.status, same.header("etag")), (200, "\"v2\""));
        let get = || world.api.request(Method::GET, &format!("/v1/customers/{id}"));
        assert_eq!(send(get().header("If-None-Match", "\"v2\"")).await.status, 304);
        assert_eq!(send(get().header("If-None-Match", "\"v1\"")).await.expect(200), changed);
        for (bad, code) in [
            (json!({"name": null}), "VALIDATION_FAILED"),
            (json!({"email": "nobody"}), "VALIDATION_FAILED"),
            (json!({"default_payment_method": "4111 1111 1111 1111"}), "VALIDATION_FAILED"),
            (json!({"external_ref": "h-2"}), "INVALID_BODY"),
        ] {
            let reply = patch(&world.api, &id, &bad, None).await;
            reply.problem(if code == "INVALID_BODY" { 400 } else { 422 }, code);
        }
        patch(&world.api, ABSENT, &change, None).await.problem(404, "NOT_FOUND");
        // Orders are paid as the customer pays now.
        world.stocked("TEA", 250, 10).await;
        let order = json!({"currency": "USD", "customer_id": id,
            "lines": [{"sku": "TEA", "quantity": 1}]});
        let placed = world.api.place("k-1", &order).await.expect(201);
        assert_eq!(placed["payment"]["method"], "pm_card_visa");
        let declined = json!({"default_payment_method": "pm_card_chargeDeclined"});
        patch(&world.api, &id, &declined, None).await.expect(200);
        world.api.place("k-2", &order).await.problem(402, "PAYMENT_DECLINED");
        world.assert_balanced().await;
    }

    async fn changes_side_by_side_are_all_kept_or_refused(world in World) {
        let made = world.api.post("/v1/customers", &json!({"name": "0"})).await.expect(201);
        let id = made["id"].as_str().unwrap().to_owned();
        let tries = (1..=16).map(|number| {
            let (api, id) = (world.api.clone(), id.clone());
            tokio::spawn(async move {
                patch(&api, &id, &json!({"name": number.to_string()}), Some("\"v1\"")).await.status
            })
        });
        let mut statuses = Vec::new();
        for task in tries.collect::<Vec<_>>() {
            statuses.push(task.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!((statuses[0], statuses[1]), (200, 412), "{statuses:?}");
        assert!(statuses[1..].iter().all(|status| *status == 412), "{statuses:?}");
    }

    async fn addresses_are_written_under_a_name(world in World) {
        let made = world.api.post("/v1/customers", &json!({"name": "Ada"})).await.expect(201);
        let path = format!("/v1/customers/{}/addresses", made["id"].as_str().unwrap());
        assert_eq!(world.api.get(&path).await.expect(200), json!({"data": []}));
        for name in ["work", "home", "B%C3%BCro%202"] {
            world.api.put(&format!("{path}/{name}"), &home()).await.expect(200);
        }
        let mut moved = home();
        moved["line1"] = json!("1 Mill");
        let put = world.api.put(&format!("{path}/home"), &moved).await.expect(200);
        assert_eq!((&put["name"], &put["line1"]), (&json!("home"), &json!("1 Mill")));
        let listed = world.api.get(&path).await.expect(200);
        let names: Vec<&str> =
            listed["data"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Büro 2", "home", "work"]);
        assert_eq!(delete(&world.api, &format!("{path}/home")).await.status, 204);
        delete(&world.api, &format!("{path}/home")).await.problem(404, "NOT_FOUND");
        let mut bad = home();
        bad["country"] = json!("United Kingdom");
        let problem = world.api.put(&format!("{path}/home"), &bad).await;
        assert_eq!(problem.problem(422, "VALIDATION_FAILED")["errors"][0]["pointer"], "/country");
        let absent = format!("/v1/customers/{ABSENT}/addresses");
        world.api.get(&absent).await.problem(404, "NOT_FOUND");
        world.api.put(&format!("{absent}/home"), &home()).await.problem(404, "NOT_FOUND");
        for number in 0..48 {
            world.api.put(&format!("{path}/a{number}"), &home()).await.expect(200);
        }
        let over = world.api.put(&format!("{path}/more"), &home()).await;
        over.problem(422, "VALIDATION_FAILED");
    }

    async fn an_erased_person_is_gone_and_the_books_stay(world in World) {
        world.stocked("TEA", 250, 10).await;
        let ada = person(&world, "ada-canary").await;
        let mine = format!("/v1/customers/{}", ada.id);
        let change = json!({"name": "Ada Canary", "default_payment_method": "pm_card_visa"});
        patch(&ada.api, &ada.id, &change, None).await.expect(200);
        let mut address = home();
        address["recipient"] = json!("Ada Canary");
        ada.api.put(&format!("{mine}/addresses/home"), &address).await.expect(200);
        let order = json!({"currency": "USD", "lines": [{"sku": "TEA", "quantity": 1}]});
        let order = ada.api.place("k-1", &order).await.expect(201);
        assert_eq!(order["customer_id"], ada.id);
        let id = order["id"].as_str().unwrap();
        assert_eq!(delete(&ada.api, &mine).await.status, 204);
        // She is out, and there is nobody to sign in as.
        ada.api.get(&mine).await.problem(401, "UNAUTHENTICATED");
        sign_in(&world, &ada.email, PASSWORD).await.problem(401, "INVALID_CREDENTIALS");
        for _ in 0..2 {
            assert_eq!(delete(&world.api, &mine).await.status, 204, "again is as once");
        }
        world.api.get(&mine).await.problem(404, "NOT_FOUND");
        world.api.get(&format!("{mine}/addresses")).await.problem(404, "NOT_FOUND");
        delete(&world.api, &format!("/v1/customers/{ABSENT}")).await.problem(404, "NOT_FOUND");
        let listed = world.api.get("/v1/customers").await;
        assert_eq!(listed.expect(200)["data"], json!([]));
        // The order, its payment and its timeline are as they were.
        let kept = world.order(id).await;
        assert_eq!((&kept["customer_id"], &kept["status"]), (&json!(ada.id), &json!("confirmed")));
        let payment = format!("/v1/payments/{}", kept["payment"]["id"].as_str().unwrap());
        world.api.get(&payment).await.expect(200);
        let cancel = world.api.keyed(&format!("/v1/orders/{id}/cancel"), "c-1", &json!({"reason": "x"}));
        assert_eq!(send(cancel).await.expect(200)["status"], "cancelled");
        world.assert_balanced().await;
        // And she orders nothing any more.
        let again = json!({"currency": "USD", "customer_id": ada.id,
            "lines": [{"sku": "TEA", "quantity": 1}], "payment": {"method": "pm_card_visa"}});
        let refused = world.api.place("k-2", &again).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(refused["errors"][0]["pointer"], "/customer_id");
        for table in ["customer", "customer_address", "account"] {
            let found = format!("SELECT count(*) FROM {table} WHERE {}", canary_in(table));
            assert_eq!(world.database.number(&found).await, 0, "{table}");
        }
        // Her address is free for somebody new.
        assert_ne!(person(&world, "ada-canary").await.id, ada.id);
    }

    async fn a_key_may_expire_and_shows_what_is_no_secret(world in World) {
        let soon = "2999-01-01T00:00:00Z";
        let body = json!({"name": "till", "scopes": ["orders:read"], "expires_at": soon});
        let made = world.api.post("/v1/api-keys", &body).await.expect(201);
        let secret = made["secret"].as_str().unwrap();
        assert_eq!(made["prefix"], secret[..11]);
        assert_eq!(made["expires_at"], "2999-01-01T00:00:00.000Z");
        world.api.with_key(secret).get("/v1/orders").await.expect(200);
        let listed = world.api.get("/v1/api-keys").await;
        assert!(!listed.text.contains(secret));
        let keys = listed.expect(200);
        assert_eq!((&keys["data"][0]["prefix"], &keys["data"][0]["last_used_at"]),
            (&made["prefix"], &Value::Null), "not written for each request");
        // Of a key that was configured nothing is told: a person may have chosen it.
        assert_eq!((&keys["data"][1]["name"], &keys["data"][1]["prefix"]), (&json!("admin"), &Value::Null));
        let past = json!({"name": "till", "scopes": ["orders:read"], "expires_at": "2020-01-01T00:00:00Z"});
        let problem = world.api.post("/v1/api-keys", &past).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["pointer"], "/expires_at");
    }

    async fn accounts_give_away_no_more_than_their_maker_has(world in World) {
        let operator = staff(&world, "operator").await;
        let me = operator.get("/v1/me").await.expect(200);
        assert_eq!((&me["kind"], &me["customer_id"]), (&json!("operator"), &Value::Null));
        let wanted = json!({"email": "x@shop.example", "password": PASSWORD, "role": "operator"});
        operator.post("/v1/accounts", &wanted).await.problem(403, "FORBIDDEN");
        // A key for accounts alone makes no admin.
        let key = json!({"name": "hr", "scopes": ["accounts:write", "accounts:read"]});
        let key = world.api.post("/v1/api-keys", &key).await.expect(201);
        let hr = world.api.with_key(key["secret"].as_str().unwrap());
        for role in ["operator", "admin"] {
            let wanted = json!({"email": "x@shop.example", "password": PASSWORD, "role": role});
            hr.post("/v1/accounts", &wanted).await.problem(403, "FORBIDDEN");
        }
        // Nor does it take a key away that may do more.
        let keys = world.api.get("/v1/api-keys").await.expect(200);
        let keys = keys["data"].as_array().unwrap().clone();
        let revoker = json!({"name": "revoker", "scopes": ["api-keys:write"]});
        let revoker = world.api.post("/v1/api-keys", &revoker).await.expect(201);
        let revoker = world.api.with_key(revoker["secret"].as_str().unwrap());
        for key in &keys {
            let path = format!("/v1/api-keys/{}", key["id"].as_str().unwrap());
            delete(&revoker, &path).await.problem(403, "FORBIDDEN");
        }
        world.api.get("/v1/me").await.expect(200);
        let customer = world.api.post("/v1/customers", &json!({"name": "Imported"})).await.expect(201);
        let theirs = json!({"email": "i@example.org", "password": PASSWORD, "role": "customer",
            "customer_id": customer["id"]});
        // Whoever knows the password of a customer's account can do what the customer can.
        let refused = hr.post("/v1/accounts", &theirs).await.problem(403, "FORBIDDEN");
        assert_eq!(refused["details"]["scope"], "customers:read");
        let key = json!({"name": "front desk", "scopes": ["accounts:*", "customers:*", "orders:read",
            "orders:write", "payments:read"]});
        let key = world.api.post("/v1/api-keys", &key).await.expect(201);
        let desk = world.api.with_key(key["secret"].as_str().unwrap());
        let account = desk.post("/v1/accounts", &theirs).await.expect(201);
        desk.post("/v1/accounts", &theirs).await.problem(409, "ACCOUNT_EXISTS");
        let grant = sign_in(&world, "I@Example.org", PASSWORD).await.expect(200);
        let imported = world.api.with_key(grant["access_token"].as_str().unwrap());
        let me = imported.get("/v1/me").await.expect(200);
        assert_eq!((&me["kind"], &me["customer_id"]), (&json!("customer"), &customer["id"]));
        assert_eq!(me["scopes"], json!([]));
        let absent = json!({"email": "n@example.org", "password": PASSWORD, "role": "customer",
            "customer_id": ABSENT});
        let problem = desk.post("/v1/accounts", &absent).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["pointer"], "/customer_id");
        // Nor is one deleted that may do more.
        let listed = hr.get("/v1/accounts").await.expect(200);
        assert_eq!((&listed["data"][0]["id"], &listed["data"][1]["role"]), (&account["id"], &json!("operator")));
        let path = |account: &Value| format!("/v1/accounts/{}", account["id"].as_str().unwrap());
        delete(&desk, &path(&listed["data"][1])).await.problem(403, "FORBIDDEN");
        delete(&hr, &path(&account)).await.problem(403, "FORBIDDEN");
        assert_eq!(delete(&desk, &path(&account)).await.status, 204);
        imported.get("/v1/me").await.problem(401, "UNAUTHENTICATED");
        delete(&desk, &path(&account)).await.problem(404, "NOT_FOUND");
        let admin = staff(&world, "admin").await;
        let me = admin.get("/v1/me").await.expect(200);
        delete(&admin, &path(&me)).await.problem(403, "FORBIDDEN");
        assert_eq!(delete(&admin, &path(&listed["data"][1])).await.status, 204);
        operator.get("/v1/me").await.problem(401, "UNAUTHENTICATED");
    }

    async fn a_customer_orders_for_themselves_and_the_timeline_says_so_without_a_name(world in World) {
        world.stocked("TEA", 250, 10).await;
        let ada = person(&world, "ada").await;
        let order = ada.api.place("k-1", &order_of(&[("TEA", 1)])).await.expect(201);
        assert_eq!(order["customer_id"], ada.id);
        let id = order["id"].as_str().unwrap();
        // The same key of somebody else is another request.
        let admin = world.api.place("k-1", &order_of(&[("TEA", 2)])).await.expect(201);
        assert_ne!(admin["id"], order["id"]);
        let events = ada.api.get(&format!("/v1/orders/{id}/events")).await;
        assert!(!events.text.contains("example.org"), "{}", events.text);
        assert_eq!(events.expect(200)["data"][0]["actor"], format!("customer:{}", ada.id));
        let priced = json!({"currency": "USD", "payment": {"method": "pm_card_visa"},
            "lines": [{"sku": "TEA", "quantity": 1, "unit_amount": 1}]});
        ada.api.place("k-2", &priced).await.problem(403, "FORBIDDEN");
        let listed = ada.api.get("/v1/orders").await.expect(200);
        assert_eq!(listed["data"].as_array().unwrap().len(), 1);
        ada.api.get("/v1/orders?stuck=true").await.problem(403, "FORBIDDEN");
        let cancel = ada.api.keyed(&format!("/v1/orders/{id}/cancel"), "c-1", &json!({"reason": "x"}));
        assert_eq!(send(cancel).await.expect(200)["status"], "cancelled");
        world.assert_balanced().await;
    }
}

/// What would name the erased person in a table.
fn canary_in(table: &str) -> &'static str {
    match table {
        "customer" => "name LIKE '%anary%' OR email LIKE '%canary%'",
        "customer_address" => "recipient LIKE '%anary%'",
        _ => "email LIKE '%canary%'",
    }
}
