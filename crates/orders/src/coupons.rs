//! The coupons of orders: taken when they are placed, given back when they end without effect.

use crate::shop::{BatchError, Parts};
use catalog::CouponWish;
use domain::{Order, OrderId, OrderStatus};
use std::collections::HashMap;
use store::Tx;

/// Takes the coupons of those orders that have some; which of each order's are used up. An order that
/// misses one takes none. Without coupons nothing is asked.
pub(crate) async fn take_coupons<'a>(
    shop: &Parts,
    tx: &mut Tx,
    orders: impl Iterator<Item = &'a Order>,
) -> Result<HashMap<OrderId, Vec<String>>, BatchError> {
    let wishes: Vec<CouponWish> = orders
        .filter(|order| !order.coupons().is_empty())
        .map(|order| CouponWish {
            order_id: order.id,
            customer_id: order.customer_id,
            coupons: order.coupons().to_vec(),
        })
        .collect();
    if wishes.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(shop.catalog.take_coupons(tx, &wishes, shop.clock.now()).await?)
}

/// Gives back the coupons of those orders that ended without effect. Without coupons nothing is asked.
pub(crate) async fn give_coupons_back<'a>(
    shop: &Parts,
    tx: &mut Tx,
    moved: impl Iterator<Item = &'a Order>,
) -> Result<(), BatchError> {
    let ended: Vec<OrderId> = moved
        .filter(|order| !order.coupons().is_empty())
        .filter(|order| matches!(order.status, OrderStatus::Rejected | OrderStatus::Cancelled))
        .map(|order| order.id)
        .collect();
    if !ended.is_empty() {
        shop.catalog.give_coupons_back(tx, &ended, shop.clock.now()).await?;
    }
    Ok(())
}
