//! The timeline of an order: read once, or followed live.

use super::answers::{json, ok};
use super::orders::{check_owner, order_id};
use crate::admission::Gate;
use crate::documents::{NotFound, ReadProblems};
use crate::http::edge::Draining;
use crate::http::headers;
use crate::http::query::Query;
use crate::problem::{Code, Problem};
use crate::views::{EventList, EventView};
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, get, web};
use bytes::Bytes;
use domain::OrderId;
use futures_util::{Stream, StreamExt, stream};
use orders::Orders;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use store::StoreError;
use store::outbox::Logged;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// Streams that one node keeps open. Each one costs a connection, and a look into the database in
/// a second; this many cost what a few hundred reads do.
const STREAMS_MAX: usize = 256;

/// Events that are read at once. Those of an import may be half a megabyte each.
const PAGE: i64 = 16;

/// How often the log is looked at where nothing tells that something happened: events that
/// another node commits are told by nobody.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the log is left alone after a look. Commits that follow one another quickly, most of
/// them of other orders, are looked at together.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How long a look may take before the stream is given up.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);

/// How long nothing is sent at most: proxies close what is silent for longer, often after 30 or 60
/// seconds, and a client that is gone is noticed by sending to it.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);

/// How long a stream lasts at most. Its client comes back with the last id it has seen, by then
/// maybe to another node.
const LIFE_MAX: Duration = Duration::from_secs(3_600);

const EVENT_STREAM: &str = "text/event-stream";

/// What a stream begins with: how long its client waits before it comes back, in milliseconds.
const HELLO: &str = "retry: 2000\n\n";

const HEARTBEAT: &str = ": heartbeat\n\n";

/// Streams that may still be opened.
static STREAMS: Semaphore = Semaphore::const_new(STREAMS_MAX);

