//! One log line before it is written: the facts of an event and of the spans around it.

use std::fmt::Write as _;
use std::sync::Arc;

use time::OffsetDateTime;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::fields::{Fields, Value};
use crate::spans::{SpanFacts, take_trace_id};

/// The keys which a line writes itself. A field of the same name is written as `field_<name>`.
const RESERVED: [&str; 9] = [
    "timestamp",
    "level",
    "service",
    "trace_id",
    "span_id",
    "parent_span",
    "event",
    "message",
    "target",
];

/// Everything a line says, apart from the name of the service.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) at: OffsetDateTime,
    pub(crate) level: Level,
    pub(crate) target: String,
    pub(crate) trace_id: Option<u128>,
    pub(crate) span_id: Option<u64>,
    pub(crate) parent_span: Option<u64>,
    /// The field `event`: a stable name. Absent, the message stands in for it.
    pub(crate) event: Option<Value>,
    pub(crate) message: Option<Value>,
    /// The other fields of the event.
    pub(crate) fields: Fields,
    /// The fields of the spans around it, innermost first.
    pub(crate) spans: Vec<Arc<Fields>>,
}

impl Line {
    /// Collects what an event says and what the spans around it know.
    pub(crate) fn of<S>(event: &Event<'_>, ctx: &Context<'_, S>, at: OffsetDateTime) -> Self
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let metadata = event.metadata();
        let mut fields = Fields::with_capacity(metadata.fields().len());
        event.record(&mut fields);
        // A record of the `log` crate brings its own target, and its place as fields.
        let target = match fields.take("log.target") {
            Some(Value::Text(target)) => target,
            _ => metadata.target().to_owned(),
        };
        fields.retain(|name| !matches!(name, "log.module_path" | "log.file" | "log.line"));
        let mut line = Self {
            at,
            level: *metadata.level(),
            target,
            trace_id: take_trace_id(&mut fields),
            span_id: None,
            parent_span: None,
            event: fields.take("event"),
            message: fields.take("message"),
            fields,
            spans: Vec::new(),
        };
        for span in ctx.event_scope(event).into_iter().flatten() {
            if let Some(facts) = span.extensions().get::<SpanFacts>() {
                line.enter(facts);
            }
        }
        line
    }

    /// Adds the next outer span.
    fn enter(&mut self, facts: &SpanFacts) {
        self.trace_id = self.trace_id.or(facts.trace_id);
        if self.span_id.is_none() {
            self.span_id = Some(facts.span_id);
        } else if self.parent_span.is_none() {
            self.parent_span = Some(facts.span_id);
        }
        if !facts.fields.is_empty() {
            self.spans.push(Arc::clone(&facts.fields));
        }
    }

    /// Calls `visit` for each field once, with the key to write; the innermost value wins.
    pub(crate) fn for_each_field(&self, mut visit: impl FnMut(&str, &Value)) {
        let mut seen: Vec<&'static str> = Vec::new();
        let outer = self.spans.iter().flat_map(|span| span.iter());
        for (name, value) in self.fields.iter().chain(outer) {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            if RESERVED.contains(&name) {
                let renamed = format!("field_{name}");
                // A field that already has the new name keeps it; there is no second one.
                if !self.has_field(&renamed) {
                    visit(&renamed, value);
                }
            } else {
                visit(name, value);
            }
        }
    }

    fn has_field(&self, name: &str) -> bool {
        let outer = self.spans.iter().flat_map(|span| span.iter());
        self.fields.iter().chain(outer).any(|(known, _)| known == name)
    }
}

/// Writes an RFC 3339 time in UTC with milliseconds.
pub(crate) fn push_timestamp(out: &mut String, at: OffsetDateTime) {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, milli) = at.to_hms_milli();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z",
        u8::from(month)
    );
}

/// The characters a terminal, a log shipper or a reader could take for the end of a line, for an
/// escape sequence or for an order to turn the text around.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Copies `text`, with `escape` writing each character which `must_escape` names.
pub(crate) fn push_escaped(
    out: &mut String,
    text: &str,
    must_escape: impl Fn(char) -> bool,
    escape: impl Fn(&mut String, char),
) {
    let mut copied = 0;
    for (index, c) in text.char_indices() {
        if must_escape(c) {
            out.push_str(&text[copied..index]);
            escape(out, c);
            copied = index + c.len_utf8();
        }
    }
    out.push_str(&text[copied..]);
}
