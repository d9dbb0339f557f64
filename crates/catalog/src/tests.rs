//! The catalogue on SQLite, with real actors.

use super::*;
use actors::{AskError, Home, TraceId};
use domain::{Currency, Timestamp};
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tracing::Span;
use uuid::Uuid;

/// A clock that ticks one microsecond per look.
#[derive(Default)]
struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

pub(crate) fn on_a_database<F: Future<Output = ()>>(test: impl FnOnce(Db) -> F) {
    testbed::on_sqlite(async |scratch| {
        let db = scratch.open().await;
        test(db.clone()).await;
        db.close().await;
    });
}

pub(crate) async fn open(db: &Db) -> Catalog {
    start(db.clone(), Arc::new(Ticks::default()), &Home::current()).await.expect("starts")
}

fn patience(patience: Duration) -> RequestContext {
    let deadline = Instant::now() + patience;
    RequestContext::new(deadline, TraceId::new(Uuid::from_u128(1)), Span::none(), "test".into())
}

pub(crate) fn patient() -> RequestContext {
    patience(Duration::from_secs(60))
}

pub(crate) fn sku(text: &str) -> Sku {
    Sku::parse(text).expect("is a SKU")
}

pub(crate) fn change(name: &str, unit_amount: i64) -> ProductChange {
    ProductChange {
        sku: sku(name),
        name: format!("Article {name}"),
        category: "tools".to_owned(),
        unit_amount,
        currency: Currency::EUR,
        active: true,
    }
}

pub(crate) fn product(name: &str, unit_amount: i64, revision: i64) -> Arc<Product> {
    let updated_at = Timestamp::from_micros(0);
    Arc::new(product_of(change(name, unit_amount), revision, updated_at))
}

fn product_of(change: ProductChange, revision: i64, updated_at: Timestamp) -> Product {
    let ProductChange { sku, name, category, unit_amount, currency, active } = change;
    Product { sku, name, category, unit_amount, currency, active, revision, updated_at }
}

fn skus(products: &[Product]) -> Vec<&str> {
    products.iter().map(|product| product.sku.as_str()).collect()
}

#[test]
fn the_handle_may_go_to_any_thread() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Catalog>();
}

#[test]
fn what_is_put_is_in_the_snapshot_in_the_database_and_after_a_restart() {
    on_a_database(|db| async move {
        let catalog = open(&db).await;
        assert!(catalog.snapshot().is_empty());
        let odd = ProductChange { name: "“Ø” \"\\ 😀\n".to_owned(), ..change("é/1 2", 0) };
        let hidden = ProductChange { active: false, currency: Currency::JPY, ..change("B", 7) };
        let put = catalog.put(vec![odd.clone(), hidden.clone()], &patient()).await.expect("is put");
        assert_eq!(put.len(), 2);
        for (given, got) in [odd, hidden].into_iter().zip(&put) {
            assert_eq!(*got, product_of(given, got.revision, got.updated_at));
            assert_eq!(catalog.snapshot().get(got.sku.as_str()).map(|p| &**p), Some(got));
            assert_eq!(catalog.get(&got.sku).await.expect("is read").as_ref(), Some(got));
            assert_eq!(open(&db).await.snapshot().get(got.sku.as_str()).map(|p| &**p), Some(got));
        }
        assert_eq!(put[1].unit_price(), domain::Money::new(7, Currency::JPY));
        assert_eq!(catalog.get(&sku("none")).await.expect("is read"), None);
    });
}

#[test]
fn only_a_real_change_gets_a_new_revision() {
    on_a_database(|db| async move {
        let catalog = open(&db).await;
        let mut last = catalog.put(vec![change("A", 1)], &patient()).await.expect("is put");
        let base = change("A", 1);
        let again = catalog.put(vec![base.clone()], &patient()).await.expect("is put");
        assert_eq!(again, last);
        for change in [
            ProductChange { name: "other".to_owned(), ..base.clone() },
            ProductChange { category: "other".to_owned(), ..base.clone() },
            ProductChange { unit_amount: 2, ..base.clone() },
            ProductChange { currency: Currency::USD, ..base.clone() },
            ProductChange { active: false, ..base.clone() },
            base,
        ] {
            let put = catalog.put(vec![change.clone()], &patient()).await.expect("is put");
            let (old, new) = (&last[0], &put[0]);
            assert!(new.revision > old.revision && new.updated_at > old.updated_at, "{change:?}");
            assert_eq!(*new, product_of(change, new.revision, new.updated_at));
            assert_eq!(catalog.snapshot().get("A").map(|p| &**p), Some(new));
            last = put;
        }
    });
}

