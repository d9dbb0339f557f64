//! Who may use which route: one table, from which the gate lets people in, the document says what a
//! route needs, and `docs/SECURITY.md` is made. A route without a row lets nobody in.

use crate::problem::{Code, Problem};
use customers::{Kind, Principal, Role};
use domain::CustomerId;
use std::collections::HashMap;
use std::fmt::Write;

/// What somebody needs to use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Nothing: the route is for those who are not known yet, and for probes.
    Open,
    /// The signature of the payment provider, which the route checks itself.
    Signed,
    /// Any key or token, whatever it allows: the route is about the caller.
    Known,
    /// This scope. Customers have no scopes: for them [`Reach`] says it.
    Scope(&'static str),
}

/// What of a route is there for customers who have signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing.
    Nothing,
    /// What is theirs. Of what belongs to others they learn as much as of what does not exist.
    Own,
    /// The same as for others: it belongs to nobody.
    All,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `GET`, `POST`, ….
    pub method: &'static str,
    /// The pattern of the route, as in the document.
    pub path: &'static str,
    /// What it needs.
    pub entry: Entry,
    /// What of it is there for customers.
    pub customers: Reach,
}

const fn row(method: &'static str, path: &'static str, entry: Entry, customers: Reach) -> Rule {
    Rule { method, path, entry, customers }
}

use Entry::{Known, Open, Scope, Signed};
use Reach::{All, Nothing, Own};

