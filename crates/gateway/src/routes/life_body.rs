//! The bodies of the steps of an order's life.

use super::order_body::LINES_MAX_IMPORT;
use crate::http::body::{Faults, Object};
use crate::http::number::WholeNumber;
use crate::problem::Problem;
use domain::{AMOUNT_MAX_MINOR, Command, PartRequest, RefundWish, Sku};
use orders::AskKind;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

pub(super) const REASON_LENGTH_MAX: usize = 200;

/// Recorded when the client gives no reason for a cancellation.
const REASON_DEFAULT: &str = "cancelled on request";

/// Some units of an order, by SKU.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WantedUnits)]
pub(crate) struct UnitsBody {
    #[schema(required = true, value_type = String, examples("SKU-1"))]
    sku: Option<String>,
    /// Units, from 1. Where the SKU stands on several lines, the first line comes first.
    #[schema(required = true, value_type = i64, examples(1))]
    quantity: Option<WholeNumber>,
}

/// Why an order is to be cancelled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Cancellation)]
pub(crate) struct CancelBody {
    /// For people, up to 200 characters.
    #[schema(examples("customer changed their mind"))]
    reason: Option<String>,
}

/// What is to leave.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewShipment)]
pub(crate) struct ShipmentBody {
    /// Which units, up to 5,000 entries; without any, all that have not left yet.
    #[schema(value_type = Option<Vec<UnitsBody>>)]
    lines: Option<Vec<Object<UnitsBody>>>,
}

/// Nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Delivery)]
pub(crate) struct NothingBody {}

/// How much is to be given back: an amount, or what some units cost.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRefund)]
pub(crate) struct RefundBody {
    /// In minor units, from 1.
    #[schema(value_type = Option<i64>, examples(199))]
    amount: Option<WholeNumber>,
    /// Which units, up to 5,000 entries; an empty list means all that were not refunded yet.
    #[schema(value_type = Option<Vec<UnitsBody>>)]
    lines: Option<Vec<Object<UnitsBody>>>,
    /// For people, up to 200 characters.
    #[schema(examples("arrived broken"))]
    reason: Option<String>,
}

/// What came back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewReturn)]
pub(crate) struct ReturnBody {
    /// Which units, up to 5,000 entries; without any, all that left and did not come back yet.
    #[schema(value_type = Option<Vec<UnitsBody>>)]
    lines: Option<Vec<Object<UnitsBody>>>,
    /// Whether the units go back to the shelf; by default they do not.
    restock: Option<bool>,
}

/// What a client wants of an order.
#[derive(Debug, PartialEq)]
pub(crate) struct Wish {
    pub(crate) kind: AskKind,
    pub(crate) command: Command,
    /// What makes two wishes the same, however they were spelt.
    pub(crate) canonical: Value,
}

/// A body of a step.
pub(crate) trait StepBody {
    /// The wish that it tells.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    fn check(self) -> Result<Wish, Problem>;
}

impl StepBody for CancelBody {
    fn check(self) -> Result<Wish, Problem> {
        let mut faults = Faults::default();
        faults.check_text(self.reason.as_deref(), REASON_LENGTH_MAX, "/reason");
        faults.finish()?;
        let reason = self.reason.unwrap_or_else(|| REASON_DEFAULT.to_owned());
        let canonical = json!({"reason": reason});
        Ok(Wish { kind: AskKind::Cancel, command: Command::Cancel { reason }, canonical })
    }
}

impl StepBody for ShipmentBody {
    fn check(self) -> Result<Wish, Problem> {
        let mut faults = Faults::default();
        let lines = check_units(self.lines, &mut faults);
        faults.finish()?;
        let canonical = json!({"lines": pairs(&lines)});
        Ok(Wish { kind: AskKind::Ship, command: Command::Ship(lines), canonical })
    }
}

impl StepBody for NothingBody {
    fn check(self) -> Result<Wish, Problem> {
        Ok(Wish { kind: AskKind::Deliver, command: Command::Deliver, canonical: json!({}) })
    }
}

impl StepBody for RefundBody {
    fn check(self) -> Result<Wish, Problem> {
        let mut faults = Faults::default();
        let reason = self.reason;
        faults.check_text(reason.as_deref(), REASON_LENGTH_MAX, "/reason");
        let wish = match (self.amount, self.lines) {
            (Some(amount), None) => faults
                .take(amount.within(1, AMOUNT_MAX_MINOR, || "/amount".to_owned()))
                .map(RefundWish::Amount),
            (None, Some(lines)) => Some(RefundWish::Lines(check_units(Some(lines), &mut faults))),
            (None, None) => faults.require_valid(None, "", "needs an amount or lines"),
            (Some(_), Some(_)) => {
                faults.require_valid(None, "/lines", "may not stand next to an amount")
            }
        };
        faults.finish()?;
        // What is missing was noted above.
        let wish = wish.ok_or_else(Problem::internal)?;
        let reason = reason.unwrap_or_default();
        let canonical = match &wish {
            RefundWish::Amount(amount) => json!({"amount": amount, "reason": reason}),
            RefundWish::Lines(lines) => json!({"lines": pairs(lines), "reason": reason}),
        };
        Ok(Wish { kind: AskKind::Refund, command: Command::Refund { wish, reason }, canonical })
    }
}

impl StepBody for ReturnBody {
    fn check(self) -> Result<Wish, Problem> {
        let mut faults = Faults::default();
        let lines = check_units(self.lines, &mut faults);
        faults.finish()?;
        let restock = self.restock.unwrap_or(false);
        let canonical = json!({"lines": pairs(&lines), "restock": restock});
        Ok(Wish { kind: AskKind::Return, command: Command::Return { lines, restock }, canonical })
    }
}

fn pairs(lines: &[PartRequest]) -> Vec<(&str, i64)> {
    lines.iter().map(|part| (part.sku.as_str(), part.quantity)).collect()
}

fn check_units(lines: Option<Vec<Object<UnitsBody>>>, faults: &mut Faults) -> Vec<PartRequest> {
    let lines = lines.unwrap_or_default();
    if lines.len() > LINES_MAX_IMPORT {
        faults.add("/lines", format!("has at most {LINES_MAX_IMPORT} entries"));
        return Vec::new();
    }
    let indexed = lines.into_iter().enumerate();
    indexed.filter_map(|(index, Object(units))| check_part(units, index, faults)).collect()
}

fn check_part(units: UnitsBody, index: usize, faults: &mut Faults) -> Option<PartRequest> {
    let place = |member: &str| format!("/lines/{index}/{member}");
    let sku = match units.sku.map(Sku::parse) {
        None => faults.missing(place("sku")),
        Some(Ok(sku)) => Some(sku),
        Some(Err(error)) => faults.require_valid(None, &place("sku"), &error.to_string()),
    };
    let quantity = match units.quantity {
        None => faults.missing(place("quantity")),
        Some(number) => faults.take(number.within(1, AMOUNT_MAX_MINOR, || place("quantity"))),
    };
    Some(PartRequest { sku: sku?, quantity: quantity? })
}

#[cfg(test)]
#[path = "life_body_tests.rs"]
mod tests;
