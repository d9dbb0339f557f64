//! All flags in memory, and how they are evaluated.

use crate::definition::{Definition, Known, State};
use crate::logic::Rule;
use domain::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// For whom a flag is evaluated.
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    /// Whoever is always to get the same: a customer's id. Without it nobody is put into a bucket.
    pub targeting_key: Option<&'a str>,
    /// What rules can ask for besides, by name.
    pub members: &'a [(&'a str, &'a str)],
    /// The time, in seconds since 1970, for `$flagd.timestamp`.
    pub now: i64,
}

impl Context<'_> {
    pub(crate) fn get(&self, name: &str, key: &str) -> Value {
        match name {
            "targetingKey" => self.targeting_key.into(),
            "$flagd.flagKey" => key.into(),
            "$flagd.timestamp" => self.now.into(),
            other => {
                let found = self.members.iter().find(|(name, _)| *name == other);
                found.map(|(_, value)| *value).into()
            }
        }
    }
}

/// A flag as a node knows it.
#[derive(Clone, Debug)]
pub struct Flag {
    /// Names it.
    pub key: String,
    /// How it stands.
    pub definition: Definition,
    /// Rises with every change of any flag; 0 for one that nobody has set.
    pub revision: i64,
    /// When it was set last; `None` for one that nobody has set.
    pub updated_at: Option<Timestamp>,
    /// Who set it last; `None` for one that nobody has set.
    pub updated_by: Option<String>,
    pub(crate) rule: Option<Rule>,
}

impl Flag {
    /// Whether it is overdue to be taken out.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.definition.metadata.expires <= now
    }

    /// Its value for `context`; `None` if it is switched off, or its rule names no variant of it.
    fn value(&self, context: &Context<'_>) -> Option<&Value> {
        let definition = &self.definition;
        if definition.state == State::Disabled {
            return None;
        }
        let default = &definition.default_variant;
        let Some(rule) = &self.rule else { return definition.variants.get(default) };
        let name = match rule.evaluate(&self.key, context) {
            Value::Null => return definition.variants.get(default),
            Value::String(name) => name,
            Value::Bool(truth) => truth.to_string(),
            _ => return None,
        };
        definition.variants.get(&name)
    }
}

/// A change of a flag.
#[derive(Clone, Debug)]
pub struct Change {
    /// Names it; later ones are higher.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who: a principal, or `file`.
    pub actor: String,
    /// What it was, in JSON; `None` if nobody had set it before.
    pub from: Option<String>,
    /// What it is since then, in JSON.
    pub to: String,
}

/// All flags at one moment.
#[derive(Clone, Debug)]
pub struct Table {
    /// By key.
    pub flags: BTreeMap<String, Arc<Flag>>,
    /// What the program asks about, as it stands when nobody has set it.
    defaults: BTreeMap<&'static str, Arc<Flag>>,
    pub(crate) known: &'static [Known],
}

impl Table {
    pub(crate) fn new(known: &'static [Known]) -> Self {
        let default = |known: &Known| {
            // Read by a test; one that could not be read would be missing here, and off.
            let definition: Definition = serde_json::from_str(known.default).ok()?;
            let rule = definition.rule().ok()?;
            let key = known.key.to_owned();
            let (updated_at, updated_by) = (None, None);
            let flag = Flag { key, definition, revision: 0, updated_at, updated_by, rule };
            Some((known.key, Arc::new(flag)))
        };
        let defaults: BTreeMap<&'static str, Arc<Flag>> =
            known.iter().filter_map(default).collect();
        let flags = defaults.iter().map(|(key, flag)| ((*key).to_owned(), flag.clone())).collect();
        Self { flags, defaults, known }
    }

    /// The table with these flags in it, where they are newer.
    pub(crate) fn with(&self, changed: Vec<Flag>) -> Self {
        let mut next = self.clone();
        for flag in changed {
            let known = next.flags.get(&flag.key);
            if known.is_none_or(|known| known.revision < flag.revision) {
                next.flags.insert(flag.key.clone(), Arc::new(flag));
            }
        }
        next
    }

    /// How far it is complete.
    pub(crate) fn complete_to(&self) -> i64 {
        self.flags.values().map(|flag| flag.revision).max().unwrap_or(0)
    }

    /// Whether the flag is the same for everybody.
    #[must_use]
    pub fn is_plain(&self, key: &str) -> bool {
        self.flags.get(key).is_none_or(|flag| flag.rule.is_none())
    }

    /// The value of a flag; that which the program was built with when the flag cannot tell.
    #[must_use]
    pub fn value(&self, key: &str, context: &Context<'_>) -> Option<&Value> {
        let set = self.flags.get(key).and_then(|flag| flag.value(context));
        set.or_else(|| self.defaults.get(key).and_then(|flag| flag.value(context)))
    }
}