/// The table.
pub const ACCESS: &[Rule] = &[
    // --- orders
    row("POST", "/v1/orders", Scope("orders:write"), Own),
    row("GET", "/v1/orders", Scope("orders:read"), Own),
    row("GET", "/v1/orders/{id}", Scope("orders:read"), Own),
    row("GET", "/v1/orders/{id}/events", Scope("orders:read"), Own),
    row("POST", "/v1/orders/{id}/cancel", Scope("orders:write"), Own),
    row("POST", "/v1/orders/{id}/shipments", Scope("orders:write"), Nothing),
    row("POST", "/v1/orders/{id}/deliver", Scope("orders:write"), Nothing),
    row("POST", "/v1/orders/{id}/refunds", Scope("orders:write"), Nothing),
    row("POST", "/v1/orders/{id}/returns", Scope("orders:write"), Nothing),
    row("POST", "/v1/orders:batch", Scope("orders:write"), Nothing),
    row("GET", "/v1/payments/{id}", Scope("payments:read"), Own),
    row("POST", "/v1/webhooks/payments", Signed, Nothing),
    // --- goods
    row("PUT", "/v1/products/{sku}", Scope("products:write"), Nothing),
    row("GET", "/v1/products/{sku}", Scope("products:read"), All),
    row("GET", "/v1/products", Scope("products:read"), All),
    row("POST", "/v1/products:batch", Scope("products:write"), Nothing),
    row("GET", "/v1/products:export", Scope("products:read"), Nothing),
    row("PUT", "/v1/categories/{id}", Scope("products:write"), Nothing),
    row("GET", "/v1/categories/{id}", Scope("products:read"), All),
    row("GET", "/v1/categories", Scope("products:read"), All),
    row("PUT", "/v1/price-lists/{id}", Scope("pricing:write"), Nothing),
    row("GET", "/v1/price-lists/{id}", Scope("pricing:read"), Nothing),
    row("GET", "/v1/price-lists", Scope("pricing:read"), Nothing),
    row("POST", "/v1/price-lists/{id}/prices:batch", Scope("pricing:write"), Nothing),
    row("GET", "/v1/price-lists/{id}/prices", Scope("pricing:read"), Nothing),
    row("PUT", "/v1/promotions/{id}", Scope("pricing:write"), Nothing),
    row("GET", "/v1/promotions/{id}", Scope("pricing:read"), Nothing),
    row("GET", "/v1/promotions", Scope("pricing:read"), Nothing),
    row("PUT", "/v1/coupons/{id}", Scope("pricing:write"), Nothing),
    row("GET", "/v1/coupons/{id}", Scope("pricing:read"), Nothing),
    row("GET", "/v1/coupons", Scope("pricing:read"), Nothing),
    row("PUT", "/v1/tax-tables/{id}", Scope("pricing:write"), Nothing),
    row("GET", "/v1/tax-tables/{id}", Scope("pricing:read"), Nothing),
    row("GET", "/v1/tax-tables", Scope("pricing:read"), Nothing),
    row("GET", "/v1/pricing/mismatches", Scope("pricing:read"), Nothing),
    row("PUT", "/v1/flags/{key}", Scope("flags:write"), Nothing),
    row("GET", "/v1/flags/{key}", Scope("flags:read"), Nothing),
    row("GET", "/v1/flags", Scope("flags:read"), Nothing),
    row("GET", "/v1/flags/{key}/changes", Scope("flags:read"), Nothing),
    row("GET", "/v1/products/{sku}/recommendations", Scope("products:read"), All),
    row("GET", "/v1/stock/{sku}", Scope("stock:read"), Nothing),
    row("GET", "/v1/stock", Scope("stock:read"), Nothing),
    row("POST", "/v1/stock/{sku}/adjustments", Scope("stock:write"), Nothing),
    row("POST", "/v1/stock:batch", Scope("stock:write"), Nothing),
    row("POST", "/v1/stock/{sku}/moves", Scope("stock:write"), Nothing),
    row("GET", "/v1/stock/{sku}/movements", Scope("stock:read"), Nothing),
    row("PUT", "/v1/stock-locations/{name}", Scope("stock:write"), Nothing),
    row("GET", "/v1/stock-locations", Scope("stock:read"), Nothing),
    // --- people
    row("POST", "/v1/customers", Scope("customers:write"), Nothing),
    row("GET", "/v1/customers", Scope("customers:read"), Nothing),
    row("POST", "/v1/customers:batch", Scope("customers:write"), Nothing),
    row("GET", "/v1/customers/{id}", Scope("customers:read"), Own),
    row("PATCH", "/v1/customers/{id}", Scope("customers:write"), Own),
    row("DELETE", "/v1/customers/{id}", Scope("customers:write"), Own),
    row("GET", "/v1/customers/{id}/recommendations", Scope("customers:read"), Own),
    row("GET", "/v1/customers/{id}/addresses", Scope("customers:read"), Own),
    row("PUT", "/v1/customers/{id}/addresses/{name}", Scope("customers:write"), Own),
    row("DELETE", "/v1/customers/{id}/addresses/{name}", Scope("customers:write"), Own),
    // --- signing in
    row("POST", "/v1/sign-up", Open, Nothing),
    row("POST", "/v1/tokens", Open, Nothing),
    row("POST", "/v1/tokens:revoke", Open, Nothing),
    row("GET", "/v1/me", Known, All),
    row("PUT", "/v1/me/password", Known, All),
    row("POST", "/v1/accounts", Scope("accounts:write"), Nothing),
    row("GET", "/v1/accounts", Scope("accounts:read"), Nothing),
    row("DELETE", "/v1/accounts/{id}", Scope("accounts:write"), Nothing),
    row("POST", "/v1/api-keys", Scope("api-keys:write"), Nothing),
    row("GET", "/v1/api-keys", Scope("api-keys:read"), Nothing),
    row("DELETE", "/v1/api-keys/{id}", Scope("api-keys:write"), Nothing),
    // --- operations
    row("GET", "/v1/dead-letters", Scope("operations:read"), Nothing),
    row("POST", "/v1/dead-letters:redrive", Scope("operations:write"), Nothing),
    row(
        "POST",
        "/v1/dead-letters/{consumer}/{order_id}/redrive",
        Scope("operations:write"),
        Nothing,
    ),
    row("GET", "/v1/topology", Scope("topology:read"), Nothing),
    row("GET", "/v1/audit", Scope("audit:read"), Nothing),
    row("GET", "/livez", Open, Nothing),
    row("GET", "/readyz", Open, Nothing),
];

