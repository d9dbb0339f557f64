//! Engines that break, and flags that choose.

use super::*;
use crate::messages::RequestedLine;
use domain::{Capture, Currency, CustomerId, Sku};
use uuid::Uuid;

/// An engine that does what it is told.
struct Puppet(fn() -> Quote);

impl Engine for Puppet {
    fn name(&self) -> &'static str {
        "puppet"
    }

    fn quote(&self, _: &Basket<'_>, _: &Rules) -> Result<Quote, Vec<Flaw>> {
        Ok((self.0)())
    }
}

fn panics() -> Quote {
    panic!("a bug in an engine")
}

fn hangs() -> Quote {
    // The thread is parked until the end of the test.
    std::thread::park();
    Quote::default()
}

fn named(name: &str) -> Quote {
    Quote { lines: Vec::new(), promotions: vec![name.to_owned()] }
}

fn pricer(legacy: fn() -> Quote, promotional: fn() -> Quote) -> Pricer {
    let flags = Flags::fixed(FLAGS);
    let deadline = Duration::from_millis(20);
    Pricer::with(flags, Arc::new(Puppet(legacy)), Arc::new(Puppet(promotional)), deadline)
}

/// An engine that can price nothing.
struct Refuses;

impl Engine for Refuses {
    fn name(&self) -> &'static str {
        "refuses"
    }

    fn quote(&self, _: &Basket<'_>, _: &Rules) -> Result<Quote, Vec<Flaw>> {
        Err(vec![Flaw { pointer: "/lines/0".to_owned(), detail: "has no price".to_owned() }])
    }
}

fn asked(coupons: &[&str]) -> Arc<Asked> {
    asked_in(None, coupons)
}

fn asked_in(jurisdiction: Option<&str>, coupons: &[&str]) -> Arc<Asked> {
    let line = RequestedLine {
        sku: Sku::parse("A").expect("a SKU"),
        quantity: 1,
        unit_amount: None,
        discount_amount: 0,
    };
    let request = OrderRequest {
        external_ref: None,
        customer_id: Some(CustomerId(Uuid::from_u128(1))),
        currency: Currency::USD,
        lines: vec![line],
        payment_method: None,
        capture: Capture::Automatic,
        metadata: serde_json::Map::new(),
        coupons: coupons.iter().map(|code| (*code).to_owned()).collect(),
        jurisdiction: jurisdiction.map(str::to_owned),
    };
    let (snapshot, rules, at) = (Arc::default(), Arc::default(), Timestamp::from_micros(0));
    Arc::new(Asked { request, snapshot, rules, at })
}

fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let done = runtime.block_on(work);
    // A thread that hangs is not waited for.
    runtime.shutdown_background();
    done
}

#[test]
fn an_engine_that_breaks_is_replaced_by_the_other_and_says_so() {
    let good: fn() -> Quote = || named("good");
    for (legacy, promotional, first) in [
        (good, panics as fn() -> Quote, Which::Promotional),
        (good, hangs, Which::Promotional),
        (panics, good, Which::Legacy),
    ] {
        let priced = on_a_runtime(async {
            pricer(legacy, promotional).price(&asked(&[]), first).await.expect("priced")
        });
        assert_eq!((priced.engine, priced.degraded), (first.other(), true));
        assert_eq!(priced.quote.promotions, ["good"]);
    }
    let priced = on_a_runtime(async {
        pricer(panics, good).price(&asked(&[]), Which::Promotional).await.expect("priced")
    });
    assert_eq!((priced.engine, priced.degraded), (Which::Promotional, false));
}

#[test]
fn without_an_engine_that_can_there_is_no_price() {
    let both =
        on_a_runtime(async { pricer(panics, panics).price(&asked(&[]), Which::Promotional).await });
    assert!(matches!(both, Err(Unpriced::Broken)));
    let coupons = on_a_runtime(async {
        pricer(|| named("good"), panics).price(&asked(&["TEN"]), Which::Promotional).await
    });
    assert!(matches!(coupons, Err(Unpriced::Broken)), "nobody pays more than expected");
    let taxed = on_a_runtime(async {
        let asked = asked_in(Some("DE"), &[]);
        pricer(|| named("good"), panics).price(&asked, Which::Promotional).await
    });
    assert!(matches!(taxed, Err(Unpriced::Broken)), "no tax is left out");
}

#[test]
fn what_the_other_engine_cannot_price_is_not_refused_for_good() {
    let engines = |legacy: Arc<dyn Engine>, promotional: Arc<dyn Engine>| {
        let deadline = Duration::from_secs(60);
        Pricer::with(Flags::fixed(FLAGS), legacy, promotional, deadline)
    };
    let broken = engines(Arc::new(Refuses), Arc::new(Puppet(panics)));
    let given = on_a_runtime(async { broken.price(&asked(&[]), Which::Promotional).await });
    assert!(matches!(given, Err(Unpriced::Broken)));
    let sound = engines(Arc::new(Refuses), Arc::new(Refuses));
    let given = on_a_runtime(async { sound.price(&asked(&[]), Which::Promotional).await });
    assert!(matches!(given, Err(Unpriced::Refused(faults)) if faults.len() == 1));
}

#[test]
fn orders_of_a_burst_wait_for_their_turn() {
    let good: fn() -> Quote = || named("good");
    let engine = || Arc::new(Puppet(good));
    let pricer = Pricer::with(Flags::fixed(FLAGS), engine(), engine(), Duration::from_secs(60));
    let asked = asked(&[]);
    let priced = on_a_runtime(futures_util::future::join_all(
        (0..4 * TURNS).map(|_| pricer.price(&asked, Which::Promotional)),
    ));
    for priced in priced {
        let priced = priced.expect("priced");
        assert_eq!((priced.engine, priced.degraded), (Which::Promotional, false));
    }
}

#[test]
fn without_flags_the_legacy_engine_decides_alone() {
    let chosen = pricer(panics, panics).choose(&asked(&[]).request, Timestamp::from_micros(0));
    assert_eq!(chosen, (Which::Legacy, false));
}
