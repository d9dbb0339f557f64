//! A flag as flagd writes it.

use crate::logic::Rule;
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const KEY_LENGTH_MAX: usize = 100;
const OWNER_LENGTH_MAX: usize = 200;
const VARIANTS_MAX: usize = 100;
const BYTES_MAX: usize = 64 * 1024;

/// Whether a flag is evaluated at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// It is.
    Enabled,
    /// It gives the default that the program was built with.
    Disabled,
}

/// Who answers for a flag, and until when it is meant to be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// A person or a team, 1 to 200 characters.
    pub owner: String,
    /// From then on the flag is overdue to be taken out: it still holds, and is complained about.
    pub expires: Timestamp,
}

/// A flag, in flagd's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Whether it is evaluated.
    pub state: State,
    /// Its values by name.
    pub variants: Map<String, Value>,
    /// The variant when no rule says otherwise.
    #[serde(rename = "defaultVariant")]
    pub default_variant: String,
    /// A rule of JsonLogic that gives the name of a variant, or null for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targeting: Option<Value>,
    /// Owner and expiry.
    pub metadata: Metadata,
}

/// Something in a definition that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// JSON pointer to it.
    pub pointer: String,
    /// What is wrong, for people.
    pub detail: String,
}

/// A flag that the program asks about.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Names it.
    pub key: &'static str,
    /// How it stands when nobody has set it, as a [`Definition`] in JSON.
    pub default: &'static str,
    /// Whether its variants may have such a value.
    pub takes: fn(&Value) -> bool,
    /// What they may have, for people.
    pub expected: &'static str,
}

impl Definition {
    /// What is wrong with it.
    #[must_use]
    pub fn flaws(&self, key: &str, known: &[Known]) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut flaw = |pointer: &str, detail: String| {
            flaws.push(Flaw { pointer: pointer.to_owned(), detail });
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !(1..=KEY_LENGTH_MAX).contains(&key.len()) || !key.chars().all(fits) {
            flaw("", "the key in the path: 1 to 100 letters, digits, dots, dashes".to_owned());
        }
        let owner = &self.metadata.owner;
        let length = owner.trim().chars().count();
        if !(1..=OWNER_LENGTH_MAX).contains(&length) || owner.chars().any(char::is_control) {
            flaw("/metadata/owner", "must be 1 to 200 printable characters".to_owned());
        }
        if !(1..=VARIANTS_MAX).contains(&self.variants.len()) {
            flaw("/variants", format!("must be 1 to {VARIANTS_MAX}"));
        }
        if !self.variants.contains_key(&self.default_variant) {
            flaw("/defaultVariant", "must name one of the variants".to_owned());
        }
        if let Some(known) = known.iter().find(|known| known.key == key) {
            for (name, value) in self.variants.iter().filter(|(_, value)| !(known.takes)(value)) {
                let name = name.replace('~', "~0").replace('/', "~1");
                flaw(
                    &format!("/variants/{name}"),
                    format!("must be {}, not {value}", known.expected),
                );
            }
        }
        match self.rule() {
            Err(why) => flaw("/targeting", why),
            Ok(Some(rule)) => {
                let mut named = Vec::new();
                rule.variants(&mut named);
                for name in named.iter().filter(|name| !self.variants.contains_key(*name)) {
                    flaw(
                        "/targeting",
                        format!("fractional names the variant {name}, which is none"),
                    );
                }
            }
            Ok(None) => {}
        }
        if self.json().len() > BYTES_MAX {
            flaw("", "a flag has at most 64 KiB".to_owned());
        }
        flaws
    }

    /// Its rule, if it has one.
    pub(crate) fn rule(&self) -> Result<Option<Rule>, String> {
        match &self.targeting {
            None | Some(Value::Null) => Ok(None),
            // As flagd's examples write "no rule".
            Some(Value::Object(members)) if members.is_empty() => Ok(None),
            Some(rule) => Rule::parse(rule).map(Some),
        }
    }

    /// As it is kept.
    #[must_use]
    pub fn json(&self) -> String {
        // Plain data with text keys always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}
