use super::*;
use crate::fact::{CaptureMethod, Fingerprint};
use crate::faults::Faults;
use crate::journal::Disk;
use crate::state::Charge;
use crate::webhook::{self, Inbox, WebhookConfig};
use domain::{Currency, Timestamp};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000)
    }
}

#[derive(Default)]
struct Counting(AtomicU64);

impl IdSource for Counting {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 1)
    }
}

/// A disk that syncs when the test says so, and at once when the test no longer cares.
struct HeldDisk {
    appended: mpsc::Sender<()>,
    sync: mpsc::Receiver<io::Result<()>>,
}

impl Disk for HeldDisk {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        let _ = self.appended.send(());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync.recv().unwrap_or(Ok(()))
    }
}

struct Held {
    service: Service,
    appends: mpsc::Receiver<()>,
    syncs: mpsc::Sender<io::Result<()>>,
    inbox: Inbox,
}

fn held() -> Held {
    let (appended, appends) = mpsc::channel();
    let (syncs, sync) = mpsc::channel();
    let journal = Journal::on(HeldDisk { appended, sync });
    let ids = Arc::new(Counting::default());
    let (webhooks, inbox) = Webhooks::new();
    let service = Service {
        books: Mutex::default(),
        journal,
        faults: FaultGate::default(),
        webhooks,
        clock: Arc::new(Still),
        ids,
    };
    Held { service, appends, syncs, inbox }
}

/// A bank whose disk is always done at once.
fn quick() -> Service {
    held().service
}

fn key(name: &str, request: &str) -> Option<KeyUse> {
    Some(KeyUse { key: name.to_owned(), request: Fingerprint::of("POST", request, &[]) })
}

fn charge() -> Command {
    Command::Charge(Charge {
        amount: 100,
        currency: Currency::USD,
        method: "pm_card_visa".to_owned(),
        capture: CaptureMethod::Automatic,
        metadata: vec![("order_id".to_owned(), "o-1".to_owned())],
        decline: None,
    })
}

/// Carries out a call that nothing goes wrong with.
async fn plainly(service: &Service, key: Option<KeyUse>, command: Command) -> Reply {
    match service.execute(turn(service, key), command).await {
        Ok(Told::Plainly(reply)) => reply,
        Ok(told) => panic!("{told:?}"),
        Err(error) => panic!("{error}"),
    }
}

fn turn(service: &Service, key: Option<KeyUse>) -> Turn<'_> {
    match service.begin(key) {
        Ok(Begun::Turn(turn)) => turn,
        Ok(Begun::Replay(reply)) => panic!("replayed {reply:?}"),
        Err(error) => panic!("{error}"),
    }
}

fn replay(service: &Service, key: Option<KeyUse>) -> Reply {
    match service.begin(key) {
        Ok(Begun::Replay(reply)) => reply,
        Ok(Begun::Turn(_)) => panic!("not replayed"),
        Err(error) => panic!("{error}"),
    }
}

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

#[tokio::test]
async fn nothing_is_shown_before_it_is_durable() {
    let Held { service, appends, syncs, .. } = held();
    let charging = service.execute(turn(&service, key("k", "/a")), charge());
    let mut charging = std::pin::pin!(charging);
    // Polled once, the charge is decided and waits for the disk.
    assert!(futures_util::poll!(charging.as_mut()).is_pending());
    appends.recv().unwrap();
    let mut reading = std::pin::pin!(service.intent(Uuid::from_u128(1)));
    let mut listing = std::pin::pin!(service.list(10, None));
    let mut searching = std::pin::pin!(service.search("o-1", 10, 0));
    let mut streaming = std::pin::pin!(service.ledger_chunk(0, 1));
    assert!(futures_util::poll!(reading.as_mut()).is_pending());
    assert!(futures_util::poll!(listing.as_mut()).is_pending());
    assert!(futures_util::poll!(searching.as_mut()).is_pending());
    assert!(futures_util::poll!(streaming.as_mut()).is_pending());
    assert!(matches!(service.begin(key("k", "/a")), Err(ServiceError::KeyInUse)));

    syncs.send(Ok(())).unwrap();
    let Told::Plainly(reply) = charging.await.unwrap() else { panic!("no answer") };
    assert_eq!(reply.status, 200);
    assert_eq!(reading.await.unwrap().unwrap(), reply);
    assert!(text(&listing.await.unwrap().unwrap()).contains(text(&reply)));
    assert!(text(&searching.await.unwrap()).contains(text(&reply)));
    assert_eq!(streaming.await.unwrap().1, 1);
    assert_eq!(replay(&service, key("k", "/a")), reply);
}

#[tokio::test]
async fn a_failed_disk_takes_the_bank_down_and_shows_nothing() {
    let Held { service, syncs, .. } = held();
    syncs.send(Err(io::Error::other("gone"))).unwrap();
    let charged = service.execute(turn(&service, key("k", "/a")), charge()).await;
    assert!(matches!(charged, Err(ServiceError::Down(_))));
    assert!(matches!(service.begin(key("k", "/a")), Err(ServiceError::Down(_))));
    assert!(matches!(service.intent(Uuid::from_u128(1)).await, Err(ServiceError::Down(_))));
    assert!(matches!(service.list(10, None).await, Err(ServiceError::Down(_))));
    assert!(matches!(service.check(), Err(ServiceError::Down(_))));
}

