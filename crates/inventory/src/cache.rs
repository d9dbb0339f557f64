//! What this node remembers of the stock, so that questions that come often cost no query.
//!
//! * `sold out`: SKUs of which nothing was free at the last look. An order that wants nothing else
//!   is refused without asking the database what is on its shelves, nor waiting for their locks:
//!   after a flash sale these are most orders.
//! * `levels`: whole levels, for readers who say how old an answer may be. Many who ask for one SKU
//!   at once wait for one query.
//!
//! **Invariant:** nothing is promised because of it. What is remembered can refuse, or be shown.
//! It is believed for [`StockCacheConfig::believed`]: for so long at most an order may be refused
//! although goods came back on another node. On the node where they came back it is forgotten at
//! once. All of it may be lost at any moment, and what is lost is speed.

use crate::messages::StockDetail;
use domain::{Clock, Demand, ReservationOutcome, Shortage, Sku, Timestamp};
use metrics::{Counter, Histogram, counter, histogram};
use moka::future::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::StoreError;
use tokio::time::Instant;
use topology::{Edge, Outcome};

/// Most SKUs in each memory: some megabytes.
const SKUS_MAX: u64 = 10_000;

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockCacheConfig {
    /// For how long something that was seen is believed; zero: nothing is remembered.
    pub believed: Duration,
}

impl Default for StockCacheConfig {
    /// Half a second: goods that come back are seen on every node within one.
    fn default() -> Self {
        Self { believed: Duration::from_millis(500) }
    }
}

/// The memory of a node. Clones share it.
#[derive(Clone)]
pub struct StockCache {
    believed: Duration,
    clock: Arc<dyn Clock>,
    sold_out: Cache<Sku, Timestamp>,
    /// Whether anything was marked since all was forgotten: while nothing is sold out, an order
    /// costs one look at this.
    any: Arc<AtomicBool>,
    levels: Cache<Sku, Seen>,
    of_marks: Lookups,
    of_levels: Lookups,
    edge: Edge,
}

/// A level, and when it was read.
#[derive(Clone)]
struct Seen {
    level: Option<Arc<StockDetail>>,
    at: Instant,
}

/// What is measured of a memory; held, because finding a metric by name costs more than moving it.
#[derive(Clone)]
struct Lookups {
    hit: Counter,
    miss: Counter,
    age: Histogram,
}

impl Lookups {
    fn of(cache: &'static str) -> Self {
        Self {
            hit: counter!("cache_lookups_total", "cache" => cache, "outcome" => "hit"),
            miss: counter!("cache_lookups_total", "cache" => cache, "outcome" => "miss"),
            age: histogram!("cache_age_seconds", "cache" => cache),
        }
    }
}

impl StockCache {
    /// An empty memory; what is asked of it is counted on `edge`.
    #[must_use]
    pub fn new(config: StockCacheConfig, clock: Arc<dyn Clock>, edge: Edge) -> Self {
        let StockCacheConfig { believed } = config;
        Self {
            believed,
            clock,
            // Their age is told by the clock of the shop. This is longer than it is ever believed,
            // so that the two are never in each other's way.
            sold_out: Cache::builder()
                .max_capacity(SKUS_MAX)
                .time_to_live(believed.saturating_mul(2).max(Duration::from_secs(1)))
                .build(),
            any: Arc::default(),
            levels: Cache::builder()
                .max_capacity(SKUS_MAX)
                .time_to_live(believed.max(Duration::from_millis(1)))
                .build(),
            of_marks: Lookups::of("sold_out"),
            of_levels: Lookups::of("stock"),
            edge,
        }
    }

