//! Signing up, in and out.

use super::*;

const PASSWORD: &str = "correct horse battery";

fn email(text: &str) -> Email {
    Email::parse(text).expect("an address")
}

fn tried(text: &str) -> Password {
    Password::tried(text.to_owned())
}

async fn ada(node: &Customers) -> Customer {
    node.sign_up(new(None, "Ada"), email("ada@example.org"), tried(PASSWORD)).await.expect("is")
}

async fn signed_in(node: &Customers) -> Grant {
    let address = email("Ada@Example.org");
    node.sign_in(Some(&address), tried(PASSWORD)).await.expect("is let in")
}

async fn who(node: &Customers, token: &str) -> Option<Principal> {
    node.authenticate(token).await.expect("is checked")
}

fn is_refused<T>(result: &Result<T, CustomersError>) -> bool {
    matches!(result, Err(CustomersError::Refused))
}

/// Random bytes that differ.
fn random() -> [u8; 32] {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&NUMBER.fetch_add(1, Ordering::SeqCst).to_le_bytes());
    bytes
}

async fn node(shop: &Shop) -> Customers {
    let Shop { db, hands, ids } = shop.clone();
    let config = CustomersConfig::new(random);
    start(db, hands, ids, config, &Home::current()).await.expect("starts")
}

#[test]
fn whoever_signed_up_signs_in_and_is_known_on_every_node() {
    in_a_shop(|shop| async move {
        let (here, there) = (node(&shop).await, node(&shop).await);
        let customer = ada(&here).await;
        assert_eq!(here.get(customer.id).await.expect("is read"), Some(customer.clone()));
        let again = here.sign_up(new(None, "E"), email("ADA@example.org"), tried(PASSWORD)).await;
        assert!(matches!(again, Err(CustomersError::AccountExists)));
        assert_eq!(here.list(None, 9).await.expect("is read").len(), 1, "nobody was made");
        let grant = signed_in(&here).await;
        // Also a node that has signed nothing: they share the key.
        for node in [&here, &there] {
            let principal = who(node, &grant.access_token).await.expect("is known");
            assert_eq!(principal.kind, Kind::Customer(customer.id));
            assert!(!principal.scopes.allows("orders:read"));
        }
        for (address, password) in [
            (Some(email("ada@example.org")), "wrong horse battery"),
            (Some(email("eve@example.org")), PASSWORD),
            (None, PASSWORD),
        ] {
            let refused = here.sign_in(address.as_ref(), tried(password)).await;
            assert!(is_refused(&refused), "{address:?}");
        }
    });
}

#[test]
fn refresh_tokens_follow_one_another_and_a_used_one_ends_the_session() {
    in_a_shop(|shop| async move {
        let node = node(&shop).await;
        ada(&node).await;
        let other = signed_in(&node).await;
        let first = signed_in(&node).await;
        shop.hands.forward(60_000_000);
        let second = node.refresh(&first.refresh_token).await.expect("is changed");
        assert_ne!(second.refresh_token, first.refresh_token);
        assert_eq!(second.session_expires_at, first.session_expires_at);
        assert!(who(&node, &second.access_token).await.is_some());
        let third = node.refresh(&second.refresh_token).await.expect("is changed");
        // Somebody comes with one that was used.
        assert!(is_refused(&node.refresh(&first.refresh_token).await));
        for token in [&third, &second, &first] {
            assert!(is_refused(&node.refresh(&token.refresh_token).await), "the whole family");
            assert_eq!(who(&node, &token.access_token).await, None);
        }
        // Another session of the same account goes on.
        assert!(who(&node, &other.access_token).await.is_some());
        node.refresh(&other.refresh_token).await.expect("is changed");
        let unknown = format!("rt_{}", "A".repeat(43));
        for wrong in ["", "rt_", &unknown, &other.access_token, SECRET] {
            assert!(is_refused(&node.refresh(wrong).await), "{wrong}");
        }
    });
}

