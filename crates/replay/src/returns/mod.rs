//! Gives cancellations back: credit notes of a file become returns of the orders of the same
//! customer and SKU.
//!
//! The steps: sum the file up (`notes`); remember what was sold to whom while the orders are
//! placed (`sales`); find the orders of each note (`matching`); ship them, since only what left can
//! come back, and return the units (`send`, `tally`); compare (`checks`). What finds no order is
//! told (`report`).
//!
//! The orders that a note is placed on must be the same when the replay is repeated or resumed.
//! Therefore nothing is returned before it is known of every order whether it was accepted.

mod checks;
mod matching;
mod notes;
mod report;
mod sales;
mod send;
mod tally;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use domain::Timestamp;

pub use report::{Placing, ReturnsReport, Unplaced};

pub(super) use checks::checks;
pub(super) use notes::{NoteScan, moment};
pub(super) use report::print;
pub(super) use sales::Sales;
pub(super) use tally::Given;
#[cfg(test)]
pub(super) use tally::tests::{given, take_back};

use super::books::Audit;
use super::client::Api;
use super::dataset::{Dataset, DatasetError};
use super::drive::Run;
use super::expected::Totals;
use super::{Phases, progress};
use matching::{Matcher, Plan};
use notes::NoteReader;

/// How long the refunds may take to reach the provider, all waits together.
const SETTLE_FOR: Duration = Duration::from_secs(120);
/// The first and the longest wait between two looks at the books.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// What was to be done, and what was.
#[derive(Debug, Default)]
pub(super) struct Returned {
    /// The file's own sums.
    pub(super) totals: Totals,
    /// How the notes were placed.
    placing: Placing,
    /// Orders to ship.
    orders: u64,
    /// Returns to send.
    returns: u64,
    pub(super) given: Given,
    elapsed: Duration,
}

/// Places the credit notes on the sales, as far as they were written by `until`, and sends the
/// returns, unless `failed_orders` orders are
/// without an outcome.
///
/// # Errors
/// The file cannot be read any more, or the server stopped answering.
pub(super) async fn give_back(
    run: &Arc<Run>,
    dataset: &Dataset,
    (totals, sales, until): (Totals, Sales, Option<Timestamp>),
    failed_orders: u64,
    (shown, phases): (bool, &mut Phases),
) -> anyhow::Result<Returned> {
    let dataset = dataset.clone();
    let plan = tokio::task::spawn_blocking(move || plan(&dataset, sales, until)).await;
    let Plan { jobs, placing } = plan.context("reading the returns was broken off")??;
    let returns = jobs.iter().map(|job| job.returns.len() as u64).sum();
    let orders = jobs.len() as u64;
    let mut returned = Returned { totals, placing, orders, returns, ..Returned::default() };
    if failed_orders > 0 {
        returned.given.fail(format!("{failed_orders} orders failed: nothing is returned yet"));
        return Ok(returned);
    }
    let bar = progress::bar("returns", returns, shown);
    let start = Instant::now();
    let sending = send::send(run, jobs, &mut returned.given, &bar);
    let sent = phases.time("returns", sending).await;
    phases.count(returned.given.returned);
    bar.finish_and_clear();
    returned.elapsed = start.elapsed();
    sent.map(|()| returned)
}

/// Reads the credit notes and places each.
fn plan(dataset: &Dataset, sales: Sales, until: Option<Timestamp>) -> Result<Plan, DatasetError> {
    let mut matcher = Matcher::new(sales, until);
    for note in NoteReader::open(dataset)?.into_iter().flatten() {
        matcher.place(&note?);
    }
    Ok(matcher.finish())
}

/// The audit once the provider has done all refunds that were promised to clients. A return is
/// answered at its deadline, even if the provider is slower.
pub(super) async fn settled_audit(api: &Api) -> anyhow::Result<Audit> {
    let (mut wait, mut waited) = (FIRST_LOOK, Duration::ZERO);
    loop {
        let audit = Audit::read(api).await?;
        if audit.refunds_are_done() || waited >= SETTLE_FOR {
            return Ok(audit);
        }
        tokio::time::sleep(wait).await;
        waited += wait;
        wait = (wait * 2).min(LONGEST_LOOK);
    }
}

