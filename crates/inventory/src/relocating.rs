//! Bringing units from one location to another.

use crate::adjusting::{Clerk, again, in_attempts, known_answers, seal};
use crate::books::ledger::{self, Signature};
use crate::books::{self, Shift, places};
use crate::location::{LocationName, Places};
use crate::messages::{
    InventoryError, Outcome, Relocate, Relocation, StockDetail, StockView, Verdict,
};
use crate::movement::{EntryKind, Movement};
use domain::Timestamp;
use std::collections::BTreeMap;
use store::answers::Stored;
use store::{StoreError, Tx};

impl Clerk<'_> {
    pub(crate) async fn relocate(&self, message: &Relocate) -> Result<Outcome, InventoryError> {
        in_attempts(async || self.attempt_relocation(message).await).await
    }

    async fn attempt_relocation(&self, message: &Relocate) -> Result<Option<Outcome>, StoreError> {
        let wanted = &message.relocation;
        let mut tx = self.db.begin().await?;
        let known = known_answers(&mut tx, std::iter::once(&wanted.request.0)).await?;
        if let Some(before) = again(&known, &wanted.request) {
            tx.rollback().await?;
            return Ok(Some(before));
        }
        let ends = [&wanted.from, &wanted.to];
        let locations = places::known(&mut tx, ends).await?;
        let is_unknown = |end: &&&LocationName| !locations.contains_key(**end);
        let unknown: Vec<LocationName> =
            ends.iter().filter(is_unknown).map(|end| (*end).clone()).collect();
        if !unknown.is_empty() {
            tx.rollback().await?;
            return Ok(Some(Outcome::UnknownLocations(unknown)));
        }
        let (verdict, now) = self.bring(&mut tx, wanted, &locations).await?;
        let answer = (message.render)(&verdict, self.trace_id);
        let (key, fingerprint) = wanted.request.clone();
        let kept = vec![Stored { key, fingerprint, answer: answer.clone(), created_at: now }];
        let told = Outcome::Told { answer, replayed: false };
        Ok(seal(tx, kept).await?.then_some(told))
    }

    /// Units may be brought away whether they are promised or not: a promise is to an order and
    /// not to a place, and no unit leaves the house.
    async fn bring(
        &self,
        tx: &mut Tx,
        wanted: &Relocation,
        locations: &BTreeMap<LocationName, i64>,
    ) -> Result<(Verdict<StockDetail>, Timestamp), StoreError> {
        let Relocation { sku, quantity, from, to, .. } = wanted;
        let level = books::lock_levels(tx, &[sku]).await?.pop();
        let now = self.clock.now();
        let Some((_, level, version)) = level else {
            return Ok((Verdict::Insufficient { available: 0 }, now));
        };
        let others = places::elsewhere(tx, &[sku]).await?.remove(sku).unwrap_or_default();
        let mut places = Places::new(level.on_hand, others);
        places.open(to, locations.get(to).copied().unwrap_or_default());
        let there = places.at(from);
        // From a place to itself nothing could change: the caller refuses that before.
        if *quantity < 1 || *quantity > there || from == to {
            return Ok((Verdict::Insufficient { available: there }, now));
        }
        places.add(from, -quantity);
        places.add(to, *quantity);
        let place = |end: &LocationName| ((sku.clone(), end.clone()), places.at(end));
        places::put_elsewhere(tx, &BTreeMap::from([place(from), place(to)])).await?;
        // The numbers of the shelf stay, its version tells that something changed.
        books::shift(tx, &BTreeMap::from([(sku.clone(), Shift::default())])).await?;
        let movement = Movement {
            sku: sku.clone(),
            kind: EntryKind::Move,
            units: *quantity,
            from: Some(from.clone()),
            to: Some(to.clone()),
            order_id: None,
        };
        let signature = Signature { actor: self.actor, at: now };
        ledger::add_movements(tx, vec![self.ids.uuid()], &[movement], signature).await?;
        let locations = places.laid_over(level.reserved);
        let level = StockView::new(sku.clone(), level, version + 1);
        Ok((Verdict::Done(StockDetail { level, locations }), now))
    }
}
