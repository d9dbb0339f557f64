//! Form-encoded parameters, nested keys included: `metadata[order_id]=…`.

use actix_web::web::Query;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as NoSuchVariant, StrDeserializer};

use super::error::ApiError;

/// Stripe's limits on the caller's own pairs.
const METADATA_PAIRS_MAX: usize = 50;
const METADATA_NAME_CHARS_MAX: usize = 40;
const METADATA_VALUE_CHARS_MAX: usize = 500;

/// The parameters of a request, in the order they were sent.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 if it is no form.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let text = std::str::from_utf8(body)
            .map_err(|_| ApiError::invalid(None, None, "The body is not UTF-8."))?;
        Self::parse_query(text)
    }

    /// Reads a query string.
    ///
    /// # Errors
    /// 400 if it is no form.
    pub(super) fn parse_query(text: &str) -> Result<Self, ApiError> {
        let pairs = Query::<Vec<(String, String)>>::from_query(text)
            .map_err(|error| ApiError::invalid(None, None, format!("Not a form: {error}")))?;
        Ok(Self(pairs.into_inner()))
    }

    /// All pairs.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Refuses any parameter that is not in `known`, where `name[]` stands for a nested or repeated
    /// one, and any plain one given twice.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            let is_nested = name.contains('[');
            let base = name.split_once('[').map_or(name.as_str(), |(base, _)| base);
            let is_known = known.iter().any(|known| match known.strip_suffix("[]") {
                Some(known) => is_nested && known == base,
                None => !is_nested && *known == base,
            });
            if !is_known {
                let message = format!("Received unknown parameter: {name}");
                return Err(ApiError::invalid(Some("parameter_unknown"), Some(name), message));
            }
            if !name.ends_with("[]") && self.0.iter().take(index).any(|(other, _)| other == name) {
                let message = format!("The parameter {name} was given twice.");
                return Err(ApiError::invalid(None, Some(name), message));
            }
        }
        Ok(())
    }

    /// The parameter `name`; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The parameter `name`.
    ///
    /// # Errors
    /// 400 if it is absent.
    pub(super) fn require(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::parameter_missing(name))
    }

    /// The amount in the parameter `name`, in minor units, at least `least`.
    ///
    /// # Errors
    /// 400 if it is no whole number from `least` to the largest amount.
    pub(super) fn amount(&self, name: &str, least: i64) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let invalid = |code, message| Err(ApiError::invalid(Some(code), Some(name), message));
        match text.parse::<i64>() {
            Err(_) => invalid("parameter_invalid_integer", format!("Invalid integer: {text}")),
            Ok(amount) if amount < least => invalid(
                "parameter_invalid_integer",
                format!("This value must be greater than or equal to {least}."),
            ),
            Ok(amount) if amount > domain::AMOUNT_MAX_MINOR => {
                let max = domain::AMOUNT_MAX_MINOR;
                invalid("amount_too_large", format!("Amount must be no more than {max}."))
            }
            Ok(amount) => Ok(Some(amount)),
        }
    }

    /// The parameter `name` as one of the words that `T` knows.
    ///
    /// # Errors
    /// 400 if it is another word.
    pub(super) fn choice<'a, T: Deserialize<'a>>(
        &'a self,
        name: &str,
    ) -> Result<Option<T>, ApiError> {
        let Some(word) = self.get(name) else { return Ok(None) };
        let word: StrDeserializer<'a, NoSuchVariant> = word.into_deserializer();
        T::deserialize(word).map(Some).map_err(|error| {
            ApiError::invalid(None, Some(name), format!("Invalid {name}: {error}"))
        })
    }

    /// The parameter `name` as `true` or `false`.
    ///
    /// # Errors
    /// 400 if it is anything else.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        let parsed = self.get(name).map(str::parse).transpose();
        parsed.map_err(|_| {
            let message = format!("Invalid boolean: {}", self.get(name).unwrap_or_default());
            ApiError::invalid(None, Some(name), message)
        })
    }

    /// Page size: 1 to 100, 10 if absent.
    ///
    /// # Errors
    /// 400 if it is anything else.
    pub(super) fn limit(&self) -> Result<usize, ApiError> {
        match self.get("limit").map_or(Ok(10), str::parse) {
            Ok(limit @ 1..=100) => Ok(limit),
            _ => Err(ApiError::invalid(
                Some("parameter_invalid_integer"),
                Some("limit"),
                "The limit must be a whole number from 1 to 100.",
            )),
        }
    }

    /// The caller's own pairs, `metadata[name]=value`, sorted by name. An empty value is no pair.
    ///
    /// # Errors
    /// 400 if there are too many or one is too long.
    pub(super) fn metadata(&self) -> Result<Vec<(String, String)>, ApiError> {
        let mut pairs = Vec::new();
        for (param, value) in &self.0 {
            let Some(rest) = param.strip_prefix("metadata[") else { continue };
            let invalid = |why: &str| ApiError::invalid(None, Some(param), why);
            let name = rest.strip_suffix(']').filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| invalid("Metadata is written as metadata[name]."))?;
            if name.chars().count() > METADATA_NAME_CHARS_MAX {
                return Err(invalid("A metadata name has at most 40 characters."));
            }
            if value.chars().count() > METADATA_VALUE_CHARS_MAX {
                return Err(invalid("A metadata value has at most 500 characters."));
            }
            if !value.is_empty() {
                pairs.push((name.to_owned(), value.clone()));
            }
        }
        if pairs.len() > METADATA_PAIRS_MAX {
            let message = "There can be at most 50 metadata pairs.";
            return Err(ApiError::invalid(None, Some("metadata"), message));
        }
        pairs.sort();
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::CaptureMethod;

    fn form(text: &str) -> Form {
        Form::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn nested_keys_are_read_however_they_are_escaped() {
        for text in [
            "amount=100&metadata[order_id]=a%20b&metadata[z]=1",
            "metadata%5Bz%5D=1&metadata%5Border_id%5D=a+b&amount=100",
        ] {
            let form = form(text);
            assert_eq!(form.amount("amount", 1).unwrap(), Some(100));
            let pairs = form.metadata().unwrap();
            assert_eq!(
                pairs,
                [("order_id".to_owned(), "a b".to_owned()), ("z".to_owned(), "1".to_owned())]
            );
        }
    }

    #[test]
    fn unknown_and_repeated_parameters_are_refused() {
        let known = &["amount", "metadata[]", "expand[]"];
        assert!(form("amount=1&metadata[a]=1&expand[]=x&expand[]=y").only(known).is_ok());
        for wrong in ["amuont=1", "amount=1&amount=2", "amount[x]=1", "metadata=1"] {
            assert!(form(wrong).only(known).is_err(), "{wrong}");
        }
        assert!(form("metadata[a]=1&metadata[a]=2").only(known).is_err());
    }

    #[test]
    fn amounts_are_whole_and_positive() {
        for wrong in ["0", "-1", "1.5", "1e3", "x", "9223372036854775808", "1000000000001"] {
            assert!(form(&format!("amount={wrong}")).amount("amount", 1).is_err(), "{wrong}");
        }
        assert_eq!(form("amount=").amount("amount", 1).unwrap(), None);
        let max = form("amount=1000000000000").amount("amount", 1).unwrap();
        assert_eq!(max, Some(domain::AMOUNT_MAX_MINOR));
    }

    #[test]
    fn words_limits_and_bodies_are_checked() {
        let method = form("capture_method=manual").choice("capture_method").unwrap();
        assert_eq!(method, Some(CaptureMethod::Manual));
        assert!(form("capture_method=x").choice::<CaptureMethod>("capture_method").is_err());
        assert_eq!(form("").limit().unwrap(), 10);
        assert_eq!(form("limit=100").limit().unwrap(), 100);
        for wrong in ["0", "101", "-1", "ten"] {
            assert!(form(&format!("limit={wrong}")).limit().is_err(), "{wrong}");
        }
        assert!(Form::parse(&[0xff, 0xfe]).is_err());
        assert!(form(&format!("metadata[{}]=1", "n".repeat(41))).metadata().is_err());
        assert!(form(&format!("metadata[n]={}", "v".repeat(501))).metadata().is_err());
    }
}
