//! What supervision, mailboxes and deadlines promise, on real arbiters.

use super::*;
use actix::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tracing::Span;
use uuid::Uuid;

/// A counter that can be made to fail in every way.
struct Counter {
    value: u64,
}

impl Service for Counter {}

struct Add;
impl Request for Add {
    type Answer = u64;
}

/// Where a panic is to happen.
#[derive(Clone, Copy)]
enum Boom {
    Handler,
    SpawnedFuture,
    AsyncAnswer,
    Task,
}
impl Request for Boom {
    type Answer = ();
}

/// Holds the actor's answer back until told.
struct Hold(Arc<Notify>, oneshot::Sender<()>);
impl Request for Hold {
    type Answer = ();
}

impl Serve<Add> for Counter {
    fn serve(&mut self, envelope: Envelope<Add>, _: &mut Desk<'_, Self>) {
        let Some(Opened { reply, .. }) = envelope.open() else {
            return;
        };
        self.value += 1;
        reply.send(self.value);
    }
}

impl Serve<Boom> for Counter {
    fn serve(&mut self, envelope: Envelope<Boom>, desk: &mut Desk<'_, Self>) {
        match envelope.peek() {
            Some(Boom::AsyncAnswer) => {
                envelope.answer_with(|_, _| async { panic!("in an async answer") });
            }
            Some(Boom::Task) => {
                let Some(opened) = envelope.open() else {
                    return;
                };
                desk.run(
                    async { panic!("in a task") },
                    move |counter, result: Result<(), _>, _| {
                        counter.value += 100;
                        assert_eq!(result, Err(Panicked("in a task".to_owned())));
                        opened.reply.send(());
                    },
                );
            }
            Some(Boom::SpawnedFuture) => {
                let Some(opened) = envelope.open() else {
                    return;
                };
                desk.run(async {}, move |_, _, _| {
                    let _held = opened;
                    panic!("in a spawned future")
                });
            }
            Some(Boom::Handler) | None => {
                let _opened = envelope.open();
                panic!("in the handler")
            }
        }
    }
}

impl Serve<Hold> for Counter {
    fn serve(&mut self, envelope: Envelope<Hold>, _: &mut Desk<'_, Self>) {
        envelope.answer_with(|Hold(until, begun), _| async move {
            let _ = begun.send(());
            until.notified().await;
        });
    }
}

const QUICK: Supervision = Supervision {
    restarts_max: 3,
    window: Duration::from_secs(60),
    backoff_base: Duration::from_millis(1),
    backoff_max: Duration::from_millis(4),
};

fn start(policy: MailboxPolicy) -> (Mailbox<Counter>, Arc<AtomicUsize>) {
    let builds = Arc::new(AtomicUsize::new(0));
    let seen = builds.clone();
    let mailbox = supervise("counter", &Home::current(), policy, QUICK, move || {
        seen.fetch_add(1, Ordering::SeqCst);
        Counter { value: 0 }
    });
    (mailbox, builds)
}

fn context(patience: Duration) -> RequestContext {
    let trace = TraceId::new(Uuid::from_u128(1));
    RequestContext::new(Instant::now() + patience, trace, Span::none(), "test".into())
}

fn patient() -> RequestContext {
    context(Duration::from_secs(30))
}

fn run(test: impl Future<Output = ()>) {
    System::new().block_on(test);
}

#[test]
fn a_panic_answers_its_caller_and_the_rest_of_the_queue_is_served() {
    run(async {
        let (counter, builds) = start(MailboxPolicy::Small);
        assert_eq!(counter.ask(Add, &patient()).await, Ok(1));
        let boom = counter.post(Boom::Handler, &patient()).expect("room");
        let behind: Vec<_> = (0..3).map(|_| counter.post(Add, &patient()).expect("room")).collect();
        assert_eq!(boom.answer_within(Duration::ZERO).await, Err(AskError::Crashed));
        for (expected, pending) in (1..).zip(behind) {
            // Counted from 1 again: the state was rebuilt, not carried over.
            assert_eq!(pending.answer_within(Duration::ZERO).await, Ok(expected));
        }
        assert_eq!(builds.load(Ordering::SeqCst), 2);
        assert_eq!(counter.health(), Health::Up);
        assert_eq!(counter.vitals().depth(), 0);
    });
}

