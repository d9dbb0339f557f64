//! Customers that change and are forgotten, their addresses, and what keys are told of.

use super::*;

async fn one(node: &Customers, new: NewCustomer) -> Customer {
    create(node, vec![new]).await.remove(0).customer
}

fn renamed(name: &str) -> CustomerChange {
    CustomerChange { name: Some(name.to_owned()), ..CustomerChange::default() }
}

fn address(line1: &str) -> Address {
    Address {
        recipient: "Ada".to_owned(),
        line1: line1.to_owned(),
        line2: None,
        city: "London".to_owned(),
        region: None,
        postal_code: Some("W1".to_owned()),
        country: "GB".to_owned(),
    }
}

#[test]
fn a_change_is_kept_and_rises_the_version_and_one_that_changes_nothing_does_not() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        let before = one(&node, paying("Ada", "pm_a")).await;
        assert_eq!((before.version, before.updated_at), (1, before.created_at));
        shop.hands.forward(1_000_000);
        let change = CustomerChange {
            name: Some("Ada L".to_owned()),
            email: Some(Some("a@b".to_owned())),
            default_payment_method: Some(None),
        };
        let changed = node.change(before.id, change.clone(), Some(1), &patient()).await;
        let changed = changed.expect("is changed");
        assert_eq!((changed.version, changed.updated_at), (2, shop.hands.now()));
        assert_eq!(
            (changed.email.as_deref(), &changed.default_payment_method),
            (Some("a@b"), &None)
        );
        assert_eq!(node.get(before.id).await.expect("is read").as_ref(), Some(&changed));
        shop.hands.forward(1_000_000);
        let same = node.change(before.id, change, None, &patient()).await.expect("is the same");
        assert_eq!(same, changed);
        let error = node.change(before.id, renamed("B"), Some(1), &patient()).await;
        assert!(matches!(error, Err(CustomersError::VersionMismatch { current: 2 })));
        let nobody = CustomerId(Uuid::from_u128(5));
        let error = node.change(nobody, renamed("B"), None, &patient()).await;
        assert!(matches!(error, Err(CustomersError::NotFound)));
    });
}

#[test]
fn changes_side_by_side_all_count() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        let id = one(&node, new(None, "0")).await.id;
        let tasks: Vec<_> = (1..=20)
            .map(|n: i64| {
                let node = node.clone();
                actix::spawn(async move {
                    node.change(id, renamed(&n.to_string()), None, &patient()).await
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("ends").expect("is changed");
        }
        assert_eq!(node.get(id).await.expect("is read").map(|customer| customer.version), Some(21));
    });
}

#[test]
fn a_changed_way_of_paying_holds_here_at_once_and_elsewhere_after_half_a_minute() {
    in_a_shop(|shop| async move {
        let (here, there) = (shop.node().await, shop.node().await);
        let id = one(&here, paying("Ada", "pm_old")).await.id;
        let pays = async |node: &Customers| {
            let found = node.payers(vec![id], &patient()).await.expect("is read");
            found.get(&id).map(|payer| payer.default_payment_method.clone())
        };
        let method = |text: &str| Some(Some(text.to_owned()));
        assert_eq!((pays(&here).await, pays(&there).await), (method("pm_old"), method("pm_old")));
        let change = CustomerChange {
            default_payment_method: Some(Some("pm_new".to_owned())),
            ..CustomerChange::default()
        };
        here.change(id, change, None, &patient()).await.expect("is changed");
        assert_eq!(pays(&here).await, method("pm_new"));
        shop.hands.forward(29_999_999);
        assert_eq!(pays(&there).await, method("pm_old"));
        shop.hands.forward(1);
        assert_eq!(pays(&there).await, method("pm_new"));
        here.erase(id, &patient()).await.expect("is erased");
        assert_eq!(pays(&here).await, None);
        shop.hands.forward(30_000_000);
        assert_eq!(pays(&there).await, None);
    });
}

