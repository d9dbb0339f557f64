//! Which spans and events are kept. Changes while the log runs.

use crate::TelemetryError;
use crate::traces::HOP;
use arc_swap::ArcSwap;
use std::sync::{Arc, Weak};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::Registry;

/// The lowest layer: what it refuses costs the others nothing.
///
/// `tracing_subscriber::reload` with an `EnvFilter` does the same and more, but takes two locks each
/// time a span is entered or left, which is dozens of times for an order.
pub(crate) struct Levels {
    chosen: Arc<ArcSwap<Chosen>>,
    /// Spans and hops are kept for the traces, whatever the log keeps.
    traces: bool,
}

/// Levels, and the words that chose them.
#[derive(Debug)]
struct Chosen {
    levels: Targets,
    directives: String,
}

/// Changes the levels of a log that runs.
#[derive(Clone, Debug)]
pub(crate) struct LevelsHandle(Weak<ArcSwap<Chosen>>);

impl Levels {
    /// Keeps what `directives` say: `info`, or `info,orders=debug`. Where they say nothing, errors
    /// are kept.
    pub(crate) fn parse(directives: &str, traces: bool) -> Result<Self, TelemetryError> {
        Ok(Self { chosen: Arc::new(ArcSwap::from_pointee(parse(directives)?)), traces })
    }

    pub(crate) fn handle(&self) -> LevelsHandle {
        LevelsHandle(Arc::downgrade(&self.chosen))
    }

    fn keeps(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.target() == HOP {
            return self.traces;
        }
        let is_of_trace = self.traces && metadata.is_span() && *metadata.level() <= Level::INFO;
        is_of_trace || self.chosen.load().levels.would_enable(metadata.target(), metadata.level())
    }
}

impl LevelsHandle {
    /// From the next span and event on.
    pub(crate) fn set(&self, directives: &str) -> Result<(), TelemetryError> {
        let levels = parse(directives)?;
        let chosen = self.0.upgrade().ok_or(TelemetryError::LogGone)?;
        chosen.store(Arc::new(levels));
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    /// What was chosen last; `None` when the log is gone.
    pub(crate) fn directives(&self) -> Option<String> {
        Some(self.0.upgrade()?.load().directives.clone())
    }
}

impl<S: Subscriber> Layer<S> for Levels {
    /// The answer holds for a place in the code until the levels change.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.keeps(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.keeps(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let of_log = Layer::<Registry>::max_level_hint(&self.chosen.load().levels)?;
        Some(if self.traces { of_log.max(LevelFilter::INFO) } else { of_log })
    }
}

fn parse(directives: &str) -> Result<Chosen, TelemetryError> {
    let levels = if directives.trim().is_empty() {
        Targets::new()
    } else {
        directives
            .parse::<Targets>()
            .map_err(|source| TelemetryError::Filter { filter: directives.to_owned(), source })?
    };
    let says_nothing_of_others = levels.default_level().is_none();
    let levels =
        if says_nothing_of_others { levels.with_default(LevelFilter::ERROR) } else { levels };
    Ok(Chosen { levels, directives: directives.to_owned() })
}
