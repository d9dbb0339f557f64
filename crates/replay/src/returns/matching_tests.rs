use domain::Timestamp;

use super::*;
use crate::dataset::Order;
use crate::returns::Unplaced;

/// Minute `n` of an afternoon.
fn at(n: u32) -> String {
    format!("2011-01-01T12:{n:02}:00Z")
}

fn line((sku, quantity, unit_amount): (&str, u64, i64)) -> OrderLine {
    OrderLine { sku: sku.into(), quantity, unit_amount, discount_amount: 0 }
}

fn order(order_ref: &str, customer: &str, minute: u32, lines: &[(&str, u64, i64)]) -> Order {
    let lines: Vec<OrderLine> = lines.iter().copied().map(line).collect();
    Order {
        order_ref: order_ref.into(),
        customer_ref: customer.into(),
        store_ref: None,
        timestamp: Some(at(minute)),
        currency: "GBP".into(),
        total_minor: lines.iter().map(|line| line.gross().unwrap()).sum(),
        lines,
    }
}

fn note(note_ref: &str, customer: &str, minute: u32, lines: &[(&str, u64, i64)]) -> CreditNote {
    CreditNote {
        note_ref: note_ref.into(),
        customer_ref: customer.into(),
        at: Timestamp::parse(&at(minute)),
        currency: "GBP".into(),
        lines: lines.iter().copied().map(line).collect(),
    }
}

/// Places the notes on the orders; the id of an order is its name with a `#`.
fn placed(orders: &[Order], notes: &[CreditNote]) -> Plan {
    placed_until(None, orders, notes)
}

fn placed_until(until: Option<u32>, orders: &[Order], notes: &[CreditNote]) -> Plan {
    let mut pairs = super::super::notes::Pairs::new();
    for note in notes {
        let skus = pairs.entry(note.customer_ref.clone()).or_default();
        skus.extend(note.lines.iter().map(|line| line.sku.clone()));
    }
    let mut sales = Sales::wanted(pairs);
    for order in orders {
        sales.add(order, &format!("#{}", order.order_ref));
    }
    let until = until.and_then(|minute| Timestamp::parse(&at(minute)));
    let mut matcher = Matcher::new(sales, until);
    notes.iter().for_each(|note| matcher.place(note));
    matcher.finish()
}

/// All returns in words: `<note> on <order>: <units> <SKU>, … for <cost>`.
fn told(plan: &Plan) -> Vec<String> {
    let tell = |job: &Job, coming: &Coming| {
        let units: Vec<String> =
            coming.units.iter().map(|units| format!("{} {}", units.count, units.sku)).collect();
        let order = &job.order.order_ref;
        format!("{} on {order}: {} for {}", coming.note_ref, units.join(", "), coming.cost)
    };
    let jobs = plan.jobs.iter();
    jobs.flat_map(|job| job.returns.iter().map(move |coming| tell(job, coming))).collect()
}

#[test]
fn goes_to_the_latest_order_before_the_note() {
    let orders = [
        order("1", "c", 1, &[("A", 5, 10)]),
        order("2", "c", 2, &[("A", 5, 10)]),
        order("3", "c", 4, &[("A", 5, 10)]),
    ];
    let plan = placed(&orders, &[note("C", "c", 3, &[("A", 2, 10)])]);
    assert_eq!(told(&plan), ["C on 2: 2 A for 20"]);
    assert_eq!(plan.jobs[0].order.id, "#2");
    assert_eq!(plan.placing.placed_whole, 1);
}

#[test]
fn does_not_depend_on_the_order_in_which_the_answers_came() {
    let mut orders: Vec<Order> =
        (1..=4).map(|n| order(&n.to_string(), "c", n.min(3), &[("A", 2, 10)])).collect();
    let notes = [note("C", "c", 9, &[("A", 5, 10)])];
    let want = ["C on 4: 2 A for 20", "C on 3: 2 A for 20", "C on 2: 1 A for 10"];
    assert_eq!(told(&placed(&orders, &notes)), want);
    orders.rotate_left(2);
    assert_eq!(told(&placed(&orders, &notes)), want);
}

#[test]
fn the_minute_of_the_order_is_early_enough() {
    let orders = [order("1", "c", 3, &[("A", 5, 10)])];
    let plan = placed(&orders, &[note("C", "c", 3, &[("A", 1, 10)])]);
    assert_eq!(told(&plan), ["C on 1: 1 A for 10"]);
}

#[test]
fn an_earlier_order_at_the_price_of_the_note_comes_before_a_later_one_at_another() {
    let orders = [order("1", "c", 1, &[("A", 3, 10)]), order("2", "c", 2, &[("A", 3, 12)])];
    let plan = placed(&orders, &[note("C", "c", 3, &[("A", 4, 10)])]);
    assert_eq!(told(&plan), ["C on 1: 3 A for 30", "C on 2: 1 A for 12"]);
    assert_eq!(plan.placing.units_at_other_price, 1);
    assert_eq!(plan.placing.placed_amount_minor, 40);
    assert_eq!(plan.placing.placed_cost_minor, 42);
}

