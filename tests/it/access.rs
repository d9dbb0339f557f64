//! Who may use which route, and whose things they reach: every route of the document, every kind of
//! caller, every owner. The table that the document shows is the one that the gate judges by; what
//! is expected of it is said here once more.

use crate::client::{Api, Reply, send};
use crate::users::{ABSENT, Person, person, staff};
use crate::world::{World, on_both, order_of};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What operators may do, by family; not prices of single orders, keys, and accounts.
const OPERATORS: &[&str] =
    &["orders", "products", "stock", "customers", "payments", "operations", "audit", "topology"];

/// Routes on which something belongs to somebody. A new one of these families is looked at here.
const OWNED: &[&str] = &["/v1/orders", "/v1/payments", "/v1/customers"];

/// An operation, as the document has it.
#[derive(Clone, Debug)]
struct Operation {
    method: Method,
    path: String,
    entry: String,
    scope: Option<String>,
    customers: String,
}

/// All operations of the document.
async fn operations(world: &World) -> Vec<Operation> {
    let document = send(world.api.http.get(format!("{}/openapi.json", world.api.base))).await;
    let document = document.expect(200);
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let access = &operation["x-access"];
            let text = |member: &str| {
                let value = access[member].as_str();
                value.unwrap_or_else(|| panic!("{method} {path} has no row: {access}")).to_owned()
            };
            found.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                entry: text("entry"),
                scope: access["scope"].as_str().map(str::to_owned),
                customers: text("customers"),
            });
        }
    }
    assert!(found.len() >= 51, "{}", found.len());
    found
}

/// The ids that stand in paths.
#[derive(Clone)]
struct Ids {
    order: String,
    payment: String,
    customer: String,
}

impl Ids {
    fn absent() -> Self {
        Self { order: ABSENT.into(), payment: ABSENT.into(), customer: ABSENT.into() }
    }

    /// The path of a route with these in it. Where something belongs to somebody, an id of a kind that
    /// is not known here must be given one; elsewhere one that is absent will do.
    fn path(&self, route: &str) -> String {
        let family = route.split('/').nth(2).unwrap_or("");
        let id = match family {
            "orders" => &self.order,
            "payments" => &self.payment,
            "customers" => &self.customer,
            _ => ABSENT,
        };
        let name = if family == "customers" { "home" } else { "north" };
        let path = route.replace("{id}", id).replace("{sku}", "TEA").replace("{name}", name);
        let path = path.replace("{consumer}", "shipping").replace("{order_id}", ABSENT);
        let is_owned = OWNED.iter().any(|owned| route.starts_with(owned));
        let path = if is_owned { path } else { path.replace("{key}", ABSENT) };
        assert!(!path.contains('{'), "what stands in {path}?");
        path
    }
}

/// A body that the operation takes.
fn body(operation: &Operation) -> Option<Value> {
    let route = operation.path.as_str();
    Some(match (operation.method.as_str(), route) {
        ("GET" | "DELETE", _) => return None,
        ("POST", "/v1/orders") => order_of(&[("TEA", 1)]),
        ("POST", "/v1/orders/{id}/cancel") => json!({"reason": "changed my mind"}),
        ("PATCH", "/v1/customers/{id}") => json!({"name": "Taken over"}),
        ("PUT", "/v1/customers/{id}/addresses/{name}") => {
            json!({"recipient": "E", "line1": "1 Mill",
            "city": "London", "country": "GB"})
        }
        _ => json!({}),
    })
}

async fn ask(api: &Api, operation: &Operation, path: &str, key: &str) -> Reply {
    let mut request = api.request(operation.method.clone(), path).header("Idempotency-Key", key);
    if let Some(body) = body(operation) {
        request = request.json(&body);
    }
    send(request).await
}

/// Everything of an answer that a client could learn from, but for what differs by chance.
fn told(reply: &Reply) -> (u16, BTreeMap<String, String>, String) {
    // A connection ends when the answer was there before the body.
    let chance = ["date", "x-trace-id", "content-length", "connection"];
    let headers = reply
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or("").to_owned()));
    let headers = headers.filter(|(name, _)| !chance.contains(&name.as_str())).collect();
    let trace = reply.header("x-trace-id");
    (reply.status, headers, reply.text.replace(trace, "trace"))
}

