//! One payment attempt. Three outcomes exist: paid, refused, and *unknown*; doubt is not failure.

mod operation;

pub use operation::{Operation, OperationId, OperationKind, OperationOutcome, OperationStatus};

use crate::{Capture, Money, OrderId, PaymentId};
use serde::{Deserialize, Serialize};

/// Where a payment attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// The intent is recorded; the provider may or may not have been asked, and may have acted.
    Sending,
    /// The money is held for us, to be captured when goods ship.
    Authorized,
    /// The money is ours.
    Captured,
    /// The provider refused, definitely.
    Declined,
    /// There was nothing to pay.
    NotNeeded,
}

impl PaymentStatus {
    /// All statuses, for tests that walk them.
    pub const ALL: [Self; 5] =
        [Self::Sending, Self::Authorized, Self::Captured, Self::Declined, Self::NotNeeded];

    /// The status as it is written in databases and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::Declined => "declined",
            Self::NotNeeded => "not_needed",
        }
    }

    /// The status so written, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the provider's answer is known.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Sending)
    }
}

/// A payment attempt of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its name; the provider's idempotency key is derived from it.
    pub id: PaymentId,
    /// The order it pays.
    pub order_id: OrderId,
    /// What is to be paid.
    pub amount: Money,
    /// Take the money now, or hold it until goods ship.
    pub capture: Capture,
    /// The provider's name of the means of payment, such as `pm_card_visa`.
    pub method: String,
    /// Where it stands.
    pub status: PaymentStatus,
    /// The provider's name of the payment, once known.
    pub provider_ref: Option<String>,
    /// Why the provider refused, if it did.
    pub decline_code: Option<String>,
}

/// What the provider said, as far as it can be known (reliability rule D3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// The money is ours.
    Captured {
        /// The provider's name of the payment.
        provider_ref: String,
    },
    /// The money is held.
    Authorized {
        /// The provider's name of the payment.
        provider_ref: String,
    },
    /// A parsed, authenticated refusal.
    Declined {
        /// The provider's reason, such as `insufficient_funds`.
        code: String,
        /// The provider's name of the payment, if it made one.
        provider_ref: Option<String>,
    },
    /// Anything else: time-out, reset, server error, an answer that does not parse or does not
    /// fit the question. The money may or may not have moved.
    Unknown {
        /// What was seen, for people.
        why: String,
    },
}

/// A command to [`decide_payment`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentCommand {
    /// The provider answered.
    Settle(ChargeOutcome),
}

/// Why a payment refuses a command. It stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRefusal {
    /// The outcome is not known yet; ask again with the same key.
    #[error("the provider's answer is not known yet: {0}")]
    StillUnknown(String),
    /// The payment is settled already and differently.
    #[error("the payment is already {0:?}")]
    AlreadySettled(PaymentStatus),
    /// The provider did something that was not asked for.
    #[error("the provider's answer does not fit what was asked")]
    Mismatch,
}

/// What a payment becomes by a command. Settling twice with the same outcome changes nothing.
///
/// # Errors
/// See [`PaymentRefusal`].
pub fn decide_payment(
    payment: &Payment,
    command: PaymentCommand,
) -> Result<Payment, PaymentRefusal> {
    let PaymentCommand::Settle(outcome) = command;
    let (status, provider_ref, decline_code) = match (outcome, payment.capture) {
        (ChargeOutcome::Unknown { why }, _) => return Err(PaymentRefusal::StillUnknown(why)),
        (ChargeOutcome::Captured { provider_ref }, Capture::Automatic) => {
            (PaymentStatus::Captured, Some(provider_ref), None)
        }
        (ChargeOutcome::Authorized { provider_ref }, Capture::Manual) => {
            (PaymentStatus::Authorized, Some(provider_ref), None)
        }
        (ChargeOutcome::Declined { code, provider_ref }, _) => {
            (PaymentStatus::Declined, provider_ref, Some(code))
        }
        (ChargeOutcome::Captured { .. } | ChargeOutcome::Authorized { .. }, _) => {
            return Err(PaymentRefusal::Mismatch);
        }
    };
    let settled = Payment { status, provider_ref, decline_code, ..payment.clone() };
    match payment.status {
        PaymentStatus::Sending => Ok(settled),
        _ if settled == *payment => Ok(settled),
        already => Err(PaymentRefusal::AlreadySettled(already)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iso_currency::Currency;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn payment(capture: Capture) -> Payment {
        Payment {
            id: PaymentId(Uuid::from_u128(1)),
            order_id: OrderId(Uuid::from_u128(2)),
            amount: Money::new(500, Currency::USD),
            capture,
            method: "pm_card_visa".to_owned(),
            status: PaymentStatus::Sending,
            provider_ref: None,
            decline_code: None,
        }
    }

    fn outcomes() -> [ChargeOutcome; 4] {
        [
            ChargeOutcome::Captured { provider_ref: "pi_1".to_owned() },
            ChargeOutcome::Authorized { provider_ref: "pi_1".to_owned() },
            ChargeOutcome::Declined { code: "expired_card".to_owned(), provider_ref: None },
            ChargeOutcome::Unknown { why: "time-out".to_owned() },
        ]
    }

    #[test]
    fn transition_table() {
        use PaymentStatus::{Authorized, Captured, Declined};
        let table = [
            (Capture::Automatic, [Some(Captured), None, Some(Declined), None]),
            (Capture::Manual, [None, Some(Authorized), Some(Declined), None]),
        ];
        for (capture, expected) in table {
            for (outcome, want) in outcomes().into_iter().zip(expected) {
                let got =
                    decide_payment(&payment(capture), PaymentCommand::Settle(outcome.clone()));
                assert_eq!(got.ok().map(|p| p.status), want, "{capture:?} {outcome:?}");
            }
        }
    }

    #[test]
    fn status_names_round_trip() {
        for status in PaymentStatus::ALL {
            assert_eq!(PaymentStatus::parse(status.as_str()), Some(status));
        }
        assert_eq!(PaymentStatus::parse("paid"), None);
    }

    proptest! {
        /// Once settled, no sequence of answers changes a payment.
        #[test]
        fn settled_is_final(order in prop::collection::vec(0_usize..4, 0..12), manual: bool) {
            let capture = if manual { Capture::Manual } else { Capture::Automatic };
            let mut now = payment(capture);
            for index in order {
                let command = PaymentCommand::Settle(outcomes()[index].clone());
                let next = decide_payment(&now, command).unwrap_or_else(|_| now.clone());
                prop_assert!(!now.status.is_settled() || next == now);
                prop_assert_eq!(next.amount, now.amount);
                now = next;
            }
        }
    }
}
