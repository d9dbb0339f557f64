//! The table is whole, and is judged by as it stands.

use super::*;
use crate::documents::openapi;
use crate::routes::operations;
use customers::Scopes;
use std::collections::BTreeSet;
use uuid::Uuid;

fn principal(kind: Kind, scopes: &str) -> Principal {
    Principal { id: Uuid::from_u128(1), kind, name: "x".into(), scopes: Scopes::parse(scopes) }
}

fn rule(entry: Entry, customers: Reach) -> Rule {
    row("GET", "/v1/x", entry, customers)
}

#[test]
fn every_route_of_the_document_has_one_row_and_every_row_a_route() {
    let document = openapi();
    let mut routes: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (path, item) in &document.paths.paths {
        routes.extend(operations(item).into_iter().map(|(method, _)| (method, path.as_str())));
    }
    let rows: BTreeSet<(&str, &str)> = ACCESS.iter().map(|rule| (rule.method, rule.path)).collect();
    assert_eq!(rows.len(), ACCESS.len(), "a row stands twice");
    let without: Vec<_> = routes.difference(&rows).collect();
    assert!(without.is_empty(), "routes without a row in access.rs: {without:?}");
    let stale: Vec<_> = rows.difference(&routes).collect();
    assert!(stale.is_empty(), "rows without a route: {stale:?}");
}

#[test]
fn a_route_without_a_row_lets_nobody_in() {
    let rules = Rules::new();
    assert!(rules.of("GET", "/v1/orders").is_ok());
    for (method, path) in [("DELETE", "/v1/orders"), ("GET", "/v1/orders/"), ("GET", "")] {
        let code = rules.of(method, path).map_err(|problem| problem.code());
        assert_eq!(code.err(), Some(Code::Forbidden), "{method} {path}");
    }
}

#[test]
fn what_belongs_to_somebody_is_never_open_to_all_customers() {
    for rule in ACCESS {
        let names_an_owner = ["/v1/orders", "/v1/payments", "/v1/customers"]
            .iter()
            .any(|family| rule.path.starts_with(family));
        assert!(!(names_an_owner && rule.customers == All), "{rule:?}");
        assert!(rule.entry != Open || !names_an_owner, "{rule:?}");
    }
}

#[test]
fn principals_are_judged_by_the_row() {
    let own = CustomerId(Uuid::from_u128(7));
    let guest = principal(Kind::Guest, "*");
    let customer = principal(Kind::Customer(own), "*");
    let reader = principal(Kind::Key, "orders:read");
    let other = principal(Kind::Key, "products:read");
    let operator = principal(Kind::Staff(Role::Operator), "orders:*");
    let judge = |entry, reach, principal: &Principal| {
        rule(entry, reach).judge(principal).map_err(|problem| problem.code())
    };
    let scope = Scope("orders:read");
    for (entry, reach, who, expected) in [
        (Open, Nothing, &guest, Ok(Owner::Anybody)),
        (Known, All, &guest, Err(Code::Unauthenticated)),
        (scope, All, &guest, Err(Code::Unauthenticated)),
        (Signed, Nothing, &guest, Err(Code::Unauthenticated)),
        (Known, All, &customer, Ok(Owner::Anybody)),
        (scope, All, &customer, Ok(Owner::Anybody)),
        (scope, Own, &customer, Ok(Owner::Only(own))),
        // Whatever scopes a customer might come to have.
        (scope, Nothing, &customer, Err(Code::Forbidden)),
        (Signed, Nothing, &reader, Err(Code::Forbidden)),
        (scope, Own, &reader, Ok(Owner::Anybody)),
        (scope, Nothing, &operator, Ok(Owner::Anybody)),
        (scope, All, &other, Err(Code::Forbidden)),
        (Known, All, &other, Ok(Owner::Anybody)),
    ] {
        assert_eq!(judge(entry, reach, who), expected, "{entry:?} {reach:?} {:?}", who.kind);
    }
}

#[test]
fn an_owner_sees_their_own_and_nobodys_is_not_theirs() {
    let (own, other) = (CustomerId(Uuid::from_u128(7)), CustomerId(Uuid::from_u128(8)));
    for whose in [None, Some(own), Some(other)] {
        assert!(Owner::Anybody.may_see(whose));
        assert_eq!(Owner::Only(own).may_see(whose), whose == Some(own));
    }
    assert_eq!((Owner::Anybody.only(), Owner::Only(own).only()), (None, Some(own)));
}
