//! The handle: answers questions from memory, within a deadline.

use crate::count::{Count, Ranking, Step};
use crate::decay::Decay;
use crate::follower::Reader;
use crate::memory::Memory;
use broker::{Follower, Informed};
use domain::{CustomerId, Sku};
use metrics::counter;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};
use topology::{Edge, Failure};

/// Questions that are counted at the same time; the others wait within their deadline.
const COUNTS_AT_ONCE: usize = 4;
/// How often a count begins anew because what it counted was forgotten meanwhile.
const ATTEMPTS: usize = 3;

/// Tells whether a product is on sale.
pub type IsActive = Arc<dyn Fn(&Sku) -> bool + Send + Sync>;

/// Limits of recommendations. [`RecommendationsConfig::default`] is what the product runs with.
#[derive(Clone, Copy, Debug)]
pub struct RecommendationsConfig {
    /// Bytes that the baskets in memory may cost, each counted with room to grow in its tables. What
    /// the allocator and tables that were larger once hold besides may come to half as much again.
    /// 0: nothing is kept, and every answer is empty and degraded.
    pub memory: usize,
    /// Age at which an order counts half; `None`: all count the same.
    pub half_life: Option<Duration>,
    /// How long an answer may take. Then it is the best sellers, degraded.
    pub deadline: Duration,
    /// Most baskets that are looked into for one answer, the latest.
    pub baskets_max: usize,
    /// How long the follower may be silent until what is known counts as old: it may have died, or
    /// wait for a database that does not answer.
    pub silence_max: Duration,
}

impl Default for RecommendationsConfig {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            half_life: Some(Duration::from_secs(30 * 86_400)),
            deadline: Duration::from_millis(250),
            baskets_max: 10_000,
            silence_max: Duration::from_secs(10),
        }
    }
}

/// A product that goes with another one, or with what a customer bought.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// The product.
    pub sku: Sku,
    /// Lift, to three digits after the point: how many times more often the two are bought together
    /// than chance would have it. 1, which is chance, for best sellers.
    pub score: f64,
    /// Confirmed orders in memory that have both, among the latest
    /// [`RecommendationsConfig::baskets_max`] with the product; for a customer, summed over what they
    /// bought; for best sellers, those that have it.
    pub orders: u64,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The best first.
    pub data: Vec<Recommendation>,
    /// Not what was asked for: best sellers or nothing, or counts that are incomplete or grow old.
    pub degraded: bool,
}

pub(crate) struct Shared {
    memory: RwLock<Memory>,
    /// Since when all is known that is to be known; it is renewed all the time.
    informed_at: Mutex<Option<Instant>>,
    is_active: IsActive,
    config: RecommendationsConfig,
    turns: Semaphore,
}

impl Shared {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn informed(&self, how: Informed) {
        let at = (how == Informed::Fully).then(Instant::now);
        *self.informed_at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

/// The handle of recommendations. Cheap to clone. It knows what its [`Self::follower`] was told.
#[derive(Clone)]
pub struct Recommendations {
    shared: Arc<Shared>,
    edge: Edge,
}

/// An answer that is not what was asked for, as the caller's edge sees it.
struct Degraded(Found);

impl Failure for Degraded {
    fn is_failure(&self) -> bool {
        true
    }
}

/// Why there is no count.
enum Miss {
    /// Nobody bought what is asked about.
    Unknown,
    /// The deadline passed, or too much was forgotten meanwhile.
    Late,
}

impl Recommendations {
    /// Knows nothing yet, and recommends nothing but what `is_active`.
    #[must_use]
    pub fn new(is_active: IsActive, config: RecommendationsConfig) -> Self {
        let memory = RwLock::new(Memory::new(config.memory, Decay::new(config.half_life)));
        let (informed_at, turns) = (Mutex::default(), Semaphore::new(COUNTS_AT_ONCE));
        let shared = Arc::new(Shared { memory, informed_at, is_active, config, turns });
        Self { shared, edge: Edge::unseen() }
    }

    /// The same for a caller: what it asks is counted on `edge`.
    #[must_use]
    pub fn seen_by(&self, edge: Edge) -> Self {
        Self { edge, ..self.clone() }
    }

    async fn seen(&self, answer: impl Future<Output = Found>) -> Found {
        let watched = self.edge.call(async {
            let found = answer.await;
            if found.degraded { Err(Degraded(found)) } else { Ok(found) }
        });
        watched.await.unwrap_or_else(|Degraded(found)| found)
    }

    /// What reads the log for this handle, for [`broker::Broker::follow`].
    #[must_use]
    pub fn follower(&self) -> Arc<dyn Follower> {
        Arc::new(Reader(self.shared.clone()))
    }

    /// At most `limit` products that go with `sku`: first those in most orders together, of which an
    /// old one counts less than a new one, then by SKU. None for a product that nobody has bought
    /// with another one.
    pub async fn for_product(&self, sku: &Sku, limit: usize) -> Found {
        self.seen(self.partners_of_product(sku, limit)).await
    }

    async fn partners_of_product(&self, sku: &Sku, limit: usize) -> Found {
        let max = self.shared.config.baskets_max;
        let found = self.count(limit, |memory| Count::of_product(memory, sku, max)).await;
        match found {
            Ok(data) => self.told(data, |best| best != sku, limit),
            // Nobody bought it: so much is known, if anything is.
            Err(Miss::Unknown) => self.told(Vec::new(), |best| best != sku, limit),
            Err(Miss::Late) => self.best_sellers("late", |best| best != sku, limit),
        }
    }

