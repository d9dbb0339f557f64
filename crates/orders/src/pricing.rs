//! From a request to a draft with prices: the catalogue's, unless the client may set its own.

use crate::messages::{Fault, OrderRequest, RequestedLine};
use domain::{Currency, Draft, DraftError, LineItem, PaymentId, PaymentPlan, Sku};

/// What the catalogue says of a SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) unit_amount: i64,
    pub(crate) currency: Currency,
    pub(crate) active: bool,
}

/// Faults told at once, so that a client need not find them one by one.
const FAULTS_MAX: usize = 100;

/// Prices every line. `price_of` asks the catalogue.
///
/// # Errors
/// Everything that is wrong with the request.
pub(crate) fn price(
    request: OrderRequest,
    payment_id: PaymentId,
    price_of: impl Fn(&Sku) -> Option<Price>,
) -> Result<Draft, Vec<Fault>> {
    let mut items = Vec::with_capacity(request.lines.len());
    let mut faults = Vec::new();
    for (index, line) in request.lines.into_iter().enumerate() {
        match price_line(line, index, request.currency, &price_of) {
            Ok(item) => items.push(item),
            Err(fault) => faults.push(fault),
        }
        if faults.len() >= FAULTS_MAX {
            break;
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Draft {
        external_ref: request.external_ref,
        customer_id: request.customer_id,
        currency: request.currency,
        items,
        payment: PaymentPlan {
            payment_id,
            method: request.payment_method.unwrap_or_default(),
            capture: request.capture,
        },
        metadata: request.metadata,
    })
}

fn price_line(
    line: RequestedLine,
    index: usize,
    currency: Currency,
    price_of: impl Fn(&Sku) -> Option<Price>,
) -> Result<LineItem, Fault> {
    let fault = |member: &str, detail: String| Fault {
        pointer: format!("/lines/{index}/{member}"),
        detail,
    };
    let Some(price) = price_of(&line.sku) else {
        return Err(fault("sku", format!("there is no product {}", line.sku)));
    };
    if !price.active {
        return Err(fault("sku", format!("the product {} is not sold any more", line.sku)));
    }
    if price.currency != currency {
        let detail = format!("{} is priced in {}", line.sku, price.currency.code());
        return Err(fault("sku", detail));
    }
    Ok(LineItem {
        sku: line.sku,
        quantity: line.quantity,
        unit_amount: line.unit_amount.unwrap_or(price.unit_amount),
        discount_amount: line.discount_amount,
    })
}

/// Where in the request a draft's error stands.
pub(crate) fn fault_of(error: DraftError) -> Fault {
    let pointer = match error {
        DraftError::NoLines => "/lines".to_owned(),
        DraftError::Quantity { line } => format!("/lines/{line}/quantity"),
        DraftError::UnitAmount { line } => format!("/lines/{line}/unit_amount"),
        DraftError::Discount { line } => format!("/lines/{line}/discount_amount"),
        DraftError::TooLarge { line } => format!("/lines/{line}"),
    };
    Fault { pointer, detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Capture;
    use uuid::Uuid;

    fn sku(name: &str) -> Sku {
        Sku::parse(name).expect("a good SKU")
    }

    fn line(name: &str, unit_amount: Option<i64>) -> RequestedLine {
        RequestedLine { sku: sku(name), quantity: 2, unit_amount, discount_amount: 0 }
    }

    fn catalogue(sku: &Sku) -> Option<Price> {
        let price = |unit_amount, currency, active| Some(Price { unit_amount, currency, active });
        match sku.as_str() {
            "A" => price(199, Currency::USD, true),
            "OLD" => price(50, Currency::USD, false),
            "TEA" => price(300, Currency::GBP, true),
            _ => None,
        }
    }

    fn priced(lines: Vec<RequestedLine>) -> Result<Draft, Vec<Fault>> {
        let request = OrderRequest {
            external_ref: None,
            customer_id: None,
            currency: Currency::USD,
            lines,
            payment_method: None,
            capture: Capture::Automatic,
            metadata: serde_json::Map::new(),
        };
        price(request, PaymentId(Uuid::nil()), catalogue)
    }

    #[test]
    fn the_catalogues_price_unless_one_is_set() {
        let draft = priced(vec![line("A", None), line("A", Some(5))]).expect("good");
        let amounts: Vec<i64> = draft.items.iter().map(|item| item.unit_amount).collect();
        assert_eq!(amounts, [199, 5]);
    }

    #[test]
    fn tells_every_fault_with_its_place() {
        let lines = vec![line("NO", None), line("A", None), line("OLD", None), line("TEA", None)];
        let faults = priced(lines).expect_err("three faults");
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/lines/0/sku", "/lines/2/sku", "/lines/3/sku"]);
    }

    #[test]
    fn does_not_tell_without_end() {
        let faults = priced(vec![line("NO", None); 10_000]).expect_err("faults");
        assert_eq!(faults.len(), FAULTS_MAX);
    }
}
