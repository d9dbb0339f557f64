//! Customers and keys on SQLite, with real actors.

mod people;
mod signing_in;

use super::*;
use actors::{AskError, Home, RequestContext, TraceId};
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tracing::Span;
use uuid::Uuid;

const SECRET: &str = "0123456789abcdef";

/// A clock that stands still until it is moved.
#[derive(Default)]
struct Hands(AtomicI64);

impl Hands {
    fn forward(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_767_323_045_678_901 + self.0.load(Ordering::SeqCst))
    }
}

/// Ids that rise by one.
#[derive(Default)]
struct Rising(AtomicU64);

impl IdSource for Rising {
    fn uuid(&self) -> Uuid {
        Uuid::from_u64_pair(0x0190_0000_0000_7000, self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// A database, the time, and the ids of all nodes on it.
#[derive(Clone)]
struct Shop {
    db: Db,
    hands: Arc<Hands>,
    ids: Arc<Rising>,
}

fn config() -> CustomersConfig {
    CustomersConfig::new(|| [9; 32])
}

impl Shop {
    async fn node(&self) -> Customers {
        start(self.db.clone(), self.hands.clone(), self.ids.clone(), config(), &Home::current())
            .await
            .expect("starts")
    }
}

fn in_a_shop<F: Future<Output = ()>>(test: impl FnOnce(Shop) -> F) {
    testbed::on_sqlite(async |scratch| {
        let db = scratch.open().await;
        test(Shop { db: db.clone(), hands: Arc::default(), ids: Arc::default() }).await;
        db.close().await;
    });
}

fn patient() -> RequestContext {
    let deadline = Instant::now() + Duration::from_secs(60);
    RequestContext::new(deadline, TraceId::new(Uuid::from_u128(1)), Span::none(), "test".into())
}

fn new(external_ref: Option<&str>, name: &str) -> NewCustomer {
    NewCustomer {
        external_ref: external_ref.map(str::to_owned),
        name: name.to_owned(),
        email: None,
        default_payment_method: None,
    }
}

fn paying(name: &str, method: &str) -> NewCustomer {
    NewCustomer { default_payment_method: Some(method.to_owned()), ..new(None, name) }
}

async fn create(node: &Customers, customers: Vec<NewCustomer>) -> Vec<Created> {
    node.create(customers, &patient()).await.expect("are created")
}

#[test]
fn the_handle_may_go_to_any_thread() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Customers>();
}

#[test]
fn a_customer_is_read_back_as_it_was_created() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        let full = NewCustomer {
            external_ref: Some("crm/é 1".to_owned()),
            name: "“Ø” \"\\ 😀\n".to_owned(),
            email: Some("o@example.org".to_owned()),
            default_payment_method: Some("pm_card_visa".to_owned()),
        };
        let customers = vec![full.clone(), new(None, "")];
        let created = create(&node, customers.clone()).await;
        assert_eq!(created.len(), 2);
        for (given, got) in customers.into_iter().zip(created) {
            assert!(got.is_new);
            let wanted = given.into_customer(got.customer.id, shop.hands.now());
            assert_eq!(got.customer, wanted);
            assert_eq!(node.get(wanted.id).await.expect("is read"), Some(wanted));
        }
        let nobody = CustomerId(Uuid::from_u128(5));
        assert_eq!(node.get(nobody).await.expect("is read"), None);
    });
}

#[test]
fn an_import_may_be_repeated_and_changes_nobody() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        let first = create(&node, vec![new(Some("b"), "B"), new(Some("a"), "A")]).await;
        assert!(first.iter().all(|line| line.is_new));
        shop.hands.forward(1_000_000);
        let lines = vec![new(Some("a"), "other"), new(Some("c"), "C"), new(Some("b"), "B")];
        let again = create(&shop.node().await, lines).await;
        assert_eq!(again.iter().map(|line| line.is_new).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(again[0].customer, first[1].customer);
        assert_eq!(again[2].customer, first[0].customer);
        assert_eq!(node.list(None, 10).await.expect("is read").len(), 3);
    });
}

