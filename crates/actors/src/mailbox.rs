//! The handle through which an actor is reached.

use crate::context::RequestContext;
use crate::desk::Loopback;
use crate::envelope::{Envelope, Request};
use crate::supervisor::{Host, Serve, Service};
use crate::vitals::{Health, Vitals};
use actix::Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

/// How many messages may wait for an actor. When they do, the next one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxPolicy {
    /// One: the sender waits for the receiver, as with an unbuffered channel.
    Rendezvous,
    /// A few (64): a slow receiver is felt by its senders soon.
    Small,
    /// Many: a queue for batches, with its stated capacity.
    Large(usize),
}

impl MailboxPolicy {
    /// The number of messages that may wait.
    #[must_use]
    pub const fn capacity(self) -> usize {
        match self {
            Self::Rendezvous => 1,
            Self::Small => 64,
            Self::Large(capacity) => capacity,
        }
    }
}

/// Why an ask has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The mailbox is full; nothing happened.
    #[error("too many messages wait already")]
    Full,
    /// The deadline passed before the work began; nothing happened.
    #[error("the deadline passed before the work began")]
    Expired,
    /// The caller left before the work began; nothing happened.
    #[error("the caller left before the work began")]
    Abandoned,
    /// The actor is stopped or was restarted before the work began; nothing happened.
    #[error("the service is stopped")]
    Stopped,
    /// The deadline passed while the work went on; the outcome is unknown.
    #[error("the deadline passed while the work went on")]
    TimedOut,
    /// The actor crashed while it worked on this; the outcome is unknown.
    #[error("the service crashed while it worked on this")]
    Crashed,
}

impl AskError {
    /// `true` when the work certainly did not begin, so that asking again cannot do it twice.
    #[must_use]
    pub const fn nothing_happened(self) -> bool {
        match self {
            Self::Full | Self::Expired | Self::Abandoned | Self::Stopped => true,
            Self::TimedOut | Self::Crashed => false,
        }
    }

    /// `true` when the one who was asked did not do its work; `false` when the caller itself left.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        !matches!(self, Self::Abandoned)
    }
}

/// The handle of a supervised service. It stays valid over restarts.
pub struct Mailbox<S: Service> {
    address: Arc<Addr<Host<S>>>,
    vitals: Arc<Vitals>,
}

impl<S: Service> Clone for Mailbox<S> {
    fn clone(&self) -> Self {
        // One `Addr` is shared: each clone of an `Addr` would bring a free place in the mailbox.
        Self { address: self.address.clone(), vitals: self.vitals.clone() }
    }
}

/// An answer that is still to come.
pub struct Pending<A> {
    from: oneshot::Receiver<Result<A, AskError>>,
    deadline: tokio::time::Instant,
}

impl<A> Pending<A> {
    /// Waits for the answer until the request's deadline and `grace` beyond it.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn answer_within(self, grace: Duration) -> Result<A, AskError> {
        let until = self.deadline + grace;
        match timeout_at(until, self.from).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(AskError::Crashed),
            Err(_) => Err(AskError::TimedOut),
        }
    }
}

impl<S: Service> Mailbox<S> {
    pub(crate) fn new(address: Addr<Host<S>>, vitals: Arc<Vitals>) -> Self {
        Self { address: Arc::new(address), vitals }
    }

    /// Puts a message into the mailbox, at once or not at all.
    ///
    /// # Errors
    /// [`AskError::Full`] or [`AskError::Stopped`]; nothing happened.
    pub fn post<M>(
        &self,
        message: M,
        context: &RequestContext,
    ) -> Result<Pending<M::Answer>, AskError>
    where
        M: Request,
        S: Serve<M>,
    {
        if self.vitals.is_closed() {
            self.vitals.refused("stopped");
            return Err(AskError::Stopped);
        }
        let Some(place) = self.vitals.enter_queue() else {
            self.vitals.refused("full");
            return Err(AskError::Full);
        };
        let (to, from) = oneshot::channel();
        self.put(Envelope::new(message, context.clone(), Some(to), self.vitals.clone(), place));
        Ok(Pending { from, deadline: context.deadline() })
    }

    /// Like [`Self::post`], but never refused for want of room: for what must not be shed, and whose
    /// number is bounded by those who ask.
    ///
    /// # Errors
    /// [`AskError::Stopped`]; nothing happened.
    pub fn post_unshed<M>(
        &self,
        message: M,
        context: &RequestContext,
    ) -> Result<Pending<M::Answer>, AskError>
    where
        M: Request,
        S: Serve<M>,
    {
        if self.vitals.is_closed() {
            self.vitals.refused("stopped");
            return Err(AskError::Stopped);
        }
        let place = self.vitals.enter_queue_admitted();
        let (to, from) = oneshot::channel();
        self.put(Envelope::new(message, context.clone(), Some(to), self.vitals.clone(), place));
        Ok(Pending { from, deadline: context.deadline() })
    }

    /// Asks and waits for the answer until the request's deadline.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask<M>(&self, message: M, context: &RequestContext) -> Result<M::Answer, AskError>
    where
        M: Request,
        S: Serve<M>,
    {
        self.post(message, context)?.answer_within(Duration::ZERO).await
    }

    /// Hands over the second half of work that was already admitted. It is never refused for
    /// want of room: its number is bounded by the admission of the first half. The number of
    /// those that wait still shows in the mailbox's depth.
    pub fn deliver<M>(&self, message: M, context: &RequestContext)
    where
        M: Request<Answer = ()>,
        S: Serve<M>,
    {
        let place = self.vitals.enter_queue_admitted();
        self.put(Envelope::new(message, context.clone(), None, self.vitals.clone(), place));
    }

    #[expect(clippy::disallowed_methods, reason = "the capacity is kept by Vitals::enter_queue")]
    fn put<M>(&self, envelope: Envelope<M>)
    where
        M: Request,
        S: Serve<M>,
    {
        self.address.do_send(envelope);
    }

    /// The way by which the actor's own tasks reach it, for others that go on with its work.
    #[must_use]
    pub fn loopback(&self) -> Loopback<S> {
        Loopback::new(self.address.downgrade(), self.vitals.clone())
    }

    /// What can be seen of the actor.
    #[must_use]
    pub fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    /// How the actor is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.vitals.health()
    }

    /// Refuses new messages and waits until all that were taken have their answer.
    pub async fn drain(&self) {
        self.vitals.close();
        self.vitals.all_answered().await;
    }
}