#[test]
fn a_panic_in_a_future_of_the_actor_restarts_it() {
    run(async {
        let (counter, builds) = start(MailboxPolicy::Small);
        let crashed = counter.ask(Boom::SpawnedFuture, &patient()).await;
        assert_eq!(crashed, Err(AskError::Crashed));
        assert_eq!(counter.ask(Add, &patient()).await, Ok(1));
        assert_eq!(builds.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_panic_in_an_async_answer_costs_the_caller_only() {
    run(async {
        let (counter, builds) = start(MailboxPolicy::Small);
        assert_eq!(counter.ask(Add, &patient()).await, Ok(1));
        let crashed = counter.ask(Boom::AsyncAnswer, &patient()).await;
        assert_eq!(crashed, Err(AskError::Crashed));
        assert_eq!(counter.ask(Add, &patient()).await, Ok(2));
        assert_eq!(builds.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_panic_in_a_task_is_handed_to_the_service() {
    run(async {
        let (counter, builds) = start(MailboxPolicy::Small);
        assert_eq!(counter.ask(Boom::Task, &patient()).await, Ok(()));
        assert_eq!(counter.ask(Add, &patient()).await, Ok(101));
        assert_eq!(builds.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_crash_loop_ends_loudly_and_its_callers_are_told() {
    run(async {
        let (counter, builds) = start(MailboxPolicy::Small);
        for _ in 0..=QUICK.restarts_max {
            let crashed = counter.ask(Boom::Handler, &patient()).await;
            assert_eq!(crashed, Err(AskError::Crashed));
        }
        assert_eq!(counter.ask(Add, &patient()).await, Err(AskError::Stopped));
        assert_eq!(counter.health(), Health::Down);
        assert_eq!(builds.load(Ordering::SeqCst), 1 + QUICK.restarts_max);
    });
}

#[test]
fn a_full_mailbox_refuses_at_once_and_serves_what_it_took() {
    run(async {
        let (counter, _) = start(MailboxPolicy::Large(5));
        // The actor runs on this thread: nothing is taken before the first await.
        let context = patient();
        let posted: Vec<_> = (0..9).map(|_| counter.post(Add, &context)).collect();
        assert_eq!(counter.vitals().depth(), 5);
        assert_eq!(posted.iter().filter(|p| matches!(p, Err(AskError::Full))).count(), 4);
        for (expected, pending) in (1..).zip(posted.into_iter().flatten()) {
            assert_eq!(pending.answer_within(Duration::ZERO).await, Ok(expected));
        }
        assert_eq!(counter.vitals().depth(), 0);
    });
}

#[test]
fn the_oldest_wait_is_that_of_the_message_at_the_head() {
    run(async {
        let (counter, _) = start(MailboxPolicy::Large(5));
        assert_eq!(counter.vitals().oldest_wait(), Duration::ZERO);
        // The actor runs on this thread: nothing is taken before the next await of the actor's.
        let before = Instant::now();
        let first = counter.post(Add, &patient()).expect("room");
        std::thread::sleep(Duration::from_millis(2));
        let second = counter.post(Add, &patient()).expect("room");
        let waited = counter.vitals().oldest_wait();
        assert!(waited >= Duration::from_millis(2) && waited <= before.elapsed(), "{waited:?}");
        for pending in [first, second] {
            assert!(pending.answer_within(Duration::ZERO).await.is_ok());
        }
        assert_eq!(counter.vitals().oldest_wait(), Duration::ZERO);
    });
}

#[test]
fn rendezvous_holds_one_message() {
    run(async {
        let (counter, _) = start(MailboxPolicy::Rendezvous);
        let first = counter.post(Add, &patient()).expect("room");
        assert_eq!(counter.post(Add, &patient()).err(), Some(AskError::Full));
        assert_eq!(first.answer_within(Duration::ZERO).await, Ok(1));
        assert_eq!(counter.ask(Add, &patient()).await, Ok(2));
    });
}

#[test]
fn work_whose_deadline_passed_is_not_begun() {
    run(async {
        let (counter, _) = start(MailboxPolicy::Small);
        let late = counter.post(Add, &context(Duration::ZERO)).expect("room");
        assert_eq!(late.answer_within(Duration::from_secs(30)).await, Err(AskError::Expired));
        assert_eq!(counter.ask(Add, &patient()).await, Ok(1));
    });
}

#[test]
fn work_whose_caller_left_is_not_begun() {
    run(async {
        let (counter, _) = start(MailboxPolicy::Small);
        drop(counter.post(Add, &patient()).expect("room"));
        let context = patient();
        let cancelled = counter.post(Add, &context).expect("room");
        drop(context.cancel_on_drop());
        let answer = cancelled.answer_within(Duration::ZERO).await;
        assert_eq!(answer, Err(AskError::Abandoned));
        assert_eq!(counter.ask(Add, &patient()).await, Ok(1));
    });
}

#[test]
fn drain_refuses_the_new_and_waits_for_the_old() {
    run(async {
        let (counter, _) = start(MailboxPolicy::Small);
        let (until, (begun, has_begun)) = (Arc::new(Notify::new()), oneshot::channel());
        let held = counter.post(Hold(until.clone(), begun), &patient()).expect("room");
        has_begun.await.expect("the work begins");
        let drained = actix::spawn({
            let counter = counter.clone();
            async move { counter.drain().await }
        });
        tokio::task::yield_now().await;
        assert!(!drained.is_finished());
        assert_eq!(counter.post(Add, &patient()).err(), Some(AskError::Stopped));
        until.notify_one();
        assert_eq!(held.answer_within(Duration::ZERO).await, Ok(()));
        drained.await.expect("drained");
        assert_eq!(counter.vitals().unanswered(), 0);
    });
}

#[test]
fn backoff_doubles_with_jitter_up_to_its_bound() {
    let s = Supervision::STANDARD;
    assert_eq!(s.backoff(1, 1.0), Duration::from_millis(50));
    assert_eq!(s.backoff(3, 1.0), Duration::from_millis(200));
    assert_eq!(s.backoff(3, 0.5), Duration::from_millis(100));
    assert_eq!(s.backoff(1_000, 1.0), s.backoff_max);
    assert_eq!(s.backoff(2, 0.0), Duration::ZERO);
}

#[test]
fn traceparent_is_taken_only_when_well_formed() {
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let id = TraceId::from_traceparent(good).expect("well formed");
    assert_eq!(id.to_string(), "0af7651916cd43dd8448eb211c80319c");
    for bad in [
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-é-b7ad6b7169203331-01",
    ] {
        assert_eq!(TraceId::from_traceparent(bad), None, "{bad}");
    }
}
