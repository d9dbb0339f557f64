//! Promising goods to a batch of orders.

use crate::books::{self, Shift};
use crate::cache::StockCache;
use crate::messages::InventoryError;
use domain::{Demand, ReservationOutcome, Sku, Timestamp, allocate};
use metrics::counter;
use std::collections::BTreeMap;
use store::{StoreError, Tx};

/// Reserves for every order of a batch. In the common case, when nothing is short, this is two
/// statements for the whole batch.
pub(crate) async fn reserve(
    tx: &mut Tx,
    demands: &[Demand],
    cache: &StockCache,
    now: Timestamp,
) -> Result<Vec<ReservationOutcome>, InventoryError> {
    if demands.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = total(demands);
    let served = books::reserve(tx, &wanted).await?;
    let enough = served.len() == wanted.len() || faults::planted("reserve-without-condition");
    let outcomes = if enough {
        vec![ReservationOutcome::Reserved; demands.len()]
    } else {
        share_out(tx, demands, (&wanted, &served), cache).await?
    };
    let reserved: Vec<&Demand> = demands
        .iter()
        .zip(&outcomes)
        .filter_map(|(demand, outcome)| {
            (*outcome == ReservationOutcome::Reserved).then_some(demand)
        })
        .collect();
    if books::add_reservations(tx, &reserved, now).await? != reserved.len() as u64 {
        return Err(InventoryError::AlreadyReserved);
    }
    Ok(outcomes)
}

/// Some SKU is short: decides order by order, and corrects what the first statement promised.
/// The rows are locked by it already.
async fn share_out(
    tx: &mut Tx,
    demands: &[Demand],
    (wanted, served): (&BTreeMap<Sku, i64>, &[Sku]),
    cache: &StockCache,
) -> Result<Vec<ReservationOutcome>, StoreError> {
    counter!("inventory_short_batches_total").increment(1);
    let promised: BTreeMap<&Sku, i64> =
        served.iter().map(|sku| (sku, wanted.get(sku).copied().unwrap_or(0))).collect();
    let skus: Vec<&Sku> = wanted.keys().collect();
    let mut free = BTreeMap::new();
    for (sku, level, _) in books::lock_levels(tx, &skus).await? {
        let before = level.available() + promised.get(&sku).copied().unwrap_or(0);
        free.insert(sku, before);
    }
    // What was there before this batch, which may still be undone: that is committed.
    for sku in wanted.keys() {
        if free.get(sku).copied().unwrap_or(0) > 0 {
            cache.forget([sku]).await;
        } else {
            cache.mark(sku).await;
        }
    }
    let allocation = allocate(demands, &free);
    let corrections: BTreeMap<Sku, Shift> = wanted
        .keys()
        .filter_map(|sku| {
            let granted = allocation.granted.get(sku).copied().unwrap_or(0);
            let delta = granted - promised.get(sku).copied().unwrap_or(0);
            (delta != 0).then(|| (sku.clone(), Shift { reserved: delta, ..Shift::default() }))
        })
        .collect();
    books::shift(tx, &corrections).await?;
    let mut outcomes = allocation.outcomes;
    if faults::planted("reservation-shared-out-in-reverse") {
        outcomes.reverse();
    }
    Ok(outcomes)
}

fn total(demands: &[Demand]) -> BTreeMap<Sku, i64> {
    let mut wanted: BTreeMap<Sku, i64> = BTreeMap::new();
    for (sku, units) in demands.iter().flat_map(|demand| &demand.units) {
        let sum = wanted.entry(sku.clone()).or_default();
        // More than there can ever be on a shelf: it will be short either way.
        *sum = sum.saturating_add(*units);
    }
    wanted
}
