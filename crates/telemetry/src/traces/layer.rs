//! The layer that remembers what is done for a request, and decides at its end whether it is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Registry, SpanRef as Kept};

use super::export::Exporter;
use super::trail::{HopFields, Root, SpanRef, Trail, lone};
use super::{HOP, TraceConfig};
use crate::spans::{SpanFacts, span_id};

/// Most traces in a second that are kept because they failed or were slow. When everything fails,
/// some of it is enough to see why.
const TROUBLED_PER_SECOND_MAX: u64 = 200;
/// Traces that this process kept lately, of which consumers tell too. A power of two.
const REMEMBERED: usize = 4_096;

/// Which traces are kept.
pub(crate) struct Sampling {
    /// Of 2^56, as many traces are kept.
    threshold: u64,
    slow: Duration,
    began: Instant,
    /// The second (upper half) and how many troubled traces were kept in it (lower half).
    troubled: AtomicU64,
    /// Low halves of the ids of traces that were kept lately.
    remembered: Box<[AtomicU64]>,
}

impl Sampling {
    pub(crate) fn new(config: &TraceConfig) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^56")]
        let threshold = (config.ratio.clamp(0.0, 1.0) * (1_u64 << 56) as f64) as u64;
        Self {
            threshold,
            slow: config.slow,
            began: Instant::now(),
            troubled: AtomicU64::new(0),
            remembered: (0..REMEMBERED).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Whether a trace of this id is kept whatever becomes of it. The low 56 bits of an id are
    /// random (W3C Trace Context, level 2).
    fn by_id(&self, trace_id: u128) -> bool {
        low(trace_id) & ((1 << 56) - 1) < self.threshold
    }

    /// Whether one more troubled trace may be kept in this second.
    fn may_keep_troubled(&self) -> bool {
        let second = self.began.elapsed().as_secs();
        let count = |seen: u64| {
            let used = if seen >> 32 == second { seen & 0xffff_ffff } else { 0 };
            (used < TROUBLED_PER_SECOND_MAX).then_some((second << 32) | (used + 1))
        };
        self.troubled.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok()
    }

    fn slot(&self, trace_id: u128) -> Option<&AtomicU64> {
        let index = usize::try_from(low(trace_id) % REMEMBERED as u64).ok()?;
        self.remembered.get(index)
    }

    fn remember(&self, trace_id: u128) {
        if let Some(slot) = self.slot(trace_id) {
            slot.store(low(trace_id), Ordering::Relaxed);
        }
    }

    fn knows(&self, trace_id: u128) -> bool {
        let slot = self.slot(trace_id);
        self.by_id(trace_id)
            || slot.is_some_and(|slot| slot.load(Ordering::Relaxed) == low(trace_id))
    }
}

/// The random half of a trace id.
#[expect(clippy::cast_possible_truncation, reason = "that is what is wanted")]
const fn low(trace_id: u128) -> u64 {
    trace_id as u64
}

/// The layer. Without sampling and exporter it does nothing.
pub(crate) struct TraceLayer {
    active: Option<Active>,
}

struct Active {
    sampling: Arc<Sampling>,
    exporter: Exporter,
    seed: u64,
    lone: AtomicU64,
}

impl TraceLayer {
    pub(crate) fn new(active: Option<(TraceConfig, Exporter)>, seed: u64) -> Self {
        let active = active.map(|(config, exporter)| {
            let (sampling, lone) = (Arc::new(Sampling::new(&config)), AtomicU64::new(0));
            Active { sampling, exporter, seed, lone }
        });
        Self { active }
    }
}

/// The span that has none around it.
fn root_of<'a, S>(span: &Kept<'a, S>) -> Option<Kept<'a, S>>
where
    S: for<'b> LookupSpan<'b>,
{
    span.scope().last()
}