#[test]
fn of_two_that_change_one_token_side_by_side_one_is_refused() {
    in_a_shop(|shop| async move {
        let node = node(&shop).await;
        ada(&node).await;
        let grant = signed_in(&node).await;
        let (one, two) = (node.clone(), node.clone());
        let (first, second) = (grant.refresh_token.clone(), grant.refresh_token.clone());
        let one = actix::spawn(async move { one.refresh(&first).await.is_ok() });
        let two = actix::spawn(async move { two.refresh(&second).await.is_ok() });
        let (one, two) = (one.await.expect("ends"), two.await.expect("ends"));
        assert!(one != two);
        assert_eq!(who(&node, &grant.access_token).await, None, "the session has ended");
    });
}

#[test]
fn an_access_token_ends_by_itself_and_its_session_too() {
    in_a_shop(|shop| async move {
        let node = node(&shop).await;
        ada(&node).await;
        let grant = signed_in(&node).await;
        assert_eq!(grant.expires_in, 600);
        shop.hands.forward(595_000_000);
        assert!(who(&node, &grant.access_token).await.is_some());
        shop.hands.forward(5_678_901);
        assert_eq!(who(&node, &grant.access_token).await, None);
        let next = node.refresh(&grant.refresh_token).await.expect("is changed");
        assert!(who(&node, &next.access_token).await.is_some());
        shop.hands.forward(i64::from(SESSION_SECONDS) * 1_000_000);
        assert!(is_refused(&node.refresh(&next.refresh_token).await));
        // At the next sign-in what has expired is forgotten.
        signed_in(&node).await;
        assert!(is_refused(&node.refresh(&next.refresh_token).await));
    });
}

#[test]
fn signing_out_ends_the_session_here_at_once_and_elsewhere_after_ten_seconds() {
    in_a_shop(|shop| async move {
        let (here, there) = (node(&shop).await, node(&shop).await);
        ada(&here).await;
        let (one, two) = (signed_in(&here).await, signed_in(&here).await);
        for node in [&here, &there] {
            assert!(who(node, &one.access_token).await.is_some());
        }
        assert!(here.sign_out(&one.refresh_token, false).await.expect("is out"));
        assert_eq!(who(&here, &one.access_token).await, None);
        shop.hands.forward(9_999_999);
        assert!(who(&there, &one.access_token).await.is_some());
        shop.hands.forward(1);
        assert_eq!(who(&there, &one.access_token).await, None);
        assert!(is_refused(&here.refresh(&one.refresh_token).await));
        assert!(who(&here, &two.access_token).await.is_some());
        let three = signed_in(&here).await;
        assert!(here.sign_out(&two.refresh_token, true).await.expect("is out everywhere"));
        for token in [&two, &three] {
            assert_eq!(who(&here, &token.access_token).await, None);
        }
        // Also with a session that ended before the others: that is when somebody needs it.
        let (stolen, other) = (signed_in(&here).await, signed_in(&here).await);
        here.refresh(&stolen.refresh_token).await.expect("goes on");
        assert!(is_refused(&here.refresh(&stolen.refresh_token).await));
        assert!(who(&here, &other.access_token).await.is_some());
        assert!(here.sign_out(&stolen.refresh_token, true).await.expect("is out everywhere"));
        assert_eq!(who(&here, &other.access_token).await, None);
        let unknown = format!("rt_{}", "A".repeat(43));
        for (token, known) in [(&*two.refresh_token, true), (&unknown, false), ("rt_", false)] {
            assert_eq!(here.sign_out(token, true).await.expect("is out"), known, "{token}");
        }
    });
}

