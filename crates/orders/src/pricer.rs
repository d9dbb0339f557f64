//! Which engine prices an order, and what happens when it cannot.
//!
//! The flag `pricing.engine` decides for each customer. The legacy engine is a few multiplications
//! and runs where it is asked. The promotional one, which looks at rules that people write, runs on a
//! thread of its own with a deadline, and only so many at a time. An engine that panics, is late, or
//! has no room, is replaced by the other one, and the order says so.

use crate::messages::{Fault, OrderRequest};
use catalog::Snapshot;
use domain::Timestamp;
use flags::{Context, Flags};
use metrics::counter;
use pricing::{Basket, BasketLine, Engine, Flaw, Legacy, Promotional, Quote, Rules, Shelf};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The flag that decides.
pub const ENGINE_FLAG: &str = "pricing.engine";
/// The flag that lets the other engine price the same orders, for comparison.
pub const SHADOW_FLAG: &str = "pricing.shadow";

/// The flags that this service asks about.
pub const FLAGS: &[flags::Known] = &[
    flags::Known {
        key: ENGINE_FLAG,
        default: r#"{"state": "ENABLED", "variants": {"legacy": "legacy",
            "promotional": "promotional"}, "defaultVariant": "legacy",
            "metadata": {"owner": "pricing", "expires": "2028-01-01T00:00:00Z"}}"#,
        takes: |value| value == "legacy" || value == "promotional",
        expected: "legacy or promotional",
    },
    flags::Known {
        key: SHADOW_FLAG,
        default: r#"{"state": "ENABLED", "variants": {"on": true, "off": false},
            "defaultVariant": "off",
            "metadata": {"owner": "pricing", "expires": "2028-01-01T00:00:00Z"}}"#,
        takes: Value::is_boolean,
        expected: "true or false",
    },
];

/// Promotional engines at work at the same time. More orders wait for their turn.
const TURNS: usize = 32;
/// How long an order waits for its turn, and then for its price.
const DEADLINE: Duration = Duration::from_millis(250);

/// One of the two engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Legacy,
    Promotional,
}

impl Which {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Promotional,
            Self::Promotional => Self::Legacy,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Promotional => "promotional",
        }
    }
}

/// What an order is priced from: all of one moment.
pub(crate) struct Asked {
    pub(crate) request: OrderRequest,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) at: Timestamp,
}

impl Asked {
    pub(crate) fn basket(&self) -> Basket<'_> {
        let lines = self.request.lines.iter().map(|line| {
            let product = self.snapshot.get(line.sku.as_str());
            BasketLine {
                sku: &line.sku,
                quantity: line.quantity,
                unit_amount: line.unit_amount,
                discount_amount: line.discount_amount,
                shelf: product.map(|product| Shelf {
                    unit_amount: product.unit_amount,
                    currency: product.currency,
                    category: &product.category,
                    active: product.active,
                }),
            }
        });
        Basket {
            currency: self.request.currency,
            customer_id: self.request.customer_id,
            jurisdiction: self.request.jurisdiction.as_deref(),
            coupons: &self.request.coupons,
            at: self.at,
            lines: lines.collect(),
        }
    }
}

/// What an order is to cost.
#[derive(Debug)]
pub(crate) struct Priced {
    pub(crate) quote: Quote,
    pub(crate) engine: Which,
    /// Another engine should have priced it.
    pub(crate) degraded: bool,
}

/// Why an order has no price.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unpriced {
    /// It cannot be bought so.
    #[error("the order cannot be placed as asked for")]
    Refused(Vec<Fault>),
    /// No engine can tell.
    #[error("no engine can price the order now")]
    Broken,
}

/// Why an engine gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    Panicked,
    Late,
    NoRoom,
}

impl Break {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Panicked => "panic",
            Self::Late => "late",
            Self::NoRoom => "no_room",
        }
    }
}

/// Prices orders. Cheap to clone.
#[derive(Clone)]
pub struct Pricer {
    flags: Flags,
    legacy: Arc<dyn Engine>,
    promotional: Arc<dyn Engine>,
    turns: Arc<Semaphore>,
    deadline: Duration,
}

impl Pricer {
    /// With the two engines of the product, chosen by `flags`.
    #[must_use]
    pub fn new(flags: Flags) -> Self {
        Self::with(flags, Arc::new(Legacy), Arc::new(Promotional), DEADLINE)
    }

    fn with(
        flags: Flags,
        legacy: Arc<dyn Engine>,
        promotional: Arc<dyn Engine>,
        deadline: Duration,
    ) -> Self {
        Self { flags, legacy, promotional, turns: Arc::new(Semaphore::new(TURNS)), deadline }
    }

    /// The same for flags that are counted for a caller.
    #[must_use]
    pub fn asking(&self, flags: Flags) -> Self {
        Self { flags, ..self.clone() }
    }

    /// The flags that decide.
    #[must_use]
    pub const fn flags(&self) -> &Flags {
        &self.flags
    }

