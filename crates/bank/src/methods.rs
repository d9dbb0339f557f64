//! The test payment methods that Stripe documents, and what the card's issuer says to each.

use serde::{Deserialize, Serialize};

/// Why the issuer said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decline {
    /// No reason given.
    #[serde(rename = "generic_decline")]
    Generic,
    /// Not enough money.
    InsufficientFunds,
    /// The card was reported lost.
    LostCard,
    /// The card was reported stolen.
    StolenCard,
    /// The card has expired.
    ExpiredCard,
    /// The security code is wrong.
    IncorrectCvc,
    /// The issuer could not process it.
    ProcessingError,
    /// Suspected fraud.
    Fraudulent,
    /// Too many payments.
    CardVelocityExceeded,
    /// The issuer wants the card holder to prove who they are, which nobody can do here.
    AuthenticationRequired,
}

impl Decline {
    /// The `code` of the error.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ExpiredCard => "expired_card",
            Self::IncorrectCvc => "incorrect_cvc",
            Self::ProcessingError => "processing_error",
            Self::AuthenticationRequired => "authentication_required",
            _ => "card_declined",
        }
    }

    /// The `decline_code` of the error.
    #[must_use]
    pub const fn decline_code(self) -> &'static str {
        match self {
            Self::Generic => "generic_decline",
            Self::InsufficientFunds => "insufficient_funds",
            Self::LostCard => "lost_card",
            Self::StolenCard => "stolen_card",
            Self::ExpiredCard => "expired_card",
            Self::IncorrectCvc => "incorrect_cvc",
            Self::ProcessingError => "processing_error",
            Self::Fraudulent => "fraudulent",
            Self::CardVelocityExceeded => "card_velocity_exceeded",
            Self::AuthenticationRequired => "authentication_required",
        }
    }

    /// A sentence for the card holder.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "Your card has insufficient funds.",
            Self::ExpiredCard => "Your card has expired.",
            Self::IncorrectCvc => "Your card's security code is incorrect.",
            Self::ProcessingError => {
                "An error occurred while processing your card. Try again in a little bit."
            }
            Self::AuthenticationRequired => {
                "Your card was declined. This transaction requires authentication."
            }
            Self::CardVelocityExceeded => {
                "Your card was declined for making repeated attempts too frequently."
            }
            _ => "Your card was declined.",
        }
    }
}

/// What the issuer says to a payment method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Approves,
    /// No.
    Declines(Decline),
}

/// What the issuer says to the payment method `name`; `None` if there is no such method.
#[must_use]
pub fn verdict(name: &str) -> Option<Verdict> {
    let card = name.strip_prefix("pm_card_")?;
    if APPROVED.contains(&card) || COUNTRIES.contains(&card) {
        return Some(Verdict::Approves);
    }
    decline(card).map(Verdict::Declines)
}

fn decline(card: &str) -> Option<Decline> {
    // Stripe's pages name some of them with the brand and some without; both exist.
    Some(match card.strip_prefix("visa_").unwrap_or(card) {
        "chargeDeclined" | "chargeCustomerFail" => Decline::Generic,
        "chargeDeclinedInsufficientFunds" => Decline::InsufficientFunds,
        "chargeDeclinedLostCard" => Decline::LostCard,
        "chargeDeclinedStolenCard" => Decline::StolenCard,
        "chargeDeclinedExpiredCard" => Decline::ExpiredCard,
        "chargeDeclinedIncorrectCvc" => Decline::IncorrectCvc,
        "chargeDeclinedProcessingError" => Decline::ProcessingError,
        "chargeDeclinedFraudulent" | "radarBlock" => Decline::Fraudulent,
        "chargeDeclinedVelocityLimitExceeded" => Decline::CardVelocityExceeded,
        "authenticationRequired"
        | "authenticationRequiredOnSetup"
        | "threeDSecureRequired"
        | "threeDSecure2Required" => Decline::AuthenticationRequired,
        _ => return None,
    })
}

/// By brand and by behaviour, without the prefix `pm_card_`.
const APPROVED: &[&str] = &[
    "visa",
    "mastercard",
    "amex",
    "discover",
    "diners",
    "jcb",
    "unionpay",
    "visa_debit",
    "mastercard_debit",
    "mastercard_prepaid",
    "visa_cartesBancaires",
    "mastercard_cartesBancaires",
    "visa_debit_eftposAuCoBranded",
    "mastercard_debit_eftposAuCoBranded",
    "bypassPending",
    "pendingRefund",
    "createDispute",
    "createDisputeProductNotReceived",
    "createDisputeInquiry",
    "riskLevelElevated",
    "threeDSecureOptional",
    "credit_disableEnterpriseCardFeatures",
];

/// By country of the issuer, without the prefix `pm_card_`.
const COUNTRIES: &[&str] = &[
    "us",
    "ar",
    "br",
    "ca",
    "cl",
    "co",
    "cr",
    "ec",
    "mx",
    "pa",
    "py",
    "pe",
    "uy",
    "ae",
    "at",
    "be",
    "bg",
    "by",
    "hr",
    "cy",
    "cz",
    "dk",
    "ee",
    "fi",
    "fr",
    "de",
    "gi",
    "gr",
    "hu",
    "ie",
    "it",
    "lv",
    "li",
    "lt",
    "lu",
    "mt",
    "nl",
    "no",
    "pl",
    "pt",
    "ro",
    "sa",
    "si",
    "sk",
    "es",
    "se",
    "ch",
    "gb",
    "au",
    "cn",
    "hk",
    "in",
    "jp",
    "my",
    "nz",
    "sg",
    "tw",
    "ae_mastercard",
    "gb_debit",
    "mx_carnet",
    "th_credit",
    "th_debit",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_documented_method_gets_its_verdict() {
        use Decline::*;
        for (name, code, decline) in [
            ("pm_card_chargeDeclined", "card_declined", Generic),
            ("pm_card_visa_chargeDeclined", "card_declined", Generic),
            ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", InsufficientFunds),
            ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", InsufficientFunds),
            ("pm_card_visa_chargeDeclinedLostCard", "card_declined", LostCard),
            ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", StolenCard),
            ("pm_card_chargeDeclinedExpiredCard", "expired_card", ExpiredCard),
            ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", IncorrectCvc),
            ("pm_card_chargeDeclinedProcessingError", "processing_error", ProcessingError),
            ("pm_card_visa_chargeDeclinedFraudulent", "card_declined", Fraudulent),
            (
                "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
                "card_declined",
                CardVelocityExceeded,
            ),
            ("pm_card_authenticationRequired", "authentication_required", AuthenticationRequired),
        ] {
            assert_eq!(verdict(name), Some(Verdict::Declines(decline)), "{name}");
            assert_eq!(decline.code(), code, "{name}");
        }
        for name in ["pm_card_visa", "pm_card_mastercard", "pm_card_amex", "pm_card_gb"] {
            assert_eq!(verdict(name), Some(Verdict::Approves), "{name}");
        }
        for name in ["", "pm_card_", "pm_card_nope", "visa", "tok_visa", "pm_card_visa_"] {
            assert_eq!(verdict(name), None, "{name}");
        }
    }

    #[test]
    fn the_decline_code_is_the_name_in_the_ledger() {
        for decline in [Decline::Generic, Decline::Fraudulent, Decline::IncorrectCvc] {
            let text = serde_json::to_string(&decline).unwrap();
            assert_eq!(text, format!("\"{}\"", decline.decline_code()));
        }
    }
}
