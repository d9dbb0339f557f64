//! Random histories of orders against a simple model of goods and money: invariants I5–I9, I13 and
//! I14 after every step, over a hundred thousand histories; and the state graph, arrow by arrow.

use super::{AT, LATER, draft, item};
use crate::order::*;
use crate::{ChargeOutcome, OrderEvent, OrderId, Sku};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Histories walked; the promise of the project is a hundred thousand.
const HISTORIES: u64 = 100_000;
const STEPS_MAX: u64 = 14;

/// A small generator (splitmix64): the same seed gives the same history on every machine.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides.max(1)
    }

    fn number(&mut self, max: i64) -> i64 {
        i64::try_from(self.throw(u64::try_from(max).unwrap_or(0) + 1)).unwrap_or(0)
    }

    fn parts(&mut self) -> Vec<PartRequest> {
        (0..self.throw(3))
            .map(|_| PartRequest {
                sku: Sku::parse(["A", "B", "C"][self.throw(3) as usize]).unwrap(),
                quantity: 1 + self.number(3),
            })
            .collect()
    }
}

/// The books of everybody else, kept as simply as can be: what the bank and the shelf would show
/// if every effect were carried out.
#[derive(Default)]
struct World {
    held: i64,
    taken: i64,
    given_back: i64,
    promised: BTreeMap<Sku, i64>,
    gone: BTreeMap<Sku, i64>,
    back: BTreeMap<Sku, i64>,
}

impl World {
    fn reserve(&mut self, order: &Order) {
        self.promised = order.units_by_sku();
    }

    /// Does what the event says, as bank and shelf would.
    fn carry_out(&mut self, before: &Order, event: &OrderEvent) {
        if let OrderEvent::Confirmed(data) = event {
            (self.held, self.taken) =
                (data.amount_authorized - data.amount_captured, data.amount_captured);
        }
        if let OrderEvent::Cancelled(data) = event
            && let Some(payment) = &data.payment
        {
            self.pay(before, payment.status);
        }
        if let OrderEvent::PaidTooLate(data) = event {
            self.pay(before, data.payment.status);
        }
        let effects = effects(before, event);
        if effects.reserve {
            self.reserve(before);
        }
        for (sku, units) in &effects.ship {
            *self.promised.entry(sku.clone()).or_default() -= units;
            *self.gone.entry(sku.clone()).or_default() += units;
        }
        for (sku, units) in effects.restock.iter().chain(&effects.discard) {
            *self.back.entry(sku.clone()).or_default() += units;
        }
        if effects.release {
            self.promised.clear();
        }
        self.promised.retain(|_, units| *units != 0);
        match effects.money {
            Some(MoneyMove::Capture { amount, is_final }) => {
                (self.held, self.taken) = (self.held - amount, self.taken + amount);
                if is_final {
                    self.held = 0;
                }
            }
            Some(MoneyMove::Void) => self.held = 0,
            Some(MoneyMove::Refund { amount }) => self.given_back += amount,
            None => {}
        }
        match event {
            OrderEvent::CaptureFailed(data) => {
                (self.held, self.taken) = (0, self.taken - data.amount);
            }
            OrderEvent::RefundFailed(data) => self.given_back -= data.amount,
            _ => {}
        }
    }

    fn pay(&mut self, order: &Order, status: crate::PaymentStatus) {
        match status {
            crate::PaymentStatus::Captured => self.taken = order.amounts.total,
            crate::PaymentStatus::Authorized => self.held = order.amounts.total,
            _ => {}
        }
    }

