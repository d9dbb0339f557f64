//! The map of the shop: which part calls which, as it is wired together. `/v1/topology` shows it.

use actors::{Health as ActorHealth, Vitals};
use broker::{Consumer, WatchedConsumer};
use domain::Clock;
use gateway::Services;
use inventory::{StockCache, StockCacheConfig};
use orders::Parts;
use payments::{HttpProvider, PaymentProvider, WatchedProvider};
use resilience::{BreakerPhase, Dependency};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::Db;
use topology::{
    BreakerState, Edge, Guards, Health, NodeKind, NodeState, Report, Retries, Topology, Usage,
};

/// The parts that have actors, and what each is.
const PARTS: &[(&str, NodeKind)] = &[
    ("orders", NodeKind::Service),
    ("catalog", NodeKind::Service),
    ("customers", NodeKind::Service),
    ("flags", NodeKind::Service),
    ("inventory", NodeKind::Service),
    ("payments", NodeKind::Service),
    ("broker", NodeKind::Service),
    ("shipping", NodeKind::Workers),
    ("recommendations", NodeKind::Workers),
];

/// The map while it is drawn. Clones draw on the same one.
#[derive(Clone, Default)]
pub(crate) struct Map(Arc<Topology>);

impl Map {
    /// The arrow between two parts.
    pub(crate) fn edge(&self, caller: &'static str, callee: &'static str) -> Edge {
        self.0.edge(caller, callee, telemetry::edge_target(caller, callee))
    }

    /// The database as a part uses it.
    pub(crate) fn store(&self, db: &Db, caller: &'static str) -> Db {
        db.seen_by(self.edge(caller, "store"))
    }

    /// The way to the payment provider as the payment service uses it.
    pub(crate) fn bank(&self, provider: HttpProvider) -> Arc<dyn PaymentProvider> {
        let edge = self.edge("payments", "bank");
        self.0.foreign_node("bank", NodeKind::External);
        let guards = provider.guards().clone();
        self.0.guard(&edge, move || guards_now(&guards));
        Arc::new(WatchedProvider::new(Arc::new(provider), edge))
    }

    /// What a node remembers of the stock, as the inventory uses it.
    pub(crate) fn stock_cache(&self, believed: Duration, clock: &Arc<dyn Clock>) -> StockCache {
        let config = StockCacheConfig { believed };
        let cache = StockCache::new(config, clock.clone(), self.edge("inventory", "cache"));
        let is_on = cache.is_on();
        self.0.node("cache", NodeKind::Service, move || {
            state_of((!is_on).then(|| (Health::Impaired, "it is switched off".to_owned())))
        });
        cache
    }

    /// A consumer group as the broker uses it; the group has the name of its part.
    pub(crate) fn consumer(&self, consumer: Arc<dyn Consumer>) -> Arc<dyn Consumer> {
        let edge = self.edge("broker", consumer.name());
        Arc::new(WatchedConsumer::new(consumer, edge))
    }

    /// What the order service is given.
    pub(crate) fn for_orders(&self, parts: Parts) -> Parts {
        Parts {
            db: self.store(&parts.db, "orders"),
            catalog: parts.catalog.seen_by(self.edge("orders", "catalog")),
            pricer: parts.pricer.asking(parts.pricer.flags().seen_by(self.edge("orders", "flags"))),
            inventory: parts.inventory.seen_by(self.edge("orders", "inventory")),
            payments: parts.payments.seen_by(self.edge("orders", "payments")),
            ..parts
        }
    }

    /// What the gateway is given.
    pub(crate) fn for_gateway(&self, services: Services) -> Services {
        let edge = |callee| self.edge("gateway", callee);
        Services {
            orders: services.orders.seen_by(edge("orders")),
            catalog: services.catalog.seen_by(edge("catalog")),
            customers: services.customers.seen_by(edge("customers")),
            flags: services.flags.seen_by(edge("flags")),
            inventory: services.inventory.seen_by(edge("inventory")),
            payments: services.payments.seen_by(edge("payments")),
            recommendations: services.recommendations.seen_by(edge("recommendations")),
            broker: services.broker.seen_by(edge("broker")),
            ..services
        }
    }

