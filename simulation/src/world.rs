//! One simulated shop: its database, its bank, its nodes, and what goes wrong around them.

use crate::bank::{Bank, Doors};
use crate::nature::{Calm, SimulatedClock, Weather};
use crate::node::{Node, running};
use crate::observer::Observer;
use crate::profile::Profile;
use crate::rng::Rng;
use crate::trace::Trace;
use broker::Consumer;
use domain::Clock;
use recommendations::Recommendations;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store::simulated::{Quiet, SimulatedDatabase};
use store::{DatabaseUrl, Db, StoreConfig, StoreError};
use tokio::time::Instant;

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        // In memory where the machine has such a place: nothing here is to last.
        let memory = PathBuf::from("/dev/shm");
        let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let path = base.join(format!("orderly-simulation-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is a few files in a temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Why a run could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// No folder for the database.
    #[error("no folder for the simulated database")]
    Folder(#[from] std::io::Error),
    /// No database in it.
    #[error("no simulated database")]
    Store(#[from] StoreError),
}

/// One simulated shop.
pub struct World {
    /// What decides everything.
    pub seed: u64,
    /// What kind of run it is.
    pub profile: Profile,
    /// What happened.
    pub trace: Arc<Trace>,
    /// Whether nothing goes wrong any more.
    pub calm: Arc<Calm>,
    /// The database server.
    pub database: SimulatedDatabase,
    /// The bank.
    pub bank: Arc<Bank>,
    /// The nodes.
    pub nodes: Vec<Rc<Node>>,
    weather: Vec<Arc<Weather>>,
    observer: Arc<Observer>,
    start: Instant,
    over: Cell<bool>,
    /// Points at which a node is to be killed, with how often they are passed before.
    deadly: RefCell<Vec<(&'static str, u64)>>,
    passed: RefCell<BTreeMap<&'static str, u64>>,
    forgeries: RefCell<Vec<String>>,
    /// What each node knows of what is bought together, since its last start.
    recommendations: RefCell<BTreeMap<usize, Recommendations>>,
    doors: RefCell<Option<Doors>>,
    _folder: Folder,
}

impl World {
    /// A shop with an empty, migrated database; no node runs yet.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn open(seed: u64, print_trace: bool) -> Result<Self, WorldError> {
        let profile = Profile::of(seed);
        let folder = Folder::new()?;
        let database = SimulatedDatabase::open(&folder.0.join("shop.db"))?;
        let (trace, calm) = (Arc::new(Trace::new(print_trace)), Arc::new(Calm::default()));
        calm.set(true);
        let (bank, doors) =
            Bank::new(profile.bank.clone(), Rng::new(seed, "bank"), calm.clone(), trace.clone());
        let weather = (0..profile.nodes).map(|node| {
            let rng = Rng::new(seed, &format!("link {node}"));
            Arc::new(Weather::new(node, profile.link.clone(), rng, calm.clone(), trace.clone()))
        });
        let poison = Rng::new(seed, "poison").draw();
        let world = Self {
            seed,
            nodes: (0..profile.nodes).map(|index| Rc::new(Node::new(index))).collect(),
            weather: weather.collect(),
            observer: Arc::new(Observer::new(
                profile.poison_permille,
                poison,
                calm.clone(),
                trace.clone(),
            )),
            deadly: RefCell::new(deadly_points(seed, &profile)),
            profile,
            trace,
            calm,
            database,
            bank: Arc::new(bank),
            start: Instant::now(),
            over: Cell::new(false),
            passed: RefCell::default(),
            forgeries: RefCell::default(),
            recommendations: RefCell::default(),
            doors: RefCell::new(Some(doors)),
            _folder: folder,
        };
        let db = world.quiet_db();
        db.migrate().await?;
        Observer::prepare(&db).await?;
        Ok(world)
    }

    /// A stream of chance for a part of the run.
    #[must_use]
    pub fn rng(&self, part: &str) -> Rng {
        Rng::new(self.seed, part)
    }

    /// The wall clock of a node.
    #[must_use]
    pub fn clock(&self, node: usize) -> SimulatedClock {
        let skew = self.profile.skew_millis;
        let skew = self.rng(&format!("skew {node}")).between(-skew, skew);
        SimulatedClock::new(self.start, skew)
    }

    /// A node's way to the database.
    pub(crate) fn weather(&self, node: usize) -> Arc<Weather> {
        self.weather[node % self.weather.len().max(1)].clone()
    }

    /// The consumer that writes down every event it is given.
    pub(crate) fn observer(&self) -> Arc<dyn Consumer> {
        self.observer.clone()
    }

    /// The database without anything between.
    #[must_use]
    pub fn quiet_db(&self) -> Db {
        let config = StoreConfig::new(DatabaseUrl::Sqlite("simulated".into()));
        self.database.connect(&config, Arc::new(Quiet))
    }

    /// Whether the run is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Ends the run: all nodes are killed.
    pub fn end(&self) {
        self.over.set(true);
        for node in &self.nodes {
            node.kill(self, "the run is over");
        }
    }

    /// What comes out of the bank, for whoever asks first.
    pub(crate) fn bank_doors(&self) -> Option<Doors> {
        self.doors.borrow_mut().take()
    }

    /// The bank's time, in seconds since 1970.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        SimulatedClock::new(self.start, 0).now().micros().div_euclid(1_000_000)
    }

    /// A node has started, with this memory of what is bought together.
    pub(crate) fn knows_of(&self, node: usize, recommendations: Recommendations) {
        self.recommendations.borrow_mut().insert(node, recommendations);
    }

    /// How many orders each node has counted since its last start.
    #[must_use]
    pub fn counted(&self) -> Vec<usize> {
        self.recommendations.borrow().values().map(Recommendations::orders_counted).collect()
    }

    /// The shop took an event that the bank had not signed.
    pub(crate) fn accepted_forgery(&self, event: &str) {
        self.forgeries.borrow_mut().push(event.to_owned());
    }

    /// Events that the shop took although the bank had not signed them.
    #[must_use]
    pub fn forgeries(&self) -> Vec<String> {
        self.forgeries.borrow().clone()
    }

    /// Seconds since the run began.
    #[must_use]
    pub fn elapsed(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// A task of a node passes a named point; `true` if the node dies there.
    pub fn at_point(&self, name: &'static str) -> bool {
        let Some(node) = running().and_then(|index| self.nodes.get(index)) else { return false };
        self.trace.count(format!("point.{name}"));
        if self.calm.is() {
            return false;
        }
        let passed = {
            let mut passed = self.passed.borrow_mut();
            let passed = passed.entry(name).or_insert(0);
            *passed += 1;
            *passed
        };
        let mut deadly = self.deadly.borrow_mut();
        let Some(found) = deadly.iter().position(|(at, nth)| *at == name && *nth == passed) else {
            return false;
        };
        deadly.swap_remove(found);
        self.trace.count(format!("died_at.{name}"));
        node.kill(self, name);
        true
    }
}

/// Where nodes are to die, and the how manieth time somebody comes by.
fn deadly_points(seed: u64, profile: &Profile) -> Vec<(&'static str, u64)> {
    let mut rng = Rng::new(seed, "points");
    let mut points = Vec::new();
    for _ in 0..profile.crashes_at_points {
        if let Some(point) = rng.pick(faults::POINTS) {
            points.push((*point, 1 + rng.below(12)));
        }
    }
    points
}
