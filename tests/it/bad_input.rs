//! Whatever a client sends: a documented answer, never a fault of ours, and books that balance.

use crate::client::{Reply, points_at, send};
use crate::world::{World, on_both, order_of};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An order whose first line's quantity is spelt like this.
fn quantity(spelt: &str) -> String {
    format!(
        r#"{{"currency":"USD","lines":[{{"sku":"TEA","quantity":{spelt}}}],
            "payment":{{"method":"pm_card_visa"}}}}"#
    )
}

/// A body for `POST /v1/orders`, and the status, code and place that it must be answered with.
struct Case {
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    pointer: Option<&'static str>,
}

fn unreadable(body: impl Into<Vec<u8>>, pointer: Option<&'static str>) -> Case {
    Case { body: body.into(), status: 400, code: "INVALID_BODY", pointer }
}

fn invalid(body: impl Into<Vec<u8>>, pointer: &'static str) -> Case {
    Case { body: body.into(), status: 422, code: "VALIDATION_FAILED", pointer: Some(pointer) }
}

/// A good order with one member replaced.
fn with(member: &str, value: Value) -> String {
    let mut order = order_of(&[("TEA", 1)]);
    order[member] = value;
    order.to_string()
}

/// A good order with members of its first line replaced.
fn line_with(members: Value) -> String {
    let mut order = order_of(&[("TEA", 1)]);
    for (name, value) in members.as_object().unwrap() {
        order["lines"][0][name] = value.clone();
    }
    order.to_string()
}

fn unreadable_bodies() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        "",
        " ",
        "null",
        "[]",
        "7",
        "\"order\"",
        "{",
        "{\"currency\":\"USD\"",
        "{} {}",
        "{'a':1}",
        "\u{feff}{}",
        "{\"currency\":\"USD\",}",
        "<order/>",
    ]
    .into_iter()
    .map(|body| unreadable(body, None))
    .collect();
    for spelt in ["\"2\"", "true", "[1]", "{}"] {
        cases.push(unreadable(quantity(spelt), Some("/lines/0/quantity")));
    }
    for spelt in ["NaN", "Infinity", "0x10", "01", "+1", "1.", ".5", "-", "1e999"] {
        cases.push(unreadable(quantity(spelt), None));
    }
    cases.extend([
        unreadable(with("currency", json!(840)), Some("/currency")),
        unreadable(with("lines", json!({"sku": "TEA"})), Some("/lines")),
        unreadable(with("lines", json!([[]])), None),
        unreadable(with("colour", json!("red")), Some("/colour")),
        unreadable(with("status", json!("confirmed")), Some("/status")),
        unreadable(with("idempotency_key", json!("k")), Some("/idempotency_key")),
        unreadable(line_with(json!({"price": 1})), Some("/lines/0/price")),
        unreadable(
            with("payment", json!({"method": "pm_card_visa", "card": "4242"})),
            Some("/payment/card"),
        ),
        unreadable(with("metadata", json!([1])), Some("/metadata")),
        unreadable(r#"{"currency":"USD","currency":"USD","lines":[]}"#, None),
        unreadable(
            r#"{"currency":"USD","lines":[{"sku":"TEA","sku":"TEA","quantity":1}]}"#,
            Some("/lines/0"),
        ),
        unreadable(b"{\"currency\":\"U\xffD\"}".to_vec(), None),
        unreadable("[".repeat(100_000), None),
        unreadable(format!("{{\"metadata\":{{\"a\":{}", "[".repeat(100_000)), None),
        unreadable(format!("{{\"metadata\":{}", "{\"a\":".repeat(100_000)), None),
    ]);
    cases
}

