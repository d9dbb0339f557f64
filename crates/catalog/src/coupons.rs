//! Who uses which coupon: taken and given back in the transactions of the orders.

use crate::{Catalog, CatalogError};
use domain::{CustomerId, OrderId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use store::{Rows, Statement, StoreError, Tx, statement};

static LOCK: Statement = statement!("lock_coupons");
static OF_CUSTOMERS: Statement = statement!("count_coupons_of_customers");
static USE: Statement = statement!("use_coupons");
static GIVE_BACK: Statement = statement!("give_coupons_back");
static COUNT: Statement = statement!("count_coupons");
static USED: Statement = statement!("coupons_used");

/// An order that wants to use coupons.
#[derive(Clone, Debug)]
pub struct CouponWish {
    /// Which order.
    pub order_id: OrderId,
    /// Whose order it is.
    pub customer_id: Option<CustomerId>,
    /// Codes, each once.
    pub coupons: Vec<String>,
}

/// How far coupons are used.
#[derive(Debug, Default)]
struct Counts {
    used: BTreeMap<String, i64>,
    by_customer: HashMap<(String, CustomerId), i64>,
}

impl Counts {
    /// Whether one more order may use the coupon.
    fn allow(&self, code: &str, customer: Option<CustomerId>, limits: Limits) -> bool {
        let used = self.used.get(code).copied().unwrap_or(0);
        let by_customer = |id| self.by_customer.get(&(code.to_owned(), id)).copied().unwrap_or(0);
        limits.all.is_none_or(|most| used < most)
            && limits.each.is_none_or(|most| customer.is_some_and(|id| by_customer(id) < most))
    }

    fn take(&mut self, code: &str, customer: Option<CustomerId>) {
        *self.used.entry(code.to_owned()).or_default() += 1;
        if let Some(id) = customer {
            *self.by_customer.entry((code.to_owned(), id)).or_default() += 1;
        }
    }
}

/// How many orders may use a coupon, in all and of one customer.
#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    all: Option<i64>,
    each: Option<i64>,
}

/// Decides in the order of the wishes: which of each order's coupons are used up. An order that
/// misses one takes none. Pure.
fn decide(
    wishes: &[CouponWish],
    mut counts: Counts,
    limits: impl Fn(&str) -> Limits,
) -> HashMap<OrderId, Vec<String>> {
    let mut used_up = HashMap::new();
    for wish in wishes {
        let is_missed =
            |code: &&String| !counts.allow(code, wish.customer_id, limits(code.as_str()));
        let missed: Vec<String> = wish.coupons.iter().filter(is_missed).cloned().collect();
        if missed.is_empty() {
            wish.coupons.iter().for_each(|code| counts.take(code, wish.customer_id));
        } else {
            used_up.insert(wish.order_id, missed);
        }
    }
    used_up
}

impl Catalog {
    /// Takes the coupons of orders in their transaction, which holds the coupons from then on; which
    /// coupons of which orders are used up. An order that misses one takes none. The limits are those
    /// that this node knows now.
    ///
    /// # Errors
    /// [`CatalogError::Store`]; the transaction is of no use any more then.
    pub async fn take_coupons(
        &self,
        tx: &mut Tx,
        wishes: &[CouponWish],
        now: Timestamp,
    ) -> Result<HashMap<OrderId, Vec<String>>, CatalogError> {
        let rules = self.rules();
        let limits = |code: &str| {
            rules.coupons.get(code).map_or(Limits::default(), |document| Limits {
                all: document.rule.limit,
                each: document.rule.limit_per_customer,
            })
        };
        self.edge.call(take(tx, wishes, limits, now)).await.map_err(CatalogError::from)
    }

    /// Gives the coupons of orders that ended back, in their transaction.
    ///
    /// # Errors
    /// [`CatalogError::Store`]; the transaction is of no use any more then.
    pub async fn give_coupons_back(
        &self,
        tx: &mut Tx,
        orders: &[OrderId],
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        self.edge.call(give_back(tx, orders, now)).await.map_err(CatalogError::from)
    }

    /// How many orders use each of these coupons now.
    ///
    /// # Errors
    /// [`CatalogError::Store`].
    pub async fn coupons_used(
        &self,
        codes: Vec<String>,
    ) -> Result<HashMap<String, i64>, CatalogError> {
        let read = async {
            let rows = self.db.fetch(USED.query().rows(Rows::new().texts(codes))).await?;
            let count = |row: &store::Row| Ok((row.text("coupon")?, row.int("used")?));
            rows.iter().map(count).collect::<Result<_, StoreError>>()
        };
        self.edge.call(read).await.map_err(CatalogError::from)
    }
}

