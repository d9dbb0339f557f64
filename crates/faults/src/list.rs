//! The lists: every point and every bug by name. A test compares them with the code.

/// Every place where a process can be made to die.
pub const POINTS: &[&str] = &[
    "place.before_commit",
    "place.after_commit",
    "charge.before_call",
    "charge.after_call",
    "settle.before_commit",
    "settle.after_commit",
    "operate.before_commit",
    "operate.after_commit",
    "money.before_call",
    "money.after_call",
    "adjust.before_commit",
    "adjust.after_commit",
    "broker.before_commit",
    "broker.after_commit",
    "webhook.before_commit",
    "webhook.after_commit",
    "recover.found",
];

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bug {
    /// Its stable name.
    pub name: &'static str,
    /// What goes wrong with it.
    pub what: &'static str,
}

const fn bug(name: &'static str, what: &'static str) -> Bug {
    Bug { name, what }
}

/// Every bug that can be planted. Each must be caught by the harness.
pub const BUGS: &[Bug] = &[
    bug("place-tells-before-commit", "a client is told before the order is durable"),
    bug("place-forgets-the-reservation", "an order is taken although goods are short"),
    bug("charge-with-a-new-key", "the provider is asked again with another key"),
    bug("silence-is-refusal", "a time-out of the provider counts as a refusal"),
];
