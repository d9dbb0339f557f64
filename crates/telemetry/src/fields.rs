//! The fields of spans and events, kept as they were recorded, scrubbed, and cut to a bounded size.

use std::error::Error;
use std::fmt;

use tracing::field::{Field, Visit};

use crate::scrub::{is_secret_name, scrub};

/// The longest text kept of one value, in bytes. Longer texts end with `…`.
pub(crate) const TEXT_BYTES_MAX: usize = 4096;

/// The most errors kept of one cause chain; a chain that points at itself ends here.
const CAUSES_MAX: usize = 16;

/// One recorded value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    /// An error and its sources, outermost first.
    Causes(Vec<String>),
}

/// The fields of one span or event in the order of their first recording, each name once.
///
/// A vector, not a map: a span has a handful of fields, and comparing short names is cheaper than
/// hashing them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    pub(crate) fn with_capacity(fields_max: usize) -> Self {
        Self(Vec::with_capacity(fields_max))
    }

    /// Sets a field; the value recorded last stays.
    pub(crate) fn set(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets a field, unless its name says that nobody may read it.
    fn put(&mut self, field: &Field, value: Value) {
        let name = name_of(field);
        let value = if is_secret_name(name) { Value::Text("[secret]".to_owned()) } else { value };
        self.set(name, value);
    }

    /// Takes a field out, if it was recorded.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let index = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.remove(index).1)
    }

    /// Takes over every field of `other`; its values win.
    pub(crate) fn merge(&mut self, other: Fields) {
        for (name, value) in other.0 {
            self.set(name, value);
        }
    }

    /// Drops the fields for which `keep` says no.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `r#type = …` is a field called `type`.
fn name_of(field: &Field) -> &'static str {
    let name = field.name();
    name.strip_prefix("r#").unwrap_or(name)
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(name_of(field), Value::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::Unsigned(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(name_of(field), Value::Float(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::Text(cut(value)));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, Value::Causes(cause_chain(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::Text(bounded(format_args!("{value:?}"))));
    }
}

/// The sentences of an error and of its sources, outermost first.
pub(crate) fn cause_chain(error: &(dyn Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| (*error).source())
        .take(CAUSES_MAX)
        .map(|error| bounded(format_args!("{error}")))
        .collect()
}

/// A copy of the text, cut to [`TEXT_BYTES_MAX`], without what may not be logged.
fn cut(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return scrub(text.to_owned(), false);
    }
    let mut kept = text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned();
    kept.push('…');
    scrub(kept, true)
}

/// Formats a value, but never keeps more than [`TEXT_BYTES_MAX`] of it in memory; without what may
/// not be logged.
fn bounded(arguments: fmt::Arguments<'_>) -> String {
    let mut text = BoundedText::default();
    // Only a `Debug` or `Display` that gives up itself fails here: what it wrote so far is kept.
    let _ = fmt::write(&mut text, arguments);
    text.finish()
}

#[derive(Default)]
struct BoundedText {
    kept: String,
    is_cut: bool,
}

impl BoundedText {
    fn finish(mut self) -> String {
        if self.is_cut {
            self.kept.push('…');
        }
        scrub(self.kept, self.is_cut)
    }
}

impl fmt::Write for BoundedText {
    /// Drops what does not fit and still says `Ok`: a `Debug` that unwraps must not panic here.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_cut {
            return Ok(());
        }
        let room = TEXT_BYTES_MAX - self.kept.len();
        let end = text.floor_char_boundary(room);
        self.kept.push_str(&text[..end]);
        self.is_cut = end < text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Endless;

    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("again")
        }
    }

    impl Error for Endless {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn the_last_value_of_a_field_wins_and_keeps_its_place() {
        let mut fields = Fields::default();
        fields.set("a", Value::Signed(1));
        fields.set("b", Value::Signed(2));
        fields.set("a", Value::Signed(3));
        let mut other = Fields::default();
        other.set("b", Value::Signed(4));
        other.set("c", Value::Bool(true));
        fields.merge(other);
        let seen: Vec<_> = fields.iter().collect();
        assert_eq!(
            seen,
            [("a", &Value::Signed(3)), ("b", &Value::Signed(4)), ("c", &Value::Bool(true))]
        );
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        // Three bytes each: 4096 falls inside the 1366th.
        let text = "€".repeat(2000);
        let expected = format!("{}…", "€".repeat(1365));
        assert_eq!(cut(&text), expected);
        assert_eq!(bounded(format_args!("{text}")), expected);
        let fits = "x".repeat(TEXT_BYTES_MAX);
        assert_eq!(cut(&fits), fits);
        assert_eq!(bounded(format_args!("{fits}")), fits);
    }

    #[test]
    fn a_text_written_in_pieces_is_cut_once() {
        let pieces = vec![1_u64; 5000];
        let text = bounded(format_args!("{pieces:?}"));
        assert!(text.ends_with('…'));
        assert_eq!(text.matches('…').count(), 1);
        assert_eq!(text.len(), TEXT_BYTES_MAX + '…'.len_utf8());
    }

    #[test]
    fn a_cause_chain_is_listed_outermost_first() {
        let error = Outer(std::io::Error::other("inner"));
        assert_eq!(cause_chain(&error), ["outer", "inner"]);
        assert_eq!(cause_chain(&Endless), vec!["again"; CAUSES_MAX]);
    }
}