    /// What the flags say of the order of a request: the engine, and whether the other one is to be
    /// compared with it.
    pub(crate) fn choose(&self, request: &OrderRequest, now: Timestamp) -> (Which, bool) {
        let table = self.flags.table();
        if table.is_plain(ENGINE_FLAG) && table.is_plain(SHADOW_FLAG) {
            // Nobody is to be told apart: nothing of the order is looked at.
            return read(&table, &Context::default());
        }
        let customer = request.customer_id.map(|id| id.to_string());
        let members =
            [("currency", request.currency.code()), ("jurisdiction", request.jurisdiction())];
        let context = Context {
            targeting_key: customer.as_deref(),
            members: &members,
            now: now.micros() / 1_000_000,
        };
        read(&table, &context)
    }

    /// Prices with the engine that was chosen, or with the other one if that breaks.
    pub(crate) async fn price(&self, asked: &Arc<Asked>, first: Which) -> Result<Priced, Unpriced> {
        let (engine, quoted) = match self.run(first, asked).await {
            Ok(quoted) => (first, quoted),
            Err(why) => {
                let other = first.other();
                tell(first, why);
                // The buyer expects coupons to count, and the state expects its tax: a price without
                // them is none.
                let request = &asked.request;
                let has_more = !request.coupons.is_empty() || request.jurisdiction.is_some();
                if has_more && other == Which::Legacy {
                    return Err(Unpriced::Broken);
                }
                let quoted = self.run(other, asked).await.map_err(|why| {
                    tell(other, why);
                    Unpriced::Broken
                })?;
                // What the other engine cannot price the first one might: that is no refusal.
                (other, Ok(quoted.map_err(|_| Unpriced::Broken)?))
            }
        };
        match quoted {
            Ok(quote) => Ok(Priced { quote, engine, degraded: engine != first }),
            Err(flaws) => Err(Unpriced::Refused(flaws.into_iter().map(fault).collect())),
        }
    }

    async fn run(
        &self,
        which: Which,
        asked: &Arc<Asked>,
    ) -> Result<Result<Quote, Vec<Flaw>>, Break> {
        if which == Which::Legacy {
            return self.quote(which, asked);
        }
        // A burst of orders is no fault of the engine: they wait, as long as one may take.
        let turn = tokio::time::timeout(self.deadline, self.turns.clone().acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(Break::NoRoom)?;
        let (pricer, asked) = (self.clone(), asked.clone());
        let work = tokio::task::spawn_blocking(move || {
            let quoted = pricer.quote(which, &asked);
            drop(turn);
            quoted
        });
        let done = tokio::time::timeout(self.deadline, work).await.map_err(|_| Break::Late)?;
        done.unwrap_or(Err(Break::Panicked))
    }

    /// Runs an engine here.
    fn quote(&self, which: Which, asked: &Asked) -> Result<Result<Quote, Vec<Flaw>>, Break> {
        let engine = match which {
            Which::Legacy => &self.legacy,
            Which::Promotional => &self.promotional,
        };
        let quote = || engine.quote(&asked.basket(), &asked.rules);
        catch_unwind(AssertUnwindSafe(quote)).map_err(|_| Break::Panicked)
    }

    /// What an engine would want for the order, for comparison: its total, or why it refuses.
    /// `None` if it breaks.
    pub(crate) fn compare(&self, which: Which, asked: &Asked) -> Option<Result<i128, String>> {
        let quoted = self.quote(which, asked).ok()?;
        Some(match quoted {
            Ok(quote) => Ok(quote.total(&asked.basket())),
            Err(flaws) => {
                let first = flaws.into_iter().next();
                Err(first.map(|flaw| flaw.detail).unwrap_or_default())
            }
        })
    }
}

fn read(table: &flags::Table, context: &Context<'_>) -> (Which, bool) {
    let engine = match table.value(ENGINE_FLAG, context).and_then(Value::as_str) {
        Some("promotional") => Which::Promotional,
        _ => Which::Legacy,
    };
    (engine, table.value(SHADOW_FLAG, context).and_then(Value::as_bool).unwrap_or(false))
}

fn tell(which: Which, why: Break) {
    let (engine, reason) = (which.as_str(), why.as_str());
    counter!("pricing_fallbacks_total", "engine" => engine, "reason" => reason).increment(1);
    tracing::warn!(
        event = "pricing_engine_broke",
        code = "PRICING_ENGINE_BROKE",
        engine,
        cause = reason,
        "an engine gave no price"
    );
}

fn fault(flaw: Flaw) -> Fault {
    Fault { pointer: flaw.pointer, detail: flaw.detail }
}

impl OrderRequest {
    fn jurisdiction(&self) -> &str {
        self.jurisdiction.as_deref().unwrap_or("")
    }
}

#[cfg(test)]
#[path = "pricer_tests.rs"]
mod tests;