    /// The parts themselves: those with actors are as their actors are.
    pub(crate) fn nodes(
        &self,
        vitals: &[Arc<Vitals>],
        is_draining: impl Fn() -> bool + Send + Sync + 'static,
        database_answers: impl Fn() -> bool + Send + Sync + 'static,
    ) {
        self.0.node("gateway", NodeKind::Gateway, move || {
            state_of(is_draining().then(|| (Health::Impaired, "it is draining".to_owned())))
        });
        let mut actors: BTreeMap<&str, Vec<Arc<Vitals>>> = BTreeMap::new();
        for one in vitals {
            actors.entry(part_of(one.name())).or_default().push(one.clone());
        }
        for (name, kind) in PARTS {
            let own = actors.remove(name).unwrap_or_default();
            self.0.node(name, *kind, move || state_of(own.iter().filter_map(|one| ill(one))));
        }
        self.0.node("store", NodeKind::Database, move || {
            state_of((!database_answers()).then(|| (Health::Down, "it does not answer".to_owned())))
        });
    }

    /// How everything is now.
    pub(crate) fn report(&self) -> Report {
        self.0.report()
    }
}

/// The part that an actor of this name belongs to.
fn part_of(actor: &str) -> &str {
    let mut words = actor.split('.');
    match (words.next(), words.next()) {
        (Some("broker"), Some("follower")) => words.next().unwrap_or("broker"),
        (Some("broker"), Some(consumer)) => consumer,
        (Some("api_keys"), _) => "customers",
        (Some(first), _) => first,
        (None, _) => actor,
    }
}

fn ill(vitals: &Vitals) -> Option<(Health, String)> {
    let name = vitals.name();
    match vitals.health() {
        ActorHealth::Up => None,
        ActorHealth::BackingOff => Some((Health::Impaired, format!("{name} is being restarted"))),
        ActorHealth::Down => Some((Health::Down, format!("{name} is down"))),
    }
}

/// As bad as the worst of what is wrong.
fn state_of(wrong: impl IntoIterator<Item = (Health, String)>) -> NodeState {
    let (health, reasons): (Vec<Health>, Vec<String>) = wrong.into_iter().unzip();
    NodeState { health: health.into_iter().max().unwrap_or(Health::Up), reasons }
}

fn guards_now(guards: &Dependency) -> Guards {
    let usage = guards.bulkhead.usage();
    let (made, refused) = guards.retry_budget.made_and_refused();
    Guards {
        breaker: match guards.breaker.phase() {
            BreakerPhase::Closed => BreakerState::Closed,
            BreakerPhase::HalfOpen => BreakerState::HalfOpen,
            BreakerPhase::Open => BreakerState::Open,
        },
        bulkhead: Usage {
            in_flight: usage.in_flight.into(),
            in_flight_max: usage.in_flight_max.into(),
            waiting: usage.waiting.into(),
            waiting_max: usage.waiting_max.into(),
        },
        retries: Retries { made, refused, left: guards.retry_budget.left() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_belong_to_the_parts_of_the_map() {
        for (actor, part) in [
            ("orders.lane.0", "orders"),
            ("orders.auditor", "orders"),
            ("inventory", "inventory"),
            ("api_keys", "customers"),
            ("broker", "broker"),
            ("broker.shipping.1", "shipping"),
            ("broker.follower.recommendations", "recommendations"),
        ] {
            assert_eq!(part_of(actor), part);
            assert!(PARTS.iter().any(|(name, _)| *name == part), "{part}");
        }
    }

    #[test]
    fn a_part_is_as_bad_as_its_worst_actor() {
        assert_eq!(state_of([]), NodeState { health: Health::Up, reasons: Vec::new() });
        let wrong = [(Health::Impaired, "a".to_owned()), (Health::Down, "b".to_owned())];
        let reasons = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(state_of(wrong), NodeState { health: Health::Down, reasons });
    }
}