#[test]
fn a_sku_twice_in_a_batch_gets_its_last_line_and_answers_each() {
    on_a_database(|db| async move {
        let catalog = open(&db).await;
        let lines = vec![change("A", 1), change("B", 2), change("A", 3)];
        let put = catalog.put(lines, &patient()).await.expect("is put");
        assert_eq!(skus(&put), ["A", "B", "A"]);
        assert_eq!(put[0], put[2]);
        assert_eq!(put[0].unit_amount, 3);
        assert_ne!(put[0].revision, put[1].revision);
    });
}

#[test]
fn another_node_sees_each_change_once_it_refreshes() {
    on_a_database(|db| async move {
        let (one, two) = (open(&db).await, open(&db).await);
        one.put(vec![change("A", 1), change("B", 1)], &patient()).await.expect("is put");
        // Two writes before it has seen the first: its own revision is the highest by then.
        two.put(vec![change("C", 1)], &patient()).await.expect("is put");
        assert!(two.snapshot().get("C").is_some());
        two.refresh(&patient()).await.expect("refreshes");
        assert_eq!(two.snapshot().len(), 3);
        let sold_out = ProductChange { active: false, currency: Currency::GBP, ..change("B", 9) };
        let put = one.put(vec![sold_out], &patient()).await.expect("is put");
        assert_eq!(two.snapshot().get("B").map(|b| b.active), Some(true));
        two.refresh(&patient()).await.expect("refreshes");
        assert_eq!(two.snapshot().get("B").map(|b| &**b), put.first());
        // Nothing new: the very same snapshot.
        let before = two.snapshot();
        two.refresh(&patient()).await.expect("refreshes");
        assert!(Arc::ptr_eq(&before, &two.snapshot()));
    });
}

#[test]
fn a_node_looks_for_changes_by_itself() {
    on_a_database(|db| async move {
        let (one, two) = (open(&db).await, open(&db).await);
        one.put(vec![change("A", 1)], &patient()).await.expect("is put");
        let arrived = async {
            while two.snapshot().get("A").is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), arrived).await.expect("arrives");
    });
}

#[test]
fn writers_side_by_side_lose_nothing() {
    on_a_database(|db| async move {
        let (one, two, reader) = (open(&db).await, open(&db).await, open(&db).await);
        let tasks: Vec<_> = (0..20_i64)
            .map(|n| {
                let writer = if n % 2 == 0 { one.clone() } else { two.clone() };
                let lines = vec![change("shared", n), change(&format!("own-{n}"), n)];
                actix::spawn(async move { writer.put(lines, &patient()).await })
            })
            .collect();
        for task in tasks {
            task.await.expect("ends").expect("is put");
            reader.refresh(&patient()).await.expect("refreshes");
        }
        let truth = reader.list(None, 1000).await.expect("is read");
        assert_eq!(truth.len(), 21);
        let seen = reader.snapshot();
        assert_eq!(seen.len(), 21);
        for product in truth {
            assert_eq!(seen.get(product.sku.as_str()).map(|p| &**p), Some(&product));
        }
    });
}