async fn key(world: &World, name: &str, scopes: &[&str]) -> (String, Api) {
    let body = json!({"name": name, "scopes": scopes});
    let made = world.api.post("/v1/api-keys", &body).await.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    (id, world.api.with_key(made["secret"].as_str().unwrap()))
}

/// Fails unless the caller is let in to where nothing of theirs is.
async fn assert_let_in(api: &Api, operation: &Operation, who: &str) {
    // Absent things and empty bodies: being let in is enough.
    let path = Ids::absent().path(&operation.path);
    let mut request = api.request(operation.method.clone(), &path).header("Idempotency-Key", who);
    if body(operation).is_some() {
        request = request.json(&json!({}));
    }
    let reply = send(request).await;
    assert!(
        !matches!(reply.status, 401 | 403 | 405 | 500..),
        "{who}: {operation:?}: {}",
        reply.text
    );
}

async fn assert_refused(api: &Api, operation: &Operation, ids: &Ids, who: &str, status: u16) {
    let reply = ask(api, operation, &ids.path(&operation.path), who).await;
    let code = if status == 401 { "UNAUTHENTICATED" } else { "FORBIDDEN" };
    assert_eq!(reply.status, status, "{who}: {operation:?}: {}", reply.text);
    reply.problem(status, code);
    // Whether the thing is there makes no difference.
    let absent = ask(api, operation, &Ids::absent().path(&operation.path), who).await;
    assert_eq!(told(&reply), told(&absent), "{who}: {operation:?}");
}

/// Somebody with an order, its payment, and an address.
async fn shopper(world: &World, name: &str) -> (Person, Ids) {
    let person = person(world, name).await;
    let order = person.api.place(name, &order_of(&[("TEA", 1)])).await.expect(201);
    let operation = Operation {
        method: Method::PUT,
        path: "/v1/customers/{id}/addresses/{name}".into(),
        entry: String::new(),
        scope: None,
        customers: String::new(),
    };
    let ids = Ids {
        order: order["id"].as_str().unwrap().to_owned(),
        payment: order["payment"]["id"].as_str().unwrap().to_owned(),
        customer: person.id.clone(),
    };
    ask(&person.api, &operation, &ids.path(&operation.path), "a").await.expect(200);
    (person, ids)
}