fn invalid_bodies() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        "0",
        "-1",
        "-0",
        "1.5",
        "1.0",
        "1e2",
        "1e308",
        "-1e308",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551616",
        "99999999999999999999999999",
        "1000000000001",
        "null",
    ]
    .into_iter()
    .map(|spelt| invalid(quantity(spelt), "/lines/0/quantity"))
    .collect();
    let largest = 1_000_000_000_000_i64;
    cases.extend([
        invalid("{}", "/lines"),
        invalid("{}", "/currency"),
        invalid(with("lines", json!([])), "/lines"),
        invalid(with("lines", json!(vec![json!({"sku": "TEA", "quantity": 1}); 10_000])), "/lines"),
        invalid(with("currency", json!("usd")), "/currency"),
        invalid(with("currency", json!("XXY")), "/currency"),
        invalid(with("currency", json!("")), "/currency"),
        invalid(line_with(json!({"sku": ""})), "/lines/0/sku"),
        invalid(line_with(json!({"sku": "x".repeat(65)})), "/lines/0/sku"),
        invalid(line_with(json!({"sku": "a\u{0}b"})), "/lines/0/sku"),
        invalid(line_with(json!({"sku": "NOWHERE"})), "/lines/0/sku"),
        invalid(line_with(json!({"sku": "'; DROP TABLE orders; --"})), "/lines/0/sku"),
        invalid(line_with(json!({"unit_amount": -1})), "/lines/0/unit_amount"),
        invalid(line_with(json!({"unit_amount": 0.1})), "/lines/0/unit_amount"),
        invalid(line_with(json!({"discount_amount": -1})), "/lines/0/discount_amount"),
        invalid(line_with(json!({"discount_amount": 251})), "/lines/0/discount_amount"),
        invalid(line_with(json!({"quantity": largest, "unit_amount": largest})), "/lines/0"),
        invalid(line_with(json!({"quantity": 2, "unit_amount": largest})), "/lines/0"),
        invalid(
            with(
                "lines",
                json!(vec![json!({"sku": "TEA", "quantity": 1, "unit_amount": largest}); 2]),
            ),
            "/lines/1",
        ),
        invalid(with("payment", json!({"method": "4242 4242"})), "/payment/method"),
        invalid(with("payment", json!({"method": ""})), "/payment/method"),
        invalid(with("payment", json!({"method": "x".repeat(101)})), "/payment/method"),
        invalid(
            with("payment", json!({"method": "pm_card_visa", "capture": "later"})),
            "/payment/capture",
        ),
        invalid(with("payment", json!({})), "/payment/method"),
        invalid(with("external_ref", json!("x".repeat(201))), "/external_ref"),
        invalid(with("external_ref", json!("")), "/external_ref"),
        invalid(with("external_ref", json!("a\u{0}")), "/external_ref"),
        invalid(with("customer_id", json!("7")), "/customer_id"),
        invalid(with("metadata", json!({"a": "x".repeat(17_000)})), "/metadata"),
    ]);
    cases
}

async fn post_raw(world: &World, path: &str, key: &str, body: Vec<u8>) -> Reply {
    let request = world.api.request(Method::POST, path).header("Idempotency-Key", key);
    send(request.header("Content-Type", "application/json").body(body)).await
}

/// Fails unless the shop is as if nothing had happened, and an ordinary order works.
async fn assert_unharmed(world: &World) {
    assert_eq!(world.database.number("SELECT count(*) FROM orders").await, 0);
    assert!(world.bank.ledger().await.is_empty());
    assert_eq!(world.stock("TEA").await, (1_000, 0, 1_000));
    world.api.place("ordinary", &order_of(&[("TEA", 1)])).await.expect(201);
    world.assert_balanced().await;
}

