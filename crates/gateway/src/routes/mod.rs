//! The routes. A handler admits, reads, makes one call and tells what came of it.

pub(crate) mod answers;
mod audit;
mod customers;
mod fallback;
mod order_batch;
mod order_body;
mod orders;
mod payments;
pub(crate) mod probes;
mod products;
mod recommendations;
mod stock;

#[cfg(test)]
pub(crate) use fallback::operations;
pub(crate) use fallback::{Methods, fallback};

use utoipa_actix_web::service_config::ServiceConfig;

/// Puts every documented route of the public listener into `config`.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(orders::place_order)
        .service(orders::list_orders)
        .service(orders::get_order)
        .service(orders::list_order_events)
        .service(order_batch::place_orders)
        .service(products::put_product)
        .service(products::get_product)
        .service(products::list_products)
        .service(products::put_products)
        .service(recommendations::recommend)
        .service(stock::get_stock)
        .service(stock::list_stock)
        .service(stock::adjust_stock)
        .service(stock::adjust_stocks)
        .service(customers::create_customer)
        .service(customers::get_customer)
        .service(customers::list_customers)
        .service(customers::create_customers)
        .service(payments::get_payment)
        .service(audit::audit)
        .service(probes::livez)
        .service(probes::readyz);
}