#[test]
fn a_reference_twice_in_a_batch_makes_one_customer_out_of_its_first_line() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        let lines =
            vec![new(Some("x"), "first"), new(None, "n"), new(Some("x"), "second"), new(None, "n")];
        let created = create(&node, lines).await;
        let news: Vec<_> = created.iter().map(|line| line.is_new).collect();
        assert_eq!(news, [true, true, false, true]);
        assert_eq!(created[2].customer, created[0].customer);
        assert_eq!(created[0].customer.name, "first");
        assert_ne!(created[1].customer.id, created[3].customer.id);
        assert_eq!(node.list(None, 10).await.expect("is read").len(), 3);
    });
}

#[test]
fn two_imports_of_one_file_side_by_side_agree() {
    in_a_shop(|shop| async move {
        let (one, two) = (shop.node().await, shop.node().await);
        let file: Vec<_> = (0..200).map(|n| new(Some(&format!("r{n}")), "N")).collect();
        let backwards = file.iter().rev().cloned().collect();
        let (context, other) = (patient(), patient());
        let forwards = actix::spawn(async move { one.create(file, &context).await });
        let mut backwards = two.create(backwards, &other).await.expect("are created");
        let forwards = forwards.await.expect("ends").expect("are created");
        backwards.reverse();
        for (a, b) in forwards.iter().zip(&backwards) {
            assert_eq!(a.customer, b.customer);
            assert_ne!(a.is_new, b.is_new);
        }
        assert_eq!(two.list(None, 1000).await.expect("is read").len(), 200);
    });
}

#[test]
fn a_list_has_every_customer_once_newest_first() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        let mut wanted: Vec<CustomerId> = Vec::new();
        for batch in [3, 1, 6] {
            let lines = (0..batch).map(|n| new(None, &n.to_string())).collect();
            wanted.extend(create(&node, lines).await.iter().map(|line| line.customer.id));
        }
        wanted.reverse();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = node.list(after, 3).await.expect("is read");
            assert!(page.len() <= 3);
            after = page.last().map(|customer| customer.id);
            seen.extend(page.into_iter().map(|customer| customer.id));
            // Whoever comes meanwhile is newer than all pages that are still to come.
            create(&node, vec![new(None, "late")]).await;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, wanted);
        assert_eq!(node.list(None, 0).await.expect("is read"), Vec::new());
        assert_eq!(node.list(None, -1).await.expect("is read"), Vec::new());
    });
}

#[test]
fn what_cannot_be_taken_is_refused_and_leaves_nothing() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        assert_eq!(create(&node, Vec::new()).await, Vec::new());
        let many = (0..1001).map(|_| new(None, "n")).collect();
        let error = node.create(many, &patient()).await.expect_err("too many");
        assert!(matches!(error, CustomersError::TooMany(1001)));
        for bad in [new(Some("\0"), "n"), new(None, "n\0"), paying("n", "\0")] {
            let lines = vec![new(None, "good"), bad];
            let error = node.create(lines, &patient()).await.expect_err("has a null character");
            assert!(matches!(error, CustomersError::Invalid { line: 1 }));
            assert!(error.is_certainly_aborted() && error.may_be_one_rows_fault());
        }
        node.drain().await;
        let error = node.create(vec![new(None, "n")], &patient()).await.expect_err("is drained");
        assert!(matches!(error, CustomersError::Ask(AskError::Stopped)));
        assert!(error.is_certainly_aborted() && !error.is_conflict());
        assert_eq!(node.list(None, 10).await.expect("is read"), Vec::new());
    });
}

#[test]
fn payers_are_read_once_and_those_who_do_not_exist_are_not_remembered() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        let created = create(&node, vec![paying("A", "pm_a"), new(None, "B")]).await;
        let (a, b) = (created[0].customer.id, created[1].customer.id);
        // The id that the next customer will get.
        let future = CustomerId(Uuid::from_u128(b.0.as_u128() + 1));
        let found = node.payers(vec![a, future, b, a], &patient()).await.expect("are read");
        let pays =
            |method: Option<&str>| Payer { default_payment_method: method.map(str::to_owned) };
        assert_eq!(found, HashMap::from([(a, pays(Some("pm_a"))), (b, pays(None))]));
        let late = create(&node, vec![paying("C", "pm_c")]).await;
        assert_eq!(late[0].customer.id, future);
        let found = node.payers(vec![future], &patient()).await.expect("are read");
        assert_eq!(found, HashMap::from([(future, pays(Some("pm_c")))]));
        // With the database gone, those who were seen are still known.
        shop.db.close().await;
        assert_eq!(node.payers(vec![a, b, future], &patient()).await.expect("are known").len(), 3);
        let stranger = CustomerId(Uuid::from_u128(5));
        let error = node.payers(vec![a, stranger], &patient()).await.expect_err("is gone");
        assert!(matches!(error, CustomersError::Store(_)));
    });
}

