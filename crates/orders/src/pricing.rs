//! From a request and a quote to a draft.

use crate::messages::{Fault, OrderRequest};
use crate::pricer::{Priced, Which};
use domain::{Draft, DraftError, LineItem, PaymentId, PaymentPlan, Pricing};

/// The draft of a request that was priced.
pub(crate) fn draft(request: OrderRequest, priced: Priced, payment_id: PaymentId) -> Draft {
    let Priced { quote, engine, degraded } = priced;
    let items = request.lines.into_iter().zip(quote.lines).map(|(line, quoted)| LineItem {
        sku: line.sku,
        quantity: line.quantity,
        unit_amount: quoted.unit_amount,
        discount_amount: quoted.discount_amount,
        tax_amount: quoted.tax_amount,
    });
    let items = items.collect();
    // What the usual way gives is not told again: it would cost every order its bytes.
    let pricing = (engine != Which::Legacy || degraded).then(|| {
        Box::new(Pricing {
            engine: engine.as_str().to_owned(),
            promotions: quote.promotions,
            coupons: request.coupons,
            jurisdiction: request.jurisdiction.filter(|_| engine == Which::Promotional),
            degraded,
        })
    });
    Draft {
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
        pricing,
    }
}

/// Where in the request a draft's error stands.
pub(crate) fn fault_of(error: DraftError) -> Fault {
    let pointer = match error {
        DraftError::NoLines => "/lines".to_owned(),
        DraftError::Quantity { line } => format!("/lines/{line}/quantity"),
        DraftError::UnitAmount { line } => format!("/lines/{line}/unit_amount"),
        DraftError::Discount { line } => format!("/lines/{line}/discount_amount"),
        DraftError::Tax { line } | DraftError::TooLarge { line } => format!("/lines/{line}"),
    };
    Fault { pointer, detail: error.to_string() }
}
