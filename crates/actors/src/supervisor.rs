//! Supervision that survives a panic: catch it, answer the sender, rebuild the service from its
//! factory behind the same address, back off, and give up loudly after a budget.

use crate::desk::Desk;
use crate::envelope::{Envelope, Request};
use crate::home::Home;
use crate::mailbox::{Mailbox, MailboxPolicy};
use crate::vitals::{Health, Vitals, panic_message};
use actix::dev::ContextFut;
use actix::dev::channel::{AddressReceiver, channel};
use actix::{Actor, Addr, AsyncContext, Context, Handler, Supervised};
use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// A service: the state that one actor owns.
pub trait Service: Sized + Unpin + 'static {
    /// Called after each start and restart, before any message: set up timers, read the database.
    fn started(&mut self, desk: &mut Desk<'_, Self>) {
        let _ = desk;
    }
}

/// A service that takes messages of type `M`.
pub trait Serve<M: Request>: Service {
    /// Handles one message. It must not block: long work goes into [`Envelope::answer_with`] or
    /// [`Desk::run`]. A panic here restarts the service.
    fn serve(&mut self, envelope: Envelope<M>, desk: &mut Desk<'_, Self>);
}

/// How often and how fast a service is restarted.
#[derive(Clone, Copy, Debug)]
pub struct Supervision {
    /// Restarts allowed within `window`; one more and the service is given up.
    pub restarts_max: usize,
    /// The time over which restarts are counted.
    pub window: Duration,
    /// Longest wait before the first restart; it doubles with each further one.
    pub backoff_base: Duration,
    /// Upper bound of the wait.
    pub backoff_max: Duration,
}

impl Supervision {
    /// Five restarts a minute, waits of up to 50 ms, 100 ms, … 2 s, with full jitter.
    ///
    /// Five a minute is the budget of `docs/ARCHITECTURE.md`: a service that cannot stay up for
    /// longer has a fault that restarting does not mend.
    pub const STANDARD: Self = Self {
        restarts_max: 5,
        window: Duration::from_secs(60),
        backoff_base: Duration::from_millis(50),
        backoff_max: Duration::from_secs(2),
    };

    /// The wait before restart number `attempt` (from 1), for a `jitter` in `0.0..1.0`.
    #[must_use]
    pub fn backoff(&self, attempt: usize, jitter: f64) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        let longest = self.backoff_base.saturating_mul(1 << doublings).min(self.backoff_max);
        longest.mul_f64(jitter.clamp(0.0, 1.0))
    }
}

/// The actix actor around a service.
pub struct Host<S: Service> {
    service: S,
    factory: Box<dyn FnMut() -> S>,
    vitals: Arc<Vitals>,
    backoff_micros: Arc<AtomicU64>,
}

impl<S: Service> Host<S> {
    pub(crate) fn service(&mut self) -> &mut S {
        &mut self.service
    }
}

impl<S: Service> Actor for Host<S> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.vitals.set_health(Health::Up);
        self.service.started(&mut Desk::new(context, self.vitals.clone()));
    }
}

impl<S: Service> Supervised for Host<S> {
    fn restarting(&mut self, context: &mut Self::Context) {
        // Rebuilt, never carried over: what a panic left behind is not to be trusted.
        self.service = (self.factory)();
        self.vitals.restarted();
        self.vitals.set_health(Health::BackingOff);
        let vitals = self.vitals.clone();
        let micros = self.backoff_micros.load(Ordering::Acquire);
        let pause = tokio::time::sleep(Duration::from_micros(micros));
        let wait = async move {
            pause.await;
            vitals.set_health(Health::Up);
        };
        context.wait(actix::fut::wrap_future::<_, Self>(wait));
    }
}

impl<S: Serve<M>, M: Request> Handler<Envelope<M>> for Host<S> {
    type Result = ();

    fn handle(&mut self, envelope: Envelope<M>, context: &mut Self::Context) {
        let vitals = self.vitals.clone();
        faults::panic_point(vitals.name());
        self.service.serve(envelope, &mut Desk::new(context, vitals));
    }
}

