//! What happens to promised goods: they are given back, they leave, they return.
//!
//! A whole batch takes a handful of statements. Everything it touches is locked first, in the one
//! order of the house (reservations by order, then shelves by SKU); then it is worked out in
//! memory, move by move, and written.

use crate::books::ledger::{self, Signature};
use crate::books::{self, Reservation, Shift, places};
use crate::location::{LocationName, Places};
use crate::messages::{GoodsMove, InventoryError};
use crate::movement::{EntryKind, Movement};
use domain::{Clock, IdSource, OrderId, Sku};
use std::collections::{BTreeMap, BTreeSet};
use store::{StoreError, Tx};

/// Who carries out, with what a test owns.
pub(crate) struct Carrier<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) ids: &'a dyn IdSource,
    pub(crate) actor: &'a str,
}

impl Carrier<'_> {
    pub(crate) async fn carry_out(
        &self,
        tx: &mut Tx,
        moves: &[GoodsMove],
    ) -> Result<(), InventoryError> {
        let mut work = Work::open(tx, moves).await?;
        for goods in moves {
            work.enter(goods)?;
        }
        self.write(tx, work).await
    }

    async fn write(&self, tx: &mut Tx, work: Work) -> Result<(), InventoryError> {
        // Looked at under the locks, so that the ledger of a SKU is in the order of its changes.
        let now = self.clock.now();
        let changed: Vec<Reservation<'_>> = work
            .held
            .iter()
            .filter(|(_, held)| held.changed)
            .map(|(order_id, held)| Reservation {
                order_id: *order_id,
                units: &held.units,
                ends: held.released || held.units.is_empty(),
            })
            .collect();
        if books::change_reservations(tx, &changed, now).await? != changed.len() as u64 {
            return Err(InventoryError::Disagreement("a locked reservation is gone".to_owned()));
        }
        if books::shift(tx, &work.shifts).await? != work.shifts.len() as u64 {
            return Err(InventoryError::Disagreement("goods without a shelf".to_owned()));
        }
        places::put_elsewhere(tx, &work.left_at).await?;
        let ids = work.movements.iter().map(|_| self.ids.uuid()).collect();
        let signature = Signature { actor: self.actor, at: now };
        ledger::add_movements(tx, ids, &work.movements, signature).await?;
        Ok(())
    }
}

/// What is promised to an order, as it is worked through.
struct Held {
    units: BTreeMap<Sku, i64>,
    changed: bool,
    /// Given back: `units` stay as the record of it.
    released: bool,
}

/// A batch as it is worked through.
struct Work {
    held: BTreeMap<OrderId, Held>,
    /// Where the units of the SKUs lie that leave.
    shelves: BTreeMap<Sku, Places>,
    shifts: BTreeMap<Sku, Shift>,
    /// Units left at the places that some were taken from.
    left_at: BTreeMap<(Sku, LocationName), i64>,
    movements: Vec<Movement>,
}

impl Work {
    /// Locks what the moves will touch.
    async fn open(tx: &mut Tx, moves: &[GoodsMove]) -> Result<Self, StoreError> {
        let holders: BTreeSet<OrderId> = moves.iter().filter_map(holder).collect();
        let mut held = BTreeMap::new();
        if !holders.is_empty() {
            for (order_id, units) in books::lock_reservations(tx, holders).await? {
                held.insert(order_id, Held { units, changed: false, released: false });
            }
        }
        let mut shelves = BTreeMap::new();
        let leaving: BTreeSet<&Sku> = moves.iter().flat_map(leaving).collect();
        if !leaving.is_empty() {
            // All shelves of the batch and not only those: the second lock must not be in the way
            // of somebody who has the first one in another batch.
            let mut skus: BTreeSet<&Sku> = moves.iter().flat_map(named).collect();
            skus.extend(held.values().flat_map(|held| held.units.keys()));
            let skus: Vec<&Sku> = skus.into_iter().collect();
            let levels = books::lock_levels(tx, &skus).await?;
            let leaving: Vec<&Sku> = leaving.into_iter().collect();
            let mut elsewhere = places::elsewhere(tx, &leaving).await?;
            for (sku, level, _) in levels {
                let others = elsewhere.remove(&sku).unwrap_or_default();
                shelves.insert(sku, Places::new(level.on_hand, others));
            }
        }
        Ok(Self {
            held,
            shelves,
            shifts: BTreeMap::new(),
            left_at: BTreeMap::new(),
            movements: Vec::new(),
        })
    }