    fn agrees_with(&self, order: &Order) -> Result<(), String> {
        let amounts = order.amounts;
        let check = |good: bool, what: &str| if good { Ok(()) } else { Err(what.to_owned()) };
        check(amounts.are_sane(), "the sums do not fit together")?;
        check(order.lines.iter().all(Line::is_sane), "a line's counts do not fit together")?;
        check(self.taken == amounts.captured, "taken is not what the order says")?;
        check(self.given_back == amounts.refunded, "given back is not what the order says")?;
        check((0..=self.taken).contains(&self.given_back), "more was given back than taken")?;
        check(self.held == amounts.authorized - amounts.captured, "held is not what it says")?;
        if matches!(order.status, OrderStatus::Cancelled | OrderStatus::Rejected) {
            check(self.held == 0, "an ended order holds money")?;
            check(self.promised.is_empty(), "an ended order holds goods")?;
        }
        let open = match order.goods {
            Goods::Held => order.open_units_by_sku(),
            Goods::Free => BTreeMap::new(),
        };
        check(self.promised == open, "promised is not what the order has open")?;
        let count = |of: fn(&Line) -> i64| {
            let mut units: BTreeMap<Sku, i64> = BTreeMap::new();
            for line in order.lines.iter().filter(|line| of(line) > 0) {
                *units.entry(line.sku.clone()).or_default() += of(line);
            }
            units
        };
        check(self.gone == count(|line| line.quantity_shipped), "what left is not what it says")?;
        check(self.back == count(|line| line.quantity_returned), "what came back is not")
    }
}

/// Something that the provider may still refuse: how much, and for which units.
type Asked = (i64, Vec<LineUnits>);

fn random_command(
    dice: &mut Dice,
    order: &Order,
    refunds: &[Asked],
    captures: &[Asked],
) -> Command {
    let provider_ref = || "pi_1".to_owned();
    let reason = || "why".to_owned();
    match dice.throw(22) {
        0 => Command::ConfirmWithoutPayment,
        1 => Command::RefuseForStock(Vec::new()),
        2 => Command::SettlePayment {
            outcome: ChargeOutcome::Declined { code: "no".to_owned(), provider_ref: None },
            goods: true,
        },
        3 => Command::SettlePayment {
            outcome: ChargeOutcome::Unknown { why: "silence".to_owned() },
            goods: true,
        },
        4..=9 => Command::SettlePayment {
            outcome: match order.capture {
                Capture::Automatic => ChargeOutcome::Captured { provider_ref: provider_ref() },
                Capture::Manual => ChargeOutcome::Authorized { provider_ref: provider_ref() },
            },
            // Only an order that gave its goods back can fail to get them again.
            goods: order.goods == Goods::Held || dice.throw(2) == 0,
        },
        10 => Command::ReleaseGoods,
        11 => Command::GiveUpPayment,
        12 => Command::Cancel { reason: reason() },
        13..=15 => Command::Ship(dice.parts()),
        16 => Command::Deliver,
        17 => Command::Refund {
            wish: match dice.throw(2) {
                0 => RefundWish::Amount(dice.number(400) - 2),
                _ => RefundWish::Lines(dice.parts()),
            },
            reason: reason(),
        },
        18 | 19 => Command::Return { lines: dice.parts(), restock: dice.throw(2) == 0 },
        20 => {
            let (amount, lines) = captures.get(dice.throw(3) as usize).cloned().unwrap_or_default();
            Command::CaptureFailed { amount, lines, code: "gone".to_owned() }
        }
        _ => {
            let (amount, lines) = refunds.get(dice.throw(3) as usize).cloned().unwrap_or_default();
            Command::RefundFailed { amount, lines, code: "closed".to_owned() }
        }
    }
}

/// Where nothing is left of an order, nothing is left of its money, to the last minor unit; and
/// where something is left, so is what was not refunded of it.
fn all_gone_all_back(order: &Order, is_plain: bool) -> Result<(), String> {
    let gone = |line: &Line| line.quantity_cancelled + line.quantity_returned == line.quantity;
    let Amounts { captured, refunded, .. } = order.amounts;
    if is_plain && order.lines.iter().all(gone) && captured != refunded {
        return Err(format!("all is gone, and of {captured} only {refunded} went back"));
    }
    let owed: i64 = order
        .lines
        .iter()
        .map(|line| match order.capture {
            Capture::Automatic => line.worth(0, line.quantity_refunded),
            Capture::Manual => line.worth(0, line.quantity_refunded.min(line.quantity_shipped)),
        })
        .sum();
    let settled = !matches!(order.status, OrderStatus::Pending | OrderStatus::Cancelled);
    if is_plain && settled && captured > 0 && refunded != owed {
        return Err(format!("{refunded} went back, and the refunded units are worth {owed}"));
    }
    Ok(())
}

