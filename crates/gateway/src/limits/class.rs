//! What a request means for the load of the node.

use actix_web::http::Method;

/// What a request is worth when not everything can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A read that memory can answer when the database is away.
    Memory,
    /// A read that needs the database.
    Read,
    /// New work.
    Write,
    /// What ends work that was begun, or brings news of it: never refused for load, because
    /// refusing it makes the load last longer.
    Vital,
    /// A look at the node itself, for whoever finds out what is wrong: never refused.
    Sight,
}

/// Routes that can be read from memory.
pub(crate) const IN_MEMORY: &[&str] =
    &["/v1/products", "/v1/products/{sku}", "/v1/products/{sku}/recommendations"];

impl Class {
    /// The class of a request, by its method and the pattern of its route.
    pub(crate) fn of(method: &Method, route: &str) -> Self {
        let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        match reads {
            true if route == "/v1/topology" => Self::Sight,
            true if IN_MEMORY.contains(&route) => Self::Memory,
            true => Self::Read,
            false if route.ends_with("/cancel") || route.starts_with("/v1/webhooks/") => {
                Self::Vital
            }
            false => Self::Write,
        }
    }

    /// Whether nothing but the database can answer it.
    pub(crate) const fn needs_database(self) -> bool {
        !matches!(self, Self::Memory | Self::Sight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancels_and_webhooks_are_vital_and_products_are_in_memory() {
        for (method, route, class) in [
            (Method::POST, "/v1/orders", Class::Write),
            (Method::POST, "/v1/orders:batch", Class::Write),
            (Method::POST, "/v1/orders/{id}/refunds", Class::Write),
            (Method::PUT, "/v1/products/{sku}", Class::Write),
            (Method::DELETE, "/v1/api-keys/{id}", Class::Write),
            (Method::POST, "/v1/orders/{id}/cancel", Class::Vital),
            (Method::POST, "/v1/webhooks/payments", Class::Vital),
            (Method::POST, "/v1/webhook-endpoints", Class::Write),
            (Method::GET, "/v1/orders/{id}", Class::Read),
            (Method::HEAD, "/v1/stock", Class::Read),
            (Method::GET, "/v1/products", Class::Memory),
            (Method::GET, "/v1/products/{sku}", Class::Memory),
            (Method::GET, "/v1/products/{sku}/recommendations", Class::Memory),
            (Method::POST, "/v1/products:batch", Class::Write),
            (Method::GET, "/v1/topology", Class::Sight),
        ] {
            assert_eq!(Class::of(&method, route), class, "{method} {route}");
        }
    }
}
