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
    bug("charge-with-a-new-key", "the provider is asked again with another key"),
    bug("silence-is-refusal", "a time-out of the provider counts as a refusal"),
    bug("refund-with-a-new-key", "the provider is asked again for a refund with another key"),
    bug("void-forgotten", "money that is held is said to be let go without asking the provider"),
    bug("webhook-signature-unchecked", "an event is taken from anybody"),
    bug("webhook-not-deduplicated", "an event that comes again counts as new"),
    bug("amount-not-compared", "the provider's answer may name any amount"),
    bug("reserve-without-condition", "goods are promised to an order although they are short"),
    bug("release-twice", "what an order held is given back twice"),
    bug("ship-keeps-the-reservation", "what left is still promised to the order"),
    bug("restock-not-counted", "units go back to the shelf without being counted as returned"),
    bug("adjustment-answer-not-kept", "an adjustment that is sent again is done again"),
    bug("reservation-shared-out-in-reverse", "orders are told each other's reservations"),
    bug("key-not-claimed", "a request that is made again makes another order"),
    bug("fingerprint-ignored", "another request gets the answer of the key's first one"),
    bug("answer-not-kept", "an answer is given and not kept"),
    bug("doubt-kept-as-503", "that the payment is not known is kept as a failure"),
    bug("declined-told-as-paid", "a client whose payment was refused is told that it was paid"),
    bug("declined-keeps-the-goods", "the goods of a refused order stay promised to it"),
    bug("payment-not-recorded", "what the provider said is not written down"),
    bug("event-left-out", "a change of an order leaves no event"),
    bug("recovery-skips-the-last", "the last order of each page is never recovered"),
    bug("recovery-forgets-operations", "what the provider did not do at once is never asked again"),
    bug("step-replay-not-recognised", "a step that is asked for again is not known any more"),
    bug("cancel-keeps-the-goods", "the goods of a cancelled order stay promised to it"),
    bug("refund-not-asked-for", "a refund is told and not asked for"),
    bug("capture-not-asked-for", "goods leave and what they cost is not taken"),
    bug("refund-of-one-more", "the provider is asked for more than is to be given back"),
    bug("log-reader-skips-an-event", "a reader of the log passes over an event"),
    bug("position-ahead", "a consumer's position moves further than it has read"),
    bug("position-without-effect", "a consumer's position moves, and its effect is lost"),
    bug("effect-without-position", "an effect is committed, and the position stays"),
    bug("parked-event-forgotten", "an event that fails is passed over for ever"),
    bug("fenced-step-promises-goods", "goods are promised under a lease that is lost"),
    bug("parked-order-not-held-up", "later events of an order overtake the one that failed"),
];