#[test]
fn a_list_has_every_product_once_in_the_order_of_skus() {
    on_a_database(|db| async move {
        let catalog = open(&db).await;
        let mut names: Vec<String> = (0..25).map(|n| format!("S{n}")).collect();
        names.extend(["a", "B", "é", "Z"].map(str::to_owned));
        let lines = names.iter().map(|name| {
            let category = if name.starts_with('S') { "s" } else { "rest" };
            ProductChange { category: category.to_owned(), ..change(name, 1) }
        });
        catalog.put(lines.collect(), &patient()).await.expect("is put");
        names.sort();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = catalog.list(after, 4).await.expect("is read");
            assert!(page.len() <= 4);
            after = page.last().map(|product| product.sku.clone());
            seen.extend(page.into_iter().map(|product| String::from(product.sku)));
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, names);
        let wanted = Wanted { category: Some("s".to_owned()), ..Wanted::default() };
        let found = catalog.snapshot().search(&catalog.rules(), &wanted, None, 100);
        let found: Vec<&str> = found.iter().map(|product| product.sku.as_str()).collect();
        let of_s: Vec<&String> = names.iter().filter(|name| name.starts_with('S')).collect();
        assert_eq!(found, of_s);
        assert_eq!(catalog.list(None, 0).await.expect("is read"), Vec::new());
        assert_eq!(catalog.list(None, -1).await.expect("is read"), Vec::new());
    });
}

#[test]
fn the_whole_catalogue_is_loaded_page_by_page() {
    on_a_database(|db| async move {
        let catalog = open(&db).await;
        for thousand in 0..6 {
            let lines = (0..1000).map(|n| change(&format!("{thousand}-{n}"), n)).collect();
            catalog.put(lines, &patient()).await.expect("is put");
        }
        assert_eq!(catalog.snapshot().len(), 6000);
        assert_eq!(open(&db).await.snapshot().len(), 6000);
    });
}

#[test]
fn what_cannot_be_taken_is_refused_and_leaves_nothing() {
    on_a_database(|db| async move {
        let catalog = open(&db).await;
        assert_eq!(catalog.put(Vec::new(), &patient()).await.expect("is put"), Vec::new());
        let many = (0..1001).map(|n| change(&n.to_string(), n)).collect();
        let error = catalog.put(many, &patient()).await.expect_err("too many");
        assert!(matches!(error, CatalogError::TooMany(1001)));
        let lines = vec![change("A", 1), change("B", -1)];
        let error = catalog.put(lines, &patient()).await.expect_err("negative");
        assert!(matches!(&error, CatalogError::Invalid(Invalid::Price(at)) if *at == sku("B")));
        assert!(error.is_certainly_aborted() && error.may_be_one_rows_fault());
        let late = patience(Duration::ZERO);
        let error = catalog.put(vec![change("A", 1)], &late).await.expect_err("too late");
        assert!(matches!(error, CatalogError::Ask(AskError::Expired | AskError::TimedOut)));
        catalog.drain().await;
        let error = catalog.put(vec![change("A", 1)], &patient()).await.expect_err("drained");
        assert!(matches!(error, CatalogError::Ask(AskError::Stopped)));
        assert!(error.is_certainly_aborted() && !error.is_conflict());
        assert_eq!(catalog.list(None, 10).await.expect("is read"), Vec::new());
    });
}

#[test]
fn a_database_that_is_gone_is_a_store_error() {
    on_a_database(|db| async move {
        let catalog = open(&db).await;
        catalog.put(vec![change("A", 1)], &patient()).await.expect("is put");
        db.close().await;
        let error = catalog.put(vec![change("A", 2)], &patient()).await.expect_err("is gone");
        assert!(matches!(error, CatalogError::Store(_)) && error.is_certainly_aborted());
        assert!(matches!(catalog.refresh(&patient()).await, Err(CatalogError::Store(_))));
        assert_eq!(catalog.snapshot().get("A").map(|a| a.unit_amount), Some(1));
    });
}

#[test]
fn looks_count_as_failed_while_the_catalogue_is_stale() {
    on_a_database(|db| async move {
        let map = topology::Topology::default();
        let catalog = open(&db).await.seen_by(map.edge("recommendations", "catalog", Some(0.99)));
        let errors = || map.report().edges[0].error_rate;
        assert!(catalog.snapshot().get("A").is_none());
        assert_eq!(errors(), Some(0.0));
        catalog.shelf.set_stale(true);
        assert!(catalog.snapshot().get("A").is_none());
        assert_eq!(errors(), Some(0.5));
        catalog.put(vec![change("A", 5)], &patient()).await.expect("is put");
        assert!(errors().is_some_and(|rate| rate < 0.5), "a call that was answered");
    });
}
