//! The whole life of orders at once. Of a hundred requests
//!
//! * 40 place an order,
//! * 35 read one by its id, and 5 read the newest page of the list,
//! * 10 ship an order, 5 cancel one, 5 refund a part of one.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;

use super::Shape;
use crate::drive::{Buffers, Drive};
use crate::latency::{self, Latency};
use crate::options::Options;
use crate::report::Run;
use crate::request::Sender;
use crate::scene::{Besides, Phase, Scene};
use crate::tally::{Outcome, Window};

/// Orders that wait for a later step, and orders that are read.
const KEPT: usize = 20_000;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Place,
    Read,
    List,
    Ship,
    Cancel,
    Refund,
}

impl Kind {
    /// Each with its share of a hundred.
    const SHARES: [(Self, u32); 6] = [
        (Self::Place, 40),
        (Self::Read, 35),
        (Self::List, 5),
        (Self::Ship, 10),
        (Self::Cancel, 5),
        (Self::Refund, 5),
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Read => "read by id",
            Self::List => "list",
            Self::Ship => "ship",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
        }
    }

    /// The kind of a number from 0 to 99.
    fn of(number: u32) -> Self {
        let mut rest = number;
        for (kind, share) in Self::SHARES {
            match rest.checked_sub(share) {
                None => return kind,
                Some(less) => rest = less,
            }
        }
        Self::Place
    }
}

/// An order that exists.
#[derive(Debug, Clone)]
struct Known {
    id: String,
    /// Its place in the list of orders.
    order: usize,
}

/// What all connections share.
struct Mixed {
    drive: Rc<Drive>,
    sender: Sender,
    window: Window,
    /// Confirmed orders to which nothing has happened yet.
    fresh: RefCell<VecDeque<Known>>,
    known: RefCell<Vec<Known>>,
    found: RefCell<BTreeMap<Kind, Histogram<u64>>>,
}

pub(super) async fn run(options: &Options) -> anyhow::Result<(Run, Shape)> {
    let scene = Scene::open(options, 1, "").await?;
    let mut found = BTreeMap::new();
    for (kind, _) in Kind::SHARES {
        found.insert(kind, latency::histogram()?);
    }
    let window = scene.window(false, Instant::now() + options.warm_up, options.measured)?;
    let mixed = Rc::new(Mixed {
        drive: Rc::clone(&scene.drive),
        sender: scene.shop.sender.clone(),
        window,
        fresh: RefCell::default(),
        known: RefCell::default(),
        found: RefCell::new(found),
    });
    let mut all = JoinSet::new();
    for number in 0..options.connections {
        all.spawn_local(Rc::clone(&mixed).connection(number, options.seed));
    }
    let working = async { while all.join_next().await.is_some() {} };
    let (cores, ()) = tokio::join!(scene.shop.watch(window), working);
    let phase = Phase { measured: scene.measured()?, cores };
    let mut besides = Besides::default();
    let found = mixed.found.take();
    let requests: u64 = found.values().map(Histogram::len).sum();
    let seconds = window.length().as_secs_f64();
    besides.figures.insert("requests/s", super::share(requests as f64, seconds));
    besides.kinds =
        found.iter().map(|(kind, all)| (kind.name(), Latency::of(all, Duration::ZERO))).collect();
    let run = scene.finish(&phase, besides).await?;
    Ok((run, Shape::of(&scene)))
}

impl Mixed {
    async fn connection(self: Rc<Self>, number: usize, seed: u64) {
        let Some(mut buffers) = self.drive.buffers(number) else { return };
        let mut chance = StdRng::seed_from_u64(seed.wrapping_add(number as u64));
        while Instant::now() < self.window.until {
            let kind = Kind::of(chance.random_range(0..100));
            let began = Instant::now();
            let done = self.ask(kind, &mut buffers, &mut chance).await;
            let now = Instant::now();
            if self.window.holds(now)
                && let Some(histogram) = self.found.borrow_mut().get_mut(&done)
            {
                latency::record(histogram, now - began);
            }
        }
    }

