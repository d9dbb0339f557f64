//! The broker's handle, and how it starts.

use crate::books::{self, DeadLetter, DeadLetterPlace, Lag};
use crate::claims::Claims;
use crate::dispatcher::{Dispatcher, Slot, Wake, own_context};
use crate::gate::Gate;
use crate::group::Group;
use crate::partitions::Partitions;
use crate::tail::{Following, Tail, TailActor};
use crate::worker::Worker;
use crate::{BrokerConfig, Consumer, FollowConfig, Follower};
use actors::{Home, Mailbox, MailboxPolicy, Supervision, Vitals, supervise};
use domain::{Clock, OrderId, PARTITIONS};
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use store::{Db, StoreError};
use topology::Edge;

/// The handle of the broker. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
    edge: Edge,
}

struct Inner {
    db: Db,
    clock: Arc<dyn Clock>,
    gate: Arc<Gate>,
    dispatcher: Mailbox<Dispatcher>,
    workers: Vec<Mailbox<Worker>>,
    groups: Vec<&'static str>,
    followers: RwLock<Vec<Arc<Following>>>,
}

/// Starts a worker pool for each consumer group, spread over `homes`. A group that is new to
/// the database begins at the beginning of the log.
///
/// # Errors
/// [`StoreError::Configuration`] if there is no place, or if two groups have one name; others if
/// the positions cannot be written.
pub async fn start(
    db: Db,
    clock: Arc<dyn Clock>,
    consumers: Vec<Arc<dyn Consumer>>,
    homes: &[Home],
    config: BrokerConfig,
) -> Result<Broker, StoreError> {
    let groups: Vec<&'static str> = consumers.iter().map(|consumer| consumer.name()).collect();
    if groups.iter().collect::<BTreeSet<_>>().len() < groups.len() {
        let problem = format!("two consumer groups have the same name: {}", groups.join(", "));
        return Err(StoreError::Configuration(problem));
    }
    let Some(first) = homes.first() else {
        return Err(StoreError::Configuration("the broker needs a place to run on".to_owned()));
    };
    for name in &groups {
        books::open_positions(&db, name).await?;
    }
    let gate = Arc::new(Gate::default());
    let mut slots = Vec::new();
    let mut threads = homes.iter().cycle();
    for consumer in consumers {
        let (db, clock, config) = (db.clone(), clock.clone(), config.clone());
        let (gate, claims) = (gate.clone(), Claims::default());
        let group = Arc::new(Group { consumer, db, clock, config, gate, claims });
        slots.extend(start_workers(&group, &mut threads));
    }
    let workers = slots.iter().map(|slot| slot.mailbox.clone()).collect();
    let dispatcher = {
        let (db, clock, gate) = (db.clone(), clock.clone(), gate.clone());
        let build = move || {
            Dispatcher::new(db.clone(), clock.clone(), config.clone(), gate.clone(), &slots)
        };
        supervise("broker", first, MailboxPolicy::Small, Supervision::STANDARD, build)
    };
    let followers = RwLock::default();
    let inner = Inner { db, clock, gate, dispatcher, workers, groups, followers };
    Ok(Broker { inner: Arc::new(inner), edge: Edge::unseen() })
}

fn start_workers<'a>(group: &Arc<Group>, homes: &mut impl Iterator<Item = &'a Home>) -> Vec<Slot> {
    let consumer = group.consumer.name();
    let workers = group.config.workers_per_group.clamp(1, usize::from(PARTITIONS));
    homes
        .take(workers)
        .enumerate()
        .map(|(number, home)| {
            let group = group.clone();
            let mailbox = supervise(
                &format!("broker.{consumer}.{number}"),
                home,
                // The dispatcher sends the next pass when the last one is done.
                MailboxPolicy::Rendezvous,
                Supervision::STANDARD,
                move || Worker { group: group.clone() },
            );
            Slot { consumer, mailbox, share: Partitions::share(number, workers) }
        })
        .collect()
}

impl Broker {
    /// The same broker for a caller: what it asks is counted on `edge`. A wake-up is not: it has no
    /// answer.
    #[must_use]
    pub fn seen_by(&self, edge: Edge) -> Self {
        Self { edge, ..self.clone() }
    }

