//! The order: what it is made of, and how it moves from state to state.

mod decide;
mod draft;
mod effects;
mod fold;
mod graph;
mod line;
mod parts;
#[cfg(test)]
mod tests;

pub use decide::{Command, PartRequest, RefundWish, Refusal, decide};
pub use draft::{Draft, DraftError, LineItem};
pub use effects::{Effects, MoneyMove, effects};
pub use graph::{Arrow, STATE_GRAPH, state_graph_mermaid};
pub use line::{Line, LineUnits};

use crate::event::Placed;
use crate::{CustomerId, OrderId, PaymentId, PaymentStatus, Shortage, Sku, Timestamp};
use iso_currency::Currency;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where an order stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Durable, goods promised, payment not settled yet.
    Pending,
    /// Paid (or the money is held), goods promised.
    Confirmed,
    /// Some goods have left.
    PartiallyShipped,
    /// All goods have left.
    Shipped,
    /// All goods have arrived.
    Delivered,
    /// Ended before it took effect: out of stock, or the payment was refused.
    Rejected,
    /// Ended on request.
    Cancelled,
}

impl OrderStatus {
    /// All statuses.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Confirmed,
        Self::PartiallyShipped,
        Self::Shipped,
        Self::Delivered,
        Self::Rejected,
        Self::Cancelled,
    ];

    /// The status as it is written in databases and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::PartiallyShipped => "partially_shipped",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status so written, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// Whether an order's goods are promised to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goods {
    /// What has not left yet is promised to the order.
    Held,
    /// Nothing is promised to it.
    Free,
}

impl Goods {
    /// As it is written in databases.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Free => "free",
        }
    }

    /// What is so written, if it is anything.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Held, Self::Free].into_iter().find(|goods| goods.as_str() == text)
    }
}

/// When the money is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// At once.
    #[default]
    Automatic,
    /// Held now, taken when goods ship.
    Manual,
}

impl Capture {
    /// As it is written in databases and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Manual => "manual",
        }
    }

    /// The capture mode so written, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Automatic, Self::Manual].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// How an order is to be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentPlan {
    /// Names the payment attempt.
    pub payment_id: PaymentId,
    /// The provider's name of the means of payment.
    pub method: String,
    /// Take the money now or hold it.
    pub capture: Capture,
}

/// What an order knows of its payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentSummary {
    /// Names the payment attempt.
    pub id: PaymentId,
    /// Where it stands.
    pub status: PaymentStatus,
    /// The provider's name of the means of payment.
    pub method: String,
    /// The provider's name of the payment.
    pub provider_ref: Option<String>,
    /// Why the provider refused.
    pub decline_code: Option<String>,
}

/// How an order was priced, where it was not simply price by quantity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pricing {
    /// The engine that worked its price out.
    pub engine: String,
    /// Promotions that took something off, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promotions: Vec<String>,
    /// Codes of its coupons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<String>,
    /// Whose taxes it bears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
    /// Another engine should have priced it, and could not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub degraded: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Why an order was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum RejectReason {
    /// Not enough units of these SKUs.
    OutOfStock {
        /// Each SKU that was short.
        shortages: Vec<Shortage>,
    },
    /// These coupons were used up.
    CouponsUsedUp {
        /// Their codes.
        coupons: Vec<String>,
    },
    /// The provider refused the payment.
    PaymentDeclined {
        /// The provider's reason.
        decline_code: String,
    },
}

/// The sums of an order, all in minor units of its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Σ quantity × unit price.
    pub subtotal: i64,
    /// Σ discounts.
    pub discount: i64,
    /// Taxes.
    pub tax: i64,
    /// subtotal − discount + tax.
    pub total: i64,
    /// Money held or taken.
    pub authorized: i64,
    /// Money taken.
    pub captured: i64,
    /// Money given back.
    pub refunded: i64,
}

impl Amounts {
    /// INV-AMOUNTS: the sums fit together and no more is taken than owed or given back than taken.
    #[must_use]
    pub const fn are_sane(&self) -> bool {
        self.total == self.subtotal - self.discount + self.tax
            && 0 <= self.total
            && 0 <= self.refunded
            && self.refunded <= self.captured
            && self.captured <= self.authorized
            && self.authorized <= self.total
    }
}

/// An order, as the fold of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Names it.
    pub id: OrderId,
    /// The client's own name of it.
    pub external_ref: Option<String>,
    /// Who ordered.
    pub customer_id: Option<CustomerId>,
    /// Where it stands.
    pub status: OrderStatus,
    /// Currency of every amount.
    pub currency: Currency,
    /// What was ordered.
    pub lines: Vec<Line>,
    /// The sums.
    pub amounts: Amounts,
    /// Whether money is taken now or at shipping.
    pub capture: Capture,
    /// What is known of the payment.
    pub payment: PaymentSummary,
    /// The client's own data.
    pub metadata: Map<String, Value>,
    /// How it was priced, if not simply by price and quantity.
    pub pricing: Option<Box<Pricing>>,
    /// Why it is to be cancelled as soon as its payment is known, if somebody asked for that.
    pub cancel_requested: Option<String>,
    /// Whether its goods are promised to it. A pending order that waits too long for its payment
    /// gives them back; one that ended holds none.
    pub goods: Goods,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Number of its events so far.
    pub version: i64,
}

impl Order {
    /// The order right after it was placed: the fold of its first event.
    #[must_use]
    pub fn from_placed(id: OrderId, placed: &Placed, at: Timestamp) -> Self {
        let subtotal = placed.lines.iter().map(|line| line.quantity * line.unit_amount).sum();
        let discount = placed.lines.iter().map(|line| line.discount_amount).sum();
        let tax = placed.lines.iter().map(|line| line.tax_amount).sum();
        let total = subtotal - discount + tax;
        let amounts = Amounts { subtotal, discount, tax, total, ..Amounts::default() };
        Self {
            id,
            external_ref: placed.external_ref.clone(),
            customer_id: placed.customer_id,
            status: OrderStatus::Pending,
            currency: placed.currency,
            lines: placed.lines.clone(),
            amounts,
            capture: placed.payment.capture,
            payment: PaymentSummary {
                id: placed.payment.payment_id,
                status: PaymentStatus::Sending,
                method: placed.payment.method.clone(),
                provider_ref: None,
                decline_code: None,
            },
            metadata: placed.metadata.clone(),
            pricing: placed.pricing.clone(),
            cancel_requested: None,
            goods: Goods::Held,
            created_at: at,
            updated_at: at,
            version: 1,
        }
    }

    /// Codes of the coupons that it uses.
    #[must_use]
    pub fn coupons(&self) -> &[String] {
        self.pricing.as_ref().map_or(&[], |pricing| &pricing.coupons)
    }

    /// Units per SKU over all lines, each SKU once, in SKU order.
    #[must_use]
    pub fn units_by_sku(&self) -> std::collections::BTreeMap<Sku, i64> {
        let mut units = std::collections::BTreeMap::new();
        for line in &self.lines {
            *units.entry(line.sku.clone()).or_insert(0) += line.quantity;
        }
        units
    }

    /// Units per SKU that the order still has to get: neither left nor cancelled.
    #[must_use]
    pub fn open_units_by_sku(&self) -> std::collections::BTreeMap<Sku, i64> {
        let mut units = std::collections::BTreeMap::new();
        for line in self.lines.iter().filter(|line| line.units_open() > 0) {
            *units.entry(line.sku.clone()).or_insert(0) += line.units_open();
        }
        units
    }
}