async fn take(
    tx: &mut Tx,
    wishes: &[CouponWish],
    limits: impl Fn(&str) -> Limits,
    now: Timestamp,
) -> Result<HashMap<OrderId, Vec<String>>, StoreError> {
    let all: BTreeSet<&String> = wishes.iter().flat_map(|wish| &wish.coupons).collect();
    let mut counts = Counts { used: lock(tx, all).await?, ..Counts::default() };
    let pairs: BTreeSet<(&String, CustomerId)> = wishes
        .iter()
        .filter_map(|wish| wish.customer_id.map(|id| (wish, id)))
        .flat_map(|(wish, id)| wish.coupons.iter().map(move |code| (code, id)))
        .filter(|(code, _)| limits(code).each.is_some())
        .collect();
    if !pairs.is_empty() {
        let rows = Rows::new()
            .texts(pairs.iter().map(|(code, _)| (*code).clone()))
            .uuids(pairs.iter().map(|(_, id)| id.0));
        for row in tx.fetch(OF_CUSTOMERS.query().rows(rows)).await? {
            let customer = CustomerId(row.uuid("customer_id")?);
            counts.by_customer.insert((row.text("coupon")?, customer), row.int("used")?);
        }
    }
    let used_up = decide(wishes, counts, limits);
    let taken: Vec<(&CouponWish, &String)> = wishes
        .iter()
        .filter(|wish| !used_up.contains_key(&wish.order_id))
        .flat_map(|wish| wish.coupons.iter().map(move |code| (wish, code)))
        .collect();
    if !taken.is_empty() {
        let rows = Rows::new()
            .uuids(taken.iter().map(|(wish, _)| wish.order_id.0))
            .texts(taken.iter().map(|(_, code)| (*code).clone()))
            .uuids(taken.iter().map(|(wish, _)| wish.customer_id.map(|id| id.0)));
        tx.execute(USE.query().rows(rows).bind(now)).await?;
        count(tx, taken.iter().map(|(_, code)| (*code).clone()), 1).await?;
    }
    Ok(used_up)
}

async fn give_back(tx: &mut Tx, orders: &[OrderId], now: Timestamp) -> Result<(), StoreError> {
    let rows = Rows::new().uuids(orders.iter().map(|id| id.0));
    let given = tx.fetch(GIVE_BACK.query().rows(rows).bind(now)).await?;
    let codes: Vec<String> =
        given.iter().map(|row| row.text("coupon")).collect::<Result<_, _>>()?;
    if codes.is_empty() {
        return Ok(());
    }
    // In their order, as whoever takes coupons does it.
    lock(tx, codes.iter().collect()).await?;
    count(tx, codes.into_iter(), -1).await
}

/// Holds the coupons until the transaction ends; how many orders use each.
async fn lock(tx: &mut Tx, codes: BTreeSet<&String>) -> Result<BTreeMap<String, i64>, StoreError> {
    let rows = Rows::new().texts(codes.into_iter().cloned());
    let rows = tx.fetch(LOCK.query().rows(rows)).await?;
    rows.iter().map(|row| Ok((row.text("coupon")?, row.int("used")?))).collect()
}

async fn count(
    tx: &mut Tx,
    codes: impl Iterator<Item = String>,
    each: i64,
) -> Result<(), StoreError> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    codes.for_each(|code| *sums.entry(code).or_default() += each);
    let rows = Rows::new().texts(sums.keys().cloned()).ints(sums.values().copied());
    tx.execute(COUNT.query().rows(rows)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn wish(order: u128, customer: Option<u128>, coupons: &[&str]) -> CouponWish {
        CouponWish {
            order_id: OrderId(Uuid::from_u128(order)),
            customer_id: customer.map(|id| CustomerId(Uuid::from_u128(id))),
            coupons: coupons.iter().map(|code| (*code).to_owned()).collect(),
        }
    }

    #[test]
    fn limits_hold_within_a_batch_and_who_misses_one_takes_none() {
        let limits = |code: &str| match code {
            "TWO" => Limits { all: Some(2), each: None },
            "ONCE" => Limits { all: None, each: Some(1) },
            _ => Limits::default(),
        };
        let wishes = [
            wish(1, Some(1), &["TWO", "ONCE"]),
            // ONCE is used by this customer: TWO is not taken either.
            wish(2, Some(1), &["TWO", "ONCE"]),
            wish(3, Some(2), &["TWO", "ONCE"]),
            wish(4, None, &["TWO"]),
            wish(5, None, &["ONCE"]),
            wish(6, None, &["FREE"]),
        ];
        let used_up = decide(&wishes, Counts::default(), limits);
        let of = |order: u128| {
            used_up.get(&OrderId(Uuid::from_u128(order))).map(|codes| codes.join(","))
        };
        assert_eq!((of(1), of(3), of(6)), (None, None, None));
        assert_eq!(of(2).as_deref(), Some("ONCE"));
        assert_eq!(of(4).as_deref(), Some("TWO"));
        assert_eq!(of(5).as_deref(), Some("ONCE"));
    }
}
