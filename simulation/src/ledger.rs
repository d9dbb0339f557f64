//! What the clients asked for and what they were told: the run's own books, which the shop's are
//! held against.

use gateway::PlainResponse;
use serde_json::Value;
use std::collections::BTreeMap;

/// A step of an order's life that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// End it.
    Cancel,
    /// Send units.
    Ship,
    /// It arrived.
    Deliver,
    /// Give money back.
    Refund,
    /// Take units back.
    Return,
}

impl Step {
    /// The last part of its path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Ship => "shipments",
            Self::Deliver => "deliver",
            Self::Refund => "refunds",
            Self::Return => "returns",
        }
    }

    /// The event that follows from it, once for each time that it was done; `None` if several may.
    #[must_use]
    pub const fn event(self) -> Option<&'static str> {
        match self {
            Self::Cancel => None,
            Self::Ship => Some("order.shipped"),
            Self::Deliver => Some("order.delivered"),
            Self::Refund => Some("order.refunded"),
            Self::Return => Some("order.returned"),
        }
    }
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An order of these units.
    Place {
        /// Units by SKU.
        units: BTreeMap<String, i64>,
        /// What it costs, in minor units.
        total: i64,
    },
    /// An order that cannot be.
    Nonsense,
    /// Units put on the shelf or taken away.
    Adjust {
        /// Of which product.
        sku: String,
        /// How many.
        delta: i64,
    },
    /// A step of an order that exists.
    Step {
        /// Its id.
        order: String,
        /// `cancel`, `shipments`, ….
        step: Step,
    },
}

/// An answer as a client heard it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// From which node.
    pub node: usize,
    /// HTTP status.
    pub status: u16,
    /// The problem's code, if it is one.
    pub code: Option<String>,
    /// `Location`.
    pub location: Option<String>,
    /// `ETag`.
    pub etag: Option<String>,
    /// Whether it says that it was given before.
    pub replayed: bool,
    /// The body.
    pub body: String,
}

impl Reply {
    /// Reads an answer.
    #[must_use]
    pub fn of(node: usize, response: &PlainResponse) -> Self {
        let header = |name: &str| {
            let found = response.headers.iter().find(|(header, _)| header == name);
            found.map(|(_, value)| value.clone())
        };
        let body = String::from_utf8_lossy(&response.body).into_owned();
        let json: Option<Value> = serde_json::from_str(&body).ok();
        let code = json.as_ref().and_then(|json| json["code"].as_str()).map(str::to_owned);
        Self {
            node,
            status: response.status,
            code: code.filter(|_| response.status >= 400),
            location: header("location"),
            etag: header("etag"),
            replayed: header("idempotent-replayed").is_some(),
            body,
        }
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// Whether the request is settled, and asking again would bring nothing new.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self.status {
            200..=299 => true,
            409 => self.code.as_deref() != Some("IDEMPOTENCY_IN_PROGRESS"),
            408 | 425 | 429 => false,
            400..=499 => true,
            _ => false,
        }
    }

    /// Whether the shop keeps this answer under its key for ever.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.is_final() && matches!(self.status, 200..=299 | 402 | 409)
    }

    /// What must be the same whenever it is given again.
    #[must_use]
    pub fn essence(&self) -> (u16, Option<&str>, Option<&str>, &str) {
        (self.status, self.location.as_deref(), self.etag.as_deref(), &self.body)
    }

    /// The order that it tells of.
    #[must_use]
    pub fn order_id(&self) -> Option<String> {
        let json = self.json();
        let id = if self.status < 300 { &json["id"] } else { &json["details"]["order_id"] };
        id.as_str().map(str::to_owned)
    }
}

/// One request with its key, and everything that was heard about it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its idempotency key.
    pub key: String,
    /// What it is about.
    pub what: What,
    /// Path.
    pub path: String,
    /// Body.
    pub body: String,
    /// `Prefer`, if any.
    pub prefer: Option<String>,
    /// Answers, in the order in which they were heard.
    pub replies: Vec<Reply>,
    /// How often it was sent.
    pub sent: u64,
    /// Whether its client asks until it knows.
    pub persistent: bool,
}

impl Entry {
    /// The first answer that settles it.
    #[must_use]
    pub fn decided(&self) -> Option<&Reply> {
        self.replies.iter().find(|reply| reply.is_final())
    }
}

/// The same key was used for another request.
#[derive(Clone, Debug)]
pub struct Misuse {
    /// The key.
    pub key: String,
    /// What was heard.
    pub reply: Reply,
    /// Whether the key's own request was answered before.
    pub after_answer: bool,
}

/// What a client read of an order.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Which one.
    pub order: String,
    /// The status of the answer.
    pub status: u16,
    /// The order's version.
    pub version: i64,
    /// The version that the client had seen before.
    pub at_least: i64,
}

/// The clients' books.
#[derive(Default)]
pub struct Ledger {
    /// Requests by their number.
    pub entries: Vec<Entry>,
    /// Keys that were used twice.
    pub misuses: Vec<Misuse>,
    /// Orders that were read.
    pub sights: Vec<Sight>,
    /// Orders that clients know of, with the units in them.
    pub known: Vec<(String, BTreeMap<String, i64>)>,
    /// Stock at some moments: what was wrong with it.
    pub bad_stock: Vec<String>,
}