impl Returned {
    /// For programs and people.
    pub(super) fn report(self) -> ReturnsReport {
        let Self { totals, placing, orders: _, returns: _, given, elapsed } = self;
        let refunded = given.refunds.iter().map(|(currency, sums)| (currency, sums.answered));
        ReturnsReport {
            credit_notes: totals.orders,
            lines: totals.lines,
            units: totals.units,
            amount_minor: totals.total_minor,
            placing,
            orders_shipped: given.shipped,
            returned: given.returned,
            units_returned: given.units_returned.values().sum(),
            refunded_minor: given.refunds.values().map(|sums| sums.answered).sum(),
            refunded_by_currency: refunded.map(|(code, sum)| (code.clone(), sum)).collect(),
            failed: given.failed,
            replayed: given.earlier,
            outcomes: given.outcomes,
            retries: given.retries,
            elapsed_seconds: elapsed.as_secs_f64(),
            errors: given.errors,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::super::dataset::Source;
    use super::*;

    const ORDER: &str = r#"{"order_ref":"1","customer_ref":"c","currency":"GBP","lines":[{"sku":"A","quantity":3,"unit_price_minor":10,"discount_minor":0}],"total_minor":30}"#;
    const NOTE: &str = r#"{"order_ref":"C1","customer_ref":"c","currency":"GBP","lines":[{"sku":"A","quantity":2,"unit_price_minor":10,"discount_minor":0}],"total_minor":20}"#;

    /// Gives the note back at this server.
    async fn given_back(server: &str, failed_orders: u64) -> Returned {
        let memory = |name, text: &'static str| Source::Memory { name, bytes: text.as_bytes() };
        let products = memory("p", "sku,name,category,unit_price_minor,currency\n");
        let stock = memory("s", "sku,opening_stock\n");
        let dataset = Dataset::from_sources(&products, &stock, memory("o", ORDER)).unwrap();
        let dataset = Dataset { returns: Some(memory("r", NOTE)), ..dataset };
        let run = Arc::new(Run {
            api: Api::new(server, "key", 1).unwrap(),
            run_id: "run".into(),
            customers: HashMap::new(),
            connections: 1,
            rate: None,
        });
        let pairs = HashMap::from([("c".to_owned(), HashSet::from(["A".to_owned()]))]);
        let mut sales = Sales::wanted(pairs);
        sales.add(&dataset.orders().unwrap().next().unwrap().unwrap(), "id");
        let (totals, mut phases) = (Totals::default(), Phases::default());
        let output = (false, &mut phases);
        give_back(&run, &dataset, (totals, sales, None), failed_orders, output).await.unwrap()
    }

    #[tokio::test]
    async fn nothing_is_returned_before_the_outcome_of_every_order_is_known() {
        let returned = given_back("http://127.0.0.1:1", 2).await;
        assert_eq!((returned.orders, returned.returns), (1, 1));
        assert_eq!(returned.placing.placed_units, 2);
        let report = returned.report();
        assert_eq!(report.errors, ["2 orders failed: nothing is returned yet"]);
        assert_eq!((report.failed, report.returned, report.orders_shipped), (1, 0, 0));
        assert!(report.outcomes.is_empty(), "nobody was asked");
    }

    /// A server that answers one request, with a refusal.
    fn refusing() -> String {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut client, _) = server.accept().unwrap();
            // The request ends with its body.
            let (mut request, mut part) = (Vec::new(), [0; 1_024]);
            while !request.ends_with(b"{}") {
                let read = client.read(&mut part).unwrap();
                request.extend_from_slice(&part[..read]);
            }
            let body = r#"{"code":"NOTHING_TO_SHIP"}"#;
            let head = "HTTP/1.1 409 Conflict\r\nConnection: close\r\nContent-Length";
            write!(client, "{head}: {}\r\n\r\n{body}", body.len()).unwrap();
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn a_return_whose_order_could_not_be_shipped_is_not_sent() {
        let report = given_back(&refusing(), 0).await.report();
        assert_eq!((report.failed, report.returned, report.orders_shipped), (2, 0, 0));
        let want = BTreeMap::from([("shipments: 409 NOTHING_TO_SHIP".to_owned(), 1)]);
        assert_eq!(report.outcomes, want);
        assert_eq!(report.errors, [r#"1: {"code":"NOTHING_TO_SHIP"}"#]);
    }
}