/// Where the span is in its trace, and whether the trace is kept in any case.
fn place_of<S>(span: &Kept<'_, S>) -> Option<(SpanRef, bool)>
where
    S: for<'b> LookupSpan<'b>,
{
    let extensions = span.extensions();
    let facts = extensions.get::<SpanFacts>()?;
    Some(((facts.trace_id?, facts.span_id), facts.sampled))
}

impl Active {
    fn on_root<S>(&self, span: &Kept<'_, S>)
    where
        S: for<'b> LookupSpan<'b>,
    {
        let trail = Trail::begin();
        let mut extensions = span.extensions_mut();
        if let Some(facts) = extensions.get_mut::<SpanFacts>() {
            // A batch has no request around it: its trace begins here.
            let fresh = || {
                let high = span_id(facts.span_id, self.seed.rotate_left(32));
                u128::from(high) << 64 | u128::from(span_id(high, self.seed))
            };
            let trace_id = *facts.trace_id.get_or_insert_with(fresh);
            if facts.sampled {
                self.sampling.remember(trace_id);
            }
            facts.sampled |= self.sampling.by_id(trace_id);
        }
        extensions.insert(trail);
    }

    /// Something was done outside of any request.
    fn on_lone_hop(&self, name: &'static str, fields: &HopFields) -> Option<SpanRef> {
        let trace_id = fields.trace_id.filter(|id| self.sampling.knows(*id))?;
        let number = self.lone.fetch_add(1, Ordering::Relaxed);
        let id = span_id(number, self.seed.rotate_left(17));
        self.exporter.send(vec![lone(trace_id, id, name, fields)]);
        Some((trace_id, id))
    }

    fn on_hop<S>(&self, event: &Event<'_>, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'b> LookupSpan<'b>,
    {
        let mut fields = HopFields::default();
        event.record(&mut fields);
        let name = event.metadata().name();
        let around = ctx.lookup_current().and_then(|span| root_of(&span));
        if fields.trace_id.is_some() {
            let told = self.on_lone_hop(name, &fields);
            if let (Some(told), Some(batch)) = (told, around.filter(|_| fields.batched)) {
                link(&batch, told, true);
            }
            return;
        }
        let Some(root) = ctx.event_span(event).and_then(|span| root_of(&span)) else { return };
        let batch = around.filter(|batch| fields.batched && batch.id() != root.id());
        let place_of_batch = batch.as_ref().and_then(|batch| {
            let (place, _) = place_of(batch)?;
            let began = batch.extensions().get::<Trail>()?.began();
            Some((place, began))
        });
        let Some((place, sampled)) = place_of(&root) else { return };
        let id = {
            let mut extensions = root.extensions_mut();
            let Some(trail) = extensions.get_mut::<Trail>() else { return };
            trail.hop(place.1, name, fields, place_of_batch)
        };
        if let Some(batch) = batch
            && sampled
            && name != "event"
        {
            link(&batch, (place.0, id), sampled);
        }
    }

    fn on_end<S>(&self, span: &Kept<'_, S>)
    where
        S: for<'b> LookupSpan<'b>,
    {
        let Some(trail) = span.extensions_mut().remove::<Trail>() else { return };
        let extensions = span.extensions();
        let Some(facts) = extensions.get::<SpanFacts>() else { return };
        let Some(trace_id) = facts.trace_id else { return };
        let root = Root {
            trace_id,
            span_id: facts.span_id,
            parent: facts.parent,
            name: span.name(),
            fields: &facts.fields,
        };
        let reason = if facts.sampled || self.sampling.by_id(trace_id) {
            "sampled"
        } else if trail.wanted {
            "wanted"
        } else if trail.failed || root.status().is_some_and(|status| status >= 500) {
            "failed"
        } else if trail.took() >= self.sampling.slow {
            "slow"
        } else {
            return;
        };
        if matches!(reason, "failed" | "slow") {
            if !self.sampling.may_keep_troubled() {
                metrics::counter!("traces_total", "outcome" => "too_many").increment(1);
                return;
            }
            self.sampling.remember(trace_id);
        }
        metrics::counter!("traces_total", "outcome" => reason).increment(1);
        self.exporter.send(trail.spans(root));
    }
}

/// Links a batch with one of those for whom it was done.
fn link<S>(batch: &Kept<'_, S>, to: SpanRef, wanted: bool)
where
    S: for<'b> LookupSpan<'b>,
{
    let mut extensions = batch.extensions_mut();
    if let Some(trail) = extensions.get_mut::<Trail>() {
        trail.link(to);
        trail.wanted |= wanted;
    }
}

impl<S> Layer<S> for TraceLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(active) = &self.active else { return };
        if let Some(span) = ctx.span(id)
            && span.parent().is_none()
        {
            active.on_root(&span);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        if self.active.is_none() {
            return;
        }
        let Some(span) = ctx.span(id) else { return };
        let mut answers = Answers(false);
        values.record(&mut answers);
        if answers.0
            && let Some(trail) = span.extensions_mut().get_mut::<Trail>()
        {
            trail.answered();
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let Some(active) = &self.active else { return };
        let metadata = event.metadata();
        if metadata.target() == HOP {
            active.on_hop(event, &ctx);
        } else if *metadata.level() == Level::ERROR
            && let Some(root) = ctx.event_span(event).and_then(|span| root_of(&span))
            && let Some(trail) = root.extensions_mut().get_mut::<Trail>()
        {
            trail.failed = true;
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let Some(active) = &self.active else { return };
        if let Some(span) = ctx.span(&id) {
            active.on_end(&span);
        }
    }
}

/// Whether the status of an answer is being recorded: from then on the client does not wait.
struct Answers(bool);

impl tracing::field::Visit for Answers {
    fn record_u64(&mut self, field: &tracing::field::Field, _: u64) {
        self.0 |= field.name() == "http.status";
    }

    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
}

/// What somebody outside is told of the trace that is current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The id of the span that the call will be, for the hop that tells of it.
    pub span_id: u64,
    /// The value of the header `traceparent`.
    pub traceparent: String,
}

/// Begins a call to somebody outside on behalf of the current span; `None` outside of any trace.
#[must_use]
pub fn outgoing() -> Option<Outgoing> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let place = tracing::Span::current().with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        span.scope().find_map(|span| place_of(&span))
    });
    let ((trace_id, of), sampled) = place.flatten()?;
    let span_id = span_id(NEXT.fetch_add(1, Ordering::Relaxed), of);
    let traceparent = format!("00-{trace_id:032x}-{span_id:016x}-{:02x}", u8::from(sampled));
    Some(Outgoing { span_id, traceparent })
}

#[cfg(test)]
#[path = "layer_tests.rs"]
mod tests;
