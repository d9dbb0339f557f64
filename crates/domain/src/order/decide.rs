//! The state machine: one match is the transition table.

mod afterwards;
mod paying;

use super::{LineUnits, Order, OrderStatus};
use crate::event::OrderEvent;
use crate::{ChargeOutcome, Shortage, Sku};

/// Some units of a SKU, as a client names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRequest {
    /// What.
    pub sku: Sku,
    /// How many units, ≥ 1.
    pub quantity: i64,
}

/// How much is to be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundWish {
    /// So many minor units.
    Amount(i64),
    /// What these units cost; all units that were not refunded yet when empty.
    Lines(Vec<PartRequest>),
}

/// What is to be done with an order that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Its total is 0 and its goods are promised.
    ConfirmWithoutPayment,
    /// Not all its goods could be promised.
    RefuseForStock(Vec<Shortage>),
    /// These of its coupons are used up.
    RefuseForCoupons(Vec<String>),
    /// The provider answered. If the order's goods were given back meanwhile, `goods` tells
    /// whether they could be promised again.
    SettlePayment {
        /// The answer.
        outcome: ChargeOutcome,
        /// Whether the goods are, or can again be, promised.
        goods: bool,
    },
    /// Nobody paid in time: the goods are for others.
    ReleaseGoods,
    /// The provider knows of no payment, long after it was asked: the order ends.
    GiveUpPayment,
    /// End it, or what has not left of it.
    Cancel {
        /// Why, for people.
        reason: String,
    },
    /// These units leave; all that are open when empty.
    Ship(Vec<PartRequest>),
    /// All that left has arrived.
    Deliver,
    /// Give money back.
    Refund {
        /// How much.
        wish: RefundWish,
        /// Why, for people.
        reason: String,
    },
    /// These units came back; all that left when empty.
    Return {
        /// Which.
        lines: Vec<PartRequest>,
        /// Whether they go back to the shelf.
        restock: bool,
    },
    /// The provider refused to take what was held, for good.
    CaptureFailed {
        /// How much it was.
        amount: i64,
        /// For which units.
        lines: Vec<LineUnits>,
        /// The provider's reason.
        code: String,
    },
    /// The provider refused to give back, for good.
    RefundFailed {
        /// How much it was.
        amount: i64,
        /// For which units, if it was asked for by units.
        lines: Vec<LineUnits>,
        /// The provider's reason.
        code: String,
    },
}

/// Why an order refuses a command. It stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The order's state does not allow it.
    #[error("an order that is {} does not allow that", .0.as_str())]
    WrongStatus(OrderStatus),
    /// There is something to pay.
    #[error("the order has something to pay")]
    NotFree,
    /// The provider's answer is not known; the order waits.
    #[error("the payment is not known yet: {0}")]
    PaymentUnknown(String),
    /// The provider captured where it should have held the money, or the other way round.
    #[error("the provider's answer does not fit what was asked")]
    PaymentMismatch,
    /// It is to be cancelled already, as soon as its payment is known.
    #[error("the order is to be cancelled already")]
    CancelPending,
    /// Not so many units are there to ship.
    #[error("of {} not {} units are left to ship", .0.sku, .0.quantity)]
    NothingToShip(PartRequest),
    /// The order has no units left to ship.
    #[error("no units are left to ship")]
    AllShipped,
    /// Not so many units left, or they came back already.
    #[error("of {} not {} units can come back", .0.sku, .0.quantity)]
    NothingToReturn(PartRequest),
    /// No units left that could come back.
    #[error("no units can come back")]
    AllReturned,
    /// More than was taken and not given back yet.
    #[error("{wanted} cannot be refunded: {left} is left of what was captured")]
    RefundExceedsCaptured {
        /// What was asked for, in minor units.
        wanted: i64,
        /// What could be given back, in minor units.
        left: i64,
    },
    /// The money for these goods is not held any more.
    #[error("the money for these units is no longer held")]
    NotHeld,
    /// It was said already, or cannot be any more.
    #[error("the order has moved on")]
    MovedOn,
}

/// What happens to `order` by `command`. The caller records the event, applies it with
/// [`Order::after`], and moves what [`super::effects()`] tells, all in one transaction.
///
/// # Errors
/// See [`Refusal`].
pub fn decide(order: &Order, command: Command) -> Result<OrderEvent, Refusal> {
    use OrderStatus::{Cancelled, Confirmed, Delivered, PartiallyShipped, Pending, Shipped};
    match (order.status, command) {
        (Pending, Command::ConfirmWithoutPayment) => paying::confirm_free(order),
        (Pending, Command::RefuseForStock(shortages)) => {
            Ok(paying::refuse_for_stock(order, shortages))
        }
        (Pending, Command::RefuseForCoupons(coupons)) => {
            Ok(paying::refuse_for_coupons(order, coupons))
        }
        (Pending, Command::SettlePayment { outcome, goods }) => {
            paying::settle(order, outcome, goods)
        }
        (Cancelled, Command::SettlePayment { outcome, .. }) => paying::too_late(order, outcome),
        (Pending, Command::ReleaseGoods) => paying::release_goods(order),
        (Pending, Command::GiveUpPayment) => paying::give_up(order),
        (Pending, Command::Cancel { reason }) => paying::request_cancel(order, reason),
        (Confirmed, Command::Cancel { reason }) => Ok(afterwards::cancel(order, reason)),
        (PartiallyShipped, Command::Cancel { reason }) => {
            Ok(afterwards::cancel_remainder(order, reason))
        }
        (Confirmed | PartiallyShipped, Command::Ship(lines)) => afterwards::ship(order, &lines),
        (Shipped, Command::Deliver) => Ok(OrderEvent::Delivered(crate::event::Delivered {})),
        (Confirmed | PartiallyShipped | Shipped | Delivered, Command::Refund { wish, reason }) => {
            afterwards::refund(order, wish, reason)
        }
        // What the provider would not give back then is given back now.
        (Cancelled, Command::Refund { wish, reason })
            if order.amounts.captured > order.amounts.refunded =>
        {
            afterwards::refund(order, wish, reason)
        }
        (PartiallyShipped | Shipped | Delivered, Command::Return { lines, restock }) => {
            afterwards::take_back(order, &lines, restock)
        }
        (
            PartiallyShipped | Shipped | Delivered,
            Command::CaptureFailed { amount, lines, code },
        ) => afterwards::capture_failed(order, amount, lines, code),
        (
            Confirmed | PartiallyShipped | Shipped | Delivered | Cancelled,
            Command::RefundFailed { amount, lines, code },
        ) => afterwards::refund_failed(order, amount, lines, code),
        (status, _) => Err(Refusal::WrongStatus(status)),
    }
}
