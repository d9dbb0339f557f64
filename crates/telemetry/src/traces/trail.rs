//! What is remembered of a trace while it goes on, and the spans that it becomes if it is kept.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::time::Instant;

use tracing::field::{Field, Visit};

use crate::fields::{Fields, Value};
use crate::logs::wall_ns;

/// Most hops of one trace; the others are only counted. An import of thousands of orders is one
/// request.
const HOPS_MAX: usize = 256;
/// Most links of one batch.
pub(super) const LINKS_MAX: usize = 512;
/// Longest label of a hop, in bytes.
const LABEL_BYTES_MAX: usize = 39;
/// Buffers that a thread keeps for the next traces.
const BUFFERS_MAX: usize = 256;

/// A span's place: its trace and its id.
pub(crate) type SpanRef = (u128, u64);

/// The role of a span, as OpenTelemetry has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Word {
    Text(String),
    Bool(bool),
    Int(i64),
    Float(f64),
}

/// A span as it is exported.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
    pub(crate) parent: Option<u64>,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) attributes: Vec<(Cow<'static, str>, Word)>,
    pub(crate) links: Vec<SpanRef>,
    pub(crate) failed: bool,
}

/// A short text without an allocation.
#[derive(Clone, Copy)]
pub(super) struct Label {
    bytes: [u8; LABEL_BYTES_MAX],
    length: u8,
}

impl Label {
    fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.length))
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl Default for Label {
    fn default() -> Self {
        Self { bytes: [0; LABEL_BYTES_MAX], length: 0 }
    }
}

impl fmt::Write for Label {
    /// Keeps what fits.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let start = usize::from(self.length);
        let end = text.floor_char_boundary(LABEL_BYTES_MAX - start);
        self.bytes[start..start + end].copy_from_slice(&text.as_bytes()[..end]);
        self.length = u8::try_from(start + end).unwrap_or(u8::MAX);
        Ok(())
    }
}

/// The fields of an event with the target [`super::HOP`].
#[derive(Clone, Copy, Default)]
pub(super) struct HopFields {
    pub(super) label: Label,
    /// How long it took, up to now.
    pub(super) took_ns: u64,
    /// It was done for many at once, in the span that is current.
    pub(super) batched: bool,
    pub(super) failed: bool,
    /// The id that others were already told.
    pub(super) span_id: Option<u64>,
    /// For what happens long after the request: its trace.
    pub(super) trace_id: Option<u128>,
    pub(super) order_id: Option<u128>,
    pub(super) version: u64,
}

impl Visit for HopFields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "took_ns" => self.took_ns = value,
            "span_id" => self.span_id = Some(value),
            "version" => self.version = value,
            _ => {}
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if let Ok(value) = u64::try_from(value) {
            self.record_u64(field, value);
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        if field.name() == "order_id" {
            self.order_id = Some(value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "batched" => self.batched = value,
            "failed" => self.failed = value,
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = match field.name() {
            "label" | "from" => self.label.write_str(value),
            "to" => write!(self.label, " → {value}"),
            "trace_id" => {
                self.trace_id = crate::spans::parse_trace_id(value);
                Ok(())
            }
            _ => Ok(()),
        };
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// Something that was done for a request.
#[derive(Clone, Copy)]
pub(super) struct Hop {
    name: &'static str,
    fields: HopFields,
    /// Since the trace began here, in nanoseconds.
    end_ns: u64,
    span_id: u64,
    parent: Option<u64>,
    link: Option<SpanRef>,
}

/// What is remembered of a request, or of a batch, while it goes on: no text, and memory that is
/// used again.
pub(super) struct Trail {
    began: Instant,
    wall_ns: u64,
    /// When it was answered, if that is not its end: an order may go on after its client was told.
    answered: Option<Instant>,
    hops: Vec<Hop>,
    links: Vec<SpanRef>,
    dropped: u32,
    /// An error was logged on the way.
    pub(super) failed: bool,
    /// One of those for whom it is done is kept.
    pub(super) wanted: bool,
}

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<Hop>>> = const { RefCell::new(Vec::new()) };
}

/// The id of the span that stands for an event's row in the log. Whoever reads the row can work it
/// out, so that the row need not carry it.
pub(super) fn event_span_id(order_id: u128, version: u64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "both halves count")]
    let folded = (order_id ^ (order_id >> 64)) as u64;
    crate::spans::span_id(version.wrapping_mul(0x9e37_79b9_7f4a_7c15), folded)
}

fn nanos(since: Instant, until: Instant) -> u64 {
    u64::try_from(until.saturating_duration_since(since).as_nanos()).unwrap_or(u64::MAX)
}

