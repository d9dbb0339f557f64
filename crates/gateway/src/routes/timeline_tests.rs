//! Tests of the timeline as a stream, in time that the tests own.

use super::*;
use actix_web::http::header::{HeaderName, HeaderValue};
use domain::{EventId, Timestamp};
use futures_util::FutureExt;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use uuid::Uuid;

/// A log of one order, as the follower sees it.
#[derive(Clone, Default)]
struct Log {
    events: Rc<RefCell<Vec<Logged>>>,
    looks: Rc<Cell<usize>>,
    broken: Rc<Cell<bool>>,
}

impl Log {
    fn append(&self, count: i64) {
        let mut events = self.events.borrow_mut();
        let from = i64::try_from(events.len()).expect("small") + 1;
        events.extend((from..from + count).map(logged));
    }

    fn read(&self, after: i64) -> Result<Vec<Logged>, StoreError> {
        self.looks.set(self.looks.get() + 1);
        if self.broken.get() {
            return Err(StoreError::Configuration("a planted failure".to_owned()));
        }
        let events = self.events.borrow();
        let limit = usize::try_from(PAGE).expect("small");
        Ok(events.iter().filter(|event| event.version > after).take(limit).cloned().collect())
    }
}

fn logged(version: i64) -> Logged {
    Logged {
        partition: 0,
        seq: version * 10,
        id: EventId(Uuid::from_u128(version.unsigned_abs().into())),
        order_id: OrderId(Uuid::from_u128(7)),
        version,
        kind: "order.refunded".to_owned(),
        at: Timestamp::from_micros(0),
        actor: "key:admin".to_owned(),
        cause: "refund".to_owned(),
        trace_id: "0af7".to_owned(),
        data: r#"{"reason":"a\nb"}"#.to_owned(),
    }
}

struct Stage {
    log: Log,
    tell: watch::Sender<u64>,
    draining: Draining,
}

impl Stage {
    fn new() -> Self {
        Self { log: Log::default(), tell: watch::Sender::new(0), draining: Draining::default() }
    }

    fn follow(&self, after: i64) -> Follower<impl AsyncFn(i64) -> Result<Vec<Logged>, StoreError>> {
        let log = self.log.clone();
        let look = async move |after| log.read(after);
        Follower::new(look, self.tell.subscribe(), after, self.draining.clone())
    }

    fn commit(&self, count: i64) {
        self.log.append(count);
        self.tell.send_modify(|commits| *commits += 1);
    }
}

fn text(chunk: Option<Bytes>) -> String {
    String::from_utf8(chunk.expect("a chunk").to_vec()).expect("text")
}

/// The ids of the next events; greetings and heartbeats are passed over.
async fn ids<L>(follower: &mut Follower<L>, count: usize) -> Vec<i64>
where
    L: AsyncFn(i64) -> Result<Vec<Logged>, StoreError>,
{
    let mut found = Vec::new();
    while found.len() < count {
        let chunk = text(follower.next().await);
        let id = chunk.strip_prefix("id: ").and_then(|rest| rest.split('\n').next());
        found.extend(id.map(|id| id.parse::<i64>().expect("a number")));
    }
    found
}

#[test]
fn an_event_is_one_frame() {
    let frame = String::from_utf8(frame(&logged(3)).to_vec()).expect("text");
    let lines: Vec<&str> = frame.split('\n').collect();
    assert_eq!(lines[..2], ["id: 3", "event: order.refunded"]);
    assert_eq!(lines[3..], ["", ""]);
    let data = lines[2].strip_prefix("data: ").expect("data");
    let data: serde_json::Value = serde_json::from_str(data).expect("json");
    assert_eq!((&data["version"], &data["type"]), (&3.into(), &"order.refunded".into()));
    assert_eq!(data["data"]["reason"], "a\nb");
}