#[test]
fn a_key_names_its_principal_and_another_names_nobody() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        let secret = new_secret([7; 32]);
        let key = node.ensure_key("till 3", &secret, "orders:* products:read").await.expect("is");
        assert!(!key.revoked);
        let principal = node.authenticate(&secret).await.expect("is checked").expect("is known");
        assert_eq!((principal.id, &*principal.name), (key.id, "till 3"));
        assert!(principal.scopes.allows("orders:write"));
        assert!(!principal.scopes.allows("products:write"));
        // The same from memory, and on another node.
        let same = Some(principal);
        assert_eq!(node.authenticate(&secret).await.expect("is checked"), same);
        assert_eq!(shop.node().await.authenticate(&secret).await.expect("is checked"), same);
        for other in
            [&secret[1..], &secret.to_uppercase(), &new_secret([8; 32]), SECRET, "", "short"]
        {
            assert_eq!(node.authenticate(other).await.expect("is checked"), None, "{other}");
        }
    });
}

#[test]
fn a_configured_key_is_made_once_and_stays_as_it_is() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        // Refused first, and remembered as bad: making the key must undo that.
        assert_eq!(node.authenticate(SECRET).await.expect("is checked"), None);
        let key = node.ensure_key("admin", SECRET, "*").await.expect("is made");
        let again = shop.node().await.ensure_key("other", SECRET, "").await.expect("is found");
        assert_eq!(again, key);
        let principal = node.authenticate(SECRET).await.expect("is checked").expect("is known");
        assert_eq!(principal.id, key.id);
        for weak in ["", "fifteen letters", "sixteen letters!", "0123456789abcdé"] {
            let error = node.ensure_key("weak", weak, "*").await.expect_err("is weak");
            assert!(matches!(error, CustomersError::WeakKey) && error.is_certainly_aborted());
        }
    });
}

#[test]
fn a_revoked_key_opens_nothing_here_at_once_and_elsewhere_after_ten_seconds() {
    in_a_shop(|shop| async move {
        let (here, there) = (shop.node().await, shop.node().await);
        let key = here.ensure_key("till", SECRET, "*").await.expect("is made");
        let opens = async |node: &Customers| node.authenticate(SECRET).await.expect("is checked");
        assert!(opens(&here).await.is_some());
        assert!(opens(&there).await.is_some());
        assert!(here.revoke_key(key.id).await.expect("is revoked"));
        assert!(opens(&here).await.is_none());
        shop.hands.forward(9_999_999);
        assert!(opens(&there).await.is_some());
        shop.hands.forward(1);
        assert!(opens(&there).await.is_none());
        // Once is enough, and making it again does not bring it back.
        assert!(!here.revoke_key(key.id).await.expect("is checked"));
        assert!(!here.revoke_key(Uuid::from_u128(5)).await.expect("is checked"));
        assert!(here.ensure_key("till", SECRET, "*").await.expect("is found").revoked);
        assert!(opens(&here).await.is_none());
    });
}

#[test]
fn a_bad_key_is_looked_up_again_after_two_seconds() {
    in_a_shop(|shop| async move {
        let (here, there) = (shop.node().await, shop.node().await);
        let opens = async |node: &Customers| node.authenticate(SECRET).await.expect("is checked");
        assert!(opens(&there).await.is_none());
        here.ensure_key("till", SECRET, "*").await.expect("is made");
        shop.hands.forward(1_999_999);
        assert!(opens(&there).await.is_none());
        shop.hands.forward(1);
        assert!(opens(&there).await.is_some());
    });
}