impl Trail {
    pub(super) fn begin() -> Self {
        let hops = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(12));
        Self {
            began: Instant::now(),
            wall_ns: wall_ns(),
            answered: None,
            hops,
            links: Vec::new(),
            dropped: 0,
            failed: false,
            wanted: false,
        }
    }

    pub(super) fn answered(&mut self) {
        self.answered.get_or_insert_with(Instant::now);
    }

    pub(super) fn took(&self) -> std::time::Duration {
        self.answered.unwrap_or_else(Instant::now).saturating_duration_since(self.began)
    }

    pub(super) const fn began(&self) -> Instant {
        self.began
    }

    /// Adds a hop that ends now, and gives its id. `batch` is what it was done in, and since when.
    pub(super) fn hop(
        &mut self,
        own: u64,
        name: &'static str,
        mut fields: HopFields,
        batch: Option<(SpanRef, Instant)>,
    ) -> u64 {
        let number = self.hops.len() as u64 + u64::from(self.dropped) + 1;
        let is_event = name == "event";
        let of_event = fields.order_id.filter(|_| is_event);
        let span_id = fields
            .span_id
            .or_else(|| of_event.map(|order| event_span_id(order, fields.version)))
            .unwrap_or_else(|| crate::spans::span_id(number, own));
        let now = Instant::now();
        if let Some((_, since)) = batch.filter(|_| !is_event) {
            fields.took_ns = nanos(since, now);
        }
        if self.hops.len() >= HOPS_MAX {
            self.dropped = self.dropped.saturating_add(1);
            return span_id;
        }
        // An event's row was written by the transaction that was told of last.
        let writer = self.hops.iter().rev().find(|hop| hop.name == "transaction");
        let (parent, end_ns) = match writer.filter(|_| is_event) {
            Some(writer) => (Some(writer.span_id), writer.end_ns),
            None => (None, nanos(self.began, now)),
        };
        let link = batch.map(|(batch, _)| batch).filter(|_| !is_event);
        self.hops.push(Hop { name, fields, end_ns, span_id, parent, link });
        span_id
    }

    /// Links the batch with one of those for whom it is done.
    pub(super) fn link(&mut self, to: SpanRef) {
        if self.links.len() < LINKS_MAX {
            self.links.push(to);
        }
    }

    /// The spans that it becomes.
    pub(super) fn spans(&self, root: Root<'_>) -> Vec<Span> {
        let mut spans = Vec::with_capacity(self.hops.len() + 1);
        let answered = self.answered.map(|at| nanos(self.began, at));
        let end_ns = answered.unwrap_or_else(|| nanos(self.began, Instant::now()));
        let mut attributes = root.attributes();
        if self.dropped > 0 {
            attributes.push(("orderly.hops_dropped".into(), Word::Int(i64::from(self.dropped))));
        }
        spans.push(Span {
            trace_id: root.trace_id,
            span_id: root.span_id,
            parent: root.parent,
            name: root.name(),
            kind: if root.is_request() { Kind::Server } else { Kind::Internal },
            start_ns: self.wall_ns,
            end_ns: self.wall_ns.saturating_add(end_ns),
            attributes,
            links: self.links.clone(),
            failed: self.failed || root.status().is_some_and(|status| status >= 500),
        });
        self.hops_into(&mut spans, &root);
        spans
    }

    fn hops_into(&self, spans: &mut Vec<Span>, root: &Root<'_>) {
        let parents = self.parents();
        for (hop, around) in self.hops.iter().zip(parents) {
            let around = around.and_then(|index| self.hops.get(index)).map(|outer| outer.span_id);
            spans.push(Span {
                trace_id: root.trace_id,
                span_id: hop.span_id,
                parent: Some(hop.parent.or(around).unwrap_or(root.span_id)),
                name: hop_name(hop.name, hop.fields.label.as_str()),
                kind: hop_kind(hop.name),
                start_ns: self.wall_ns.saturating_add(hop.start_ns()),
                end_ns: self.wall_ns.saturating_add(hop.end_ns),
                attributes: hop_attributes(&hop.fields),
                links: hop.link.into_iter().collect(),
                failed: hop.fields.failed,
            });
        }
    }

    /// For each hop the one around it. A hop is told of when it ends, so what lies within it was told
    /// of before, and began later. The middle is compared, because the clock is not read at the very
    /// begin and end.
    fn parents(&self) -> Vec<Option<usize>> {
        let mut parents = vec![None; self.hops.len()];
        let mut loose: Vec<usize> = Vec::new();
        for (index, hop) in self.hops.iter().enumerate().filter(|(_, hop)| hop.name != "event") {
            while let Some(inner) = loose.last().copied()
                && self.hops.get(inner).is_some_and(|inner| inner.middle_ns() >= hop.start_ns())
            {
                if let Some(parent) = parents.get_mut(inner) {
                    *parent = Some(index);
                }
                loose.pop();
            }
            loose.push(index);
        }
        parents
    }
}