#[test]
fn units_that_came_back_once_are_gone_for_the_next_note() {
    let orders = [order("1", "c", 1, &[("A", 3, 10)]), order("2", "c", 2, &[("A", 3, 10)])];
    let notes = [
        note("C1", "c", 5, &[("A", 2, 10)]),
        note("C2", "c", 6, &[("A", 2, 10)]),
        note("C3", "c", 7, &[("A", 3, 10)]),
    ];
    let plan = placed(&orders, &notes);
    let want = [
        "C1 on 2: 2 A for 20",
        "C2 on 2: 1 A for 10",
        "C2 on 1: 1 A for 10",
        "C3 on 1: 2 A for 20",
    ];
    assert_eq!(told(&plan), want);
    let Placing { placed_whole, placed_partly, too_few, .. } = plan.placing;
    assert_eq!((placed_whole, placed_partly), (2, 1));
    assert_eq!(too_few, Unplaced { lines: 1, units: 1, amount_minor: 10 });
}

#[test]
fn several_skus_of_a_note_come_back_to_an_order_at_once() {
    let orders = [
        order("1", "c", 1, &[("A", 3, 10), ("B", 3, 5), ("X", 1, 1)]),
        order("2", "c", 2, &[("B", 1, 5)]),
    ];
    let plan = placed(&orders, &[note("C", "c", 3, &[("A", 1, 10), ("B", 2, 5)])]);
    assert_eq!(told(&plan), ["C on 1: 1 A, 1 B for 15", "C on 2: 1 B for 5"]);
    let shipped: u64 = plan.jobs[0].order.units.iter().map(|units| units.count).sum();
    assert_eq!(shipped, 7, "the whole order leaves");
}

#[test]
fn what_finds_no_order_is_told_with_the_reason_and_not_invented() {
    let dollars = Order { currency: "USD".into(), ..order("4", "d", 1, &[("B", 9, 10)]) };
    let orders = [
        order("1", "c", 5, &[("A", 3, 10)]),
        order("2", "other", 1, &[("B", 3, 10)]),
        order("3", "c", 1, &[("D", 2, 7)]),
        dollars,
    ];
    let notes = [
        note("C1", "c", 3, &[("A", 1, 10)]),
        note("C2", "c", 3, &[("B", 2, 10)]),
        note("C3", "nobody", 3, &[("A", 4, 10)]),
        note("C4", "c", 3, &[("D", 5, 7)]),
        note("C5", "d", 3, &[("B", 8, 10)]),
    ];
    let plan = placed(&orders, &notes);
    assert_eq!(told(&plan), ["C4 on 3: 2 D for 14"]);
    let Placing { not_placed, placed_partly, unplaced, .. } = plan.placing;
    assert_eq!((not_placed, placed_partly), (4, 1));
    assert_eq!(unplaced, Unplaced { lines: 5, units: 18, amount_minor: 171 });
    let Placing { never_bought, bought_later, too_few, .. } = plan.placing;
    assert_eq!(never_bought, Unplaced { lines: 2, units: 6, amount_minor: 60 });
    assert_eq!(bought_later, Unplaced { lines: 2, units: 9, amount_minor: 90 });
    assert_eq!(too_few, Unplaced { lines: 1, units: 3, amount_minor: 21 });
}

#[test]
fn a_discount_is_shared_so_that_the_parts_add_up() {
    let mut sold = order("1", "c", 1, &[("A", 3, 10)]);
    sold.lines[0].discount_amount = 10;
    let notes: Vec<CreditNote> =
        (1..=3).map(|n| note(&format!("C{n}"), "c", 5, &[("A", 1, 10)])).collect();
    let plan = placed(&[sold], &notes);
    // 20 for three units: 6, 13 and 20 after one, two and three.
    let want = ["C1 on 1: 1 A for 6", "C2 on 1: 1 A for 7", "C3 on 1: 1 A for 7"];
    assert_eq!(told(&plan), want);
}

#[test]
fn lines_of_the_same_sku_are_used_up_in_their_order() {
    let orders = [order("1", "c", 1, &[("A", 2, 10), ("B", 1, 1), ("A", 2, 8)])];
    let plan = placed(&orders, &[note("C", "c", 5, &[("A", 3, 10)])]);
    assert_eq!(told(&plan), ["C on 1: 3 A for 28"]);
}

#[test]
fn without_times_every_order_may_be_meant() {
    let untimed =
        |order_ref| Order { timestamp: None, ..order(order_ref, "c", 0, &[("A", 2, 10)]) };
    let notes = [note("C", "c", 1, &[("A", 3, 10)])];
    let plan = placed(&[untimed("1"), untimed("2")], &notes);
    assert_eq!(told(&plan), ["C on 2: 2 A for 20", "C on 1: 1 A for 10"]);
    let timeless = CreditNote { at: None, ..notes[0].clone() };
    let plan = placed(&[order("1", "c", 9, &[("A", 5, 10)])], &[timeless]);
    assert_eq!(told(&plan), ["C on 1: 3 A for 30"]);
}

#[test]
fn notes_after_the_end_of_a_shortened_replay_are_not_placed() {
    let orders = [order("1", "c", 1, &[("A", 5, 10)])];
    let notes = [note("C1", "c", 4, &[("A", 1, 10)]), note("C2", "c", 5, &[("A", 2, 10)])];
    let plan = placed_until(Some(4), &orders, &notes);
    assert_eq!(told(&plan), ["C1 on 1: 1 A for 10"]);
    let Placing { not_placed, after_the_end, unplaced, .. } = plan.placing;
    let want = Unplaced { lines: 1, units: 2, amount_minor: 20 };
    assert_eq!((not_placed, after_the_end, unplaced), (1, want, want));
}
