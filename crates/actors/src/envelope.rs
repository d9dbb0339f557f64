//! A message on its way: what is asked, on whose behalf, and where the answer goes.

use crate::context::RequestContext;
use crate::line::Place;
use crate::mailbox::AskError;
use crate::vitals::{Vitals, panic_message};
use futures_util::FutureExt;
use std::any::type_name;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Instrument;

/// Something that a service can be asked, with the type of its answer.
pub trait Request: Send + 'static {
    /// What comes back.
    type Answer: Send + 'static;
}

/// A message in a mailbox. Dropped unopened, it tells its sender that nothing happened.
pub struct Envelope<M: Request> {
    content: Option<(M, Reply<M::Answer>)>,
    context: RequestContext,
    place: Place,
    vitals: Arc<Vitals>,
}

impl<M: Request> actix::Message for Envelope<M> {
    type Result = ();
}

/// A message whose work has begun.
pub struct Opened<M: Request> {
    /// What is asked.
    pub message: M,
    /// On whose behalf.
    pub context: RequestContext,
    /// Where the answer goes.
    pub reply: Reply<M::Answer>,
}

/// The way back to the sender. Dropped without an answer, it tells the sender that the outcome is
/// unknown.
pub struct Reply<A> {
    to: Option<oneshot::Sender<Result<A, AskError>>>,
    vitals: Arc<Vitals>,
}

impl<M: Request> Envelope<M> {
    /// Makes an envelope; the caller has taken this place in the queue of `vitals` for it.
    pub(crate) fn new(
        message: M,
        context: RequestContext,
        to: Option<oneshot::Sender<Result<M::Answer, AskError>>>,
        vitals: Arc<Vitals>,
        place: Place,
    ) -> Self {
        let reply = Reply { to, vitals: vitals.clone() };
        Self { content: Some((message, reply)), context, place, vitals }
    }

    /// A look at the message before its work begins.
    #[must_use]
    pub fn peek(&self) -> Option<&M> {
        self.content.as_ref().map(|(message, _)| message)
    }

    /// Begins the work: leaves the queue and hands out the message. `None` when its deadline has
    /// passed or its sender is gone; the sender is told, and nothing needs to be done.
    #[must_use]
    pub fn open(mut self) -> Option<Opened<M>> {
        let (message, reply) = self.content.take()?;
        let waited = self.vitals.leave_queue(self.place, type_name::<M>());
        tracing::info!(
            name: "mailbox",
            target: "hop",
            parent: self.context.span(),
            label = self.vitals.name(),
            took_ns = nanos(waited),
        );
        if self.context.is_cancelled() || reply.is_abandoned() {
            self.vitals.refused("abandoned");
            reply.refuse(AskError::Abandoned);
            return None;
        }
        if Instant::now() >= self.context.deadline() {
            self.vitals.refused("expired");
            reply.refuse(AskError::Expired);
            return None;
        }
        Some(Opened { message, context: self.context.clone(), reply })
    }

    /// Begins the work in a task of its own and sends what it returns. The actor goes on at once.
    ///
    /// The task survives the actor's restart and the caller's departure; its panic is counted and
    /// answered as [`AskError::Crashed`], and does not touch the actor.
    pub fn answer_with<F>(self, work: impl FnOnce(M, RequestContext) -> F)
    where
        F: Future<Output = M::Answer> + 'static,
    {
        let vitals = self.vitals.clone();
        let Some(Opened { message, context, reply }) = self.open() else {
            return;
        };
        let span = context.span().clone();
        let began = Instant::now();
        let task = AssertUnwindSafe(work(message, context)).catch_unwind();
        actix::spawn(
            async move {
                match task.await {
                    Ok(answer) => reply.send(answer),
                    Err(payload) => vitals.panicked(&panic_message(&*payload)),
                }
                vitals.handled(began.elapsed());
            }
            .instrument(span),
        );
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl<M: Request> Drop for Envelope<M> {
    fn drop(&mut self) {
        if let Some((_, reply)) = self.content.take() {
            self.vitals.leave_queue(self.place, type_name::<M>());
            reply.refuse(AskError::Stopped);
        }
    }
}

impl<A> Reply<A> {
    /// Whether nobody waits for the answer any more.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.to.as_ref().is_some_and(oneshot::Sender::is_closed)
    }

    /// Sends the answer. If the sender is gone the answer is dropped: what was done stays done.
    pub fn send(mut self, answer: A) {
        self.resolve(Ok(answer));
    }

    pub(crate) fn refuse(mut self, error: AskError) {
        self.resolve(Err(error));
    }

    fn resolve(&mut self, result: Result<A, AskError>) {
        if let Some(to) = self.to.take() {
            // The receiver may be gone; then nobody is left to tell.
            drop(to.send(result));
        }
    }
}

impl<A> Drop for Reply<A> {
    fn drop(&mut self) {
        self.resolve(Err(AskError::Crashed));
        self.vitals.finish();
    }
}
