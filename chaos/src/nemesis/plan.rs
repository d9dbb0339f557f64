//! What is broken when: drawn from one seed, before anything happens.

use crate::link::Weather;
use crate::world::NODES;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// How many faults of each class a plan has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// `kill -9` of a node.
    pub kills: usize,
    /// SIGSTOP and SIGCONT of a node.
    pub freezes: usize,
    /// SIGTERM of a node.
    pub drains: usize,
    /// A node that dies at a named point.
    pub crashes: usize,
    /// `kill -9` of PostgreSQL.
    pub postgres_kills: usize,
    /// `kill -9` of the bank.
    pub bank_kills: usize,
    /// Times that the bank's faults are set anew.
    pub bank_bursts: usize,
    /// Calls that the bank spoils, at least.
    pub spoiled_calls: u64,
    /// Times that each bad weather is on each kind of link.
    pub weathers: usize,
}

impl Wanted {
    /// What a merge needs: about two and a half minutes.
    pub const SHORT: Self = Self {
        kills: 30,
        freezes: 6,
        drains: 3,
        crashes: 6,
        postgres_kills: 5,
        bank_kills: 3,
        bank_bursts: 16,
        spoiled_calls: 1_000,
        weathers: 1,
    };
}

/// One fault, and the pause before it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Turn<F> {
    /// Milliseconds before it, counted from the end of the one before.
    pub pause_ms: u64,
    /// What happens.
    pub fault: F,
}

/// What happens to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum NodeFault {
    /// Killed, and started again after so many milliseconds.
    Kill(u64),
    /// Stopped where it stands for so many milliseconds.
    Freeze(u64),
    /// Asked to stop, and started again.
    Drain,
    /// Killed, and started to die at this point (`name:nth`).
    Crash(String),
}

/// What happens to the bank.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum BankFault {
    /// Killed, and started again after so many milliseconds.
    Kill(u64),
    /// These faults for so many milliseconds.
    Burst(Value, u64),
}

/// Kinds of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum LinkKind {
    /// Clients to nodes.
    Front,
    /// A node to PostgreSQL.
    Database,
    /// A node to the bank.
    Bank,
}

impl LinkKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Front, Self::Database, Self::Bank];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Database => "database",
            Self::Bank => "bank",
        }
    }
}

/// What happens to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LinkFault {
    /// Which kind.
    pub kind: LinkKind,
    /// Of which node; of no meaning for the front.
    pub node: usize,
    /// The weather.
    pub weather: Weather,
    /// For how many milliseconds.
    pub for_ms: u64,
}

/// What is broken when. The lanes run side by side, the turns of a lane one after the other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Where it comes from.
    pub seed: u64,
    /// By node.
    pub nodes: Vec<Vec<Turn<NodeFault>>>,
    /// PostgreSQL is killed and started again after so many milliseconds.
    pub postgres: Vec<Turn<u64>>,
    /// The bank.
    pub bank: Vec<Turn<BankFault>>,
    /// The links.
    pub links: Vec<Turn<LinkFault>>,
    /// Calls that the bank is to spoil at least.
    pub spoiled_calls_min: u64,
}

impl Plan {
    /// The plan of a seed. `points` are the names at which a node can be made to die.
    #[must_use]
    pub fn draw(seed: u64, wanted: &Wanted, points: &[&str]) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let nodes = node_lanes(&mut rng, wanted, points);
        let postgres = (0..wanted.postgres_kills)
            .map(|_| turn(&mut rng, 9_000..17_000, |rng| rng.random_range(0..2_000)))
            .collect();
        let bank = bank_lane(&mut rng, wanted);
        let links = link_lane(&mut rng, wanted);
        let spoiled_calls_min = wanted.spoiled_calls;
        Self { seed, nodes, postgres, bank, links, spoiled_calls_min }
    }

    /// Names of the classes of faults that the plan asks for.
    #[must_use]
    pub fn classes(&self) -> BTreeSet<String> {
        let mut classes = BTreeSet::new();
        for turn in self.nodes.iter().flatten() {
            let class = match turn.fault {
                NodeFault::Kill(_) => "node_kill",
                NodeFault::Freeze(_) => "node_freeze",
                NodeFault::Drain => "node_drain",
                NodeFault::Crash(_) => "node_crash",
            };
            classes.insert(class.to_owned());
        }
        if !self.postgres.is_empty() {
            classes.insert("postgres_kill".to_owned());
        }
        for turn in &self.bank {
            match &turn.fault {
                BankFault::Kill(_) => {
                    classes.insert("bank_kill".to_owned());
                }
                BankFault::Burst(faults, _) => {
                    classes.extend(faults.as_object().into_iter().flat_map(bank_classes));
                }
            }
        }
        classes.extend(self.links.iter().map(|turn| turn.fault.class()));
        classes
    }
}