/// Those who open nothing, and why.
async fn nobodies(world: &World) -> [(&'static str, Api); 4] {
    let (erased, _) = shopper(world, "erased").await;
    erased.api.get("/v1/me").await.expect(200);
    let erase = world.api.request(Method::DELETE, &format!("/v1/customers/{}", erased.id));
    assert_eq!(send(erase).await.status, 204);
    let (revoked_id, revoked) = key(world, "revoked", &["*"]).await;
    revoked.get("/v1/me").await.expect(200);
    let revoke = world.api.request(Method::DELETE, &format!("/v1/api-keys/{revoked_id}"));
    assert_eq!(send(revoke).await.status, 204);
    [
        ("a guest", world.api.with_key("")),
        ("a wrong key", world.api.with_key("ok_never-made-0123456789")),
        ("a revoked key", revoked),
        ("an erased customer", erased.api),
    ]
}

/// Checks a route that needs no key or token; `false` for one that does.
async fn needs_no_key(
    operation: &Operation,
    nobodies: &[(&str, Api)],
    known: [&Api; 3],
    ids: &Ids,
) -> bool {
    let path = operation.path.as_str();
    match operation.entry.as_str() {
        "open" => {
            assert!(!OWNED.iter().any(|owned| path.starts_with(owned)), "{operation:?}");
            for (who, api) in nobodies {
                let reply = ask(api, operation, &ids.path(path), who).await;
                assert!(!matches!(reply.status, 401 | 403), "{who} {operation:?}");
            }
            true
        }
        "signed" => {
            for api in [&nobodies[0].1, known[0], known[1], known[2]] {
                let reply = ask(api, operation, path, "s").await;
                assert!(matches!(reply.status, 401 | 404), "{operation:?} {}", reply.text);
            }
            true
        }
        _ => false,
    }
}

/// Everything of somebody else is tried, in every way.
async fn what_is_not_hers_is_absent(eve: &Person, of_a_thing: &[Operation], hers: &Ids) {
    for operation in of_a_thing {
        let attempts = [
            ("plain", "", ""),
            ("with a version", "If-Match", "\"v2\""),
            ("with a tag", "If-None-Match", "*"),
            ("as a stream", "Accept", "text/event-stream"),
        ];
        for (what, header, value) in attempts {
            let ask = async |ids: &Ids| {
                let path = ids.path(&operation.path);
                let request = eve.api.request(operation.method.clone(), &path);
                let mut request = request.header("Idempotency-Key", "e-1");
                if !header.is_empty() {
                    request = request.header(header, value);
                }
                if let Some(body) = body(operation) {
                    request = request.json(&body);
                }
                send(request).await
            };
            let (theirs, absent) = (ask(hers).await, ask(&Ids::absent()).await);
            assert_eq!(theirs.status, 404, "{what} {operation:?}: {}", theirs.text);
            theirs.problem(404, "NOT_FOUND");
            assert_eq!(told(&theirs), told(&absent), "{what} {operation:?}");
        }
    }
}

async fn lists_and_orders_name_nobody_else(world: &World, eve: &Person, hers: &Ids) {
    // Lists and orders that name somebody else.
    let listed = async |customer: &str| {
        let path = format!("/v1/orders?customer_id={customer}");
        told(&eve.api.get(&path).await)
    };
    assert_eq!(listed(&hers.customer).await, listed(ABSENT).await);
    let ids = |list: Value| -> Vec<Value> {
        list["data"].as_array().unwrap().iter().map(|order| order["customer_id"].clone()).collect()
    };
    for path in [
        "/v1/orders".to_owned(),
        format!("/v1/orders?customer_id={}", eve.id),
        "/v1/orders?status=confirmed".to_owned(),
    ] {
        assert_eq!(ids(eve.api.get(&path).await.expect(200)), [json!(eve.id)], "{path}");
    }
    // Not by the cursor of somebody who sees more, either.
    let cursor = world.api.get("/v1/orders?limit=1").await.expect(200)["next_cursor"].clone();
    let path = format!("/v1/orders?limit=1&cursor={}", cursor.as_str().unwrap());
    assert!(ids(eve.api.get(&path).await.expect(200)).iter().all(|id| *id == json!(eve.id)));
    let order_for = async |customer: &str, key: &str| {
        let mut order = order_of(&[("TEA", 1)]);
        order["customer_id"] = json!(customer);
        told(&eve.api.place(key, &order).await)
    };
    let refused = order_for(&hers.customer, "e-2").await;
    assert_eq!(refused.0, 422);
    assert_eq!(refused, order_for(ABSENT, "e-3").await);
}

/// Their own things are there for them, until they erase themselves.
async fn what_is_ones_own_is_there(
    world: &World,
    (ada, eve): (&Person, &Person),
    of_a_thing: &[Operation],
    hers: &Ids,
) {
    // What is one's own is there.
    let mut last = None;
    for operation in of_a_thing {
        if operation.method == Method::DELETE && operation.path == "/v1/customers/{id}" {
            last = Some(operation);
            continue;
        }
        let reply = ask(&ada.api, operation, &hers.path(&operation.path), "a-1").await;
        assert!((200..300).contains(&reply.status), "{operation:?}: {}", reply.text);
    }
    let erase = last.expect("customers erase themselves");
    assert_eq!(ask(&ada.api, erase, &hers.path(&erase.path), "a-2").await.status, 204);
    // Somebody who was erased looks like somebody who never was, to customers and to the staff.
    for operation in of_a_thing.iter().filter(|o| o.path.starts_with("/v1/customers")) {
        let path = hers.path(&operation.path);
        let absent = Ids::absent().path(&operation.path);
        let (theirs, nobodys) = (
            ask(&eve.api, operation, &path, "e-4").await,
            ask(&eve.api, operation, &absent, "e-4").await,
        );
        assert_eq!(told(&theirs), told(&nobodys), "{operation:?}");
        if operation.path != erase.path || operation.method != erase.method {
            let reply = ask(&world.api, operation, &path, "s-1").await;
            reply.problem(404, "NOT_FOUND");
        }
    }
}

on_both! {
    async fn every_route_is_for_whom_the_table_says(world in World) {
        world.stocked("TEA", 250, 100).await;
        let operations = operations(&world).await;
        let (ada, ids) = shopper(&world, "ada").await;
        let nobodies = nobodies(&world).await;
        let (operator, admin) = (staff(&world, "operator").await, staff(&world, "admin").await);
        let scopes: BTreeSet<&str> =
            operations.iter().filter_map(|operation| operation.scope.as_deref()).collect();
        assert!(scopes.len() >= 14, "{scopes:?}");
        let mut keys = BTreeMap::new();
        for scope in &scopes {
            let others: Vec<&str> = scopes.iter().copied().filter(|other| other != scope).collect();
            let with = key(&world, scope, &[scope]).await.1;
            keys.insert(*scope, (with, key(&world, "others", &others).await.1));
        }
        for operation in &operations {
            let Operation { path, entry, scope, customers, .. } = operation;
            let known = [&admin, &ada.api, &world.api];
            if needs_no_key(operation, &nobodies, known, &ids).await {
                continue;
            }
            for (who, api) in &nobodies {
                assert_refused(api, operation, &ids, who, 401).await;
            }
            assert_let_in(&admin, operation, "an admin").await;
            let Some(scope) = scope.as_deref() else {
                assert_eq!(entry, "known", "{operation:?}");
                assert_let_in(&operator, operation, "an operator").await;
                assert_let_in(&ada.api, operation, "a customer").await;
                continue;
            };
            let (with, without) = &keys[scope];
            assert_let_in(with, operation, "a key with the scope").await;
            assert_refused(without, operation, &ids, "a key with every other scope", 403).await;
            let family = scope.split(':').next().unwrap();
            if OPERATORS.contains(&family) {
                assert_let_in(&operator, operation, "an operator").await;
            } else {
                assert_refused(&operator, operation, &ids, "an operator", 403).await;
            }
            match customers.as_str() {
                "nothing" => assert_refused(&ada.api, operation, &ids, "a customer", 403).await,
                "all" => {
                    assert!(!OWNED.iter().any(|owned| path.starts_with(owned)), "{operation:?}");
                    assert_let_in(&ada.api, operation, "a customer").await;
                }
                _ => assert_eq!(customers, "own", "{operation:?}"),
            }
        }
        world.assert_balanced().await;
    }

    async fn what_belongs_to_others_looks_like_what_does_not_exist(world in World) {
        world.stocked("TEA", 250, 100).await;
        let (ada, hers) = shopper(&world, "ada").await;
        let (eve, _) = shopper(&world, "eve").await;
        let own = operations(&world).await.into_iter().filter(|operation| operation.customers == "own");
        let (of_a_thing, lists): (Vec<_>, Vec<_>) = own.partition(|o| o.path.contains("{id}"));
        assert_eq!((of_a_thing.len(), lists.len()), (11, 2), "{lists:?}");
        let state = async || {
            let mut state = Vec::new();
            for path in ["/v1/orders/{id}", "/v1/payments/{id}", "/v1/customers/{id}",
                "/v1/customers/{id}/addresses", "/v1/orders/{id}/events"] {
                state.push(ada.api.get(&hers.path(path)).await.expect(200));
            }
            state
        };
        let before = state().await;
        what_is_not_hers_is_absent(&eve, &of_a_thing, &hers).await;
        lists_and_orders_name_nobody_else(&world, &eve, &hers).await;
        // Nothing of all this has changed anything.
        assert_eq!(state().await, before);
        world.assert_balanced().await;
        what_is_ones_own_is_there(&world, (&ada, &eve), &of_a_thing, &hers).await;
        world.assert_balanced().await;
    }
}
