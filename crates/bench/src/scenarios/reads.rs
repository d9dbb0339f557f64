//! Reads at a steady rate, beside whatever else goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::arrivals::Arrivals;
use crate::drive::{Drive, pace};
use crate::latency::{self, Latency};
use crate::scene::Scene;

/// Reads a second.
const RATE: f64 = 200.0;
/// The most reads under way.
const CONNECTIONS: usize = 16;
/// One in so many reads is of a list.
const LIST_EVERY: usize = 5;
/// Different orders that are read.
const VARIETY: usize = 10_000;

/// What is read: the name of its kind, and the path.
pub(super) type Read = (&'static str, String);

/// Reads of single orders, and of the newest page every now and then.
pub(super) fn of_orders(ids: impl Iterator<Item = String>) -> Vec<Read> {
    let mut reads = Vec::new();
    for id in ids {
        reads.push(("read by id", format!("/v1/orders/{id}")));
        if reads.len() % LIST_EVERY == LIST_EVERY - 1 {
            reads.push(("list", "/v1/orders?limit=20".to_owned()));
        }
    }
    reads
}

/// Reads of the orders that are pending, spread over all of them.
pub(super) fn ids_of_pending(scene: &Scene<'_>) -> Vec<Read> {
    let tally = scene.drive.tally.borrow();
    let every = (tally.pending.len() / VARIETY).max(1);
    of_orders(tally.pending.iter().step_by(every).map(|(id, _)| id.clone()))
}

/// What all connections share.
struct Reading {
    drive: Rc<Drive>,
    requests: Vec<(&'static str, Vec<u8>)>,
    found: RefCell<BTreeMap<&'static str, Histogram<u64>>>,
}

/// Reads for some time; latencies by kind, counted from when a read was due. Each read must be
/// answered with 200.
pub(super) async fn measure(
    scene: &Scene<'_>,
    reads: Vec<Read>,
    length: Duration,
) -> anyhow::Result<BTreeMap<&'static str, Latency>> {
    anyhow::ensure!(!reads.is_empty(), "there is nothing to read");
    let mut found = BTreeMap::new();
    for (kind, _) in &reads {
        found.insert(*kind, latency::histogram()?);
    }
    let sender = &scene.shop.sender;
    let requests = reads.iter().map(|(kind, path)| (*kind, sender.get(path))).collect();
    let drive = Rc::clone(&scene.drive);
    let reading = Rc::new(Reading { drive, requests, found: RefCell::new(found) });
    let start = Instant::now();
    let due = pace(Arrivals::new(start, RATE), start + length)?;
    let due = Rc::new(Mutex::new((0_usize, due)));
    let mut all = JoinSet::new();
    for number in 0..CONNECTIONS {
        let (reading, due) = (Rc::clone(&reading), Rc::clone(&due));
        all.spawn_local(async move {
            let Some(mut buffers) = reading.drive.buffers(number) else { return };
            loop {
                let (place, due) = {
                    let mut queue = due.lock().await;
                    let Some(due) = queue.1.recv().await else { return };
                    queue.0 += 1;
                    (queue.0 % reading.requests.len().max(1), due)
                };
                let Some((kind, request)) = reading.requests.get(place) else { return };
                match buffers.connection.exchange(request).await {
                    Ok(answer) if answer.status == 200 => {
                        if let Some(histogram) = reading.found.borrow_mut().get_mut(kind) {
                            latency::record(histogram, due.elapsed());
                        }
                    }
                    Ok(answer) => reading.failed(format!("{kind}: {}", answer.status)),
                    Err(error) => reading.failed(format!("{kind}: {error}")),
                }
            }
        });
    }
    while all.join_next().await.is_some() {}
    let found = reading.found.borrow();
    Ok(found.iter().map(|(kind, all)| (*kind, Latency::of(all, Duration::ZERO))).collect())
}

impl Reading {
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
    fn one_read_in_five_is_of_a_list() {
        let reads = of_orders((0..400).map(|id| id.to_string()));
        assert_eq!(reads.len(), 500);
        assert_eq!(reads.iter().filter(|(kind, _)| *kind == "list").count(), 100);
        assert_eq!(reads[0].1, "/v1/orders/0");
    }
}