    /// Does one request, and tells which kind it was: an order is placed where there is none yet for
    /// what was wanted.
    async fn ask(&self, kind: Kind, buffers: &mut Buffers, chance: &mut StdRng) -> Kind {
        match kind {
            Kind::Place => {}
            Kind::List => {
                self.get(buffers, "/v1/orders?limit=20").await;
                return kind;
            }
            Kind::Read => {
                let known = {
                    let known = self.known.borrow();
                    let place = chance.random_range(0..known.len().max(1));
                    known.get(place).cloned()
                };
                if let Some(known) = known {
                    self.get(buffers, &format!("/v1/orders/{}", known.id)).await;
                    return kind;
                }
            }
            Kind::Ship | Kind::Cancel | Kind::Refund => {
                let fresh = self.fresh.borrow_mut().pop_front();
                if let Some(fresh) = fresh {
                    self.step(kind, &fresh, buffers).await;
                    return kind;
                }
            }
        }
        self.place(buffers).await;
        Kind::Place
    }

    async fn place(&self, buffers: &mut Buffers) {
        let placed = self.drive.place(buffers, Instant::now()).await;
        let Some((placed, id)) = placed.and_then(|mut placed| {
            let id = placed.id.take()?;
            Some((placed, id))
        }) else {
            return;
        };
        let new = Known { id, order: placed.sent.order };
        if placed.outcome == Outcome::Accepted {
            let mut fresh = self.fresh.borrow_mut();
            if fresh.len() < KEPT {
                fresh.push_back(new.clone());
            }
        }
        let mut known = self.known.borrow_mut();
        if known.len() < KEPT {
            known.push(new);
        }
    }

    async fn get(&self, buffers: &mut Buffers, path: &str) {
        let answered = buffers.connection.exchange(&self.sender.get(path)).await;
        match answered {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => self.failed(format!("GET {path}: {}", answer.status)),
            Err(error) => self.failed(format!("GET {path}: {error}")),
        }
    }

    /// A later step of an order, and what it changes in the books.
    async fn step(&self, kind: Kind, order: &Known, buffers: &mut Buffers) {
        const PART: i64 = 50;
        let (path, body) = match kind {
            Kind::Cancel => ("cancel", r#"{"reason":"bench"}"#.to_owned()),
            Kind::Refund => ("refunds", format!(r#"{{"amount":{PART}}}"#)),
            _ => ("shipments", "{}".to_owned()),
        };
        let path = format!("/v1/orders/{}/{path}", order.id);
        let template = self.sender.post(&path, body.as_bytes(), "");
        match buffers.post(&template, self.drive.key()).await {
            // 202: promised, in the same transaction as the order's event.
            Ok(answer) if matches!(answer.status, 200..=202) => {
                let Some(plan) = self.drive.order(order.order) else { return };
                let mut tally = self.drive.tally.borrow_mut();
                match kind {
                    Kind::Cancel => tally.cancel(plan),
                    Kind::Refund => tally.refund(plan, PART),
                    _ => {}
                }
            }
            Ok(answer) => {
                let said = String::from_utf8_lossy(buffers.connection.body(&answer)).into_owned();
                self.failed(format!("POST {path}: {} {said}", answer.status));
            }
            Err(error) => self.failed(format!("POST {path}: {error}")),
        }
    }

    fn failed(&self, story: String) {
        let mut tally = self.drive.tally.borrow_mut();
        tally.operations_failed += 1;
        tally.error(story);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_requests_have_the_stated_shares() {
        let mut counts: BTreeMap<Kind, u32> = BTreeMap::new();
        for number in 0..100 {
            *counts.entry(Kind::of(number)).or_default() += 1;
        }
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), Kind::SHARES);
    }
}
