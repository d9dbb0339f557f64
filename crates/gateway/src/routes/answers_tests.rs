//! Tests of the kept answers: their exact bytes are the contract.

use super::*;
use domain::{
    Amounts, Capture, Currency, CustomerId, Goods, Line, OrderStatus, PaymentId, PaymentStatus,
    PaymentSummary, Sku, Timestamp,
};
use serde_json::json;
use uuid::Uuid;

pub(crate) fn order() -> Order {
    let metadata = json!({"channel": "web", "b": [1.5, null]});
    Order {
        id: OrderId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001)),
        external_ref: Some("basket-1".to_owned()),
        customer_id: Some(CustomerId(Uuid::from_u128(2))),
        status: OrderStatus::Confirmed,
        currency: Currency::USD,
        lines: vec![Line {
            sku: Sku::parse("SKU \"1\"").expect("a SKU"),
            quantity: 2,
            unit_amount: 199,
            discount_amount: 50,
            tax_amount: 0,
            amount_total: 348,
            quantity_shipped: 0,
            quantity_cancelled: 0,
            quantity_returned: 0,
            quantity_refunded: 0,
        }],
        amounts: Amounts {
            subtotal: 398,
            discount: 50,
            tax: 0,
            total: 348,
            authorized: 348,
            captured: 348,
            refunded: 0,
        },
        capture: Capture::Automatic,
        payment: PaymentSummary {
            id: PaymentId(Uuid::from_u128(3)),
            status: PaymentStatus::Captured,
            method: "pm_card_visa".to_owned(),
            provider_ref: Some("pi_1".to_owned()),
            decline_code: None,
        },
        metadata: metadata.as_object().cloned().unwrap_or_default(),
        pricing: None,
        cancel_requested: None,
        goods: Goods::Held,
        created_at: Timestamp::from_micros(1_767_323_045_678_901),
        updated_at: Timestamp::from_micros(1_767_323_046_000_000),
        version: 2,
    }
}

const ORDER: &str = concat!(
    r#"{"id":"01900000-0000-7000-8000-000000000001","external_ref":"basket-1","#,
    r#""customer_id":"00000000-0000-0000-0000-000000000002","status":"confirmed","#,
    r#""currency":"USD","amount_subtotal":398,"amount_discount":50,"amount_tax":0,"#,
    r#""amount_total":348,"amount_authorized":348,"amount_captured":348,"amount_refunded":0,"#,
    r#""lines":[{"sku":"SKU \"1\"","quantity":2,"unit_amount":199,"discount_amount":50,"#,
    r#""amount_total":348,"quantity_shipped":0,"quantity_cancelled":0,"quantity_returned":0}],"#,
    r#""payment":{"id":"00000000-0000-0000-0000-000000000003","status":"captured","#,
    r#""method":"pm_card_visa","provider_ref":"pi_1","decline_code":null},"#,
    r#""metadata":{"b":[1.5,null],"channel":"web"},"degraded":[],"#,
    r#""created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:06.000Z","#,
    r#""version":2}"#
);

const LOCATION: &str = "/v1/orders/01900000-0000-7000-8000-000000000001";

#[test]
fn a_confirmed_order_is_told_with_201() {
    let expected = Answer {
        status: 201,
        location: Some(LOCATION.to_owned()),
        etag: Some("\"v2\"".to_owned()),
        body: ORDER.to_owned(),
    };
    assert_eq!(render_order_answer(&order(), &Outcome::Confirmed, "0af7"), expected);
}