/// Read or follow the timeline of an order.
///
/// With `Accept: text/event-stream` the timeline goes on: first what has happened, then what
/// happens, each event as soon as it is durable, with the order's version as its `id`, its type as
/// `event` and the event as `data`. It ends after an hour, when the server stops, when the key or
/// token that opened it opens nothing any more, or when the client leaves; whoever comes back with `Last-Event-ID` misses nothing and gets nothing twice.
/// Needs the scope `orders:read`.
#[utoipa::path(
    tag = "orders",
    params(
        ("id" = Uuid, Path, description = "The order."),
        ("after" = Option<i64>, Query, description = "Only events after this version."),
        ("Last-Event-ID" = Option<i64>, Header, description = "The same, as event streams have it; comes before `after`."),
    ),
    responses(
        (status = 200, description = "All events, by version.",
            content((EventList<'static> = "application/json"), (String = "text/event-stream"))),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/orders/{id}/events")]
pub(crate) async fn list_order_events(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (caller, owner) = gate.admit_owner(&request).await?;
    let after = after(&request)?;
    let id = order_id(&id)?;
    check_owner(&gate, &caller, owner, id).await?;
    let orders = &gate.services.orders;
    if follows(request.headers()) {
        let order = caller.read(orders.get(id)).await?;
        order.ok_or_else(|| Problem::not_found("order"))?;
        // The stream has a place of its own; the request gives its place back.
        let stream = open(&request, orders, id, after)?;
        let shown = headers::bearer(request.headers())?.to_owned();
        // Whoever is not let in any more is told nothing more.
        let still = move |_: &_| {
            let (gate, shown) = (gate.clone(), shown.clone());
            async move { gate.still_knows(&shown).await }
        };
        return Ok(HttpResponse::Ok()
            .content_type(EVENT_STREAM)
            // Proxies that buffer answers would keep the events to themselves.
            .insert_header(("X-Accel-Buffering", "no"))
            .streaming(stream.take_while(still)));
    }
    let events = caller.read(orders.history(id)).await?;
    if events.is_empty() {
        return Err(Problem::not_found("order"));
    }
    let data = events.iter().filter(|event| event.version > after).map(EventView::from).collect();
    Ok(ok(&EventList { data }))
}

/// The version that the client has seen; 0 if it has seen none.
fn after(request: &HttpRequest) -> Result<i64, Problem> {
    let query = Query::of(request, &["after"])?;
    let after = query.read("after", "after is a version: a whole number from 0.", version)?;
    let Some(last) = request.headers().get("last-event-id") else {
        return Ok(after.unwrap_or(0));
    };
    last.to_str().ok().and_then(version).ok_or_else(|| {
        Problem::new(Code::InvalidHeader, "Last-Event-ID is the id of an event of this stream.")
            .with("header", "Last-Event-ID")
    })
}

fn version(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Whether `Accept` names event streams. A wildcard is no wish for one.
fn follows(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    values.flat_map(|text| text.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let names = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(EVENT_STREAM));
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        names && quality.is_none_or(|q| q.parse::<f32>().is_ok_and(|q| q > 0.0))
    })
}

fn open(
    request: &HttpRequest,
    orders: &Orders,
    id: OrderId,
    after: i64,
) -> Result<impl Stream<Item = Result<Bytes, Infallible>> + use<>, Problem> {
    let draining = request.app_data::<web::Data<Draining>>();
    let draining = draining.map(|draining| (***draining).clone()).unwrap_or_default();
    if draining.has_begun() {
        let message = "The server is about to stop. Follow the timeline elsewhere.";
        return Err(Problem::new(Code::Unavailable, message));
    }
    let place = Place::take(&STREAMS)?;
    let (changes, orders) = (orders.changes(id), orders.clone());
    let look = async move |after| orders.history_after(id, after, PAGE).await;
    Ok(Follower::new(look, changes, after, draining).into_stream(place))
}

/// The place of a stream among those of the node; free again when this is dropped.
struct Place {
    _permit: SemaphorePermit<'static>,
}

impl Place {
    fn take(places: &'static Semaphore) -> Result<Self, Problem> {
        let permit = places.try_acquire().map_err(|_| {
            let message = "Too many timelines are followed on this node already.";
            Problem::new(Code::Overloaded, message)
        })?;
        metrics::gauge!("timeline_streams").increment(1.0);
        Ok(Self { _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("timeline_streams").decrement(1.0);
    }
}

/// Follows the log of one order, as fast as its client reads: nothing is read from the log while
/// something waits to be sent.
struct Follower<L> {
    look: L,
    changes: watch::Receiver<u64>,
    draining: Draining,
    /// The last version that was read.
    seen: i64,
    /// Events that wait to be sent, at most a page.
    ready: VecDeque<Bytes>,
    looked: Option<Instant>,
    /// When the next heartbeat is due.
    beat: Instant,
    ends: Instant,
}

impl<L: AsyncFn(i64) -> Result<Vec<Logged>, StoreError>> Follower<L> {
    fn new(look: L, changes: watch::Receiver<u64>, seen: i64, draining: Draining) -> Self {
        let now = Instant::now();
        let (beat, ends) = (now + HEARTBEAT_EVERY, now + LIFE_MAX);
        let ready = VecDeque::from([Bytes::from_static(HELLO.as_bytes())]);
        Self { look, changes, draining, seen, ready, looked: None, beat, ends }
    }

    /// The stream. Dropping it, as happens when the client leaves, drops all that it holds.
    fn into_stream(self, place: Place) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold((self, place), async |(mut follower, place)| {
            let chunk = follower.next().await?;
            Some((Ok(chunk), (follower, place)))
        })
    }

    /// What is to be sent next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let now = Instant::now();
            if let Some(chunk) = self.ready.pop_front() {
                self.beat = now + HEARTBEAT_EVERY;
                return Some(chunk);
            }
            if self.draining.has_begun() || now >= self.ends {
                return None;
            }
            if now >= self.beat {
                self.beat = now + HEARTBEAT_EVERY;
                return Some(Bytes::from_static(HEARTBEAT.as_bytes()));
            }
            let is_due = self.looked.is_none_or(|looked| now >= looked + LOOK_EVERY);
            if is_due || self.changes.has_changed().unwrap_or(false) {
                self.look().await?;
            } else {
                self.wait().await;
            }
        }
    }

    /// Reads the next page of the log; `None` if it cannot be read: the client comes back, and is
    /// told then what is wrong.
    async fn look(&mut self) -> Option<()> {
        if let Some(looked) = self.looked {
            sleep_until(looked + LOOK_AGAIN_AFTER).await;
        }
        // Before the look: what is committed during it is looked at again.
        self.changes.mark_unchanged();
        self.looked = Some(Instant::now());
        let events = match timeout(LOOK_PATIENCE, (self.look)(self.seen)).await {
            Ok(Ok(events)) => events,
            Ok(Err(error)) => {
                let cause = &error as &dyn std::error::Error;
                tracing::warn!(event = "timeline_given_up", cause, "the log cannot be read");
                return None;
            }
            Err(_) => {
                tracing::warn!(event = "timeline_given_up", "the log was not read in time");
                return None;
            }
        };
        if let Some(last) = events.last() {
            self.seen = last.version;
            // There may be more.
            self.looked = None;
        }
        self.ready.extend(events.iter().map(frame));
        Some(())
    }

    /// Waits until something was committed on this node, or until it is time to do something.
    async fn wait(&mut self) {
        let look_at = self.looked.map_or_else(Instant::now, |looked| looked + LOOK_EVERY);
        let until = look_at.min(self.beat).min(self.ends);
        match timeout_at(until, self.changes.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            // Nobody tells any more: what is left is to look.
            Ok(Err(_)) => sleep_until(until).await,
        }
    }
}

/// An event as the stream has it. JSON has no line ends in it.
fn frame(event: &Logged) -> Bytes {
    let data = json(&EventView::from(event));
    format!("id: {}\nevent: {}\ndata: {data}\n\n", event.version, event.kind).into()
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
