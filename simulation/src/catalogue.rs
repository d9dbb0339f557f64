//! What the simulated shop sells.

/// Number of names that baskets are given.
pub const CUSTOMERS: usize = 5;

/// The SKU of a product by its number.
#[must_use]
pub fn sku(product: usize) -> String {
    format!("SKU-{product}")
}

/// What one unit costs, in US cents.
#[must_use]
pub fn price(sku: &str) -> i64 {
    let number: i64 = sku.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0);
    199 + 37 * number
}
