//! Requests whose idempotency key was taken before.

use crate::books::{self, Kept};
use crate::messages::{Given, OrderError, Outcome, Render};
use crate::shop::Parts;
use domain::{Order, OrderStatus, PaymentStatus};
use std::collections::HashMap;
use store::StoreError;
use store::answers::{self, Answer, Fingerprint, RequestKey, Stored};

/// What the first requests with some keys made, and what they were told.
pub(crate) struct FirstAnswers {
    made: HashMap<RequestKey, Kept>,
    told: HashMap<RequestKey, Stored>,
    render: Render,
}

impl FirstAnswers {
    /// Looks the keys up.
    pub(crate) async fn of(shop: &Parts, keys: &[RequestKey]) -> Result<Self, StoreError> {
        let made = books::find_keys(&shop.db, keys).await?;
        let told = answers::find(&shop.db, keys).await?;
        Ok(Self { made, told, render: shop.render })
    }

    /// What the same request is told now; `None` if its key is free.
    pub(crate) fn again(
        &self,
        key: &RequestKey,
        fingerprint: &Fingerprint,
        trace_id: &str,
    ) -> Option<Result<Given, OrderError>> {
        let made = self.made.get(key)?;
        Some(match self.told.get(key) {
            _ if made.fingerprint != *fingerprint && !faults::planted("fingerprint-ignored") => {
                Err(OrderError::KeyReused)
            }
            Some(stored) => Ok(Given { answer: stored.answer.clone(), replayed: true }),
            None if made.order.status == OrderStatus::Pending => Err(OrderError::InProgress),
            // The answer is forgotten, the order is not: a key never makes a second one.
            None => Ok(Given { answer: self.anew(&made.order, trace_id), replayed: true }),
        })
    }

    fn anew(&self, order: &Order, trace_id: &str) -> Answer {
        let code = order.payment.decline_code.clone().unwrap_or_default();
        let outcome = match order.status {
            OrderStatus::Rejected if order.payment.status == PaymentStatus::Declined => {
                Outcome::Declined { code: &code }
            }
            OrderStatus::Rejected => Outcome::OutOfStock(&[]),
            OrderStatus::Cancelled => Outcome::Cancelled,
            _ => Outcome::Confirmed,
        };
        (self.render)(order, &outcome, trace_id)
    }
}

/// What a request was told when it was made before; `None` if its key is free.
pub(crate) async fn answered_before(
    shop: &Parts,
    key: &RequestKey,
    fingerprint: &Fingerprint,
    trace_id: &str,
) -> Option<Result<Given, OrderError>> {
    match FirstAnswers::of(shop, std::slice::from_ref(key)).await {
        Ok(first) => first.again(key, fingerprint, trace_id),
        Err(error) => Some(Err(OrderError::Unavailable { source: error.into() })),
    }
}