/// Starts a service at `home` under supervision. The `factory` builds it there, now and at
/// every restart.
pub fn supervise<S: Service>(
    name: &str,
    home: &Home,
    policy: MailboxPolicy,
    supervision: Supervision,
    factory: impl FnMut() -> S + Send + 'static,
) -> Mailbox<S> {
    let vitals = Arc::new(Vitals::new(name, policy.capacity()));
    // The capacity is kept by `Vitals`; the channel itself only needs room for one more than that.
    let (sender, receiver) = channel::<Host<S>>(policy.capacity().saturating_add(1));
    let host_vitals = vitals.clone();
    let spawned = home.spawn(move || {
        let supervisor = Supervisor::build(factory, receiver, &host_vitals, supervision);
        if supervisor.is_none() {
            host_vitals.set_health(Health::Down);
        }
        supervisor.map(|supervisor| Box::pin(supervisor) as _)
    });
    if !spawned {
        vitals.set_health(Health::Down);
    }
    Mailbox::new(Addr::new(sender), vitals)
}

struct Supervisor<S: Service> {
    future: Option<ContextFut<Host<S>, Context<Host<S>>>>,
    vitals: Arc<Vitals>,
    supervision: Supervision,
    backoff_micros: Arc<AtomicU64>,
    panics: VecDeque<Instant>,
}

impl<S: Service> Supervisor<S> {
    /// `None` if the factory panics at the first start.
    fn build(
        mut factory: impl FnMut() -> S + 'static,
        receiver: AddressReceiver<Host<S>>,
        vitals: &Arc<Vitals>,
        supervision: Supervision,
    ) -> Option<Self> {
        let service = match catch_unwind(AssertUnwindSafe(&mut factory)) {
            Ok(service) => service,
            Err(payload) => {
                vitals.panicked(&panic_message(&*payload));
                return None;
            }
        };
        let backoff_micros = Arc::new(AtomicU64::new(0));
        let host = Host {
            service,
            factory: Box::new(factory),
            vitals: vitals.clone(),
            backoff_micros: backoff_micros.clone(),
        };
        let future = Some(Context::with_receiver(receiver).into_future(host));
        let vitals = vitals.clone();
        Some(Self { future, vitals, supervision, backoff_micros, panics: VecDeque::new() })
    }

    /// After a panic: `true` when the service runs again, `false` when it is given up.
    fn recover(&mut self, payload: &(dyn Any + Send)) -> bool {
        self.vitals.panicked(&panic_message(payload));
        let now = Instant::now();
        self.panics.push_back(now);
        while self.panics.front().is_some_and(|then| now - *then > self.supervision.window) {
            self.panics.pop_front();
        }
        if self.panics.len() > self.supervision.restarts_max {
            return false;
        }
        let backoff = self.supervision.backoff(self.panics.len(), faults::chance(rand::random));
        let micros = u64::try_from(backoff.as_micros()).unwrap_or(u64::MAX);
        self.backoff_micros.store(micros, Ordering::Release);
        let Some(future) = &mut self.future else {
            return false;
        };
        catch_unwind(AssertUnwindSafe(|| future.restart())).unwrap_or(false)
    }

    fn give_up(&mut self) {
        self.vitals.set_health(Health::Down);
        tracing::error!(
            event = "actor_given_up",
            actor = %self.vitals.name(),
            code = "ACTOR_GIVEN_UP",
            panics = self.panics.len(),
            "an actor panicked too often and is not restarted"
        );
        // Dropping polls the actor once more, which may panic once more.
        let future = self.future.take();
        if catch_unwind(AssertUnwindSafe(|| drop(future))).is_err() {
            tracing::warn!(event = "actor_drop_panicked", actor = %self.vitals.name());
        }
    }
}

impl<S: Service> Future for Supervisor<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Some(future) = &mut this.future else {
            return Poll::Ready(());
        };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(future).poll(task))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => {
                this.vitals.set_health(Health::Down);
                Poll::Ready(())
            }
            Err(payload) => {
                if this.recover(&*payload) {
                    task.waker().wake_by_ref();
                    return Poll::Pending;
                }
                this.give_up();
                Poll::Ready(())
            }
        }
    }
}
