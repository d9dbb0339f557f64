//! Streams of lines: one JSON value per line in, one outcome per line out, with back pressure.
//!
//! No more is read from the client while enough lines are in work or the client does not read its
//! answers; so memory stays bounded whatever the length of the stream. A broken line is answered
//! as such and harms no other.

use crate::http::body::{BODY_BYTES_MAX, BODY_TIME_MAX, broken_off, too_large};
use crate::problem::{Code, Problem};
use actix_web::error::PayloadError;
use actix_web::{HttpResponse, rt};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

/// How long a stream may be silent before it is ended.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// How long one line may take to arrive once it has begun, not counting the time in which nobody
/// asks for more of it.
const LINE_TIME_MAX: Duration = BODY_TIME_MAX;

/// How long a client may leave its answers unread before the stream is given up.
const UNREAD_MAX: Duration = Duration::from_secs(30);

/// Answers that may wait for the client to read them.
const ANSWERS_WAITING_MAX: usize = 64;

/// Lines handed to a service at once.
pub(crate) const CHUNK_LINES_MAX: usize = 500;

/// A line of a stream; `number` counts from 1 and counts empty lines.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) number: u64,
    /// Its bytes without the line end, or why it cannot be used.
    pub(crate) content: Result<Bytes, Problem>,
}

/// Cuts a body into lines.
pub(crate) struct Lines<S> {
    source: S,
    buffer: BytesMut,
    /// Bytes at the start of `buffer` that are known to hold no line end.
    scanned: usize,
    /// Lines begun so far.
    number: u64,
    /// The present line is too long: pass over it.
    skipping: bool,
    ended: bool,
    /// How long nothing has arrived, as far as it was waited for.
    silent: Duration,
    /// How long the rest of the present line was waited for.
    unfinished: Duration,
}

/// Adds up how long something was waited for, also when the waiting is broken off.
struct Waiting<'a> {
    since: Instant,
    totals: [&'a mut Duration; 2],
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waited = self.since.elapsed();
        self.totals.iter_mut().for_each(|total| **total += waited);
    }
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Lines<S> {
    pub(crate) fn new(source: S) -> Self {
        let buffer = BytesMut::new();
        Self {
            source,
            buffer,
            scanned: 0,
            number: 0,
            skipping: false,
            ended: false,
            silent: Duration::ZERO,
            unfinished: Duration::ZERO,
        }
    }

    /// The next line that is not empty; `None` at the end. Nothing is lost when the future is
    /// dropped before it is done.
    pub(crate) async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.cut() {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            match self.chunk().await {
                Ok(Some(Ok(chunk))) => {
                    self.silent = Duration::ZERO;
                    self.take(&chunk);
                }
                Ok(Some(Err(error))) => return Some(self.end_with(broken_off(error))),
                Ok(None) => self.ended = true,
                Err(_) => {
                    let slow = if self.silent >= SILENCE_MAX {
                        "Nothing arrived for 10 seconds. The stream ends here."
                    } else {
                        "A line took more than 10 seconds to arrive. The stream ends here."
                    };
                    return Some(self.end_with(Problem::new(Code::RequestTimeout, slow)));
                }
            }
        }
    }

    /// What arrives next, if it arrives in time.
    async fn chunk(&mut self) -> Result<Option<Result<Bytes, PayloadError>>, Elapsed> {
        if self.buffer.is_empty() && !self.skipping {
            self.unfinished = Duration::ZERO;
        }
        let mut left = SILENCE_MAX.saturating_sub(self.silent);
        if !self.buffer.is_empty() || self.skipping {
            left = left.min(LINE_TIME_MAX.saturating_sub(self.unfinished));
        }
        let totals = [&mut self.silent, &mut self.unfinished];
        let _waiting = Waiting { since: Instant::now(), totals };
        timeout(left, self.source.next()).await
    }

    fn take(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
        if self.skipping {
            self.skip();
        }
    }

    /// Drops what belongs to a line that is too long.
    fn skip(&mut self) {
        match self.buffer.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                self.buffer.advance(end + 1);
                self.skipping = false;
            }
            None => self.buffer.clear(),
        }
    }

    /// A line out of what is there.
    fn cut(&mut self) -> Option<Line> {
        while !self.skipping {
            let fresh = &self.buffer[self.scanned..];
            let Some(at) = fresh.iter().position(|byte| *byte == b'\n') else { break };
            let mut line = self.buffer.split_to(self.scanned + at + 1);
            line.truncate(line.len() - 1);
            if let Some(line) = self.finished(line) {
                return Some(line);
            }
        }
        self.scanned = self.buffer.len();
        if self.scanned > BODY_BYTES_MAX {
            self.skipping = true;
            self.scanned = 0;
            self.buffer.clear();
            self.number += 1;
            return Some(Line { number: self.number, content: Err(too_large()) });
        }
        if self.ended && !self.buffer.is_empty() {
            let rest = self.buffer.split();
            return self.finished(rest);
        }
        None
    }

    fn finished(&mut self, line: BytesMut) -> Option<Line> {
        self.scanned = 0;
        self.unfinished = Duration::ZERO;
        self.number += 1;
        if line.trim_ascii().is_empty() {
            return None;
        }
        let content =
            if line.len() > BODY_BYTES_MAX { Err(too_large()) } else { Ok(line.freeze()) };
        Some(Line { number: self.number, content })
    }

    fn end_with(&mut self, problem: Problem) -> Line {
        self.ended = true;
        self.buffer.clear();
        self.scanned = 0;
        Line { number: self.number + 1, content: Err(problem) }
    }
}

