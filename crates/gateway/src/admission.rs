//! Who may come in, and for how long they wait.

use crate::http::cursor::CursorSeal;
use crate::http::{edge, headers};
use crate::problem::{Code, Problem};
use crate::services::Services;
use actix_web::{HttpRequest, rt};
use actors::{RequestContext, TraceId};
use customers::Principal;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use store::answers::RequestKey;
use tokio::time::Instant;
use tokio::time::timeout_at;
use tracing::{Instrument, Span, field};

/// What every handler has at hand.
pub(crate) struct Gate {
    pub(crate) services: Services,
    pub(crate) cursors: CursorSeal,
}

/// A request that was let in.
#[derive(Clone)]
pub(crate) struct Caller {
    principal: Principal,
    trace_id: TraceId,
    /// How long the client waits.
    timeout: Duration,
    deadline: Instant,
    span: Span,
    /// The principal as the timeline names it.
    actor: Arc<str>,
}

impl Gate {
    /// Lets a request in whose key has `scope`.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, `FORBIDDEN`, `INVALID_HEADER` (the time-out), `UNAVAILABLE`.
    pub(crate) async fn admit(
        &self,
        request: &HttpRequest,
        scope: &'static str,
    ) -> Result<Caller, Problem> {
        let key = headers::bearer(request.headers())?;
        let principal = self.services.customers.authenticate(key).await?.ok_or_else(|| {
            Problem::new(Code::Unauthenticated, "The API key is not known, or was revoked.")
        })?;
        let span = Span::current();
        span.record("user_id", field::display(principal.id));
        let timeout = headers::timeout(request.headers())?;
        let actor = format!("key:{}", principal.name).into();
        let (trace_id, deadline) = (edge::trace_id(request), Instant::now() + timeout);
        let caller = Caller { principal, trace_id, timeout, deadline, span, actor };
        caller.require(scope)?;
        Ok(caller)
    }
}

impl Caller {
    /// Refuses unless the key has `scope`.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub(crate) fn require(&self, scope: &'static str) -> Result<(), Problem> {
        if self.allows(scope) {
            return Ok(());
        }
        let message = format!("The API key needs the scope {scope}.");
        Err(Problem::new(Code::Forbidden, message).with("scope", scope))
    }

    /// Whether the key has `scope`.
    pub(crate) fn allows(&self, scope: &str) -> bool {
        self.principal.scopes.allows(scope)
    }

    /// The caller's request of this key.
    pub(crate) fn request_key(&self, key: String) -> RequestKey {
        RequestKey { principal_id: self.principal.id, key }
    }

    /// The context of this request.
    pub(crate) fn context(&self) -> RequestContext {
        RequestContext::new(self.deadline, self.trace_id, self.span.clone(), self.actor.clone())
    }

    /// The same caller with the whole time-out ahead: for the next part of a stream.
    pub(crate) fn renewed(&self) -> Self {
        Self { deadline: Instant::now() + self.timeout, ..self.clone() }
    }

    /// The moment at which the client stops waiting.
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The trace, as text.
    pub(crate) fn trace_id(&self) -> String {
        self.trace_id.to_string()
    }

    /// Runs a read until it is done, the deadline passes, or the client leaves.
    ///
    /// # Errors
    /// That of the read, or `DEADLINE_EXCEEDED`.
    pub(crate) async fn read<T, E: Into<Problem>>(
        &self,
        read: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Problem> {
        let in_time = timeout_at(self.deadline, read).await;
        in_time.map_err(|_| Problem::expired())?.map_err(Into::into)
    }

    /// Runs a write in a task of its own, which goes on when the client leaves (rule D16).
    ///
    /// # Errors
    /// That of the write, or `INTERNAL` if it panics.
    pub(crate) async fn write<T: 'static, E: Into<Problem> + 'static>(
        &self,
        write: impl Future<Output = Result<T, E>> + 'static,
    ) -> Result<T, Problem> {
        let task = rt::spawn(write.instrument(self.span.clone()));
        task.await.map_err(|error| Problem::internal().because(error))?.map_err(Into::into)
    }
}