/// The names under which the bank counts the faults of these settings.
fn bank_classes(faults: &Map<String, Value>) -> impl Iterator<Item = String> {
    // The lag is seen only by who looks for a payment, which the shop need not do.
    const OF_NO_CLASS: &[&str] = &["seed", "delay_percent", "search_lag_ms"];
    let is_on = |(name, value): &(&String, &Value)| {
        !OF_NO_CLASS.contains(&name.as_str())
            && (*value == true || value.as_u64().is_some_and(|n| n > 0))
    };
    faults.iter().filter(is_on).map(|(name, _)| {
        let name = name.trim_end_matches("_percent").trim_end_matches("_ms");
        format!("bank_{}", name.trim_end_matches("_every"))
    })
}

impl LinkFault {
    /// Its name in tables.
    #[must_use]
    pub fn class(&self) -> String {
        format!("link_{}_{}", self.kind.name(), self.weather.name())
    }
}

fn turn<F>(
    rng: &mut StdRng,
    pause_ms: std::ops::Range<u64>,
    fault: impl FnOnce(&mut StdRng) -> F,
) -> Turn<F> {
    Turn { pause_ms: rng.random_range(pause_ms), fault: fault(rng) }
}

fn node_lanes(rng: &mut StdRng, wanted: &Wanted, points: &[&str]) -> Vec<Vec<Turn<NodeFault>>> {
    let mut faults: Vec<NodeFault> = Vec::new();
    // A point that crashes a node kills it before, too.
    let crashes = if points.is_empty() { 0 } else { wanted.crashes };
    let mut some = points.to_vec();
    some.shuffle(rng);
    // Every order comes by there: a plan shall not have rare points alone.
    some.sort_by_key(|point| !point.starts_with("place."));
    let rest = some.len().min(1);
    some[rest..].shuffle(rng);
    for index in 0..crashes {
        let point = some[index % some.len()];
        faults.push(NodeFault::Crash(format!("{point}:{}", rng.random_range(1..=4))));
    }
    for _ in 0..wanted.kills.saturating_sub(crashes) {
        faults.push(NodeFault::Kill(rng.random_range(0..600)));
    }
    for _ in 0..wanted.freezes {
        faults.push(NodeFault::Freeze(freeze_ms(rng)));
    }
    faults.extend((0..wanted.drains).map(|_| NodeFault::Drain));
    faults.shuffle(rng);
    let mut lanes = vec![Vec::new(); NODES];
    for (index, fault) in faults.into_iter().enumerate() {
        lanes[index % NODES].push(turn(rng, 1_200..4_200, |_| fault));
    }
    lanes
}

/// From a tenth of a second to twenty seconds, mostly short.
fn freeze_ms(rng: &mut StdRng) -> u64 {
    match rng.random_range(0..10) {
        0 => rng.random_range(10_000..20_000),
        1..4 => rng.random_range(2_000..6_000),
        _ => rng.random_range(100..2_000),
    }
}

fn bank_lane(rng: &mut StdRng, wanted: &Wanted) -> Vec<Turn<BankFault>> {
    let mut faults: Vec<BankFault> = (0..wanted.bank_bursts)
        .map(|index| {
            let mut settings = burst(index, rng);
            // What the bank tells of its own accord is lost, late, double or forged all the time.
            for (name, value) in webhooks(index) {
                settings[name] = value;
            }
            settings["seed"] = json!(rng.random_range(1..1_000_000));
            BankFault::Burst(settings, rng.random_range(3_500..6_500))
        })
        .collect();
    for _ in 0..wanted.bank_kills {
        faults.push(BankFault::Kill(rng.random_range(200..3_000)));
    }
    faults.shuffle(rng);
    faults.into_iter().map(|fault| turn(rng, 0..700, |_| fault)).collect()
}

