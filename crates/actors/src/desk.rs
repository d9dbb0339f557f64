//! What a service has at hand while it handles a message.

use crate::context::RequestContext;
use crate::envelope::{Envelope, Request};
use crate::supervisor::{Host, Serve, Service};
use crate::vitals::{Vitals, panic_message};
use actix::fut::{ActorFutureExt, wrap_future};
use actix::{ActorContext, AsyncContext, Context, WeakAddr};
use futures_util::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument;

/// The work of a task ended by a panic; what it said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("panicked: {0}")]
pub struct Panicked(pub String);

/// A service's own desk: tasks, timers and a way to send to itself.
pub struct Desk<'a, S: Service> {
    context: &'a mut Context<Host<S>>,
    vitals: Arc<Vitals>,
}

/// Sends to the service that made it. Does not keep the service alive.
pub struct Loopback<S: Service> {
    address: WeakAddr<Host<S>>,
    vitals: Arc<Vitals>,
}

impl<S: Service> Clone for Loopback<S> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), vitals: self.vitals.clone() }
    }
}

impl<S: Service> Loopback<S> {
    pub(crate) const fn new(address: WeakAddr<Host<S>>, vitals: Arc<Vitals>) -> Self {
        Self { address, vitals }
    }

    /// Delivers the second half of admitted work to the service itself; see
    /// [`crate::Mailbox::deliver`]. If the service has ended, the message is dropped.
    #[expect(clippy::disallowed_methods, reason = "bounded by the admission of the first half")]
    pub fn deliver<M>(&self, message: M, context: &RequestContext)
    where
        M: Request<Answer = ()>,
        S: Serve<M>,
    {
        let Some(address) = self.address.upgrade() else {
            return;
        };
        let place = self.vitals.enter_queue_admitted();
        address.do_send(Envelope::new(message, context.clone(), None, self.vitals.clone(), place));
    }
}

impl<'a, S: Service> Desk<'a, S> {
    pub(crate) fn new(context: &'a mut Context<Host<S>>, vitals: Arc<Vitals>) -> Self {
        Self { context, vitals }
    }

    /// A way for tasks to send to this service.
    #[must_use]
    pub fn loopback(&self) -> Loopback<S> {
        Loopback::new(self.context.address().downgrade(), self.vitals.clone())
    }

    /// Runs `work` in a task of its own, then `done` in the service with what came of it. The
    /// task's panic is counted and handed to `done`. If the service restarts meanwhile, the task
    /// goes on to its end and `done` is not called.
    pub fn run<F>(
        &mut self,
        work: F,
        done: impl FnOnce(&mut S, Result<F::Output, Panicked>, &mut Desk<'_, S>) + 'static,
    ) where
        F: Future + 'static,
        F::Output: 'static,
    {
        let vitals = self.vitals.clone();
        let began = Instant::now();
        let task = actix::spawn(
            async move {
                let result = AssertUnwindSafe(work).catch_unwind().await;
                vitals.handled(began.elapsed());
                result.map_err(|payload| {
                    let message = panic_message(&*payload);
                    vitals.panicked(&message);
                    Panicked(message)
                })
            }
            .in_current_span(),
        );
        let vitals = self.vitals.clone();
        let then = wrap_future::<_, Host<S>>(task).map(move |joined, host, context| {
            let result = joined.unwrap_or_else(|error| Err(Panicked(error.to_string())));
            done(host.service(), result, &mut Desk::new(context, vitals));
        });
        self.context.spawn(then);
    }

    /// Calls `what` in the service every `period`, until it restarts (then [`Service::started`]
    /// sets it up again).
    pub fn every(
        &mut self,
        period: Duration,
        mut what: impl FnMut(&mut S, &mut Desk<'_, S>) + 'static,
    ) {
        let vitals = self.vitals.clone();
        self.context.run_interval(period, move |host, context| {
            what(host.service(), &mut Desk::new(context, vitals.clone()));
        });
    }

    /// Ends the service for good; its mailbox refuses from now on.
    pub fn stop(&mut self) {
        self.context.stop();
    }
}
