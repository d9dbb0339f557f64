//! Adjusting levels, each adjustment at most once.

use crate::books;
use crate::messages::{Adjust, Adjusted, Adjustment, InventoryError, StockView};
use domain::{Clock, IdSource, Sku, StockError, StockLevel};
use std::collections::{BTreeMap, HashMap};
use store::answers::{self, RequestKey, Stored};
use store::{Db, StoreError, Tx};

/// Attempts at a batch that other transactions get in the way of (rule D9).
const ATTEMPTS_MAX: usize = 5;

pub(crate) struct Clerk<'a> {
    pub(crate) db: &'a Db,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) ids: &'a dyn IdSource,
}

impl Clerk<'_> {
    pub(crate) async fn adjust(
        &self,
        message: &Adjust,
        actor: &str,
    ) -> Result<Vec<Adjusted>, InventoryError> {
        let mut attempt = 1;
        loop {
            match self.attempt(message, actor).await {
                Ok(Some(outcomes)) => return Ok(outcomes),
                Ok(None) if attempt < ATTEMPTS_MAX => {}
                Err(error) if error.is_conflict() && attempt < ATTEMPTS_MAX => {}
                Ok(None) => return Err(InventoryError::Contended),
                Err(error) => return Err(error.into()),
            }
            attempt += 1;
        }
    }

    /// `None` when another transaction has just used one of the keys: look again.
    async fn attempt(
        &self,
        message: &Adjust,
        actor: &str,
    ) -> Result<Option<Vec<Adjusted>>, StoreError> {
        let mut tx = self.db.begin().await?;
        let known = known_answers(&mut tx, &message.adjustments).await?;
        let mut shelf = open_shelf(&mut tx, &message.adjustments).await?;
        let outcomes: Vec<Adjusted> =
            message.adjustments.iter().map(|wanted| shelf.take(wanted, &known)).collect();

        let done: Vec<(&Adjustment, &StockView)> = message
            .adjustments
            .iter()
            .zip(&outcomes)
            .filter_map(|(adjustment, outcome)| match outcome {
                Adjusted::Done(view) => Some((adjustment, view)),
                _ => None,
            })
            .collect();
        let now = self.clock.now();
        books::apply_adjustments(&mut tx, &shelf.changes).await?;
        let ids = done.iter().map(|_| self.ids.uuid()).collect();
        let entries: Vec<&Adjustment> = done.iter().map(|(adjustment, _)| *adjustment).collect();
        books::add_adjustments(&mut tx, ids, &entries, actor, now).await?;
        let kept: Vec<Stored> = done
            .iter()
            .filter_map(|(adjustment, view)| {
                let (key, fingerprint) = adjustment.request.clone()?;
                Some(Stored { key, fingerprint, answer: (message.render)(view), created_at: now })
            })
            .collect();
        if answers::store(&mut tx, &kept).await? != kept.len() as u64 {
            tx.rollback().await?;
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(outcomes))
    }
}

async fn known_answers(
    tx: &mut Tx,
    adjustments: &[Adjustment],
) -> Result<HashMap<RequestKey, Stored>, StoreError> {
    let keys: Vec<RequestKey> = adjustments
        .iter()
        .filter_map(|adjustment| adjustment.request.as_ref().map(|(key, _)| key.clone()))
        .collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    answers::find_in(tx, &keys).await
}

/// The levels of the SKUs of a batch, and how they change as it is worked through.
struct Shelf {
    levels: BTreeMap<Sku, (StockLevel, i64)>,
    /// Per SKU: units added, and number of adjustments.
    changes: BTreeMap<Sku, (i64, i64)>,
}

async fn open_shelf(tx: &mut Tx, adjustments: &[Adjustment]) -> Result<Shelf, StoreError> {
    let mut skus: Vec<&Sku> = adjustments.iter().map(|adjustment| &adjustment.sku).collect();
    skus.sort_unstable();
    skus.dedup();
    let mut filled: Vec<&Sku> =
        adjustments.iter().filter(|a| a.delta > 0).map(|a| &a.sku).collect();
    filled.sort_unstable();
    filled.dedup();
    books::ensure_stock(tx, &filled).await?;
    let levels = books::lock_levels(tx, &skus).await?;
    let levels = levels.into_iter().map(|(sku, level, version)| (sku, (level, version))).collect();
    Ok(Shelf { levels, changes: BTreeMap::new() })
}

impl Shelf {
    fn take(&mut self, wanted: &Adjustment, known: &HashMap<RequestKey, Stored>) -> Adjusted {
        if let Some((key, fingerprint)) = &wanted.request
            && let Some(stored) = known.get(key)
        {
            return if stored.fingerprint == *fingerprint {
                Adjusted::Replayed(stored.answer.clone())
            } else {
                Adjusted::KeyReused
            };
        }
        let (level, version) = self.levels.get(&wanted.sku).copied().unwrap_or_default();
        match level.adjust(wanted.delta) {
            Ok(next) => {
                self.levels.insert(wanted.sku.clone(), (next, version + 1));
                let change = self.changes.entry(wanted.sku.clone()).or_default();
                *change = (change.0 + wanted.delta, change.1 + 1);
                Adjusted::Done(StockView::new(wanted.sku.clone(), next, version + 1))
            }
            Err(StockError::Insufficient { available, .. }) => Adjusted::Insufficient { available },
            Err(StockError::Impossible) => Adjusted::OutOfRange,
        }
    }
}
