//! What can be done with what an operation has made or found: the links of the document. They are
//! for generated clients and for tests that follow them.

use utoipa::openapi::link::Link;
use utoipa::openapi::{OpenApi, PathItem, RefOr, Response};

/// A link: the operation it leads to, its parameter, and where the parameter's value stands.
type Lead = (&'static str, &'static str, &'static str);

const ORDER: &[Lead] = &[
    ("get_order", "id", "$response.body#/id"),
    ("list_order_events", "id", "$response.body#/id"),
    ("cancel_order", "id", "$response.body#/id"),
    ("ship_order", "id", "$response.body#/id"),
    ("deliver_order", "id", "$response.body#/id"),
    ("refund_order", "id", "$response.body#/id"),
    ("return_order", "id", "$response.body#/id"),
    ("get_payment", "id", "$response.body#/payment/id"),
];

/// An order on the first line of a page.
const ORDERS: &[Lead] = &[
    ("list_orders", "cursor", "$response.body#/next_cursor"),
    ("get_order", "id", "$response.body#/data/0/id"),
    ("cancel_order", "id", "$response.body#/data/0/id"),
    ("ship_order", "id", "$response.body#/data/0/id"),
    ("deliver_order", "id", "$response.body#/data/0/id"),
    ("refund_order", "id", "$response.body#/data/0/id"),
    ("return_order", "id", "$response.body#/data/0/id"),
];

const PRODUCT: &[Lead] = &[
    ("get_product", "sku", "$response.body#/sku"),
    ("put_product", "sku", "$response.body#/sku"),
    ("recommend", "sku", "$response.body#/sku"),
    ("adjust_stock", "sku", "$response.body#/sku"),
    ("get_stock", "sku", "$response.body#/sku"),
];

const STOCK: &[Lead] = &[
    ("get_stock", "sku", "$response.body#/sku"),
    ("adjust_stock", "sku", "$response.body#/sku"),
    ("move_stock", "sku", "$response.body#/sku"),
    ("list_stock_movements", "sku", "$response.body#/sku"),
];

const CUSTOMER: &[Lead] = &[
    ("get_customer", "id", "$response.body#/id"),
    ("change_customer", "id", "$response.body#/id"),
    ("list_addresses", "id", "$response.body#/id"),
    ("put_address", "id", "$response.body#/id"),
    ("list_orders", "customer_id", "$response.body#/id"),
    ("recommend_to_customer", "id", "$response.body#/id"),
];

/// The links of an operation's answer of one status.
const LINKS: &[(&str, &str, &[Lead])] = &[
    ("place_order", "201", ORDER),
    ("place_order", "202", ORDER),
    ("get_order", "200", ORDER),
    ("cancel_order", "200", ORDER),
    ("ship_order", "201", ORDER),
    ("deliver_order", "200", ORDER),
    ("refund_order", "201", ORDER),
    ("return_order", "201", ORDER),
    ("list_orders", "200", ORDERS),
    ("get_payment", "200", &[("get_order", "id", "$response.body#/order_id")]),
    ("put_product", "200", PRODUCT),
    ("get_product", "200", PRODUCT),
    (
        "list_products",
        "200",
        &[
            ("list_products", "cursor", "$response.body#/next_cursor"),
            ("get_product", "sku", "$response.body#/data/0/sku"),
            ("recommend", "sku", "$response.body#/data/0/sku"),
        ],
    ),
    ("adjust_stock", "200", STOCK),
    ("get_stock", "200", STOCK),
    ("move_stock", "200", STOCK),
    (
        "list_stock",
        "200",
        &[
            ("list_stock", "cursor", "$response.body#/next_cursor"),
            ("get_stock", "sku", "$response.body#/data/0/sku"),
            ("list_stock_movements", "sku", "$response.body#/data/0/sku"),
        ],
    ),
    ("put_stock_location", "200", &[("put_stock_location", "name", "$response.body#/name")]),
    (
        "list_stock_locations",
        "200",
        &[("list_stock_locations", "cursor", "$response.body#/next_cursor")],
    ),
    ("create_customer", "200", &[("get_customer", "id", "$response.body#/id")]),
    ("create_customer", "201", CUSTOMER),
    ("get_customer", "200", CUSTOMER),
    ("change_customer", "200", CUSTOMER),
    ("list_accounts", "200", &[("list_accounts", "cursor", "$response.body#/next_cursor")]),
    ("create_account", "201", &[("delete_account", "id", "$response.body#/id")]),
    (
        "list_customers",
        "200",
        &[
            ("list_customers", "cursor", "$response.body#/next_cursor"),
            ("get_customer", "id", "$response.body#/data/0/id"),
        ],
    ),
    ("create_key", "201", &[("revoke_key", "id", "$response.body#/id")]),
    ("list_keys", "200", &[("list_keys", "cursor", "$response.body#/next_cursor")]),
    ("list_dead_letters", "200", &[("list_dead_letters", "cursor", "$response.body#/next_cursor")]),
];

/// Writes the links into `document`.
pub(super) fn write(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        let PathItem { get, put, post, delete, patch, .. } = item;
        for operation in [get, put, post, delete, patch].into_iter().flatten() {
            let Some(id) = operation.operation_id.clone() else { continue };
            for (_, status, leads) in LINKS.iter().filter(|(from, ..)| *from == id) {
                if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(*status) {
                    leads.iter().for_each(|lead| link(response, *lead));
                }
            }
        }
    }
}

fn link(response: &mut Response, (to, parameter, value): Lead) {
    let link = Link::builder().operation_id(to).parameter(parameter, value).build();
    response.links.insert(to.to_owned(), link.into());
}

/// How many links there are.
#[cfg(test)]
pub(super) fn count() -> usize {
    LINKS.iter().map(|(.., leads)| leads.len()).sum()
}