#[tokio::test(start_paused = true)]
async fn what_has_happened_comes_first_and_then_what_happens() {
    let stage = Stage::new();
    stage.log.append(40);
    let mut follower = stage.follow(0);
    assert_eq!(text(follower.next().await), HELLO);
    let began = Instant::now();
    assert_eq!(ids(&mut follower, 40).await, (1..=40).collect::<Vec<_>>());
    assert_eq!(began.elapsed(), Duration::ZERO, "pages follow one another without a pause");
    // The look that finds nothing.
    assert!(follower.next().now_or_never().is_none());
    stage.commit(2);
    assert_eq!(ids(&mut follower, 2).await, [41, 42]);
    assert!(began.elapsed() <= LOOK_AGAIN_AFTER, "it waited for its turn to look");
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_back_gets_what_they_missed() {
    let stage = Stage::new();
    stage.log.append(5);
    assert_eq!(ids(&mut stage.follow(3), 2).await, [4, 5]);
    let mut ahead = stage.follow(5);
    assert_eq!(text(ahead.next().await), HELLO);
    assert!(ahead.next().now_or_never().is_none());
    stage.commit(1);
    assert_eq!(ids(&mut ahead, 1).await, [6]);
}

#[tokio::test(start_paused = true)]
async fn events_of_other_nodes_are_found_within_a_second() {
    let stage = Stage::new();
    let mut follower = stage.follow(0);
    assert_eq!(text(follower.next().await), HELLO);
    assert!(follower.next().now_or_never().is_none());
    let began = Instant::now();
    stage.log.append(1);
    assert_eq!(ids(&mut follower, 1).await, [1]);
    assert!(began.elapsed() <= LOOK_EVERY);
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_by_heartbeats() {
    let stage = Stage::new();
    stage.log.append(1);
    let mut follower = stage.follow(1);
    assert_eq!(text(follower.next().await), HELLO);
    for _ in 0..3 {
        let began = Instant::now();
        assert_eq!(text(follower.next().await), HEARTBEAT);
        assert_eq!(began.elapsed(), HEARTBEAT_EVERY);
    }
    // An event is a sign of life as well.
    tokio::time::advance(HEARTBEAT_EVERY / 2).await;
    stage.commit(1);
    assert_eq!(ids(&mut follower, 1).await, [2]);
    let began = Instant::now();
    assert_eq!(text(follower.next().await), HEARTBEAT);
    assert_eq!(began.elapsed(), HEARTBEAT_EVERY);
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_commits_is_looked_at_together() {
    let stage = Stage::new();
    let mut follower = stage.follow(0);
    assert_eq!(text(follower.next().await), HELLO);
    let storm = async {
        for _ in 0..1_000 {
            // Of another order in the same partition.
            stage.tell.send_modify(|commits| *commits += 1);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stage.commit(1);
    };
    let ((), found) = futures_util::future::join(storm, ids(&mut follower, 1)).await;
    assert_eq!(found, [1]);
    let looks = stage.log.looks.get();
    assert!((2..=13).contains(&looks), "{looks} looks in a second");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_while_the_client_does_not_read() {
    let stage = Stage::new();
    stage.log.append(100);
    let mut follower = stage.follow(0);
    assert_eq!(text(follower.next().await), HELLO);
    assert_eq!(ids(&mut follower, 1).await, [1]);
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(stage.log.looks.get(), 1);
    assert!(follower.ready.len() < usize::try_from(PAGE).expect("small"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_the_server_drains_or_after_an_hour() {
    let stage = Stage::new();
    let mut draining = stage.follow(0);
    assert_eq!(text(draining.next().await), HELLO);
    stage.draining.begin();
    let began = Instant::now();
    assert_eq!(draining.next().await, None);
    assert!(began.elapsed() <= LOOK_EVERY);

    let stage = Stage::new();
    let mut old = stage.follow(0);
    let began = Instant::now();
    while old.next().await.is_some() {}
    assert_eq!(began.elapsed(), LIFE_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_noticed_in_the_middle_of_a_wait() {
    let stage = Stage::new();
    let mut follower = stage.follow(0);
    assert_eq!(text(follower.next().await), HELLO);
    let drain = async {
        tokio::time::sleep(LOOK_EVERY / 2).await;
        stage.draining.begin();
    };
    let began = Instant::now();
    let ((), end) = futures_util::future::join(drain, follower.next()).await;
    assert_eq!(end, None);
    assert!(began.elapsed() <= LOOK_EVERY);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_ends_the_stream() {
    let stage = Stage::new();
    let mut follower = stage.follow(0);
    assert_eq!(text(follower.next().await), HELLO);
    stage.log.broken.set(true);
    assert_eq!(follower.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn when_nobody_tells_any_more_the_log_is_still_looked_at() {
    let Stage { log, tell, draining } = Stage::new();
    let own = log.clone();
    let look = async move |after| own.read(after);
    let mut follower = Follower::new(look, tell.subscribe(), 0, draining);
    drop(tell);
    assert_eq!(text(follower.next().await), HELLO);
    assert!(follower.next().now_or_never().is_none());
    log.append(1);
    assert_eq!(ids(&mut follower, 1).await, [1]);
    assert!(log.looks.get() <= 3, "{}", log.looks.get());
}

#[test]
fn a_node_keeps_so_many_streams_open_and_no_more() {
    static TWO: Semaphore = Semaphore::const_new(2);
    let first = Place::take(&TWO).expect("a place");
    let _second = Place::take(&TWO).expect("a place");
    let problem = Place::take(&TWO).err().expect("no place");
    assert_eq!(problem.code(), Code::Overloaded);
    drop(first);
    assert!(Place::take(&TWO).is_ok(), "a place is free again when its stream is dropped");
}

#[test]
fn a_stream_is_asked_for_by_name() {
    let wants = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_str(value).expect("a header value");
            headers.append(HeaderName::from_static("accept"), value);
        }
        follows(&headers)
    };
    for yes in [
        "text/event-stream",
        "Text/Event-Stream; charset=utf-8",
        "application/json, text/event-stream;q=0.5",
    ] {
        assert!(wants(&[yes]), "{yes}");
    }
    assert!(wants(&["application/json", "text/event-stream"]));
    for no in ["*/*", "text/*", "application/json", "text/event-stream;q=0", "text/event-streams"] {
        assert!(!wants(&[no]), "{no}");
    }
    assert!(!wants(&[]));
}

#[test]
fn where_to_go_on_is_a_version() {
    assert_eq!(version("0"), Some(0));
    assert_eq!(version("42"), Some(42));
    for bad in ["", "-1", "+1", "1.0", "v2", "\"v2\"", "9223372036854775808"] {
        assert_eq!(version(bad), None, "{bad}");
    }
}