/// The outcome of a line that went well: `json` is the JSON of the member `name`.
pub(crate) fn good_line(number: u64, status: u16, name: &str, json: &str) -> String {
    format!("{{\"line\":{number},\"status\":{status},\"{name}\":{json}}}\n")
}

/// The outcome of a line that went wrong.
pub(crate) fn bad_line(number: u64, problem: &Problem, trace_id: &str) -> String {
    let status = problem.code().status();
    good_line(number, status, "error", &problem.json(trace_id))
}

/// Where outcomes go.
#[derive(Clone)]
pub(crate) struct Outlet(mpsc::Sender<Bytes>);

/// The client is gone, or does not read.
#[derive(Debug)]
pub(crate) struct Gone;

impl Outlet {
    /// Sends lines, with their ends.
    ///
    /// # Errors
    /// Nobody reads them.
    pub(crate) async fn send(&self, line: String) -> Result<(), Gone> {
        let sending = self.0.send(Bytes::from(line));
        timeout(UNREAD_MAX, sending).await.map_err(|_| Gone)?.map_err(|_| Gone)
    }
}

/// Answers with the lines that `pump` sends. The pump is a task of its own: it ends when there is
/// nothing left to do or nobody left to tell.
pub(crate) fn respond<F>(pump: impl FnOnce(Outlet) -> F) -> HttpResponse
where
    F: Future<Output = ()> + 'static,
{
    let (sender, mut receiver) = mpsc::channel(ANSWERS_WAITING_MAX);
    rt::spawn(pump(Outlet(sender)).in_current_span());
    let answers = stream::poll_fn(move |context| receiver.poll_recv(context));
    HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(answers.map(Ok::<_, Infallible>))
}

/// Works on up to `in_flight_max` lines side by side, each in a task of its own, and sends what
/// `work` returns in the order in which it is done.
pub(crate) async fn each<S, F>(
    mut lines: Lines<S>,
    outlet: Outlet,
    trace_id: String,
    in_flight_max: usize,
    work: impl Fn(u64, Bytes) -> F,
) where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    F: Future<Output = String> + 'static,
{
    let mut running = FuturesUnordered::new();
    let mut open = true;
    while open || !running.is_empty() {
        let answer = tokio::select! {
            Some(answer) = running.next(), if !running.is_empty() => answer,
            line = lines.next(), if open && running.len() < in_flight_max => match line {
                None => {
                    open = false;
                    continue;
                }
                Some(Line { number, content: Err(problem) }) => {
                    bad_line(number, &problem, &trace_id)
                }
                Some(Line { number, content: Ok(bytes) }) => {
                    // A task: it goes on when the client leaves (rule D16).
                    let task = rt::spawn(work(number, bytes).in_current_span());
                    let trace_id = trace_id.clone();
                    running.push(async move {
                        task.await.unwrap_or_else(|error| {
                            bad_line(number, &Problem::internal().because(error), &trace_id)
                        })
                    });
                    continue;
                }
            },
        };
        if outlet.send(answer).await.is_err() {
            return;
        }
    }
}

/// Hands lines to `work` in chunks: as many as have arrived, at most [`CHUNK_LINES_MAX`] and about
/// [`BODY_BYTES_MAX`]. The next chunk is read when the outcomes of this one are sent.
pub(crate) async fn chunks<S, F>(
    mut lines: Lines<S>,
    outlet: Outlet,
    trace_id: String,
    work: impl Fn(Vec<(u64, Bytes)>) -> F,
) where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    F: Future<Output = Vec<String>>,
{
    while let Some(first) = lines.next().await {
        let (chunk, refused) = gather(first, &mut lines).await;
        let numbers: Vec<u64> = chunk.iter().map(|(number, _)| *number).collect();
        let done = if chunk.is_empty() {
            Vec::new()
        } else {
            AssertUnwindSafe(work(chunk)).catch_unwind().await.unwrap_or_else(|_| {
                let told = |number: &u64| bad_line(*number, &Problem::internal(), &trace_id);
                numbers.iter().map(told).collect()
            })
        };
        let refused = refused.iter().map(|(number, why)| bad_line(*number, why, &trace_id));
        let answers: String = done.into_iter().chain(refused).collect();
        if outlet.send(answers).await.is_err() {
            return;
        }
    }
}

type Gathered = (Vec<(u64, Bytes)>, Vec<(u64, Problem)>);

/// `first` and what has arrived behind it.
async fn gather<S>(first: Line, lines: &mut Lines<S>) -> Gathered
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let (mut chunk, mut refused, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut next = Some(first);
    while let Some(line) = next {
        match line.content {
            Ok(content) => {
                bytes += content.len();
                chunk.push((line.number, content));
            }
            Err(problem) => refused.push((line.number, problem)),
        }
        if chunk.len() >= CHUNK_LINES_MAX || refused.len() >= CHUNK_LINES_MAX {
            break;
        }
        if bytes >= BODY_BYTES_MAX {
            break;
        }
        // What has not arrived yet comes with the next chunk.
        next = lines.next().now_or_never().flatten();
    }
    (chunk, refused)
}

#[cfg(test)]
#[path = "ndjson_tests.rs"]
mod tests;
