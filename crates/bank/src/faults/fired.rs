//! Which faults have really happened: a test that wants them can tell that it had them.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Serialize, Serializer};

/// Each fault by its name: the setting without `_percent`, `_ms` or `_every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Delay,
    Decline,
    ErrorBefore,
    ErrorAfter,
    ResetBefore,
    LostReply,
    RateLimit,
    Malformed,
    Oversized,
    WrongAmount,
    AuthorizationExpired,
    ExpireAuthorizations,
    SearchLag,
    WebhookDuplicate,
    WebhookReorder,
    WebhookDelay,
    WebhookEarly,
    WebhookLost,
    WebhookBadSignature,
    WebhookOldTimestamp,
}

/// In the order of the variants, which is that of the answer.
const NAMES: [&str; 20] = [
    "delay",
    "decline",
    "error_before",
    "error_after",
    "reset_before",
    "lost_reply",
    "rate_limit",
    "malformed",
    "oversized",
    "wrong_amount",
    "authorization_expired",
    "expire_authorizations",
    "search_lag",
    "webhook_duplicate",
    "webhook_reorder",
    "webhook_delay",
    "webhook_early",
    "webhook_lost",
    "webhook_bad_signature",
    "webhook_old_timestamp",
];

/// How often each fault has happened since the bank started.
#[derive(Debug, Default)]
pub(crate) struct Fired([AtomicU64; NAMES.len()]);

impl Fired {
    /// Counts `times` faults.
    pub(super) fn add(&self, fault: Fault, times: u64) {
        if let Some(count) = self.0.get(fault as usize) {
            count.fetch_add(times, Ordering::Relaxed);
        }
    }
}

impl Serialize for Fired {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(NAMES.iter().zip(&self.0).map(|(name, n)| (name, n.load(Ordering::Relaxed))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_name() {
        let fired = Fired::default();
        fired.add(Fault::Delay, 1);
        fired.add(Fault::LostReply, 2);
        fired.add(Fault::WebhookOldTimestamp, 3);
        let counts = serde_json::to_value(&fired).unwrap();
        assert_eq!(counts.as_object().map(serde_json::Map::len), Some(NAMES.len()));
        assert_eq!(
            (&counts["delay"], &counts["lost_reply"], &counts["webhook_old_timestamp"]),
            (&1.into(), &2.into(), &3.into())
        );
        let sum: u64 = counts.as_object().unwrap().values().filter_map(|n| n.as_u64()).sum();
        assert_eq!(sum, 6);
    }
}
