//! The bank's own books: what it took, held and gave back, under which key. It forgets nothing.

use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How a payment stands, in the bank's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Taken, wholly or in part.
    Succeeded,
    /// Held, and to be taken later.
    RequiresCapture,
    /// Given up before it was taken.
    Canceled,
    /// The card was refused.
    RequiresPaymentMethod,
}

impl Standing {
    /// The bank's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::RequiresCapture => "requires_capture",
            Self::Canceled => "canceled",
            Self::RequiresPaymentMethod => "requires_payment_method",
        }
    }
}

/// A payment in the bank's books. Amounts are minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its name.
    pub id: String,
    /// The key it was made with.
    pub key: String,
    /// The order in its metadata.
    pub order_id: String,
    /// What was asked for.
    pub amount: i64,
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// How it stands.
    pub standing: Standing,
    /// What was taken so far.
    pub captured: i64,
    /// What was given back so far.
    pub refunded: i64,
    /// What is held and may still be taken.
    pub capturable: i64,
    /// The operation that it was charged anew for, if any.
    pub leg: Option<String>,
    /// How manieth thing it is that the bank made.
    pub number: u64,
    /// When it was made.
    pub made: Instant,
}

/// Money given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its name.
    pub id: String,
    /// Of which payment.
    pub intent: String,
    /// The order in the payment's metadata.
    pub order_id: String,
    /// How much.
    pub amount: i64,
    /// ISO 4217 code in lower case.
    pub currency: String,
}

/// What the bank is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Take or hold money.
    Charge {
        /// In minor units.
        amount: i64,
        /// ISO 4217 code in lower case.
        currency: String,
        /// Hold it only.
        manual: bool,
        /// The means of payment.
        method: String,
        /// For the metadata.
        order_id: String,
        /// For the metadata: what it is charged anew for.
        leg: Option<String>,
    },
    /// Take what is held, or a part of it; the rest stays held unless it is the `last` part.
    Capture {
        /// Of which payment.
        intent: String,
        /// In minor units.
        amount: i64,
        /// Give up what is still held then.
        last: bool,
    },
    /// Give up what is held.
    Void {
        /// Of which payment.
        intent: String,
    },
    /// Give money back.
    Refund {
        /// Of which payment.
        intent: String,
        /// In minor units.
        amount: i64,
    },
}

/// What the bank says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is done; the payment as it stood then.
    Intent(Intent),
    /// It is given back.
    Refund(Refund),
    /// The card was refused.
    Declined {
        /// Why.
        code: &'static str,
        /// The payment that failed.
        intent: String,
    },
    /// The request cannot be done.
    Refused {
        /// Why.
        code: &'static str,
    },
    /// The key was used for another request.
    KeyReused,
}

/// The books.
#[derive(Default)]
pub struct Books {
    intents: BTreeMap<String, Intent>,
    by_key: BTreeMap<String, (Wish, Said)>,
    refunds: Vec<Refund>,
    last: u64,
}

impl Books {
    /// Does what is wished for, once per key; the same key gets the same answer for ever.
    /// `decline` refuses the card of a charge.
    pub fn perform(&mut self, key: &str, wish: &Wish, decline: bool) -> Said {
        if let Some((first, said)) = self.by_key.get(key) {
            return if first == wish { said.clone() } else { Said::KeyReused };
        }
        let said = match wish {
            Wish::Charge { .. } => self.charge(key, wish, decline),
            Wish::Capture { intent, amount, last } => self.capture(intent, *amount, *last),
            Wish::Void { intent } => self.void(intent),
            Wish::Refund { intent, amount } => self.refund(intent, *amount),
        };
        self.by_key.insert(key.to_owned(), (wish.clone(), said.clone()));
        said
    }

    /// Whether a key was used before.
    #[must_use]
    pub fn knows(&self, key: &str) -> bool {
        self.by_key.contains_key(key)
    }

    fn name(&mut self, kind: &str) -> String {
        self.last += 1;
        format!("{kind}_{:06}", self.last)
    }

    fn charge(&mut self, key: &str, wish: &Wish, decline: bool) -> Said {
        let Wish::Charge { amount, currency, manual, method, order_id, leg } = wish else {
            return Said::Refused { code: "parameter_invalid" };
        };
        if *amount <= 0 {
            return Said::Refused { code: "parameter_invalid_integer" };
        }
        let declined = decline || method.contains("Declined");
        let standing = match (declined, manual) {
            (true, _) => Standing::RequiresPaymentMethod,
            (false, true) => Standing::RequiresCapture,
            (false, false) => Standing::Succeeded,
        };
        let taken = if standing == Standing::Succeeded { *amount } else { 0 };
        let held = if standing == Standing::RequiresCapture { *amount } else { 0 };
        let intent = Intent {
            id: self.name("pi"),
            key: key.to_owned(),
            order_id: order_id.clone(),
            amount: *amount,
            currency: currency.clone(),
            standing,
            captured: taken,
            refunded: 0,
            capturable: held,
            leg: leg.clone(),
            number: self.last,
            made: Instant::now(),
        };
        self.intents.insert(intent.id.clone(), intent.clone());
        if declined {
            Said::Declined { code: "card_declined", intent: intent.id }
        } else {
            Said::Intent(intent)
        }
    }

