//! The routes. A handler admits, reads, makes one call and tells what came of it.

mod accounts;
mod addresses;
pub(crate) mod answers;
mod audit;
mod categories;
mod coupons;
mod customers;
mod dead_letters;
pub(crate) mod debug;
mod fallback;
mod flags;
mod keys;
mod life;
pub(crate) mod life_answers;
mod life_body;
mod mismatches;
mod order_batch;
mod order_body;
mod orders;
mod payments;
mod price_lists;
mod price_rules;
pub(crate) mod probes;
mod product_export;
mod products;
mod promotions;
mod recommendations;
pub(crate) mod shapes;
mod stock;
mod stock_locations;
mod stock_movements;
mod tax_tables;
mod timeline;
mod tokens;
mod topology;
mod webhooks;

#[cfg(test)]
pub(crate) use fallback::operations;
pub(crate) use fallback::{Methods, fallback, operations_mut};

use utoipa_actix_web::service_config::ServiceConfig;

/// Puts every documented route of the public listener into `config`.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    prices(config);
    config
        .service(orders::place_order)
        .service(orders::list_orders)
        .service(orders::get_order)
        .service(timeline::list_order_events)
        .service(life::cancel_order)
        .service(life::ship_order)
        .service(life::deliver_order)
        .service(life::refund_order)
        .service(life::return_order)
        .service(order_batch::place_orders)
        .service(products::put_product)
        .service(products::get_product)
        .service(products::list_products)
        .service(products::put_products)
        .service(recommendations::recommend)
        .service(recommendations::recommend_to_customer)
        .service(stock::get_stock)
        .service(stock::list_stock)
        .service(stock::adjust_stock)
        .service(stock::adjust_stocks)
        .service(stock_locations::put_stock_location)
        .service(stock_locations::list_stock_locations)
        .service(stock_locations::move_stock)
        .service(stock_movements::list_stock_movements)
        .service(customers::create_customer)
        .service(customers::get_customer)
        .service(customers::list_customers)
        .service(customers::create_customers)
        .service(customers::change_customer)
        .service(customers::erase_customer)
        .service(addresses::list_addresses)
        .service(addresses::put_address)
        .service(addresses::remove_address)
        .service(tokens::sign_up)
        .service(tokens::make_tokens)
        .service(tokens::revoke_tokens)
        .service(accounts::read_me)
        .service(accounts::change_password)
        .service(accounts::create_account)
        .service(accounts::list_accounts)
        .service(accounts::delete_account)
        .service(payments::get_payment)
        .service(webhooks::take_payment_event)
        .service(keys::create_key)
        .service(keys::list_keys)
        .service(keys::revoke_key)
        .service(dead_letters::list_dead_letters)
        .service(dead_letters::redrive_dead_letters)
        .service(dead_letters::redrive_dead_letter)
        .service(audit::audit)
        .service(topology::get_topology)
        .service(probes::livez)
        .service(probes::readyz);
}

/// What is sold, for how much, and what decides about it.
fn prices(config: &mut ServiceConfig<'_>) {
    config
        .service(product_export::export_products)
        .service(categories::put_category)
        .service(categories::get_category)
        .service(categories::list_categories)
        .service(price_lists::put_price_list)
        .service(price_lists::get_price_list)
        .service(price_lists::list_price_lists)
        .service(price_lists::put_prices)
        .service(price_lists::list_prices)
        .service(promotions::put_promotion)
        .service(promotions::get_promotion)
        .service(promotions::list_promotions)
        .service(coupons::put_coupon)
        .service(coupons::get_coupon)
        .service(coupons::list_coupons)
        .service(tax_tables::put_tax_table)
        .service(tax_tables::get_tax_table)
        .service(tax_tables::list_tax_tables)
        .service(mismatches::list_mismatches)
        .service(flags::put_flag)
        .service(flags::get_flag)
        .service(flags::list_flags)
        .service(flags::list_flag_changes);
}