/// Sends bytes as they are and reads the answer until the server closes the connection or has
/// said `enough`.
async fn raw(world: &World, bytes: &[u8], enough: &str) -> String {
    let address = world.api.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may refuse before it has read everything.
    let _ = stream.write_all(bytes).await;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        answer.extend_from_slice(&buffer[..count]);
        if String::from_utf8_lossy(&answer).contains(enough) {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A text of so many characters that is good everywhere, or else a number.
fn of_size(size: i64, is_text: bool) -> Value {
    let rest = usize::try_from(size - 1).unwrap_or(0);
    if is_text && size > 0 { json!(format!("@{}", "x".repeat(rest))) } else { json!(size) }
}

/// The values of a member that its schema just allows, and those that it just does not.
fn around_the_limits(schema: &Value) -> Vec<(Value, bool)> {
    let limit = |name: &str| schema[name].as_i64();
    let mut values = Vec::new();
    for (least, most, is_text) in [("minimum", "maximum", false), ("minLength", "maxLength", true)]
    {
        if let Some(least) = limit(least) {
            let below = if is_text { json!("") } else { json!(least - 1) };
            values.extend([(of_size(least, is_text), true), (below, false)]);
        }
        if let Some(most) = limit(most) {
            let above = of_size(most + 1, is_text);
            values.extend([(of_size(most, is_text), true), (above, false)]);
        }
    }
    values
}

on_both! {
    async fn the_limits_of_the_document_are_those_of_the_server(world in World) {
        let document = world.api.get("/openapi.json").await.json();
        let mut tried = 0;
        for (method, path, name, good) in [
            (Method::PUT, "/v1/products/X", "ProductChange",
                json!({"name": "x", "unit_amount": 1, "currency": "USD"})),
            (Method::PUT, "/v1/stock-locations/north", "StockLocationChange", json!({"rank": 1})),
            (Method::POST, "/v1/customers", "NewCustomer", json!({"name": "x"})),
            (Method::POST, "/v1/api-keys", "ApiKeyRequest", json!({"name": "x", "scopes": ["*"]})),
            (Method::POST, "/v1/dead-letters:redrive", "Redrive", json!({})),
            (Method::POST, "/v1/stock/X/adjustments", "StockAdjustment", json!({"delta": 1})),
        ] {
            let members = &document["components"]["schemas"][name]["properties"];
            for (member, schema) in members.as_object().unwrap() {
                if ["default_payment_method", "location"].contains(&member.as_str()) {
                    continue; // its characters are limited as well
                }
                for (value, is_good) in around_the_limits(schema) {
                    let mut body = good.clone();
                    body[member] = value;
                    tried += 1;
                    let key = format!("limit-{tried}");
                    let request = world.api.request(method.clone(), path).json(&body);
                    let reply = send(request.header("Idempotency-Key", key)).await;
                    let expected = if is_good { 200..=201 } else { 422..=422 };
                    assert!(expected.contains(&reply.status), "{body}\n{}", reply.text);
                }
            }
        }
        assert!(tried > 30, "{tried}");
    }

    async fn bad_orders_are_told_what_is_wrong_and_where(world in World) {
        world.stocked("TEA", 250, 1_000).await;
        let cases = unreadable_bodies().into_iter().chain(invalid_bodies());
        for (number, case) in cases.enumerate() {
            let shown = String::from_utf8_lossy(&case.body).chars().take(150).collect::<String>();
            let reply = post_raw(&world, "/v1/orders", &format!("bad-{number}"), case.body).await;
            let told = format!("{shown}\n{}", reply.text);
            assert_eq!(reply.status, case.status, "{told}");
            let problem = reply.problem(case.status, case.code);
            if let Some(pointer) = case.pointer {
                assert!(points_at(&problem, pointer), "{pointer}: {told}");
            }
            assert!(reply.text.len() < 100_000, "{told}");
        }
        assert_unharmed(&world).await;
    }

    async fn all_faults_are_told_at_once(world in World) {
        world.stocked("TEA", 250, 1_000).await;
        let body = json!({"currency": "XXY", "customer_id": "7", "lines": [
            {"sku": "TEA", "quantity": 1}, {"sku": "", "quantity": 0}, {"quantity": 1.5},
        ]});
        let problem = world.api.place("k-1", &body).await.problem(422, "VALIDATION_FAILED");
        for pointer in [
            "/currency",
            "/customer_id",
            "/lines/1/sku",
            "/lines/1/quantity",
            "/lines/2/sku",
            "/lines/2/quantity",
        ] {
            assert!(points_at(&problem, pointer), "{pointer}: {problem}");
        }
        let many =
            json!({"currency": "USD", "lines": vec![json!({"sku": "", "quantity": 0}); 400]});
        let problem = world.api.place("k-2", &many).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 100);
        assert_unharmed(&world).await;
    }

    async fn other_bad_bodies(world in World) {
        world.stocked("TEA", 250, 1_000).await;
        let path = "/v1/stock/TEA/adjustments";
        for (number, (body, status, code)) in [
            (r#"{"delta":0}"#, 422, "VALIDATION_FAILED"),
            (r#"{"delta":1.5}"#, 422, "VALIDATION_FAILED"),
            (r#"{"delta":9223372036854775808}"#, 422, "VALIDATION_FAILED"),
            (r#"{"delta":-9223372036854775808}"#, 422, "VALIDATION_FAILED"),
            (r#"{"delta":"1"}"#, 400, "INVALID_BODY"),
            (r#"{"on_hand":1}"#, 400, "INVALID_BODY"),
            (r#"{"delta":1,"reason":"a\u0000"}"#, 422, "VALIDATION_FAILED"),
            ("{}", 422, "VALIDATION_FAILED"),
        ]
        .into_iter()
        .enumerate()
        {
            post_raw(&world, path, &format!("a-{number}"), body.into()).await.problem(status, code);
        }
        for (path, body) in [
            ("/v1/products/X", json!({"name": "x", "unit_amount": -1, "currency": "USD"})),
            ("/v1/products/X", json!({"name": "x", "unit_amount": 1e300, "currency": "USD"})),
            ("/v1/products/X", json!({"name": "x\u{0}", "unit_amount": 1, "currency": "USD"})),
            ("/v1/products/X", json!({"name": "x", "unit_amount": 1, "currency": "BTC"})),
            (
                &format!("/v1/products/{}", "x".repeat(65)),
                json!({"name": "x", "unit_amount": 1, "currency": "USD"}),
            ),
            ("/v1/products/a%00b", json!({"name": "x", "unit_amount": 1, "currency": "USD"})),
        ] {
            world.api.put(path, &body).await.problem(422, "VALIDATION_FAILED");
        }
        for body in [json!({}), json!({"name": "a\u{0}"}), json!({"name": "a", "email": "nobody"})]
        {
            world.api.post("/v1/customers", &body).await.problem(422, "VALIDATION_FAILED");
        }
        world.api.get("/v1/customers/%ff").await.problem(404, "NOT_FOUND");
        world.api.get("/v1/products/%ff").await.problem(404, "NOT_FOUND");
        assert_unharmed(&world).await;
    }

    async fn bad_headers(world in World) {
        world.stocked("TEA", 250, 1_000).await;
        let order = |name: &str, value: &str| {
            let request =
                world.api.request(Method::POST, "/v1/orders").header("Idempotency-Key", "k");
            send(request.header(name, value).body(order_of(&[("TEA", 1)]).to_string()))
        };
        for media_type in [
            "text/plain",
            "application/xml",
            "multipart/form-data",
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-16",
            "json",
        ] {
            order("Content-Type", media_type).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
        }
        order("Content-Encoding", "gzip").await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
        for timeout in ["0", "-1", "1.5", "soon", ""] {
            order("X-Request-Timeout-Ms", timeout).await.problem(400, "INVALID_HEADER");
        }
        for path in
            ["/v1/orders:batch", "/v1/products:batch", "/v1/stock:batch", "/v1/customers:batch"]
        {
            let request = world.api.request(Method::POST, path).header("Content-Type", "text/csv");
            send(request.body("a,b")).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
        }
        // Nobody understands them, and nobody has to (RFC 7240).
        let odd = world
            .api
            .order("odd", &order_of(&[("TEA", 5_000)]))
            .header("Prefer", "wait=soon, handling=odd");
        send(odd).await.problem(409, "OUT_OF_STOCK");
        assert_eq!(
            world.database.number("SELECT count(*) FROM orders WHERE status <> 'rejected'").await,
            0
        );
        world.assert_balanced().await;
    }

    async fn unknown_routes_and_wrong_methods(world in World) {
        world.stocked("TEA", 250, 1_000).await;
        for path in [
            "/",
            "/v1",
            "/v1/",
            "/v2/orders",
            "/v1/orders/",
            "/v1/order",
            "/v1/orders/7/nothing",
            "/v1/orders/..%2f..%2fetc%2fpasswd",
            "/metrics",
            "/debug/pprof/profile",
            "/favicon.ico",
        ] {
            world.api.get(path).await.problem(404, "NOT_FOUND");
        }
        for id in [
            "7",
            "not-a-uuid",
            "0190a000-0000-7000-8000-00000000000",
            "%00",
            "%ff",
            "0190a000-0000-7000-8000-000000000000",
        ] {
            world.api.get(&format!("/v1/orders/{id}")).await.problem(404, "NOT_FOUND");
            world.api.get(&format!("/v1/orders/{id}/events")).await.problem(404, "NOT_FOUND");
            world.api.get(&format!("/v1/payments/{id}")).await.problem(404, "NOT_FOUND");
        }
        for (method, path, allow) in [
            (Method::DELETE, "/v1/orders", "GET, POST"),
            (Method::PUT, "/v1/orders/0190a000-0000-7000-8000-000000000000", "GET"),
            (Method::GET, "/v1/orders:batch", "POST"),
            (Method::POST, "/v1/products/TEA", "GET, PUT"),
            (Method::PATCH, "/v1/products/TEA", "GET, PUT"),
            (Method::DELETE, "/v1/stock/TEA", "GET"),
            (Method::GET, "/v1/stock/TEA/adjustments", "POST"),
            (Method::POST, "/v1/audit", "GET"),
            (Method::POST, "/openapi.json", "GET"),
        ] {
            let reply = send(world.api.request(method.clone(), path)).await;
            reply.problem(405, "METHOD_NOT_ALLOWED");
            let mut allowed: Vec<&str> =
                reply.header("allow").split(", ").filter(|m| *m != "HEAD").collect();
            allowed.sort_unstable();
            assert_eq!(allowed.join(", "), allow, "{method} {path}");
        }
        assert_unharmed(&world).await;
    }

    async fn what_is_too_large_is_refused_before_it_is_read(world in World) {
        world.stocked("TEA", 250, 1_000).await;
        let head = |more: &str| {
            format!(
                "POST /v1/orders HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {}\r\n\
                Idempotency-Key: k\r\nContent-Type: application/json\r\n{more}\r\n",
                world.api.key
            )
        };
        // Not one byte of the announced two megabytes is sent.
        let announced = raw(&world, head("Content-Length: 2097152\r\n").as_bytes(), "}").await;
        assert!(announced.starts_with("HTTP/1.1 413 "), "{announced}");
        assert!(
            announced.contains("\"PAYLOAD_TOO_LARGE\"") && announced.contains("\"trace_id\""),
            "{announced}"
        );
        let mut chunked = head("Transfer-Encoding: chunked\r\n").into_bytes();
        chunked.extend_from_slice(b"100001\r\n");
        chunked.resize(chunked.len() + 0x10_0001, b' ');
        let chunked = raw(&world, &chunked, "}").await;
        assert!(chunked.starts_with("HTTP/1.1 413 "), "{chunked}");
        let close = "Content-Length: 2\r\nConnection: close\r\n";
        let huge = head(&format!("X-Huge: {}\r\n{close}", "x".repeat(1_000_000)));
        let huge = raw(&world, huge.as_bytes(), "\r\n\r\n").await;
        assert!(huge.is_empty() || huge.starts_with("HTTP/1.1 4"), "{huge}");
        let many = head(&format!("{}{close}", "X-Many: 1\r\n".repeat(1_000)));
        let many = raw(&world, many.as_bytes(), "\r\n\r\n").await;
        assert!(many.is_empty() || many.starts_with("HTTP/1.1 4"), "{many}");
        let long = format!(
            "GET /v1/orders?cursor={} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n",
            "A".repeat(70_000)
        );
        let long = raw(&world, long.as_bytes(), "\r\n\r\n").await;
        assert!(long.is_empty() || long.starts_with("HTTP/1.1 4"), "{long}");
        // Both lengths at once are an old way to smuggle a request past a proxy.
        let both = head("Content-Length: 2\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n");
        let both = raw(&world, format!("{both}0\r\n\r\n").as_bytes(), "\r\n\r\n").await;
        assert!(both.is_empty() || both.starts_with("HTTP/1.1 400"), "{both}");
        for garbage in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            b"\r\n\r\n\r\n",
            b"GET\r\n\r\n",
            b"BREW /pot HTCPCP/1.0\r\n\r\n",
            b"POST /v1/orders HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        ] {
            let answer = raw(&world, garbage, "\r\n\r\n").await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
        let line = format!("{{\"sku\":\"{}\"}}", "x".repeat(0x11_0000));
        let lines = [
            line,
            r#"{"sku":"TEA","delta":1}"#.to_owned(),
            r#"{"sku":"TEA","delta":-1}"#.to_owned(),
        ];
        let outcomes = world.api.stream("/v1/stock:batch", None, &lines).await;
        assert_eq!(outcomes.status(1), (413, "PAYLOAD_TOO_LARGE"));
        assert_eq!((outcomes.status(2), outcomes.status(3)), ((200, ""), (200, "")));
        assert_unharmed(&world).await;
    }
}
