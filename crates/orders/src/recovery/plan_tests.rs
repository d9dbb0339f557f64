use super::*;
use domain::{Capture, Currency, Draft, LineItem, OrderId, PaymentId, PaymentPlan, Sku, Timestamp};

const LIMITS: Limits =
    Limits { expire_after: Duration::from_secs(900), give_up_after: Duration::from_secs(60) };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn order(placed_at: i64) -> Order {
    let draft = Draft {
        external_ref: None,
        customer_id: None,
        currency: Currency::USD,
        items: vec![LineItem {
            sku: Sku::parse("A").unwrap(),
            quantity: 1,
            unit_amount: 5,
            discount_amount: 0,
            tax_amount: 0,
        }],
        payment: PaymentPlan {
            payment_id: PaymentId(Uuid::from_u128(1)),
            method: "pm_card_visa".to_owned(),
            capture: Capture::Automatic,
        },
        metadata: serde_json::Map::new(),
        pricing: None,
    };
    Order::from_placed(OrderId(Uuid::from_u128(2)), &draft.place().unwrap(), at(placed_at))
}

#[test]
fn a_wanted_order_is_charged_again_until_it_expires() {
    let fresh = Plan { release_goods: false, if_absent: IfAbsent::Charge };
    assert_eq!(plan(&order(0), at(899), &LIMITS), fresh);
    // Its goods go first; only when that is done, and nothing more can be on its way, it ends.
    let expired = Plan { release_goods: true, if_absent: IfAbsent::Wait };
    assert_eq!(plan(&order(0), at(900), &LIMITS), expired);
    let released = Order { goods: Goods::Free, updated_at: at(900), ..order(0) };
    assert_eq!(plan(&released, at(959), &LIMITS).if_absent, IfAbsent::Wait);
    let ended = Plan { release_goods: false, if_absent: IfAbsent::GiveUp };
    assert_eq!(plan(&released, at(960), &LIMITS), ended);
}

#[test]
fn a_cancelled_order_is_never_charged_again() {
    let unwanted =
        Order { cancel_requested: Some("no".to_owned()), updated_at: at(20), ..order(0) };
    assert_eq!(plan(&unwanted, at(30), &LIMITS).if_absent, IfAbsent::Wait);
    assert_eq!(plan(&unwanted, at(80), &LIMITS).if_absent, IfAbsent::GiveUp);
}

#[test]
fn looks_become_rarer_and_never_end() {
    let (first, pause_max) = (Duration::from_secs(10), Duration::from_secs(30));
    let looks = |every: u64| {
        let round = Duration::from_secs(every);
        (0..=200 / every)
            .map(|n| n * every)
            .filter(|age| is_due(Duration::from_secs(*age), round, first, pause_max))
            .collect::<Vec<_>>()
    };
    assert_eq!(looks(5), [10, 20, 40, 70, 100, 130, 160, 190]);
    // Rounds that take long miss none.
    assert_eq!(looks(40), [40, 80, 120, 160, 200]);
}

fn lease(name: &str, holder: u128, is_live: bool) -> Lease {
    Lease { name: name.to_owned(), holder: Uuid::from_u128(holder), fence: 1, is_live }
}

#[test]
fn a_node_alone_holds_all_and_a_second_gets_half() {
    let (me, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let alone = shares(me, &[], &[]);
    assert_eq!(alone.hold.len(), usize::from(PARTITIONS));
    let mine: Vec<Lease> = alone.hold.iter().map(|name| lease(name, 1, true)).collect();
    let nodes = [lease("node/1", 1, true), lease("node/2", 2, true)];
    let first = shares(me, &nodes, &mine);
    assert_eq!((first.hold.len(), first.give_up.len()), (4, 4));
    // What the first gave up is free for the second, and nothing else is.
    let now: Vec<Lease> =
        mine.iter().map(|l| Lease { is_live: first.hold.contains(&l.name), ..l.clone() }).collect();
    let second = shares(other, &nodes, &now);
    assert_eq!(second.hold, first.give_up);
    assert!(second.give_up.is_empty());
}

#[test]
fn a_dead_node_is_inherited() {
    let me = Uuid::from_u128(1);
    let nodes = [lease("node/1", 1, true), lease("node/2", 2, false)];
    let partitions: Vec<Lease> = (0..PARTITIONS)
        .map(|p| lease(&partition_lease(p), if p < 4 { 1 } else { 2 }, p < 4))
        .collect();
    assert_eq!(shares(me, &nodes, &partitions).hold.len(), usize::from(PARTITIONS));
}