#[test]
fn a_new_password_ends_all_sessions() {
    in_a_shop(|shop| async move {
        let node = node(&shop).await;
        ada(&node).await;
        let grants = [signed_in(&node).await, signed_in(&node).await];
        let account = who(&node, &grants[0].access_token).await.expect("is known").id;
        let next = "another horse battery";
        let wrong = node.change_password(account, tried("wrong horse"), tried(next)).await;
        assert!(is_refused(&wrong));
        assert!(who(&node, &grants[0].access_token).await.is_some());
        node.change_password(account, tried(PASSWORD), tried(next)).await.expect("is changed");
        for grant in grants {
            assert_eq!(who(&node, &grant.access_token).await, None);
            assert!(is_refused(&node.refresh(&grant.refresh_token).await));
        }
        let address = email("ada@example.org");
        assert!(is_refused(&node.sign_in(Some(&address), tried(PASSWORD)).await));
        node.sign_in(Some(&address), tried(next)).await.expect("is let in");
        let nobody = node.change_password(Uuid::nil(), tried(PASSWORD), tried(next)).await;
        assert!(is_refused(&nobody));
    });
}

#[test]
fn an_erased_customer_is_out_and_their_address_is_free() {
    in_a_shop(|shop| async move {
        let node = node(&shop).await;
        let customer = ada(&node).await;
        let grant = signed_in(&node).await;
        assert!(who(&node, &grant.access_token).await.is_some());
        node.erase(customer.id, &patient()).await.expect("is erased");
        assert_eq!(who(&node, &grant.access_token).await, None);
        assert!(is_refused(&node.refresh(&grant.refresh_token).await));
        let address = email("ada@example.org");
        assert!(is_refused(&node.sign_in(Some(&address), tried(PASSWORD)).await));
        assert_eq!(node.list_accounts(None, 9).await.expect("is read"), Vec::new());
        assert_ne!(ada(&node).await.id, customer.id);
    });
}

#[test]
fn accounts_are_made_for_staff_and_for_customers_that_exist() {
    in_a_shop(|shop| async move {
        let node = node(&shop).await;
        let customer = create(&node, vec![new(None, "Imported")]).await.remove(0).customer;
        let make = async |address: &str, role, customer_id| {
            let password = tried(PASSWORD);
            node.create_account(NewAccount { email: email(address), password, role, customer_id })
                .await
        };
        let operator = make("ops@shop.example", Role::Operator, None).await.expect("is made");
        let theirs = make("i@b.example", Role::Customer, Some(customer.id)).await.expect("is made");
        for (address, role, customer_id) in [
            ("OPS@shop.example", Role::Admin, None),
            ("other@b.example", Role::Customer, Some(customer.id)),
        ] {
            let taken = make(address, role, customer_id).await;
            assert!(matches!(taken, Err(CustomersError::AccountExists)), "{address}");
        }
        let nobody = CustomerId(Uuid::from_u128(5));
        let absent = make("n@b.example", Role::Customer, Some(nobody)).await;
        assert!(matches!(absent, Err(CustomersError::NotFound)));
        let listed = node.list_accounts(None, 9).await.expect("is read");
        assert_eq!(listed, [theirs, operator.clone()]);
        let address = email("ops@shop.example");
        let grant = node.sign_in(Some(&address), tried(PASSWORD)).await.expect("is let in");
        let principal = who(&node, &grant.access_token).await.expect("is known");
        assert_eq!(principal.kind, Kind::Staff(Role::Operator));
        assert_eq!(&*principal.actor(), format!("operator:{}", operator.id));
        assert!(principal.scopes.allows("stock:write") && !principal.scopes.allows("orders:price"));
        node.delete_account(operator.id).await.expect("is deleted");
        assert_eq!(who(&node, &grant.access_token).await, None);
        let again = node.delete_account(operator.id).await;
        assert!(matches!(again, Err(CustomersError::NotFound)));
    });
}

#[test]
fn the_oldest_of_too_many_sessions_ends() {
    in_a_shop(|shop| async move {
        let node = node(&shop).await;
        ada(&node).await;
        let first = signed_in(&node).await;
        let second = signed_in(&node).await;
        for _ in 0..SESSIONS_MAX - 1 {
            signed_in(&node).await;
        }
        assert_eq!(who(&node, &first.access_token).await, None);
        assert!(who(&node, &second.access_token).await.is_some());
    });
}
