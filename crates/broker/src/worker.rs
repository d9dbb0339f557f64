//! The actor that does a group's work in its share of the partitions.

use crate::group::{Group, Passed};
use crate::partitions::Work;
use actors::{Desk, Envelope, Request, Serve, Service};
use std::sync::Arc;

/// Look there once, and say what is left. The dispatcher sends one at a time.
pub(crate) struct Drain(pub(crate) Work);

impl Request for Drain {
    type Answer = Passed;
}

/// Owns nothing but the right to begin the next transaction: everything else is in the database,
/// so a restart has nothing to restore.
pub(crate) struct Worker {
    pub(crate) group: Arc<Group>,
}

impl Service for Worker {}

impl Serve<Drain> for Worker {
    fn serve(&mut self, envelope: Envelope<Drain>, _: &mut Desk<'_, Self>) {
        let group = self.group.clone();
        envelope.answer_with(|Drain(work), _| async move { group.pass(work).await });
    }
}
