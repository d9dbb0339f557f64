//! Gives every span its ids and keeps its fields, for the lines written inside it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use tracing::Subscriber;
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::fields::{Fields, Value};

/// What is kept in the extensions of each span.
#[derive(Debug)]
pub(crate) struct SpanFacts {
    /// Only the span's own; whoever needs the trace walks up to the first span that has one.
    pub(crate) trace_id: Option<u128>,
    pub(crate) span_id: u64,
    /// The caller's span, if this is a request that came with one.
    pub(crate) parent: Option<u64>,
    /// Its trace is kept whatever becomes of it.
    pub(crate) sampled: bool,
    /// Shared with the lines being written, so that no lock is held while one is formatted.
    pub(crate) fields: Arc<Fields>,
}

/// The layer that fills [`SpanFacts`]. Spans which the filter refuses never reach it.
#[derive(Debug)]
pub(crate) struct SpanLayer {
    seed: u64,
}

impl SpanLayer {
    /// `seed` makes the span ids of two processes differ.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A seed that differs from process to process.
    pub(crate) fn random_seed() -> u64 {
        RandomState::new().hash_one("span ids")
    }
}

impl<S> Layer<S> for SpanLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        // Recorded before the extensions are locked: a `Debug` may itself open a span.
        let mut fields = Fields::with_capacity(attributes.metadata().fields().len());
        attributes.record(&mut fields);
        let trace_id = take_trace_id(&mut fields);
        let (parent, sampled) = take_caller(&mut fields);
        let Some(span) = ctx.span(id) else { return };
        span.extensions_mut().insert(SpanFacts {
            trace_id,
            span_id: span_id(id.into_u64(), self.seed),
            parent,
            sampled,
            fields: Arc::new(fields),
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        let trace_id = take_trace_id(&mut fields);
        let Some(span) = ctx.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(facts) = extensions.get_mut::<SpanFacts>() else {
            return;
        };
        facts.trace_id = trace_id.or(facts.trace_id);
        if !fields.is_empty() {
            Arc::make_mut(&mut facts.fields).merge(fields);
        }
    }
}

/// Takes the field `trace_id` out. One that is no trace id is dropped: a caller may have sent it.
pub(crate) fn take_trace_id(fields: &mut Fields) -> Option<u128> {
    match fields.take("trace_id")? {
        Value::Text(text) => parse_trace_id(&text),
        _ => None,
    }
}

/// Takes the field `traceparent` out: the caller's span, and whether the caller keeps the trace.
fn take_caller(fields: &mut Fields) -> (Option<u64>, bool) {
    let Some(Value::Text(header)) = fields.take("traceparent") else { return (None, false) };
    let mut parts = header.trim().split('-').skip(2);
    let hex = |part: Option<&str>| u64::from_str_radix(part?, 16).ok();
    let (parent, flags) = (hex(parts.next()), hex(parts.next()));
    (parent.filter(|id| *id != 0), flags.is_some_and(|flags| flags & 1 == 1))
}

/// Reads 32 hexadecimal digits. All zeros is "no trace" in W3C Trace Context.
pub(crate) fn parse_trace_id(text: &str) -> Option<u128> {
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return None;
    }
    u128::from_str_radix(text, 16).ok().filter(|id| *id != 0)
}

/// Mixes the subscriber's span number with the seed (the SplitMix64 finaliser).
///
/// The mix is one to one, so two numbers never share an id in one process. Zero would mean "no
/// span" in W3C Trace Context.
pub(crate) fn span_id(number: u64, seed: u64) -> u64 {
    let mut mixed = number ^ seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    if mixed == 0 { 1 } else { mixed }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn only_32_hex_digits_are_a_trace_id() {
        for (text, expected) in [
            ("0000000000000000000000000000002a", Some(42)),
            ("0000000000000000000000000000002A", Some(42)),
            ("00000000000000000000000000000000", None),
            ("000000000000000000000000000002a", None),
            ("+000000000000000000000000000002a", None),
            ("0000000000000000000000000000000g", None),
            ("", None),
            ("0000000000000000000000000000002a\n", None),
        ] {
            assert_eq!(parse_trace_id(text), expected, "{text:?}");
        }
    }

    #[test]
    fn span_ids_differ_within_a_process_and_are_never_zero() {
        let seed = 7;
        let ids: HashSet<u64> = (0..10_000).map(|number| span_id(number, seed)).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(!ids.contains(&0), "7 ^ 7 mixes to zero");
        assert_ne!(span_id(1, 1), span_id(1, 2));
    }
}
