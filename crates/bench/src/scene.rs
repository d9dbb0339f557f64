//! One run on one shop: phases of load, and the books at the end.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Deserialize;

use crate::drive::{Drive, Load};
use crate::goods::Goods;
use crate::latency::Latency;
use crate::options::Options;
use crate::plot::Curve;
use crate::report::{Cores, Run};
use crate::shop::Shop;
use crate::tally::{Measured, Tally, Window};
use crate::verify::{Books, verify};
use replay::client::Call;

/// A shop with full shelves, and orders ready to be sent.
pub(crate) struct Scene<'a> {
    pub(crate) options: &'a Options,
    pub(crate) shop: Shop,
    pub(crate) drive: Rc<Drive>,
    pub(crate) goods: Goods,
    pub(crate) lines_per_order: f64,
    before: Books,
}

/// What was measured while a load was on.
pub(crate) struct Phase {
    pub(crate) measured: Measured,
    pub(crate) cores: Cores,
}

/// What a scenario found besides: figures by name, and latencies of other requests than orders.
#[derive(Default)]
pub(crate) struct Besides {
    pub(crate) figures: BTreeMap<&'static str, f64>,
    pub(crate) kinds: BTreeMap<&'static str, Latency>,
}

impl<'a> Scene<'a> {
    /// Opens a shop with so many servers. `more` are further lines of the head of each order.
    pub(crate) async fn open(
        options: &'a Options,
        servers: usize,
        more: &str,
    ) -> anyhow::Result<Self> {
        let shop = Shop::open(options, servers).await?;
        let mut goods = shop.fill(options).await?;
        let before = Books::read(&shop.api, &goods).await?;
        let lines_per_order = goods.lines_per_order();
        let orders = std::mem::take(&mut goods.orders);
        let now = Instant::now();
        let none = Window { from: now, until: now, by_due: false };
        let tally = Tally::new(none, goods.stock.len(), goods.currencies.len())?;
        let drive = Drive::new(shop.addresses.clone(), &shop.sender, orders, more, tally);
        Ok(Self { options, shop, drive, goods, lines_per_order, before })
    }

    /// Says on standard error what is going on.
    pub(crate) fn say(&self, what: &str) {
        if self.options.progress {
            eprintln!("orderly bench: {what}");
        }
    }

    /// How orders are sent, by the options.
    pub(crate) fn load(&self) -> Load {
        let connections = self.options.connections;
        match self.options.rate {
            Some(rate) => Load::Open { rate, connections },
            None => Load::Closed { connections },
        }
    }

    /// Measures from this moment on, for so long.
    pub(crate) fn window(
        &self,
        by_due: bool,
        from: Instant,
        length: Duration,
    ) -> anyhow::Result<Window> {
        let window = Window { from, until: from + length, by_due };
        self.drive.tally.borrow_mut().begin(window)?;
        Ok(window)
    }

    /// What was measured in the last window.
    pub(crate) fn measured(&self) -> anyhow::Result<Measured> {
        let now = Instant::now();
        let none = Window { from: now, until: now, by_due: false };
        self.drive.tally.borrow_mut().begin(none)
    }

    /// Places orders for some time, of which the first part does not count.
    pub(crate) async fn place(
        &self,
        load: Load,
        warm_up: Duration,
        length: Duration,
    ) -> anyhow::Result<Phase> {
        let by_due = matches!(load, Load::Open { .. });
        let start = Instant::now();
        let window = self.window(by_due, start + warm_up, length)?;
        let watching = self.shop.watch(window);
        let (cores, placed) = tokio::join!(watching, self.drive.run(load, start, window.until));
        placed?;
        Ok(Phase { measured: self.measured()?, cores })
    }

    /// Places so many orders, as fast as the answers come; how long that took.
    pub(crate) async fn place_number(&self, orders: u64) -> anyhow::Result<Duration> {
        self.drive.limit(orders);
        let began = Instant::now();
        let far = began + Duration::from_secs(24 * 3600);
        let load = Load::Closed { connections: self.options.connections };
        self.drive.run(load, began, far).await?;
        self.drive.limit(u64::MAX);
        Ok(began.elapsed())
    }

    /// Waits until no order is pending any more; how long that took.
    pub(crate) async fn settled(&self, patience: Duration) -> anyhow::Result<Duration> {
        #[derive(Deserialize)]
        struct Page {
            data: Vec<serde::de::IgnoredAny>,
        }
        let began = Instant::now();
        loop {
            let query = [("status", "pending"), ("limit", "1")];
            let call = Call { path: "/v1/orders", query: &query, ..Call::default() };
            let page: Page = self.shop.api.read(call).await?;
            if page.data.is_empty() {
                return Ok(began.elapsed());
            }
            anyhow::ensure!(
                began.elapsed() < patience,
                "orders are still pending after {} s",
                patience.as_secs()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Compares answers with books, and sums up.
    pub(crate) async fn finish(&self, phase: &Phase, besides: Besides) -> anyhow::Result<Run> {
        let memory = self.shop.memory();
        let checks = verify(&self.drive, &self.shop.api, &self.goods, &self.before).await?;
        let tally = self.drive.tally.borrow();
        let measured = &phase.measured;
        let told = |histogram: &Histogram<u64>| Latency::of(histogram, Duration::ZERO);
        Ok(Run {
            orders_per_second: measured.rate(),
            sent: tally.sent,
            accepted: tally.accepted,
            answers: tally.answers.clone(),
            latency_ms: told(&measured.latency),
            latency_over_bank_ms: Latency::of(&measured.latency, self.options.bank_delay),
            refusal_ms: told(&measured.refusal),
            sent_late_ms: told(&measured.late),
            cores: phase.cores,
            server_memory_bytes: memory,
            figures: besides.figures,
            kinds_ms: besides.kinds,
            ok: checks.iter().all(|check| check.ok),
            checks,
            errors: tally.errors.clone(),
            curve: Curve::of(String::new(), &measured.latency),
        })
    }
}