    /// Whether anything is remembered at all.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !self.believed.is_zero()
    }

    /// Nothing is remembered any more.
    pub fn wipe(&self) {
        self.sold_out.invalidate_all();
        self.levels.invalidate_all();
        self.any.store(false, Ordering::SeqCst);
    }

    /// Something changed on the shelves of these SKUs, or is about to, by a transaction that holds
    /// their locks.
    pub(crate) async fn forget<'a>(&self, skus: impl IntoIterator<Item = &'a Sku>) {
        for sku in skus {
            self.sold_out.invalidate(sku).await;
            self.levels.invalidate(sku).await;
        }
    }

    /// Nothing is free of this SKU in what is committed, seen while its lock is held.
    pub(crate) async fn mark(&self, sku: &Sku) {
        if self.is_on() {
            self.sold_out.insert(sku.clone(), self.clock.now()).await;
            self.any.store(true, Ordering::SeqCst);
        }
    }

    /// Takes the demands out of which nothing can be served, and gives the others.
    pub(crate) async fn part(&self, demands: Vec<Demand>) -> (Vec<Demand>, Refused) {
        if !self.any.load(Ordering::SeqCst) {
            let refused = vec![None; demands.len()];
            return (demands, Refused(refused));
        }
        let (mut others, mut refused) = (Vec::new(), Vec::with_capacity(demands.len()));
        let now = self.clock.now();
        for demand in demands {
            let shortages = self.shortages(&demand, now).await;
            self.edge.looked(Outcome::Ok);
            match &shortages {
                Some(_) => self.of_marks.hit.increment(1),
                None => {
                    self.of_marks.miss.increment(1);
                    others.push(demand);
                }
            }
            refused.push(shortages);
        }
        (others, Refused(refused))
    }

    /// What a demand is short of, if everything that it wants is sold out. Otherwise the database is
    /// asked, so that all that is short is told.
    async fn shortages(&self, demand: &Demand, now: Timestamp) -> Option<Vec<Shortage>> {
        let mut shortages = Vec::with_capacity(demand.units.len());
        for (sku, units) in &demand.units {
            let seen = self.sold_out.get(sku).await?;
            let age = now.micros().checked_sub(seen.micros())?;
            // A clock that was set back makes it stale.
            let age = Duration::from_micros(u64::try_from(age).ok()?);
            if age >= self.believed {
                return None;
            }
            self.of_marks.age.record(age);
            shortages.push(Shortage { sku: sku.clone(), requested: *units, available: 0 });
        }
        (!shortages.is_empty()).then_some(shortages)
    }

    /// A level that was read no longer than `max_age` ago, and how long ago that was; read by
    /// `read` if there is none.
    ///
    /// # Errors
    /// That of `read`.
    pub(crate) async fn level<F>(
        &self,
        sku: &Sku,
        max_age: Duration,
        read: impl Fn() -> F,
    ) -> Result<(Option<StockDetail>, Duration), StoreError>
    where
        F: Future<Output = Result<Option<StockDetail>, StoreError>>,
    {
        if !self.is_on() || max_age.is_zero() {
            return Ok((read().await?, Duration::ZERO));
        }
        self.edge.looked(Outcome::Ok);
        if let Some(seen) = self.levels.get(sku).await {
            let age = seen.at.elapsed();
            if age <= max_age {
                self.of_levels.hit.increment(1);
                self.of_levels.age.record(age);
                return Ok((seen.level.as_deref().cloned(), age));
            }
            self.levels.invalidate(sku).await;
        }
        self.of_levels.miss.increment(1);
        let look = async {
            // Taken before the look, so that nothing seems younger than it is.
            let at = Instant::now();
            Ok::<_, StoreError>(Seen { level: read().await?.map(Arc::new), at })
        };
        match self.levels.try_get_with_by_ref(sku, look).await {
            Ok(seen) => Ok((seen.level.as_deref().cloned(), seen.at.elapsed())),
            // Of an error that many share each would get a part; so each asks for itself.
            Err(_) => Ok((read().await?, Duration::ZERO)),
        }
    }
}

/// What was refused out of a batch, demand by demand.
pub(crate) struct Refused(Vec<Option<Vec<Shortage>>>);

impl Refused {
    /// The outcomes of the whole batch, with those of the others in between.
    pub(crate) fn join(self, others: Vec<ReservationOutcome>) -> Vec<ReservationOutcome> {
        let mut others = others.into_iter();
        self.0
            .into_iter()
            .filter_map(|refused| match refused {
                Some(shortages) => Some(ReservationOutcome::Short(shortages)),
                None => others.next(),
            })
            .collect()
    }
}