    fn capture(&mut self, intent: &str, amount: i64, last: bool) -> Said {
        let Some(intent) = self.intents.get_mut(intent) else {
            return Said::Refused { code: "resource_missing" };
        };
        let open = intent.standing == Standing::RequiresCapture && intent.capturable > 0;
        if !open {
            return Said::Refused { code: "payment_intent_unexpected_state" };
        }
        // Nothing, as the last part, lets go of what is held.
        let too_little = amount < 0 || (amount == 0 && !(last && intent.captured > 0));
        if too_little || amount > intent.capturable {
            return Said::Refused { code: "amount_too_large" };
        }
        intent.captured += amount;
        intent.capturable = if last { 0 } else { intent.capturable - amount };
        if intent.capturable == 0 {
            intent.standing = Standing::Succeeded;
        }
        Said::Intent(intent.clone())
    }

    fn void(&mut self, intent: &str) -> Said {
        let Some(intent) = self.intents.get_mut(intent) else {
            return Said::Refused { code: "resource_missing" };
        };
        // As at Stripe, a payment of which something was taken cannot be given up.
        if intent.standing != Standing::RequiresCapture || intent.captured > 0 {
            return Said::Refused { code: "payment_intent_unexpected_state" };
        }
        intent.capturable = 0;
        intent.standing = Standing::Canceled;
        Said::Intent(intent.clone())
    }

    fn refund(&mut self, of: &str, amount: i64) -> Said {
        let id = self.name("re");
        let Some(intent) = self.intents.get_mut(of) else {
            return Said::Refused { code: "resource_missing" };
        };
        if amount <= 0 || amount > intent.captured - intent.refunded {
            return Said::Refused { code: "charge_already_refunded" };
        }
        intent.refunded += amount;
        let (order_id, currency) = (intent.order_id.clone(), intent.currency.clone());
        let refund = Refund { id, intent: of.to_owned(), order_id, amount, currency };
        self.refunds.push(refund.clone());
        Said::Refund(refund)
    }

    /// A payment by its name.
    #[must_use]
    pub fn intent(&self, id: &str) -> Option<&Intent> {
        self.intents.get(id)
    }

    /// The payments of an order that were made at least `lag` ago.
    #[must_use]
    pub fn of_order(&self, order_id: &str, lag: Duration) -> Vec<Intent> {
        let shown = |intent: &&Intent| intent.order_id == order_id && intent.made.elapsed() >= lag;
        self.intents.values().filter(shown).cloned().collect()
    }

    /// All payments.
    #[must_use]
    pub fn all(&self) -> Vec<Intent> {
        self.intents.values().cloned().collect()
    }

    /// All money given back.
    #[must_use]
    pub fn refunds(&self) -> &[Refund] {
        &self.refunds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(amount: i64, manual: bool) -> Wish {
        let (currency, method, order_id) = ("usd".into(), "pm_card_visa".into(), "o".into());
        Wish::Charge { amount, currency, manual, method, order_id, leg: None }
    }

    fn intent(said: Said) -> Intent {
        match said {
            Said::Intent(intent) => intent,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_key_acts_once_and_names_one_request() {
        let mut books = Books::default();
        let first = books.perform("a", &charge(500, false), false);
        assert_eq!(books.perform("a", &charge(500, false), false), first);
        assert_eq!(books.perform("a", &charge(501, false), false), Said::KeyReused);
        assert_eq!(books.all().len(), 1);
    }

    #[tokio::test]
    async fn what_is_held_is_taken_in_parts_and_the_rest_given_up() {
        let mut books = Books::default();
        let held = intent(books.perform("a", &charge(500, true), false));
        assert_eq!((held.captured, held.capturable), (0, 500));
        let id = held.id;
        let part = |amount, last| Wish::Capture { intent: id.clone(), amount, last };
        assert_eq!(intent(books.perform("b", &part(200, false), false)).captured, 200);
        let more = books.perform("c", &part(301, false), false);
        assert_eq!(more, Said::Refused { code: "amount_too_large" });
        let last = intent(books.perform("d", &part(100, true), false));
        assert_eq!((last.captured, last.capturable), (300, 0));
        let void = books.perform("e", &Wish::Void { intent: id.clone() }, false);
        assert_eq!(void, Said::Refused { code: "payment_intent_unexpected_state" });
    }

    #[tokio::test]
    async fn no_more_is_given_back_than_was_taken() {
        let mut books = Books::default();
        let id = intent(books.perform("a", &charge(500, false), false)).id;
        let back = |amount| Wish::Refund { intent: id.clone(), amount };
        assert!(matches!(books.perform("b", &back(300), false), Said::Refund(_)));
        let more = books.perform("c", &back(201), false);
        assert_eq!(more, Said::Refused { code: "charge_already_refunded" });
        assert!(matches!(books.perform("d", &back(200), false), Said::Refund(_)));
        assert_eq!(books.all()[0].refunded, 500);
    }
}