/// Each kind of burst in its turn, so that every fault of the bank is in every plan.
fn burst(index: usize, rng: &mut StdRng) -> Value {
    match index % 8 {
        0 => json!({"lost_reply_percent": 30, "error_after_percent": 15}),
        1 => json!({"error_before_percent": 25, "reset_before_percent": 20}),
        2 => json!({"malformed_percent": 15, "wrong_amount_percent": 15, "oversized_percent": 10}),
        3 => json!({"rate_limit_percent": 40}),
        4 => json!({"delay_ms": rng.random_range(200..3_000), "delay_percent": 40,
            "lost_reply_percent": 20}),
        5 => json!({"decline_every": rng.random_range(2..6), "error_after_percent": 30}),
        6 => json!({"error_before_percent": 8, "error_after_percent": 8, "lost_reply_percent": 8,
            "reset_before_percent": 8, "rate_limit_percent": 4, "malformed_percent": 4,
            "search_lag_ms": 1_000}),
        _ => json!({"lost_reply_percent": 40}),
    }
}

fn webhooks(index: usize) -> Vec<(&'static str, Value)> {
    match index % 3 {
        0 => vec![
            ("webhook_duplicate_percent", json!(40)),
            ("webhook_lost_percent", json!(20)),
            ("webhook_bad_signature_percent", json!(10)),
        ],
        1 => vec![("webhook_early", json!(true)), ("webhook_old_timestamp_percent", json!(10))],
        _ => vec![("webhook_reorder_percent", json!(30)), ("webhook_delay_ms", json!(700))],
    }
}

fn link_lane(rng: &mut StdRng, wanted: &Wanted) -> Vec<Turn<LinkFault>> {
    let mut faults = Vec::new();
    for _ in 0..wanted.weathers {
        for kind in LinkKind::ALL {
            for weather in Weather::BAD {
                let weather = match weather {
                    Weather::Delay(_) => {
                        Weather::Delay(*[60, 150, 400, 900].choose(rng).unwrap_or(&150))
                    }
                    other => other,
                };
                let node = rng.random_range(0..NODES);
                faults.push(LinkFault {
                    kind,
                    node,
                    weather,
                    for_ms: rng.random_range(800..3_500),
                });
            }
        }
    }
    faults.shuffle(rng);
    faults.into_iter().map(|fault| turn(rng, 1_500..4_500, |_| fault)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: &[&str] = &["place.after_commit", "settle.before_commit"];

    #[test]
    fn one_seed_makes_one_plan() {
        let plan = Plan::draw(42, &Wanted::SHORT, POINTS);
        assert_eq!(plan, Plan::draw(42, &Wanted::SHORT, POINTS));
        assert_ne!(plan, Plan::draw(43, &Wanted::SHORT, POINTS));
    }

    #[test]
    fn the_short_plan_asks_for_everything() {
        for seed in 0..20 {
            let plan = Plan::draw(seed, &Wanted::SHORT, POINTS);
            let kills = plan.nodes.iter().flatten();
            let is_kill = |turn: &&Turn<NodeFault>| {
                matches!(turn.fault, NodeFault::Kill(_) | NodeFault::Crash(_))
            };
            assert_eq!(kills.filter(is_kill).count(), 30);
            assert_eq!(plan.postgres.len(), 5);
            let classes = plan.classes();
            for kind in LinkKind::ALL {
                for weather in Weather::BAD {
                    let class = format!("link_{}_{}", kind.name(), weather.name());
                    assert!(classes.contains(&class), "{class}");
                }
            }
            for class in [
                "node_kill",
                "node_freeze",
                "node_drain",
                "node_crash",
                "postgres_kill",
                "bank_kill",
                "bank_lost_reply",
                "bank_error_before",
                "bank_error_after",
                "bank_reset_before",
                "bank_rate_limit",
                "bank_malformed",
                "bank_oversized",
                "bank_wrong_amount",
                "bank_delay",
                "bank_decline",
            ] {
                assert!(classes.contains(class), "{class} in {classes:?}");
            }
        }
    }

    #[test]
    fn no_points_no_crashes() {
        let plan = Plan::draw(1, &Wanted::SHORT, &[]);
        assert!(!plan.classes().contains("node_crash"));
    }
}
