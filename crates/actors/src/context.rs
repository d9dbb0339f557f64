//! What travels with every message: until when, for whom, in which trace, and whether anybody
//! still wants the answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Span;
use uuid::Uuid;

/// W3C trace id: 16 bytes, written as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

impl TraceId {
    /// A trace id out of fresh random bits.
    #[must_use]
    pub const fn new(fresh: Uuid) -> Self {
        Self(fresh.as_u128())
    }

    /// The trace id of a W3C `traceparent` header, if the header is well formed.
    #[must_use]
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        let hex = |text: &str, length| {
            text.len() == length
                && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let well_formed =
            hex(version, 2) && version != "ff" && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
        let id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        (well_formed && span != "0000000000000000").then_some(Self(id))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The life of one request, shared by all messages sent on its behalf. Cheap to clone.
#[derive(Clone)]
pub struct RequestContext(Arc<Life>);

struct Life {
    deadline: Instant,
    cancel: CancellationToken,
    trace_id: TraceId,
    span: Span,
    actor: Arc<str>,
}

impl RequestContext {
    /// A request that must be answered by `deadline`, made by `actor` (a principal's name, or a
    /// part of the system), in `span`.
    #[must_use]
    pub fn new(deadline: Instant, trace_id: TraceId, span: Span, actor: Arc<str>) -> Self {
        let cancel = CancellationToken::new();
        Self(Arc::new(Life { deadline, cancel, trace_id, span, actor }))
    }

    /// The moment after which nobody waits for the answer.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.0.deadline
    }

    /// Time left until the deadline; zero once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.0.deadline.saturating_duration_since(Instant::now())
    }

    /// The trace this request belongs to.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.0.trace_id
    }

    /// The request's span; work done for it is a child of this.
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.0.span
    }

    /// Who asks, for the timeline.
    #[must_use]
    pub fn actor(&self) -> &Arc<str> {
        &self.0.actor
    }

    /// Whether the caller is gone.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.is_cancelled()
    }

    /// A guard that cancels the request when it is dropped: held by whoever wants the answer.
    #[must_use]
    pub fn cancel_on_drop(&self) -> DropGuard {
        self.0.cancel.clone().drop_guard()
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("trace_id", &self.0.trace_id)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
