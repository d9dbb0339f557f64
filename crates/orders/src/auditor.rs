//! The audit that runs of its own accord: one node at a time, every minute, and more rarely where
//! the books are so large that an audit takes long.

use crate::audit;
use crate::shop::Parts;
use actors::{Desk, Service};
use domain::OrderStatus;
use metrics::{counter, gauge, histogram};
use std::time::Duration;
use store::leases;
use tokio::time::Instant;
use uuid::Uuid;

/// An audit may use a twentieth of the time: after one that took a second there is none for twenty.
const REST: u32 = 20;

/// Longest time for one audit.
const PATIENCE: Duration = Duration::from_secs(600);

/// The lease of the node that audits.
const LEASE: &str = "audit";

/// The actor that audits.
pub struct Auditor {
    parts: Parts,
    node: Uuid,
    every: Duration,
    /// No audit before this moment.
    rests_until: Option<Instant>,
    busy: bool,
}

impl Auditor {
    pub(crate) fn new(parts: Parts, every: Duration) -> Self {
        let node = parts.ids.uuid();
        Self { parts, node, every, rests_until: None, busy: false }
    }

    fn round(&mut self, desk: &mut Desk<'_, Self>) {
        let rests = self.rests_until.is_some_and(|until| Instant::now() < until);
        if self.busy || rests {
            return;
        }
        self.busy = true;
        let (parts, node, every) = (self.parts.clone(), self.node, self.every);
        desk.run(async move { audit_once(&parts, node, every).await }, |auditor, result, _| {
            auditor.busy = false;
            let took = result.unwrap_or_default();
            auditor.rests_until = Some(Instant::now() + took * REST);
        });
    }
}

impl Service for Auditor {
    fn started(&mut self, desk: &mut Desk<'_, Self>) {
        desk.every(self.every, Self::round);
    }
}

/// Audits if it is this node's turn; how long it took.
async fn audit_once(parts: &Parts, node: Uuid, every: Duration) -> Duration {
    let began = Instant::now();
    match is_my_turn(parts, node, every).await {
        Ok(true) => {}
        Ok(false) => {
            // Another node's turn: what this one found earlier is not true any more.
            show_states(&OrderStatus::ALL.map(|state| (state, 0)));
            return Duration::ZERO;
        }
        Err(error) => {
            tracing::warn!(
                event = "audit_failed",
                cause = &error as &dyn std::error::Error,
                "the audit could not begin"
            );
            return Duration::ZERO;
        }
    }
    let context = parts.own_context(PATIENCE, tracing::info_span!("orders.audit"));
    match audit::run(parts, &context).await {
        Ok(report) => {
            counter!("audits_total", "outcome" => if report.balanced { "balanced" } else { "wrong" })
                .increment(1);
            show_states(&report.states);
            for check in &report.checks {
                gauge!("audit_violations", "check" => check.name)
                    .set(check.violations.len() as f64);
                for violation in &check.violations {
                    tracing::error!(event = "audit_violation", code = "AUDIT_VIOLATION",
                        check = check.name, cause = %violation, "the books are wrong");
                }
            }
        }
        Err(error) => {
            counter!("audits_total", "outcome" => "failed").increment(1);
            tracing::warn!(
                event = "audit_failed",
                cause = &error as &dyn std::error::Error,
                "the audit could not be done"
            );
        }
    }
    histogram!("audit_seconds").record(began.elapsed());
    began.elapsed()
}

/// Shows how many orders are in each state.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn show_states(states: &[(OrderStatus, usize)]) {
    for (state, orders) in states {
        gauge!("orders_by_status", "status" => state.as_str()).set(*orders as f64);
    }
}

async fn is_my_turn(parts: &Parts, node: Uuid, every: Duration) -> Result<bool, store::StoreError> {
    let mut tx = parts.db.begin().await?;
    let names = [LEASE.to_owned()];
    // Longer than the pause between two audits: the turn stays with a node that lives.
    let held = leases::take(&mut tx, &names, node, every * 3, parts.clock.now()).await?;
    tx.commit().await?;
    Ok(!held.is_empty())
}
