//! Choosing units of an order's lines: what a client names by SKU becomes units of lines.

use super::{Line, LineUnits, Order, PartRequest};

/// Takes the wanted units from the lines, first line first; `free` says how many units of a line
/// may be taken. Nothing wanted means all that may be taken.
///
/// Fails with the first SKU of which the lines do not have enough.
pub(super) fn choose(
    order: &Order,
    wanted: &[PartRequest],
    free: impl Fn(&Line) -> i64,
) -> Result<Vec<LineUnits>, PartRequest> {
    let mut left: Vec<i64> = order.lines.iter().map(|line| free(line).max(0)).collect();
    let mut chosen = vec![0_i64; left.len()];
    if wanted.is_empty() {
        chosen.clone_from(&left);
    }
    for part in wanted {
        let mut missing = part.quantity;
        for (index, line) in order.lines.iter().enumerate().filter(|(_, l)| l.sku == part.sku) {
            let (Some(free), Some(taken)) = (left.get_mut(index), chosen.get_mut(index)) else {
                continue;
            };
            let units = missing.min(*free);
            (*free, *taken, missing) = (*free - units, *taken + units, missing - units);
            if line.sku == part.sku && missing == 0 {
                break;
            }
        }
        if missing > 0 {
            return Err(part.clone());
        }
    }
    let units = order.lines.iter().zip(chosen).enumerate();
    Ok(units
        .filter(|(_, (_, quantity))| *quantity > 0)
        .map(|(line, (l, quantity))| LineUnits { line, sku: l.sku.clone(), quantity })
        .collect())
}