    /// At most `limit` products that go with what a customer bought lately, without that; for a
    /// customer who is not known to have bought anything, the best sellers.
    pub async fn for_customer(&self, customer: &CustomerId, limit: usize) -> Found {
        self.seen(self.partners_of_customer(customer, limit)).await
    }

    async fn partners_of_customer(&self, customer: &CustomerId, limit: usize) -> Found {
        let max = self.shared.config.baskets_max;
        let found = self.count(limit, |memory| Count::of_customer(memory, customer, max)).await;
        match found {
            Ok(data) => self.told(data, |_| true, limit),
            Err(Miss::Unknown) => self.best_sellers("unknown_customer", |_| true, limit),
            Err(Miss::Late) => self.best_sellers("late", |_| true, limit),
        }
    }

    /// Number of confirmed orders in memory.
    #[must_use]
    pub fn orders_counted(&self) -> usize {
        self.shared.read().len()
    }

    /// Number of confirmed orders in memory that have the product.
    #[must_use]
    pub fn orders_with(&self, sku: &Sku) -> usize {
        let memory = self.shared.read();
        let slot = memory.skus.number_of(sku).and_then(|number| memory.skus.slot(number));
        slot.map_or(0, |slot| slot.places.len())
    }

    /// What the baskets in memory cost, in bytes.
    #[must_use]
    pub fn memory_used(&self) -> usize {
        self.shared.read().cost()
    }

    /// Whether the log was read as far as the memory reaches, up to a moment ago.
    #[must_use]
    pub fn is_informed(&self) -> bool {
        let Shared { informed_at, config, .. } = &*self.shared;
        let at = *informed_at.lock().unwrap_or_else(PoisonError::into_inner);
        config.memory > 0 && at.is_some_and(|at| at.elapsed() <= config.silence_max)
    }

    /// An answer that was counted; while not all is known, and it is empty for that, the best
    /// sellers.
    fn told(&self, data: Vec<Recommendation>, fits: impl Fn(&Sku) -> bool, limit: usize) -> Found {
        if self.is_informed() {
            return Found { data, degraded: false };
        }
        if data.is_empty() {
            return self.best_sellers("not_informed", fits, limit);
        }
        counter!("recommendations_degraded_total", "reason" => "not_informed").increment(1);
        Found { data, degraded: true }
    }

    fn best_sellers(
        &self,
        reason: &'static str,
        fits: impl Fn(&Sku) -> bool,
        limit: usize,
    ) -> Found {
        counter!("recommendations_degraded_total", "reason" => reason).increment(1);
        let best = self.shared.read().best().to_vec();
        let best = best.into_iter().filter(|best| fits(&best.sku) && self.is_active(&best.sku));
        let data = best
            .take(limit)
            .map(|best| Recommendation {
                sku: Sku::clone(&best.sku),
                score: 1.0,
                orders: best.orders,
            })
            .collect();
        Found { data, degraded: true }
    }

    fn is_active(&self, sku: &Sku) -> bool {
        (self.shared.is_active)(sku)
    }

    /// Counts within the deadline, and lets others on the thread go first between the steps.
    async fn count(
        &self,
        limit: usize,
        begin: impl Fn(&Memory) -> Option<Count>,
    ) -> Result<Vec<Recommendation>, Miss> {
        let work = async {
            // The semaphore is never closed.
            let _turn = self.shared.turns.acquire().await.map_err(|_| Miss::Late)?;
            for _ in 0..ATTEMPTS {
                let count = begin(&self.shared.read()).ok_or(Miss::Unknown)?;
                if let Some(found) = self.carry_out(count, limit).await {
                    return Ok(found);
                }
            }
            Err(Miss::Late)
        };
        timeout(self.shared.config.deadline, work).await.unwrap_or(Err(Miss::Late))
    }

    /// `None` if what was counted was forgotten meanwhile.
    async fn carry_out(&self, mut count: Count, limit: usize) -> Option<Vec<Recommendation>> {
        loop {
            let step = count.step(&self.shared.read());
            match step {
                Step::More => yield_now().await,
                Step::Done => break,
                Step::Stale => return None,
            }
        }
        yield_now().await;
        let mut ranking = count.rank();
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(best) = self.next_best(&mut ranking).await? else { break };
            found.extend(best);
        }
        found.truncate(limit);
        Some(found)
    }

    /// The next ones that are on sale. The inner `None`: there are no more.
    async fn next_best(&self, ranking: &mut Ranking) -> Option<Option<Vec<Recommendation>>> {
        loop {
            let step = ranking.step(&self.shared.read());
            match step {
                Step::More => yield_now().await,
                Step::Done => break,
                Step::Stale => return None,
            }
        }
        let best = ranking.next_best();
        if best.is_empty() {
            return Some(None);
        }
        let active = best.into_iter().filter(|counted| self.is_active(&counted.sku));
        let found = active.map(|counted| Recommendation {
            sku: Sku::clone(&counted.sku),
            score: counted.lift,
            orders: counted.orders,
        });
        Some(Some(found.collect()))
    }
}

#[cfg(test)]
impl Recommendations {
    /// What the tables hold, in bytes.
    pub(crate) fn tables(&self) -> usize {
        self.shared.read().tables()
    }
}
