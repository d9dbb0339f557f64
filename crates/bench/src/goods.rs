//! What is sold and what is ordered: made by a seed, or read from a data set.

use std::collections::HashMap;

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use replay::{Dataset, Opening, Product, wire};

/// The currency of made goods.
const CURRENCY: &str = "USD";
/// Units on the shelf of each SKU, so that nothing ever runs short.
const AMPLE: u64 = 1_000_000_000_000;
/// Different orders that are made; they are sent again and again, each time with a new key.
const VARIETY: usize = 16_384;

/// One order as it is sent, and what it moves when it is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderPlan {
    /// The body of `POST /v1/orders`.
    pub(crate) body: Vec<u8>,
    /// Units by place of the SKU in [`Goods::stock`].
    pub(crate) units: Vec<(u32, u64)>,
    /// Place of its currency in [`Goods::currencies`].
    pub(crate) currency: usize,
    /// What it costs, in minor units.
    pub(crate) total: i64,
}

/// A shop's goods and the orders for them.
pub(crate) struct Goods {
    pub(crate) products: Vec<Product>,
    pub(crate) stock: Vec<Opening>,
    pub(crate) currencies: Vec<String>,
    pub(crate) orders: Vec<OrderPlan>,
}

/// What each made product costs, in minor units.
fn price(number: usize) -> i64 {
    100 + i64::try_from(number % 900).unwrap_or_default()
}

fn sku(number: usize) -> String {
    format!("SKU-{number:05}")
}

impl Goods {
    /// `lines` lines of one unit each over `skus` SKUs, all different within an order where there
    /// are enough; with one SKU every line of every order names it.
    pub(crate) fn made(skus: usize, lines: usize, seed: u64) -> Self {
        let products = (0..skus).map(|number| Product {
            sku: sku(number),
            name: format!("Product {number}"),
            category: "bench".to_owned(),
            unit_amount: price(number),
            currency: CURRENCY.to_owned(),
        });
        let stock = (0..skus).map(|number| Opening { sku: sku(number), units: AMPLE });
        let mut chance = StdRng::seed_from_u64(seed);
        let orders = (0..VARIETY).map(|_| made_order(&mut chance, skus, lines));
        Self {
            products: products.collect(),
            stock: stock.collect(),
            currencies: vec![CURRENCY.to_owned()],
            orders: orders.collect(),
        }
    }

    /// The first orders of a data set, at the prices of the file, for customers that `customers`
    /// names by their reference. Orders with more lines than a single request takes are left out.
    pub(crate) fn baskets(
        dataset: &Dataset,
        customers: &HashMap<String, String>,
    ) -> anyhow::Result<Self> {
        let stock: Vec<Opening> = dataset
            .products
            .iter()
            .map(|product| Opening { sku: product.sku.clone(), units: AMPLE })
            .collect();
        let places: HashMap<&str, u32> =
            (0..).zip(&stock).map(|(place, opening)| (opening.sku.as_str(), place)).collect();
        let mut currencies: Vec<String> = Vec::new();
        let mut orders = Vec::new();
        for order in dataset.orders()?.take(VARIETY) {
            let order = order?;
            if order.lines.len() > wire::MAX_SINGLE_LINES {
                continue;
            }
            let customer = customers
                .get(&order.customer_ref)
                .with_context(|| format!("customer {} was not created", order.customer_ref))?;
            let mut units = Vec::with_capacity(order.lines.len());
            for line in &order.lines {
                let place = places
                    .get(line.sku.as_str())
                    .with_context(|| format!("SKU {} is not in the catalogue", line.sku))?;
                units.push((*place, line.quantity));
            }
            let known = currencies.iter().position(|currency| *currency == order.currency);
            let currency = known.unwrap_or_else(|| {
                currencies.push(order.currency.clone());
                currencies.len() - 1
            });
            let body = wire::order(&order, customer, None)?;
            orders.push(OrderPlan { body, units, currency, total: order.total_minor });
        }
        anyhow::ensure!(!orders.is_empty(), "the data set has no orders");
        Ok(Self { products: dataset.products.clone(), stock, currencies, orders })
    }