impl Hop {
    const fn start_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.fields.took_ns)
    }

    const fn middle_ns(&self) -> u64 {
        self.end_ns - (self.end_ns - self.start_ns()) / 2
    }
}

impl Drop for Trail {
    /// Gives its memory to the next one.
    fn drop(&mut self) {
        let mut hops = std::mem::take(&mut self.hops);
        hops.clear();
        let _ = BUFFERS.try_with(|buffers| {
            let mut buffers = buffers.borrow_mut();
            if buffers.len() < BUFFERS_MAX && hops.capacity() > 0 {
                buffers.push(hops);
            }
        });
    }
}

/// A hop that has no request around it any more: what a consumer does with an event.
pub(super) fn lone(trace_id: u128, span_id: u64, name: &'static str, fields: &HopFields) -> Span {
    let end_ns = wall_ns();
    Span {
        trace_id,
        span_id,
        parent: fields.order_id.map(|order| event_span_id(order, fields.version)),
        name: hop_name(name, fields.label.as_str()),
        kind: hop_kind(name),
        start_ns: end_ns.saturating_sub(fields.took_ns),
        end_ns,
        attributes: hop_attributes(fields),
        links: Vec::new(),
        failed: fields.failed,
    }
}

fn hop_kind(name: &str) -> Kind {
    match name {
        "event" => Kind::Producer,
        "consume" => Kind::Consumer,
        "http" => Kind::Client,
        _ => Kind::Internal,
    }
}

fn hop_name(name: &str, label: &str) -> String {
    match name {
        "call" | "transaction" => label.to_owned(),
        _ => format!("{name} {label}"),
    }
}

fn hop_attributes(fields: &HopFields) -> Vec<(Cow<'static, str>, Word)> {
    let order = fields.order_id.map(uuid_text);
    let mut attributes = Vec::new();
    attributes.extend(order.map(|id| ("order_id".into(), Word::Text(id))));
    if fields.version > 0 {
        let version = i64::try_from(fields.version).unwrap_or(i64::MAX);
        attributes.push(("order_version".into(), Word::Int(version)));
    }
    attributes
}

/// A UUID as it is written everywhere.
fn uuid_text(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The span at the root of a trail.
#[derive(Clone, Copy)]
pub(super) struct Root<'a> {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    pub(super) parent: Option<u64>,
    pub(super) name: &'static str,
    pub(super) fields: &'a Fields,
}

impl Root<'_> {
    fn text(&self, wanted: &str) -> Option<&str> {
        self.fields.iter().find_map(|(name, value)| match value {
            Value::Text(text) if name == wanted => Some(text.as_str()),
            _ => None,
        })
    }

    fn is_request(&self) -> bool {
        self.name == "http_request"
    }

    /// The HTTP status it was answered with.
    pub(super) fn status(&self) -> Option<u64> {
        self.fields.iter().find_map(|(name, value)| match value {
            Value::Unsigned(status) if name == "http.status" => Some(*status),
            Value::Signed(status) if name == "http.status" => u64::try_from(*status).ok(),
            _ => None,
        })
    }

    fn name(&self) -> String {
        match (self.text("http.method"), self.text("http.route")) {
            (Some(method), Some(route)) if self.is_request() => format!("{method} {route}"),
            _ => self.name.to_owned(),
        }
    }

    fn attributes(&self) -> Vec<(Cow<'static, str>, Word)> {
        let words = self.fields.iter().map(|(name, value)| {
            let name = match name {
                "http.method" => "http.request.method",
                "http.status" => "http.response.status_code",
                other => other,
            };
            let word = match value {
                Value::Bool(value) => Word::Bool(*value),
                Value::Signed(value) => Word::Int(*value),
                Value::Unsigned(value) => Word::Int(i64::try_from(*value).unwrap_or(i64::MAX)),
                Value::Float(value) => Word::Float(*value),
                Value::Text(text) => Word::Text(text.clone()),
                Value::Causes(causes) => Word::Text(causes.join(": ")),
            };
            (Cow::Borrowed(name), word)
        });
        words.collect()
    }
}
