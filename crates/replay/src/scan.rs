//! The first pass over the order file: checks every line before anything is sent, and sums up
//! what the file itself says.

use std::collections::{HashMap, HashSet};

use domain::Timestamp;

use super::dataset::{Dataset, DatasetError, Order};
use super::expected::Totals;
use super::returns::moment;

/// What one pass over the orders found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The file's own sums.
    pub(super) totals: Totals,
    /// Units asked for, per SKU.
    pub(super) demand: HashMap<String, u64>,
    /// When the last of the orders was placed, if the file has more orders than were read.
    pub(super) until: Option<Timestamp>,
    /// Distinct customers in order of appearance.
    pub(super) customers: Vec<String>,
}

impl Scan {
    /// Reads the first `limit` orders of the dataset, or all.
    ///
    /// # Errors
    /// A line is broken, an `order_ref` comes twice, or a SKU is not in the catalogue.
    pub(super) fn of(dataset: &Dataset, limit: Option<usize>) -> Result<Self, DatasetError> {
        let catalogue: HashSet<&str> = dataset.products.iter().map(|p| p.sku.as_str()).collect();
        let mut scan = Self::default();
        let mut refs: HashMap<String, u64> = HashMap::new();
        let mut customers = HashSet::new();
        let mut orders = dataset.orders()?;
        for _ in 0..limit.unwrap_or(usize::MAX) {
            let Some(order) = orders.next().transpose()? else { break };
            if let Some(line) = order.lines.iter().find(|l| !catalogue.contains(l.sku.as_str())) {
                return Err(orders.problem(format!("SKU {} is not in the catalogue", line.sku)));
            }
            if dataset.returns.is_some() {
                // What came back is placed by time.
                let moment = moment(order.timestamp.as_deref());
                scan.until = scan.until.max(moment.map_err(|problem| orders.problem(problem))?);
            }
            scan.add(&order);
            if customers.insert(order.customer_ref.clone()) {
                scan.customers.push(order.customer_ref);
            }
            if let Some(first) = refs.get(&order.order_ref) {
                let order_ref = &order.order_ref;
                return Err(orders.problem(format!("order_ref {order_ref} was on line {first}")));
            }
            refs.insert(order.order_ref, orders.line());
        }
        if orders.next().is_none() {
            scan.until = None;
        }
        scan.totals.customers = scan.customers.len() as u64;
        scan.totals.skus = scan.demand.len() as u64;
        Ok(scan)
    }

    fn add(&mut self, order: &Order) {
        self.totals.orders += 1;
        self.totals.lines += order.lines.len() as u64;
        self.totals.total_minor += order.total_minor;
        for line in &order.lines {
            self.totals.units += line.quantity;
            self.totals.gross_minor += line.gross().unwrap_or_default();
            self.totals.discount_minor += line.discount_amount;
            match self.demand.get_mut(&line.sku) {
                Some(units) => *units += line.quantity,
                None => {
                    self.demand.insert(line.sku.clone(), line.quantity);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::Source;
    use super::*;

    fn dataset(orders: &str) -> Dataset {
        let memory = |name, bytes: &str| Source::Memory { name, bytes: Vec::leak(bytes.into()) };
        Dataset::from_sources(
            &memory("p", "sku,name,category,unit_price_minor,currency\nA,a,c,1,USD\nB,b,c,1,USD\n"),
            &memory("s", "sku,opening_stock\nA,9\nB,9\n"),
            memory("o", orders),
        )
        .unwrap()
    }

    fn scan(orders: &str, limit: Option<usize>) -> Result<Scan, String> {
        Scan::of(&dataset(orders), limit).map_err(|e| e.to_string())
    }

    fn order(order_ref: &str, customer: &str, sku: &str) -> String {
        format!(
            r#"{{"order_ref":"{order_ref}","customer_ref":"{customer}","currency":"USD","lines":[{{"sku":"{sku}","quantity":2,"unit_price_minor":10,"discount_minor":1}},{{"sku":"A","quantity":1,"unit_price_minor":5,"discount_minor":0}}],"total_minor":24}}"#
        ) + "\n"
    }

    #[test]
    fn sums_up_what_the_limit_lets_through() {
        let file = [order("1", "x", "B"), order("2", "x", "A"), order("3", "y", "B")].concat();
        let all = scan(&file, None).unwrap();
        let want = Totals {
            orders: 3,
            lines: 6,
            units: 9,
            gross_minor: 75,
            discount_minor: 3,
            total_minor: 72,
            customers: 2,
            skus: 2,
        };
        assert_eq!(all.totals, want);
        assert_eq!(all.demand, HashMap::from([("A".into(), 5), ("B".into(), 4)]));
        assert_eq!(all.customers, ["x", "y"]);
        let one = scan(&file, Some(1)).unwrap();
        assert_eq!((one.totals.orders, one.totals.customers), (1, 1));
    }

    #[test]
    fn a_repeated_order_ref_and_an_unknown_sku_are_named_by_line() {
        let twice = [order("1", "x", "B"), order("1", "y", "B")].concat();
        assert_eq!(scan(&twice, None).unwrap_err(), "o, line 2: order_ref 1 was on line 1");
        let unknown = [order("1", "x", "B"), order("2", "y", "C")].concat();
        assert_eq!(scan(&unknown, None).unwrap_err(), "o, line 2: SKU C is not in the catalogue");
    }

    #[test]
    fn with_returns_it_is_known_when_a_shortened_replay_ends() {
        let at = |n: u8| {
            let order = order(&n.to_string(), "x", "B");
            order.replace(
                "\"currency\"",
                &format!("\"timestamp\":\"2011-01-0{n}T08:00:00Z\",\"currency\""),
            )
        };
        let file = [at(1), at(3), at(2)].concat();
        let until = |limit, returns: Option<Source>| {
            let mut dataset = dataset(&file);
            dataset.returns = returns;
            Scan::of(&dataset, limit).unwrap().until
        };
        let returns = Some(Source::Memory { name: "r", bytes: b"" });
        assert_eq!(until(Some(2), returns.clone()), Timestamp::parse("2011-01-03T08:00:00Z"));
        assert_eq!(until(Some(1), returns.clone()), Timestamp::parse("2011-01-01T08:00:00Z"));
        assert_eq!(until(Some(3), returns.clone()), None, "these are all");
        assert_eq!(until(None, returns), None);
        assert_eq!(until(Some(2), None), None, "nobody asks");
    }
}