#[test]
fn an_erased_person_is_gone_and_may_be_erased_again() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        let full = NewCustomer {
            external_ref: Some("crm-1".to_owned()),
            email: Some("ada@example.org".to_owned()),
            ..paying("Ada Lovelace", "pm_a")
        };
        let (id, other) = (one(&node, full.clone()).await.id, one(&node, new(None, "B")).await);
        let home = node.put_address(id, "home".to_owned(), address("1 Mill"), &patient()).await;
        home.expect("is written");
        for _ in 0..2 {
            node.erase(id, &patient()).await.expect("is erased");
        }
        assert_eq!(node.get(id).await.expect("is read"), None);
        assert_eq!(node.addresses(id).await.expect("are read"), Vec::new());
        assert_eq!(node.list(None, 9).await.expect("is read"), [other]);
        let error = node.change(id, renamed("X"), None, &patient()).await;
        assert!(matches!(error, Err(CustomersError::NotFound)));
        let error = node.put_address(id, "home".to_owned(), address("2 Mill"), &patient()).await;
        assert!(matches!(error, Err(CustomersError::NotFound)));
        let error = node.erase(CustomerId(Uuid::from_u128(5)), &patient()).await;
        assert!(matches!(error, Err(CustomersError::NotFound)));
        // The reference is free: whoever comes with it is somebody new.
        let again = create(&node, vec![full]).await.remove(0);
        assert!(again.is_new && again.customer.id != id);
    });
}

#[test]
fn addresses_are_put_by_name_and_are_not_many() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        let id = one(&node, new(None, "Ada")).await.id;
        let put = async |name: &str, line: &str| {
            node.put_address(id, name.to_owned(), address(line), &patient()).await
        };
        put("work", "1 Mill").await.expect("is written");
        put("home", "2 Mill").await.expect("is written");
        let again = put("work", "3 Mill").await.expect("is written");
        assert_eq!((again.name.as_str(), again.address.line1.as_str()), ("work", "3 Mill"));
        let names = async || -> Vec<(String, String)> {
            let found = node.addresses(id).await.expect("are read");
            found.into_iter().map(|named| (named.name, named.address.line1)).collect()
        };
        let pair = |name: &str, line: &str| (name.to_owned(), line.to_owned());
        assert_eq!(names().await, [pair("home", "2 Mill"), pair("work", "3 Mill")]);
        node.remove_address(id, "home".to_owned(), &patient()).await.expect("is removed");
        let error = node.remove_address(id, "home".to_owned(), &patient()).await;
        assert!(matches!(error, Err(CustomersError::NotFound)));
        assert_eq!(names().await, [pair("work", "3 Mill")]);
        for number in 1..ADDRESSES_MAX {
            put(&format!("a{number}"), "4 Mill").await.expect("is written");
        }
        assert!(matches!(put("more", "5 Mill").await, Err(CustomersError::TooManyAddresses)));
        put("work", "6 Mill").await.expect("takes no more room");
    });
}

#[test]
fn a_key_expires_by_itself_and_its_use_is_noted_now_and_then() {
    in_a_shop(|shop| async move {
        let node = shop.node().await;
        let now = shop.hands.now();
        let expires_at = Some(now.plus_seconds(5));
        let wanted =
            NewKey { name: "till".to_owned(), scopes: Scopes::parse("orders:read"), expires_at };
        let (key, secret) = node.make_key(wanted).await.expect("is made");
        assert_eq!(key.prefix.as_deref(), Some(&secret[..11]));
        assert_eq!((key.expires_at, key.last_used_at), (expires_at, None));
        assert!(key.opens(now) && !key.opens(now.plus_seconds(5)));
        let opens = async || node.authenticate(&secret).await.expect("is checked").is_some();
        assert!(opens().await);
        let used = async || node.list_keys(None, 1).await.expect("is read")[0].last_used_at;
        assert_eq!(used().await, None);
        node.note_key_uses().await.expect("is written");
        assert_eq!(used().await, Some(now));
        shop.hands.forward(4_999_999);
        assert!(opens().await);
        shop.hands.forward(1);
        assert!(!opens().await && !opens().await);
        node.note_key_uses().await.expect("is written");
        assert_eq!(used().await, Some(now), "what memory knew was not looked up");
        // A configured key tells nothing of itself.
        let admin = node.ensure_key("admin", SECRET, "*").await.expect("is made");
        assert_eq!((admin.prefix, admin.expires_at), (None, None));
    });
}
