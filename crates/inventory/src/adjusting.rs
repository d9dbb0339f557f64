//! Changing the stock on request, each request at most once.

use crate::books;
use crate::books::ledger::{self, Signature};
use crate::books::places;
use crate::location::{LocationName, Places};
use crate::messages::{Adjust, Adjustment, InventoryError, Outcome, StockView, Verdict};
use domain::{Clock, IdSource, Sku, StockError, StockLevel};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use store::answers::{self, Fingerprint, RequestKey, Stored};
use store::{Db, StoreError, Tx, conflict};

pub(crate) struct Clerk<'a> {
    pub(crate) db: &'a Db,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) ids: &'a dyn IdSource,
    pub(crate) actor: &'a str,
    pub(crate) trace_id: &'a str,
}

impl Clerk<'_> {
    pub(crate) async fn adjust(&self, message: &Adjust) -> Result<Vec<Outcome>, InventoryError> {
        in_attempts(async || self.attempt(message).await).await
    }

    /// `None` when another transaction has just used one of the keys: look again.
    async fn attempt(&self, message: &Adjust) -> Result<Option<Vec<Outcome>>, StoreError> {
        let mut tx = self.db.begin().await?;
        let wanted = &message.adjustments;
        let keys = wanted.iter().filter_map(|adjustment| Some(&adjustment.request.as_ref()?.0));
        let known = known_answers(&mut tx, keys).await?;
        let locations = places::known(&mut tx, wanted.iter().map(|a| &a.location)).await?;
        let mut shelf = Shelf::open(&mut tx, wanted, &locations).await?;

        let now = self.clock.now();
        let (mut outcomes, mut done, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for adjustment in wanted {
            if let Some(before) = adjustment.request.as_ref().and_then(|r| again(&known, r)) {
                outcomes.push(before);
                continue;
            }
            if !locations.contains_key(&adjustment.location) {
                outcomes.push(Outcome::UnknownLocations(vec![adjustment.location.clone()]));
                continue;
            }
            let verdict = shelf.judge(adjustment);
            let answer = (message.render)(&verdict, self.trace_id);
            if matches!(verdict, Verdict::Done(_)) {
                done.push(adjustment);
            }
            if let Some((key, fingerprint)) = adjustment.request.clone() {
                kept.push(Stored { key, fingerprint, answer: answer.clone(), created_at: now });
            }
            outcomes.push(Outcome::Told { answer, replayed: false });
        }
        books::apply_adjustments(&mut tx, &shelf.changes).await?;
        places::put_elsewhere(&mut tx, &shelf.left_at).await?;
        let ids = done.iter().map(|_| self.ids.uuid()).collect();
        let signature = Signature { actor: self.actor, at: now };
        ledger::add_adjustments(&mut tx, ids, &done, signature).await?;
        Ok(seal(tx, kept).await?.then_some(outcomes))
    }
}

/// Does `work` until no other transaction gets in its way. `None` of it means: look again.
pub(crate) async fn in_attempts<T>(
    work: impl AsyncFn() -> Result<Option<T>, StoreError>,
) -> Result<T, InventoryError> {
    let mut conflicts = 0;
    loop {
        match work().await {
            Ok(Some(done)) => return Ok(done),
            Ok(None) if conflicts < conflict::RETRIES_MAX => {}
            Err(error) if error.is_conflict() && conflicts < conflict::RETRIES_MAX => {}
            Ok(None) => return Err(InventoryError::Contended),
            Err(error) => return Err(error.into()),
        }
        conflicts += 1;
        conflict::back_off(conflicts).await;
    }
}

/// What these requests were told before, as far as they were.
pub(crate) async fn known_answers(
    tx: &mut Tx,
    keys: impl Iterator<Item = &RequestKey>,
) -> Result<HashMap<RequestKey, Stored>, StoreError> {
    let keys: Vec<RequestKey> = keys.cloned().collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    answers::find_in(tx, &keys).await
}

/// What a request is told whose key was used before.
pub(crate) fn again(
    known: &HashMap<RequestKey, Stored>,
    (key, fingerprint): &(RequestKey, Fingerprint),
) -> Option<Outcome> {
    let stored = known.get(key)?;
    Some(if stored.fingerprint == *fingerprint {
        Outcome::Told { answer: stored.answer.clone(), replayed: true }
    } else {
        Outcome::KeyReused
    })
}

