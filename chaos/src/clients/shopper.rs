//! A client: draws an operation, writes down what it is about to do, asks until it is told.

use super::journal::Journal;
use super::judge::{Finding, judge};
use super::patience::wait;
use super::record::{Attempt, Outcome, Record};
use super::workload::{Draw, Known, OPERATIONS, Operation, Step};
use crate::http::{Answer, Api, Request};
use crate::world::World;
use anyhow::Result;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Tries of a read; a read that nobody answers is no loss.
const READ_TRIES: usize = 8;

/// Share of writes that are never asked again once their first try had no answer, in percent.
const FORGETFUL_PERCENT: u32 = 8;

/// How long a client waits for an answer.
pub const PATIENCE: Duration = Duration::from_secs(12);

/// What all clients of a run share.
#[derive(Debug)]
pub struct Control {
    /// When the clients began.
    pub began: Instant,
    /// No new operations.
    pub closing: AtomicBool,
    /// No further tries.
    pub give_up: AtomicBool,
    /// Operations that were begun.
    pub begun: AtomicU64,
    /// Operations that were decided.
    pub decided: AtomicU64,
    /// Tries without an answer that decides.
    pub doubts: AtomicU64,
    /// Longest pause between two operations of one client, in milliseconds.
    pub pause_ms: u64,
}

impl Control {
    /// Clients that begin now and pause for at most so long.
    #[must_use]
    pub fn new(pause_ms: u64) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            closing: AtomicBool::new(false),
            give_up: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            decided: AtomicU64::new(0),
            doubts: AtomicU64::new(0),
            pause_ms,
        })
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// All clients of a run.
pub struct Crowd {
    /// What they share.
    pub control: Arc<Control>,
    tasks: Vec<tokio::task::JoinHandle<Result<Vec<Record>>>>,
}

impl Crowd {
    /// Starts so many clients. `routes` are the paths of the shop's API document.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn start(world: &World, clients: u64, seed: u64, routes: &Value) -> Result<Self> {
        let control = Control::new(150);
        let folder = world.folder.join("clients");
        std::fs::create_dir_all(&folder)?;
        let offered = |operation: &&Operation| {
            operation.route.is_empty() || routes.get(operation.route).is_some()
        };
        let operations: Arc<[&Operation]> = OPERATIONS.iter().filter(offered).collect();
        let mut tasks = Vec::new();
        for number in 0..clients {
            // Every second one takes a new connection, hence another node, for each try.
            let api = world.api(PATIENCE, number % 2 == 0)?;
            let shopper =
                Shopper::new(number, seed, api, &folder, control.clone(), operations.clone());
            tasks.push(tokio::spawn(shopper.await?.run()));
        }
        Ok(Self { control, tasks })
    }

    /// Begins no new operations.
    pub fn close(&self) {
        self.control.closing.store(true, Ordering::Relaxed);
    }

    /// Whether every client has come to its end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.tasks.iter().all(tokio::task::JoinHandle::is_finished)
    }

    /// Waits for all clients, which give up what is not decided, and collects what they kept.
    ///
    /// # Errors
    /// A client could not write its ledger.
    pub async fn records(self) -> Result<Vec<Record>> {
        self.close();
        self.control.give_up.store(true, Ordering::Relaxed);
        let mut records = Vec::new();
        for task in self.tasks {
            records.extend(task.await??);
        }
        Ok(records)
    }
}

