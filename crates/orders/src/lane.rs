//! A lane: takes what waits as one batch, and starts the next when the last one is done.

use crate::handle::OrdersConfig;
use crate::messages::{Place, Settle};
use crate::shop::Parts;
use crate::{placing, settling};
use actors::{Batcher, Desk, Envelope, Serve, Service};
use std::sync::Arc;
use std::time::Duration;

/// The actor of a lane. What it holds is only what waits; orders under way are in the database.
pub struct Lane {
    shop: Arc<Parts>,
    placing: Batcher<Envelope<Place>>,
    settling: Batcher<Envelope<Settle>>,
    charge_patience: Duration,
}

impl Lane {
    pub(crate) fn new(parts: Parts, config: &OrdersConfig) -> Self {
        Self {
            shop: Arc::new(parts),
            placing: Batcher::new(config.batch),
            settling: Batcher::new(config.batch),
            charge_patience: config.charge_patience,
        }
    }

    fn pump_placing(&mut self, desk: &mut Desk<'_, Self>) {
        while let Some(batch) = self.placing.next_batch() {
            let opened: Vec<_> = batch.into_iter().filter_map(Envelope::open).collect();
            if opened.is_empty() {
                self.placing.finished();
                continue;
            }
            let charging = placing::Charging {
                shop: self.shop.clone(),
                lane: desk.loopback(),
                patience: self.charge_patience,
            };
            desk.run(placing::place_batch(self.shop.clone(), opened, charging), |lane, _, desk| {
                // A panic was answered within the batch; either way the lane goes on.
                lane.placing.finished();
                lane.pump_placing(desk);
            });
        }
    }

    fn pump_settling(&mut self, desk: &mut Desk<'_, Self>) {
        while let Some(batch) = self.settling.next_batch() {
            let settlements: Vec<_> = batch
                .into_iter()
                .filter_map(Envelope::open)
                .map(|opened| *opened.message.0)
                .collect();
            if settlements.is_empty() {
                self.settling.finished();
                continue;
            }
            desk.run(settling::settle_batch(self.shop.clone(), settlements), |lane, _, desk| {
                lane.settling.finished();
                lane.pump_settling(desk);
            });
        }
    }
}

impl Service for Lane {}

impl Serve<Place> for Lane {
    fn serve(&mut self, envelope: Envelope<Place>, desk: &mut Desk<'_, Self>) {
        let rows = envelope.peek().map_or(1, |place| 1 + place.draft.items.len());
        self.placing.push(envelope, rows);
        self.pump_placing(desk);
    }
}

impl Serve<Settle> for Lane {
    fn serve(&mut self, envelope: Envelope<Settle>, desk: &mut Desk<'_, Self>) {
        self.settling.push(envelope, 1);
        self.pump_settling(desk);
    }
}