#[tokio::test]
async fn a_key_is_claimed_while_its_call_runs_and_free_if_it_comes_to_nothing() {
    let service = quick();
    let first = turn(&service, key("k", "/a"));
    assert!(matches!(service.begin(key("k", "/a")), Err(ServiceError::KeyInUse)));
    drop(turn(&service, key("other", "/a")));
    drop(first);
    let reply = plainly(&service, key("k", "/b"), charge()).await;
    assert_eq!(replay(&service, key("k", "/b")), reply);
    assert!(matches!(service.begin(key("k", "/a")), Err(ServiceError::KeyReused)));
}

#[tokio::test]
async fn an_answer_stays_as_it_was_when_the_books_go_on() {
    let service = quick();
    let intent = Uuid::from_u128(1);
    let manual = Command::Charge(Charge {
        capture: CaptureMethod::Manual,
        ..match charge() {
            Command::Charge(charge) => charge,
            other => panic!("{other:?}"),
        }
    });
    let refund = |amount| Command::Refund { intent, amount, reason: None, metadata: Vec::new() };
    let steps = [
        ("authorise", manual),
        ("refund too early", refund(None)),
        ("capture a part", Command::Capture { intent, amount: Some(25), keeps_rest: true }),
        ("cancel too late", Command::Cancel { intent, reason: None }),
        ("capture the rest", Command::Capture { intent, amount: Some(35), keeps_rest: false }),
        ("capture twice", Command::Capture { intent, amount: None, keeps_rest: false }),
        ("cancel even later", Command::Cancel { intent, reason: None }),
        ("refund a part", refund(Some(20))),
        ("refund too much", refund(Some(41))),
        ("refund the rest", refund(None)),
        ("refund again", refund(None)),
    ];
    let mut replies = Vec::new();
    for (name, command) in steps {
        let reply = plainly(&service, key(name, name), command).await;
        replies.push((name, reply));
    }
    let statuses: Vec<u16> = replies.iter().map(|(_, reply)| reply.status).collect();
    assert_eq!(statuses, [200, 400, 200, 400, 200, 400, 400, 200, 400, 200, 400]);
    for (name, reply) in replies {
        assert_eq!(replay(&service, key(name, name)), reply, "{name}");
    }
}

#[tokio::test]
async fn an_absent_intent_leaves_no_trace() {
    let service = quick();
    let absent = Command::Cancel { intent: Uuid::from_u128(99), reason: None };
    let reply = plainly(&service, key("k", "/a"), absent).await;
    assert_eq!(reply.status, 404);
    assert_eq!(service.lock().unwrap().state.last_seq(), 0);
    drop(turn(&service, key("k", "/b")));
}

#[tokio::test]
async fn a_delayed_call_holds_its_key_and_has_no_effect_yet() {
    let service = quick();
    service.faults.set(Faults { delay_ms: 600_000, ..Faults::default() });
    {
        let mut charging =
            std::pin::pin!(service.execute(turn(&service, key("k", "/a")), charge()));
        assert!(futures_util::poll!(charging.as_mut()).is_pending());
        assert_eq!(service.intent_count().unwrap(), 0);
        assert!(matches!(service.begin(key("k", "/a")), Err(ServiceError::KeyInUse)));
    }
    // The caller went away during the delay: no effect, and the key is free.
    service.faults.set(Faults { delay_ms: 1, ..Faults::default() });
    let reply = plainly(&service, key("k", "/a"), charge()).await;
    assert_eq!(reply.status, 200);
    assert_eq!(service.intent_count().unwrap(), 1);
}

#[tokio::test]
async fn every_nth_charge_is_declined_and_the_decline_is_kept() {
    let service = quick();
    service.faults.set(Faults { decline_every: 2, ..Faults::default() });
    let mut statuses = Vec::new();
    for name in ["1", "2", "3", "4"] {
        let reply = plainly(&service, key(name, "/a"), charge()).await;
        assert_eq!(replay(&service, key(name, "/a")), reply);
        statuses.push(reply.status);
    }
    assert_eq!(statuses, [200, 402, 200, 402]);
}

#[tokio::test]
async fn an_event_of_a_fact_that_did_not_become_durable_is_not_sent() {
    // Fails if another test was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Held { service, syncs, inbox, .. } = held();
    let shop = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    shop.set_nonblocking(true).unwrap();
    let url = format!("http://{}/", shop.local_addr().unwrap());
    service.webhooks.set(Some(WebhookConfig { url, secret: "whsec".to_owned() })).unwrap();
    let service = Arc::new(service);
    let pending = || serde_json::to_value(service.webhooks.status()).unwrap()["pending"].clone();
    {
        let mut charging = std::pin::pin!(service.execute(turn(&service, None), charge()));
        // Polled once, the charge is decided and waits for the disk, its event for a sender.
        assert!(futures_util::poll!(charging.as_mut()).is_pending());
        assert_eq!(pending(), 1);
        tokio::spawn(webhook::deliver(inbox, service.clone(), webhook::client().unwrap()));
        syncs.send(Err(io::Error::other("gone"))).unwrap();
        assert!(matches!(charging.await, Err(ServiceError::Down(_))));
    }
    while pending() != 0 {
        assert!(shop.accept().is_err(), "it was told");
        tokio::task::yield_now().await;
    }
    assert!(shop.accept().is_err(), "it was told");
}