/// One client.
pub struct Shopper {
    name: String,
    api: Api,
    rng: StdRng,
    journal: Journal,
    control: Arc<Control>,
    operations: Arc<[&'static Operation]>,
    known: Vec<Known>,
    records: Vec<Record>,
}

impl Shopper {
    /// A client with a ledger of its own in `folder`.
    ///
    /// # Errors
    /// The ledger cannot be made.
    pub async fn new(
        number: u64,
        seed: u64,
        api: Api,
        folder: &Path,
        control: Arc<Control>,
        operations: Arc<[&'static Operation]>,
    ) -> Result<Self> {
        let name = format!("c{number:02}");
        let journal = Journal::create(&folder.join(format!("{name}.ndjson"))).await?;
        // Any odd constant: neighbouring clients shall not draw alike.
        let rng = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (known, records) = (Vec::new(), Vec::new());
        Ok(Self { name, api, rng, journal, control, operations, known, records })
    }

    /// Works until asked to close, and gives what it kept.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn run(mut self) -> Result<Vec<Record>> {
        while !self.control.closing.load(Ordering::Relaxed) {
            if let Some((operation, step)) = self.draw() {
                self.perform(operation, step).await?;
            }
            let pause = self.rng.random_range(0..=self.control.pause_ms);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Ok(self.records)
    }

    fn draw(&mut self) -> Option<(&'static Operation, Step)> {
        let drawn = self.operations.choose_weighted(&mut self.rng, |row| row.weight);
        let operation = *drawn.ok()?;
        let key = format!("{}-{}", self.name, self.records.len());
        let mut draw = Draw { rng: &mut self.rng, known: &self.known, key };
        Some((operation, draw.make(operation)?))
    }

    async fn perform(&mut self, operation: &'static Operation, step: Step) -> Result<()> {
        let mut record = Record {
            operation: operation.name,
            request: step.request,
            about: step.about,
            owns_key: step.owns_key,
            attempts: Vec::new(),
            outcome: Outcome::Info,
            answer: None,
            findings: Vec::new(),
        };
        self.control.begun.fetch_add(1, Ordering::Relaxed);
        self.journal.intend(&record).await?;
        if let Some(answer) = self.ask(&mut record).await {
            self.control.decided.fetch_add(1, Ordering::Relaxed);
            let (outcome, findings) = judge(&step.expected, &answer);
            record.outcome = outcome;
            record.findings.extend(findings);
            record.answer = Some(answer);
            self.learn(&record);
        }
        self.journal.finish(&record).await?;
        self.records.push(record);
        Ok(())
    }

    /// Tries until it is told, and gives the answer that decides; `None` if it gave up.
    async fn ask(&mut self, record: &mut Record) -> Option<Answer> {
        let is_read = record.request.key.is_none();
        let forgetful = !is_read && self.rng.random_ratio(FORGETFUL_PERCENT, 100);
        let mut request: Request = record.request.clone();
        loop {
            let began = Instant::now();
            let told = self.api.send(&request).await;
            record.attempts.push(attempt(&told, began, &self.control));
            let retry_after = match told {
                Ok(answer) if answer.is_decided() => return Some(answer),
                Ok(answer) => {
                    record.findings.extend(complaint(&answer, record.operation));
                    answer.retry_after
                }
                Err(_) => None,
            };
            self.control.doubts.fetch_add(1, Ordering::Relaxed);
            let tries = record.attempts.len();
            if forgetful
                || (is_read && tries >= READ_TRIES)
                || self.control.give_up.load(Ordering::Relaxed)
            {
                return None;
            }
            request.patience = None;
            let wait = wait(&mut self.rng, tries, retry_after);
            tokio::time::sleep(wait).await;
        }
    }

    /// Remembers what an answer says about an order.
    fn learn(&mut self, record: &Record) {
        let Some(answer) = record.decided() else { return };
        if record.places_order()
            && let Some(id) = answer.order_id()
        {
            let order = answer.json();
            let status = order["status"].as_str().unwrap_or("rejected").to_owned();
            let version = order["version"].as_i64().unwrap_or(0);
            let request = record.request.clone();
            self.known.push(Known { id, request, answer: answer.clone(), version, status });
            return;
        }
        // The order is the answer, or stands in it.
        let body = answer.json();
        let order = if body["order"].is_object() { &body["order"] } else { &body };
        if let Some(id) = &record.about
            && order["id"] == id.as_str()
            && let Some(known) = self.known.iter_mut().find(|known| known.id == *id)
        {
            known.version = known.version.max(order["version"].as_i64().unwrap_or(0));
            if let Some(status) = order["status"].as_str() {
                status.clone_into(&mut known.status);
            }
        }
    }
}

fn attempt(told: &Result<Answer, String>, began: Instant, control: &Control) -> Attempt {
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let at_ms = control.elapsed_ms();
    match told {
        Ok(answer) => Attempt {
            at_ms,
            took_ms,
            status: answer.status,
            note: answer.code(),
            digest: answer.digest(),
            said_when: answer.retry_after.is_some(),
        },
        Err(why) => Attempt { at_ms, took_ms, note: why.clone(), ..Attempt::default() },
    }
}

/// What is wrong with an answer that decides nothing.
fn complaint(answer: &Answer, operation: &str) -> Option<Finding> {
    let must_say_when = matches!(answer.status, 429 | 503);
    let body: String = answer.body.chars().take(300).collect();
    if must_say_when && answer.retry_after.is_none() {
        let what = format!("{operation}: {} without Retry-After: {body}", answer.status);
        return Some(Finding::new("I19", what));
    }
    let documented = matches!(answer.status, 408 | 409 | 425 | 429 | 503 | 504);
    (!documented).then(|| {
        Finding::new("I19", format!("{operation}: a server error {} {body}", answer.status))
    })
}