/// Keeps the answers and commits. `false`, and nothing happened, when another transaction has just
/// used one of the keys.
pub(crate) async fn seal(mut tx: Tx, mut kept: Vec<Stored>) -> Result<bool, StoreError> {
    if faults::planted("adjustment-answer-not-kept") {
        kept.clear();
    }
    if answers::store(&mut tx, &kept).await? != kept.len() as u64 {
        tx.rollback().await?;
        return Ok(false);
    }
    faults::point("adjust.before_commit").await;
    tx.commit().await?;
    faults::point("adjust.after_commit").await;
    Ok(true)
}

/// The levels of the SKUs of a batch, and how they change as it is worked through.
struct Shelf {
    levels: BTreeMap<Sku, (StockLevel, i64)>,
    /// Where the units of those SKUs lie for which it matters.
    places: BTreeMap<Sku, Places>,
    /// Per SKU: units added, and number of adjustments.
    changes: BTreeMap<Sku, (i64, i64)>,
    /// Units at the places that changed.
    left_at: BTreeMap<(Sku, LocationName), i64>,
}

impl Shelf {
    /// Locks the levels that the adjustments at known locations are about.
    async fn open(
        tx: &mut Tx,
        adjustments: &[Adjustment],
        locations: &BTreeMap<LocationName, i64>,
    ) -> Result<Self, StoreError> {
        let wanted =
            || adjustments.iter().filter(|wanted| locations.contains_key(&wanted.location));
        let skus_of = |which: fn(&Adjustment) -> bool| {
            BTreeSet::from_iter(wanted().filter(|wanted| which(wanted)).map(|wanted| &wanted.sku))
        };
        let filled = Vec::from_iter(skus_of(|wanted| wanted.delta > 0));
        books::ensure_stock(tx, &filled).await?;
        let levels = books::lock_levels(tx, &Vec::from_iter(skus_of(|_| true))).await?;
        let levels: BTreeMap<Sku, (StockLevel, i64)> =
            levels.into_iter().map(|(sku, level, version)| (sku, (level, version))).collect();
        let spread = Vec::from_iter(skus_of(minds_places));
        let mut elsewhere = places::elsewhere(tx, &spread).await?;
        let mut places: BTreeMap<Sku, Places> = BTreeMap::new();
        for sku in spread {
            let on_hand = levels.get(sku).map_or(0, |(level, _)| level.on_hand);
            let others = elsewhere.remove(sku).unwrap_or_default();
            places.insert(sku.clone(), Places::new(on_hand, others));
        }
        for Adjustment { sku, location, .. } in wanted() {
            if let (Some(places), Some(rank)) = (places.get_mut(sku), locations.get(location)) {
                places.open(location, *rank);
            }
        }
        Ok(Self { levels, places, changes: BTreeMap::new(), left_at: BTreeMap::new() })
    }

    fn judge(&mut self, wanted: &Adjustment) -> Verdict<StockView> {
        let (level, version) = self.levels.get(&wanted.sku).copied().unwrap_or_default();
        // Promises are to orders and not to places: what lies here may be taken as long as enough
        // is left anywhere.
        let there = match self.places.get(&wanted.sku) {
            Some(places) if wanted.delta < 0 => places.at(&wanted.location),
            _ => level.on_hand,
        };
        let next = match level.adjust(wanted.delta) {
            Ok(next) if wanted.delta >= 0 || there.saturating_add(wanted.delta) >= 0 => next,
            Ok(_) | Err(StockError::Insufficient { .. }) => {
                return Verdict::Insufficient { available: level.available().min(there) };
            }
            Err(StockError::Impossible) => return Verdict::OutOfRange,
        };
        self.levels.insert(wanted.sku.clone(), (next, version + 1));
        let change = self.changes.entry(wanted.sku.clone()).or_default();
        *change = (change.0 + wanted.delta, change.1 + 1);
        if let Some(places) = self.places.get_mut(&wanted.sku) {
            places.add(&wanted.location, wanted.delta);
            let place = (wanted.sku.clone(), wanted.location.clone());
            self.left_at.insert(place, places.at(&wanted.location));
        }
        Verdict::Done(StockView::new(wanted.sku.clone(), next, version + 1))
    }
}

/// Whether it matters for an adjustment where units lie. A delivery to the main location, such as
/// the whole opening stock, need not look.
fn minds_places(wanted: &Adjustment) -> bool {
    wanted.delta < 0 || !wanted.location.is_main()
}