#[test]
fn keys_are_listed_newest_first_without_their_secrets() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        let mut made = Vec::new();
        for name in ["one", "two", "three"] {
            let secret = format!("{SECRET}-{name}");
            made.push(node.ensure_key(name, &secret, "orders:read").await.expect("is made"));
        }
        assert!(node.revoke_key(made[1].id).await.expect("is revoked"));
        made[1].revoked = true;
        made.reverse();
        assert_eq!(node.list_keys(None, 9).await.expect("is read"), made);
        assert_eq!(node.list_keys(None, 1).await.expect("is read"), made[..1]);
        assert_eq!(node.list_keys(Some(made[0].id), 9).await.expect("is read"), made[1..]);
    });
}

#[test]
fn a_known_key_needs_neither_actor_nor_database() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        node.ensure_key("till", SECRET, "*").await.expect("is made");
        assert!(node.authenticate(SECRET).await.expect("is checked").is_some());
        node.drain().await;
        assert!(node.authenticate(SECRET).await.expect("is known").is_some());
        let error = node.authenticate("another-key-that-is-long").await.expect_err("is drained");
        assert!(matches!(error, CustomersError::Ask(AskError::Stopped)));
        let node = shop.node().await;
        shop.db.close().await;
        let error = node.authenticate(SECRET).await.expect_err("is gone");
        assert!(matches!(error, CustomersError::Store(_)));
    });
}

#[test]
fn a_key_that_was_seen_passes_for_ten_minutes_while_the_database_is_away() {
    in_a_shop(|shop| async move {
        let (node, unseen) = (shop.node().await, shop.node().await);
        let key = node.ensure_key("till", SECRET, "products:read").await.expect("is made");
        assert_eq!(node.recall(SECRET).await, None);
        assert!(node.authenticate(SECRET).await.expect("is checked").is_some());
        assert!(node.recall(SECRET).await.is_some_and(|known| known.is_some()));
        shop.db.close().await;
        shop.hands.forward(599_999_999);
        // Too old to pass without a look, and nobody can look.
        assert_eq!(node.recall(SECRET).await, None);
        let error = node.authenticate(SECRET).await.expect_err("cannot be looked up");
        assert!(matches!(error, CustomersError::Store(_)));
        let principal = node.recall_proven(SECRET).await.expect("is known");
        assert_eq!(principal.id, key.id);
        assert!(!principal.scopes.allows("orders:write"));
        assert_eq!(node.recall_proven("another-key-that-is-long").await, None);
        assert_eq!(unseen.recall_proven(SECRET).await, None);
        shop.hands.forward(1);
        assert_eq!(node.recall_proven(SECRET).await, None);
        let error = node.authenticate(SECRET).await.expect_err("is gone");
        assert!(matches!(error, CustomersError::Store(_)));
    });
}

#[test]
fn a_key_that_is_known_to_be_revoked_is_not_proven_any_more() {
    in_a_shop(|shop| async move {
        let (here, there) = (shop.node().await, shop.node().await);
        let key = here.ensure_key("till", SECRET, "*").await.expect("is made");
        for node in [&here, &there] {
            assert!(node.authenticate(SECRET).await.expect("is checked").is_some());
        }
        assert!(here.revoke_key(key.id).await.expect("is revoked"));
        assert_eq!(here.recall_proven(SECRET).await, None);
        shop.hands.forward(10_000_000);
        assert_eq!(there.authenticate(SECRET).await.expect("is checked"), None);
        assert_eq!(there.recall_proven(SECRET).await, None);
        assert_eq!(there.recall(SECRET).await, Some(None));
    });
}

#[test]
fn many_requests_with_one_unknown_key_are_all_answered() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        node.ensure_key("till", SECRET, "*").await.expect("is made");
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let node = node.clone();
                let key = if n % 2 == 0 { SECRET.to_owned() } else { format!("{SECRET}{n}") };
                actix::spawn(async move { (n % 2 == 0, node.authenticate(&key).await) })
            })
            .collect();
        for task in tasks {
            let (is_good, answer) = task.await.expect("ends");
            assert_eq!(answer.expect("is checked").is_some(), is_good);
        }
    });
}