    /// References of all customers of the orders that [`Goods::baskets`] takes.
    pub(crate) fn customers(dataset: &Dataset) -> anyhow::Result<Vec<String>> {
        let mut references = Vec::new();
        for order in dataset.orders()?.take(VARIETY) {
            references.push(order?.customer_ref);
        }
        references.sort_unstable();
        references.dedup();
        Ok(references)
    }

    /// Lines of an order, on average.
    pub(crate) fn lines_per_order(&self) -> f64 {
        let lines: usize = self.orders.iter().map(|order| order.units.len()).sum();
        lines as f64 / self.orders.len().max(1) as f64
    }
}

fn made_order(chance: &mut StdRng, skus: usize, lines: usize) -> OrderPlan {
    let mut places: Vec<usize> = Vec::with_capacity(lines);
    while places.len() < lines {
        let place = chance.random_range(0..skus);
        if skus < lines || !places.contains(&place) {
            places.push(place);
        }
    }
    let line = |place: &usize| format!(r#"{{"sku":"{}","quantity":1}}"#, sku(*place));
    let body = format!(
        r#"{{"currency":"{CURRENCY}","lines":[{}],"payment":{{"method":"{}"}}}}"#,
        places.iter().map(line).collect::<Vec<_>>().join(","),
        wire::PAYMENT_METHOD
    );
    OrderPlan {
        body: body.into_bytes(),
        units: places.iter().map(|p| (u32::try_from(*p).unwrap_or(u32::MAX), 1)).collect(),
        currency: 0,
        total: places.iter().map(|place| price(*place)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_orders_name_different_skus_and_cost_what_they_say() {
        let goods = Goods::made(50, 3, 7);
        for order in goods.orders.iter().take(100) {
            let body: serde_json::Value = serde_json::from_slice(&order.body).unwrap();
            let skus: Vec<&str> =
                (0..3).map(|line| body["lines"][line]["sku"].as_str().unwrap()).collect();
            assert!(skus[0] != skus[1] && skus[1] != skus[2] && skus[0] != skus[2], "{skus:?}");
            let places: Vec<usize> = order.units.iter().map(|(place, _)| *place as usize).collect();
            let cost = |place: &usize| goods.products[*place].unit_amount;
            assert_eq!(order.total, places.iter().map(cost).sum::<i64>());
            let named: Vec<&str> = places.iter().map(|p| goods.stock[*p].sku.as_str()).collect();
            assert_eq!(skus, named);
        }
        assert_eq!(goods.orders, Goods::made(50, 3, 7).orders, "a seed makes the same orders");
        assert_ne!(goods.orders, Goods::made(50, 3, 8).orders);
    }

    #[test]
    fn a_hot_sku_is_on_every_line() {
        let goods = Goods::made(1, 3, 1);
        assert!(goods.orders.iter().all(|order| order.units == [(0, 1), (0, 1), (0, 1)]));
        assert_eq!(goods.lines_per_order(), 3.0);
    }

    #[test]
    fn baskets_are_the_orders_of_the_file() {
        let dataset = replay::sample().unwrap();
        let references = Goods::customers(&dataset).unwrap();
        assert_eq!(references.len(), 1_125);
        let ids = references.iter().map(|r| (r.clone(), format!("id-{r}"))).collect();
        let goods = Goods::baskets(&dataset, &ids).unwrap();
        assert_eq!(goods.orders.len(), 2_000);
        assert_eq!(goods.orders.iter().map(|order| order.total).sum::<i64>(), 6_247_293);
        let units = goods.orders.iter().flat_map(|order| &order.units).map(|(_, units)| units);
        assert_eq!(units.sum::<u64>(), 29_092);
        assert!(Goods::baskets(&dataset, &HashMap::new()).is_err());
    }
}