    fn enter(&mut self, goods: &GoodsMove) -> Result<(), InventoryError> {
        match goods {
            GoodsMove::Release { order_id } => self.release(*order_id),
            GoodsMove::Ship { order_id, units } => {
                for (sku, quantity) in units {
                    self.ship(*order_id, sku, *quantity)?;
                }
            }
            GoodsMove::TakeBack { order_id, units, restock } => {
                for (sku, quantity) in units {
                    self.take_back(*order_id, sku, *quantity, *restock);
                }
            }
        }
        Ok(())
    }

    fn release(&mut self, order_id: OrderId) {
        let Some(held) = self.held.get_mut(&order_id) else { return };
        if held.released || held.units.is_empty() {
            return;
        }
        (held.changed, held.released) = (true, true);
        let times = if faults::planted("release-twice") { 2 } else { 1 };
        for (sku, quantity) in &held.units {
            self.shifts.entry(sku.clone()).or_default().reserved -= quantity * times;
        }
    }

    fn ship(&mut self, order_id: OrderId, sku: &Sku, quantity: i64) -> Result<(), InventoryError> {
        let refused = || InventoryError::NotReserved { order: order_id, sku: sku.clone() };
        let held = self.held.get_mut(&order_id).filter(|held| !held.released);
        let held = held.ok_or_else(refused)?;
        let promised = held.units.get_mut(sku).ok_or_else(refused)?;
        if !(1..=*promised).contains(&quantity) {
            return Err(refused());
        }
        if !faults::planted("ship-keeps-the-reservation") {
            held.changed = true;
            *promised -= quantity;
            if *promised == 0 {
                held.units.remove(sku);
            }
        }
        let shift = self.shifts.entry(sku.clone()).or_default();
        shift.on_hand -= quantity;
        shift.reserved -= quantity;
        shift.shipped += quantity;
        let shelf = self.shelves.get_mut(sku);
        let pieces = shelf.and_then(|shelf| {
            let pieces = shelf.take(quantity)?;
            for (location, _) in &pieces {
                self.left_at.insert((sku.clone(), location.clone()), shelf.at(location));
            }
            Some(pieces)
        });
        let missing = || InventoryError::Disagreement(format!("{sku} is promised and not there"));
        for (from, units) in pieces.ok_or_else(missing)? {
            self.movements.push(Movement {
                sku: sku.clone(),
                kind: EntryKind::Shipment,
                units,
                from: Some(from),
                to: None,
                order_id: Some(order_id),
            });
        }
        Ok(())
    }

    fn take_back(&mut self, order_id: OrderId, sku: &Sku, quantity: i64, restock: bool) {
        if quantity < 1 {
            return;
        }
        if restock {
            let shift = self.shifts.entry(sku.clone()).or_default();
            shift.on_hand += quantity;
            if !faults::planted("restock-not-counted") {
                shift.returned += quantity;
            }
            if let Some(shelf) = self.shelves.get_mut(sku) {
                shelf.add(&LocationName::main(), quantity);
            }
        }
        self.movements.push(Movement {
            sku: sku.clone(),
            kind: if restock { EntryKind::Return } else { EntryKind::Discard },
            units: quantity,
            from: None,
            to: restock.then(LocationName::main),
            order_id: Some(order_id),
        });
    }
}

/// The order whose promise a move touches.
const fn holder(goods: &GoodsMove) -> Option<OrderId> {
    match goods {
        GoodsMove::Release { order_id } | GoodsMove::Ship { order_id, .. } => Some(*order_id),
        GoodsMove::TakeBack { .. } => None,
    }
}

/// The SKUs that a move names.
fn named(goods: &GoodsMove) -> impl Iterator<Item = &Sku> {
    let units = match goods {
        GoodsMove::Release { .. } => None,
        GoodsMove::Ship { units, .. } | GoodsMove::TakeBack { units, .. } => Some(units),
    };
    units.into_iter().flat_map(BTreeMap::keys)
}

/// The SKUs of which units leave.
fn leaving(goods: &GoodsMove) -> impl Iterator<Item = &Sku> {
    let leaves = matches!(goods, GoodsMove::Ship { .. });
    leaves.then_some(goods).into_iter().flat_map(named)
}