/// One history from one seed; the arrows of the state graph that it took.
fn walk(seed: u64, seen: &mut BTreeSet<(&'static str, &'static str, &'static str)>) {
    let mut dice = Dice(seed);
    let items = (0..1 + dice.throw(3))
        .map(|_| {
            let (units, price) = (1 + dice.number(4), dice.number(99));
            let sku = ["A", "B", "C"][dice.throw(3) as usize];
            let discount = dice.number(units * price);
            item(sku, units, price, if dice.throw(2) == 0 { 0 } else { discount })
        })
        .collect();
    let capture = if dice.throw(2) == 0 { Capture::Automatic } else { Capture::Manual };
    let placed = draft(items, capture).place().expect("a good draft");
    let id = OrderId(Uuid::from_u128(1));
    let mut order = Order::from_placed(id, &placed, AT);
    let mut world = World::default();
    world.reserve(&order);
    seen.insert(("", "order.placed", order.status.as_str()));
    let mut history = vec![OrderEvent::Placed(placed)];
    // What may still be refused by the provider: each at most once.
    let (mut refunds, mut captures): (Vec<Asked>, Vec<Asked>) = (Vec::new(), Vec::new());
    // Whether money moved otherwise than with units.
    let mut is_plain = true;
    for _ in 0..dice.throw(STEPS_MAX) + 1 {
        let command = random_command(&mut dice, &order, &refunds, &captures);
        is_plain &= !matches!(command, Command::Refund { wish: RefundWish::Amount(_), .. });
        let Ok(event) = decide(&order, command) else { continue };
        world.carry_out(&order, &event);
        match (&event, effects(&order, &event).money) {
            (OrderEvent::CaptureFailed(data), _) => {
                is_plain = false;
                let asked = (data.amount, data.lines.clone());
                let at = captures.iter().position(|capture| *capture == asked);
                captures.remove(at.expect("only what was asked for fails"));
            }
            (OrderEvent::RefundFailed(data), _) => {
                is_plain = false;
                let asked = (data.amount, data.lines.clone());
                let at = refunds.iter().position(|refund| *refund == asked);
                refunds.remove(at.expect("only what was asked for fails"));
            }
            (OrderEvent::Refunded(data), Some(_)) => {
                refunds.push((data.amount, data.lines.clone()));
            }
            (OrderEvent::Shipped(data), Some(MoneyMove::Capture { amount, .. })) => {
                captures.push((amount, data.lines.clone()));
            }
            (_, Some(MoneyMove::Refund { amount })) => refunds.push((amount, Vec::new())),
            _ => {}
        }
        let next = order.clone().after(&event, LATER);
        assert_eq!(next.version, order.version + 1);
        seen.insert((order.status.as_str(), event.name(), next.status.as_str()));
        history.push(event);
        order = next;
        let fair = world.agrees_with(&order).and_then(|()| all_gone_all_back(&order, is_plain));
        if let Err(what) = fair {
            panic!("seed {seed}: {what}\n{order:#?}\n{history:#?}");
        }
    }
    assert_eq!(folded(id, &history), Some(order), "seed {seed}: the row is the fold of its events");
}

/// The order as its events tell it, read back from the texts in which they are kept.
fn folded(id: OrderId, history: &[OrderEvent]) -> Option<Order> {
    history.iter().fold(None, |order: Option<Order>, event| {
        let data = event.data_json().expect("events are plain data");
        let read = OrderEvent::from_parts(event.name(), &data).expect("reads back");
        assert_eq!(&read, event);
        match (order, &read) {
            (None, OrderEvent::Placed(placed)) => Some(Order::from_placed(id, placed, AT)),
            (order, event) => order.map(|order| order.after(event, LATER)),
        }
    })
}

#[test]
fn a_hundred_thousand_histories_keep_every_invariant_and_walk_the_whole_graph() {
    let mut seen = BTreeSet::new();
    for seed in 0..HISTORIES {
        walk(seed, &mut seen);
    }
    let drawn: BTreeSet<_> = STATE_GRAPH
        .iter()
        .map(|arrow| (arrow.from.map_or("", OrderStatus::as_str), arrow.event, arrow.to.as_str()))
        .collect();
    let missing: Vec<_> = seen.difference(&drawn).collect();
    let never: Vec<_> = drawn.difference(&seen).collect();
    assert!(missing.is_empty(), "these happen and are not drawn: {missing:?}");
    assert!(never.is_empty(), "these are drawn and never happen: {never:?}");
}