#[test]
fn a_pending_order_is_told_with_202_and_what_is_degraded() {
    let outcome = Outcome::Pending { degraded: &["payment_unavailable"] };
    let expected = Answer {
        status: 202,
        location: Some(LOCATION.to_owned()),
        etag: Some("\"v2\"".to_owned()),
        body: ORDER.replace(r#""degraded":[]"#, r#""degraded":["payment_unavailable"]"#),
    };
    assert_eq!(render_order_answer(&order(), &outcome, "0af7"), expected);
}

#[test]
fn shortages_are_told_with_409() {
    let sku = Sku::parse("SKU-1").expect("a SKU");
    let shortages = [Shortage { sku, requested: 3, available: 1 }];
    let answer = render_order_answer(&order(), &Outcome::OutOfStock(&shortages), "0af7");
    assert_eq!((answer.status, answer.location), (409, None));
    assert_eq!(
        answer.body,
        concat!(
            r#"{"type":"urn:orderly:problem:out-of-stock","title":"Not enough stock","status":409,"#,
            r#""code":"OUT_OF_STOCK","message":"There is not enough stock for this order. Nothing was charged.","#,
            r#""details":{"order_id":"01900000-0000-7000-8000-000000000001","#,
            r#""shortages":[{"sku":"SKU-1","requested":3,"available":1}]},"#,
            r#""trace_id":"0af7","retryable":false}"#
        )
    );
}

#[test]
fn a_declined_payment_is_told_with_402() {
    let answer = render_order_answer(&order(), &Outcome::Declined { code: "expired_card" }, "0af7");
    assert_eq!((answer.status, answer.location), (402, None));
    assert_eq!(
        answer.body,
        concat!(
            r#"{"type":"urn:orderly:problem:payment-declined","title":"The payment was declined","#,
            r#""status":402,"code":"PAYMENT_DECLINED","#,
            r#""message":"The payment was declined. The goods are free again.","#,
            r#""details":{"order_id":"01900000-0000-7000-8000-000000000001","decline_code":"expired_card"},"#,
            r#""trace_id":"0af7","retryable":false}"#
        )
    );
}

#[test]
fn a_cancelled_order_is_told_with_409() {
    let answer = render_order_answer(&order(), &Outcome::Cancelled, "0af7");
    assert_eq!((answer.status, answer.location), (409, None));
    assert_eq!(answer.etag.as_deref(), Some("\"v2\""));
    assert_eq!(
        answer.body,
        concat!(
            r#"{"type":"urn:orderly:problem:order-cancelled","title":"The order was cancelled","#,
            r#""status":409,"code":"ORDER_CANCELLED","#,
            r#""message":"The order was cancelled before its payment was known.","#,
            r#""details":{"order_id":"01900000-0000-7000-8000-000000000001"},"#,
            r#""trace_id":"0af7","retryable":false}"#
        )
    );
}

#[actix_web::test]
async fn a_replay_has_the_same_bytes_and_says_so() {
    let answer = render_order_answer(&order(), &Outcome::Confirmed, "0af7");
    let first = respond(answer.clone(), false);
    let again = respond(answer, true);
    assert_eq!(first.headers().get(REPLAYED), None);
    assert_eq!(again.headers().get(REPLAYED).map(|v| v.as_bytes()), Some(&b"true"[..]));
    for name in [header::LOCATION, header::ETAG, header::CONTENT_TYPE] {
        assert!(first.headers().contains_key(&name));
        assert_eq!(first.headers().get(&name), again.headers().get(&name));
    }
    assert_eq!((first.status(), again.status()), (StatusCode::CREATED, StatusCode::CREATED));
    let bytes = |response: HttpResponse| actix_web::body::to_bytes(response.into_body());
    let (first, again) = (bytes(first).await.expect("bytes"), bytes(again).await.expect("bytes"));
    assert_eq!(first, again);
    assert_eq!(first, ORDER);
}

#[test]
fn kept_answers_become_lines() {
    let answer = |status| Answer { status, location: None, etag: None, body: "{}".to_owned() };
    assert_eq!(line(1, &answer(201), "order"), "{\"line\":1,\"status\":201,\"order\":{}}\n");
    assert_eq!(line(2, &answer(409), "order"), "{\"line\":2,\"status\":409,\"error\":{}}\n");
}

#[test]
fn a_level_is_told_with_its_members() {
    let sku = Sku::parse("A").expect("a SKU");
    let level = Level { sku, on_hand: 5, reserved: 2, available: 3, version: 7 };
    let answer = render_stock_answer(&level);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, r#"{"sku":"A","on_hand":5,"reserved":2,"available":3,"version":7}"#);
}

#[actix_web::test]
async fn a_chunk_tells_each_line_its_own_outcome_in_order() {
    let parse = |_: u64, bytes: &[u8]| match bytes {
        b"bad" => Err(Problem::new(Code::InvalidBody, "bad")),
        other => Ok(String::from_utf8_lossy(other).into_owned()),
    };
    let lines = || {
        ["a", "bad", "refused", "b"]
            .iter()
            .zip(1..)
            .map(|(text, number)| (number, Bytes::from(*text)))
    };
    let call = async |entries: Vec<String>| {
        assert_eq!(entries, ["a", "refused", "b"]);
        let entry = |text: String| match text.as_str() {
            "refused" => Err(Problem::new(Code::InsufficientStock, "no")),
            _ => Ok((200, format!("\"{text}\""))),
        };
        Ok(entries.into_iter().map(entry).collect())
    };
    let told = chunk(lines().collect(), "stock", "00", parse, call).await;
    assert_eq!(told.len(), 4);
    assert_eq!(told[0], "{\"line\":1,\"status\":200,\"stock\":\"a\"}\n");
    assert!(told[1].starts_with("{\"line\":2,\"status\":400,\"error\":{"));
    assert!(told[2].starts_with("{\"line\":3,\"status\":409,\"error\":{"));
    assert_eq!(told[3], "{\"line\":4,\"status\":200,\"stock\":\"b\"}\n");

    let down = async |_: Vec<String>| Err(Problem::overloaded());
    let told = chunk(lines().collect(), "stock", "00", parse, down).await;
    assert_eq!(told.iter().filter(|line| line.contains("\"OVERLOADED\"")).count(), 3);
    assert!(told[1].contains("INVALID_BODY"));
}
