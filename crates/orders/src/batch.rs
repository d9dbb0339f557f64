//! A batch is an economy, never a shared fate.

use crate::shop::BatchError;
use actors::{Panicked, panic_message};
use futures_util::FutureExt;
use metrics::{counter, histogram};
use std::panic::AssertUnwindSafe;
use store::conflict;
use tokio::time::Instant;

/// What came of a part of a batch.
#[derive(Debug)]
pub(crate) struct Part<R> {
    /// Number of items in it.
    pub(crate) items: usize,
    pub(crate) result: Result<R, BatchError>,
}

/// Works on `items` as one batch. When that fails for a reason that one item may have caused, it
/// is tried again in halves until the culprit stands alone; what another transaction got in the
/// way of is tried again whole, after a wait by chance. Gives the parts in the order of the items.
pub(crate) async fn in_halves<T, R>(
    name: &'static str,
    items: &[T],
    work: impl AsyncFn(&[T]) -> Result<R, BatchError>,
) -> Vec<Part<R>> {
    let mut todo = vec![items];
    let mut parts = Vec::new();
    while let Some(items) = todo.pop() {
        if items.is_empty() {
            continue;
        }
        match attempt(name, items, &work).await {
            Err(error) if error.may_be_one_orders_fault() && items.len() > 1 => {
                counter!("batch_splits_total", "batch" => name).increment(1);
                tracing::warn!(
                    event = "batch_split",
                    batch = name,
                    items = items.len(),
                    cause = &error as &dyn std::error::Error,
                    "a batch failed and is tried again in halves"
                );
                let (first, second) = items.split_at(items.len() / 2);
                todo.push(second);
                todo.push(first);
            }
            result => parts.push(Part { items: items.len(), result }),
        }
    }
    parts
}

async fn attempt<T, R>(
    name: &'static str,
    items: &[T],
    work: &impl AsyncFn(&[T]) -> Result<R, BatchError>,
) -> Result<R, BatchError> {
    let mut conflicts = 0;
    loop {
        let began = Instant::now();
        let result = AssertUnwindSafe(work(items))
            .catch_unwind()
            .await
            .unwrap_or_else(|payload| Err(Panicked(panic_message(&*payload)).into()));
        histogram!("batch_items", "batch" => name).record(items.len() as f64);
        histogram!("batch_seconds", "batch" => name).record(began.elapsed());
        match result {
            Err(error) if error.is_conflict() && conflicts < conflict::RETRIES_MAX => {
                conflicts += 1;
                conflict::back_off(conflicts).await;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn a_culprit_stands_alone_at_every_place_of_the_batch() {
        for culprit in 0..17 {
            let items: Vec<usize> = (0..17).collect();
            let parts = in_halves("test", &items, async |part: &[usize]| {
                assert!(!part.contains(&culprit), "poison");
                Ok(part.to_vec())
            })
            .await;
            assert_eq!(parts.iter().map(|part| part.items).sum::<usize>(), 17);
            let mut next = 0;
            for part in parts {
                match part.result {
                    Ok(done) => assert_eq!(done, (next..next + part.items).collect::<Vec<_>>()),
                    Err(_) => assert_eq!((next, part.items), (culprit, 1)),
                }
                next += part.items;
            }
        }
    }

    #[tokio::test]
    async fn what_others_get_in_the_way_of_is_tried_again_whole_and_not_for_ever() {
        for (in_the_way, tries_wanted) in [(3, 4), (u32::MAX, 1 + conflict::RETRIES_MAX)] {
            let tries = Cell::new(0);
            let parts = in_halves("test", &[1, 2, 3, 4], async |part: &[i32]| {
                assert_eq!(part.len(), 4);
                tries.set(tries.get() + 1);
                if tries.get() > in_the_way {
                    return Ok(());
                }
                Err(BatchError::Store(store::StoreError::Overtaken { statement: "test" }))
            })
            .await;
            assert_eq!((tries.get(), parts.len()), (tries_wanted, 1));
            assert_eq!(parts[0].result.is_ok(), in_the_way == 3);
        }
    }

    #[tokio::test]
    async fn a_failure_of_the_database_is_nobodys_fault() {
        let tries = Cell::new(0);
        let parts = in_halves("test", &[1, 2, 3, 4], async |_: &[i32]| {
            tries.set(tries.get() + 1);
            let down = store::StoreError::Configuration("down".to_owned());
            Err::<(), _>(BatchError::Store(down))
        })
        .await;
        assert_eq!((tries.get(), parts.len(), parts[0].items), (1, 1, 4));
    }
}
