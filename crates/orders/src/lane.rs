//! A lane: takes what waits as one batch, and starts the next when the last one is done.

use crate::handle::OrdersConfig;
use crate::messages::{Advance, Asked, Operate, Place, Settle, Waits};
use crate::operating::{Onward, operate_batch};
use crate::shop::Parts;
use crate::{placing, settling};
use actors::{Batcher, Desk, Envelope, Opened, Serve, Service};
use std::sync::Arc;
use std::time::Duration;

/// The actor of a lane. What it holds is only what waits; orders under way are in the database.
pub struct Lane {
    shop: Arc<Parts>,
    placing: Batcher<Envelope<Place>>,
    settling: Batcher<Envelope<Settle>>,
    operating: Batcher<Wanted>,
    charge_patience: Duration,
}

/// A step that waits.
enum Wanted {
    Operate(Envelope<Operate>),
    Advance(Envelope<Advance>),
}

impl Wanted {
    /// Begins the work, unless nobody wants it any more.
    fn open(self) -> Option<Asked> {
        match self {
            Self::Operate(envelope) => {
                let Opened { message, context, reply } = envelope.open()?;
                let waits = Waits::Client { reply, deadline: context.deadline() };
                Some(Asked { step: *message.0, waits })
            }
            Self::Advance(envelope) => {
                let Advance { step, written } = envelope.open()?.message;
                let waits = written.map_or(Waits::Nobody, Waits::Task);
                Some(Asked { step: *step, waits })
            }
        }
    }
}

impl Lane {
    pub(crate) fn new(parts: Parts, config: &OrdersConfig) -> Self {
        Self {
            shop: Arc::new(parts),
            placing: Batcher::new(config.batch),
            settling: Batcher::new(config.batch),
            operating: Batcher::new(config.batch),
            charge_patience: config.charge_patience,
        }
    }

    fn onward(&self, desk: &Desk<'_, Self>) -> Onward {
        Onward { shop: self.shop.clone(), lane: desk.loopback(), patience: self.charge_patience }
    }

    fn pump_placing(&mut self, desk: &mut Desk<'_, Self>) {
        while let Some(batch) = self.placing.next_batch() {
            let opened: Vec<_> = batch.into_iter().filter_map(Envelope::open).collect();
            if opened.is_empty() {
                self.placing.finished();
                continue;
            }
            let onward = self.onward(desk);
            desk.run(placing::place_batch(opened, onward), |lane, _, desk| {
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
            let onward = self.onward(desk);
            desk.run(settling::settle_batch(onward, settlements), |lane, _, desk| {
                lane.settling.finished();
                lane.pump_settling(desk);
            });
        }
    }

    fn pump_operating(&mut self, desk: &mut Desk<'_, Self>) {
        while let Some(batch) = self.operating.next_batch() {
            let asked: Vec<_> = batch.into_iter().filter_map(Wanted::open).collect();
            if asked.is_empty() {
                self.operating.finished();
                continue;
            }
            let onward = self.onward(desk);
            desk.run(operate_batch(onward, asked), |lane, _, desk| {
                lane.operating.finished();
                lane.pump_operating(desk);
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

impl Serve<Operate> for Lane {
    fn serve(&mut self, envelope: Envelope<Operate>, desk: &mut Desk<'_, Self>) {
        self.operating.push(Wanted::Operate(envelope), 1);
        self.pump_operating(desk);
    }
}

impl Serve<Advance> for Lane {
    fn serve(&mut self, envelope: Envelope<Advance>, desk: &mut Desk<'_, Self>) {
        self.operating.push(Wanted::Advance(envelope), 1);
        self.pump_operating(desk);
    }
}