    /// Lets `follower` read the log, from now on and backwards as far as it wants.
    pub fn follow(&self, follower: Arc<dyn Follower>, home: &Home, config: FollowConfig) {
        let tail = Arc::new(Tail::new(follower, self.inner.db.clone(), config));
        let name = format!("broker.follower.{}", tail.name());
        let build = {
            let tail = tail.clone();
            move || TailActor::new(tail.clone())
        };
        let mailbox = supervise(&name, home, MailboxPolicy::Small, Supervision::STANDARD, build);
        let following = Arc::new(Following { tail, mailbox });
        let mut followers = self.inner.followers.write().unwrap_or_else(PoisonError::into_inner);
        followers.push(following);
    }

    fn followers(&self) -> Vec<Arc<Following>> {
        self.inner.followers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that events were committed in these partitions. It never blocks, and many calls are
    /// one message. An order's partition is [`OrderId::partition`].
    pub fn wake(&self, partitions: impl IntoIterator<Item = u8>) {
        let partitions: Partitions = partitions.into_iter().collect();
        if partitions.is_empty() || self.inner.gate.is_stopping() {
            return;
        }
        if self.inner.gate.announce(partitions) {
            self.inner.dispatcher.deliver(Wake, &own_context());
        }
        let followers = self.inner.followers.read().unwrap_or_else(PoisonError::into_inner);
        followers.iter().for_each(|following| following.wake(partitions));
    }

    /// How far each group is behind, by name. It counts the events that are still to come, so it
    /// costs more the more there are.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn lag(&self) -> Result<Vec<Lag>, StoreError> {
        let mut lag = books::lag(&self.inner.db).await?;
        // Groups that an older program had keep their positions.
        lag.retain(|group| self.inner.groups.contains(&group.consumer.as_str()));
        Ok(lag)
    }

    /// Whether every group has passed every event, and every follower of this node. Parked events
    /// count as passed.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn caught_up(&self) -> Result<bool, StoreError> {
        let due = books::find_due(&self.inner.db, self.inner.clock.now()).await?;
        let mut groups = self.inner.groups.iter().filter_map(|name| due.get(*name));
        if !groups.all(|work| work.events.is_empty()) {
            return Ok(false);
        }
        for following in self.followers() {
            if !following.tail.caught_up().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The oldest dead letters after `after`, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn dead_letters(
        &self,
        after: Option<&DeadLetterPlace>,
        limit: i64,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.edge.call(books::dead_letters(&self.inner.db, after, limit)).await
    }

    /// Like [`Self::redrive`], for the oldest dead letters of a group, or of all groups, at most
    /// `limit`; how many there were.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn redrive_oldest(
        &self,
        consumer: Option<&str>,
        limit: i64,
    ) -> Result<u64, StoreError> {
        let Inner { db, clock, .. } = &*self.inner;
        self.edge.call(books::redrive_oldest(db, consumer, limit, clock.now())).await
    }

    /// Has the dead letter of an order tried again, with all its attempts before it, and then the
    /// order's events behind it. It begins within [`BrokerConfig::poll`]. `false` if the order has
    /// no dead letter in this group.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn redrive(&self, consumer: &str, order: OrderId) -> Result<bool, StoreError> {
        let Inner { db, clock, .. } = &*self.inner;
        self.edge.call(books::redrive(db, consumer, order, clock.now())).await
    }

    /// Begins no further transaction and waits for the end of those under way. What is left stays
    /// in the log for the next start.
    pub async fn drain(&self) {
        self.inner.gate.stop();
        let followers = self.followers();
        followers.iter().for_each(|following| following.tail.gate.stop());
        for following in &followers {
            following.mailbox.drain().await;
        }
        self.inner.dispatcher.drain().await;
        for worker in &self.inner.workers {
            worker.drain().await;
        }
    }

    /// What can be seen of the followers. A node without their hints serves on, so it is ready without
    /// them: they are no part of [`Self::vitals`].
    #[must_use]
    pub fn follower_vitals(&self) -> Vec<Arc<Vitals>> {
        self.followers().iter().map(|following| following.mailbox.vitals().clone()).collect()
    }

    /// What can be seen of the dispatcher and of each worker.
    #[must_use]
    pub fn vitals(&self) -> Vec<Arc<Vitals>> {
        let workers = self.inner.workers.iter().map(Mailbox::vitals);
        std::iter::once(self.inner.dispatcher.vitals()).chain(workers).cloned().collect()
    }
}