/// Whose things a caller may see and change on a route. A handler that is given one asks it of each
/// thing that it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what belongs to others must look like what does not exist"]
pub(crate) enum Owner {
    /// Everybody's.
    Anybody,
    /// Those of this customer alone.
    Only(CustomerId),
}

impl Owner {
    /// Whether a thing of this customer, or of nobody, is there for the caller.
    pub(crate) fn may_see(self, whose: Option<CustomerId>) -> bool {
        match self {
            Self::Anybody => true,
            Self::Only(own) => whose == Some(own),
        }
    }

    /// The only customer whose things are there.
    pub(crate) const fn only(self) -> Option<CustomerId> {
        match self {
            Self::Anybody => None,
            Self::Only(own) => Some(own),
        }
    }
}

/// The table, by route.
pub(crate) struct Rules(HashMap<(&'static str, &'static str), &'static Rule>);

impl Rules {
    pub(crate) fn new() -> Self {
        Self(ACCESS.iter().map(|rule| ((rule.path, rule.method), rule)).collect())
    }

    /// The row of a route.
    ///
    /// # Errors
    /// `FORBIDDEN` for a route without one.
    pub(crate) fn of(&self, method: &str, path: &str) -> Result<&'static Rule, Problem> {
        let forbidden = || Problem::new(Code::Forbidden, "Nobody may use this route.");
        self.0.get(&(path, method)).copied().ok_or_else(forbidden)
    }
}

impl Rule {
    /// Whose things the principal may touch here.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for guests, `FORBIDDEN` for those who are known and not meant.
    pub(crate) fn judge(&self, principal: &Principal) -> Result<Owner, Problem> {
        match (self.entry, principal.kind, self.customers) {
            (Open, ..) => Ok(Owner::Anybody),
            (_, Kind::Guest, _) => Err(Problem::unauthenticated()),
            (Known, ..) | (Scope(_), Kind::Customer(_), All) => Ok(Owner::Anybody),
            (Scope(_), Kind::Customer(own), Own) => Ok(Owner::Only(own)),
            (Scope(_), Kind::Customer(_), Nothing) | (Signed, ..) => {
                Err(Problem::new(Code::Forbidden, "This is not for customers."))
            }
            (Scope(scope), Kind::Key | Kind::Staff(_), _) => {
                require(principal, scope).map(|()| Owner::Anybody)
            }
        }
    }
}

/// Refuses unless the principal has `scope`.
///
/// # Errors
/// `FORBIDDEN`.
pub(crate) fn require(principal: &Principal, scope: &'static str) -> Result<(), Problem> {
    if principal.scopes.allows(scope) {
        return Ok(());
    }
    let message = format!("This needs the scope {scope}.");
    Err(Problem::new(Code::Forbidden, message).with("scope", scope))
}

/// The table as Markdown, for `docs/SECURITY.md`.
#[must_use]
pub fn access_markdown() -> String {
    let mut text = String::from(
        "| route | guest | customer | operator | admin | API key |\n|---|---|---|---|---|---|\n",
    );
    for rule in ACCESS {
        let staff = |role: Role| match rule.entry {
            Scope(scope) if !role.scopes().allows(scope) => "–",
            Signed => "–",
            _ => "yes",
        };
        let customer = match (rule.entry, rule.customers) {
            (Open | Known, _) => "yes",
            (_, Nothing) => "–",
            (_, Own) => "own",
            (_, All) => "yes",
        };
        let key = match rule.entry {
            Scope(scope) => format!("`{scope}`"),
            Signed => "signature instead".to_owned(),
            Known | Open => "any".to_owned(),
        };
        let guest = if rule.entry == Open { "yes" } else { "–" };
        let (operator, admin) = (staff(Role::Operator), staff(Role::Admin));
        let Rule { method, path, .. } = rule;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| `{method} {path}` | {guest} | {customer} | {operator} | {admin} | {key} |"
        );
    }
    text
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
