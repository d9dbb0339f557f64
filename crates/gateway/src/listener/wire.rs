//! The wire between a socket and HTTP. It keeps the time where the HTTP server does not: of every
//! head of a request, and of answers that the client does not read. And it lets no bare answer
//! through.

use super::bare::Bare;
use actix_web::dev::{Extensions, ServiceRequest};
use bytes::{Buf, BytesMut};
use metrics::counter;
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// How long things may take on a wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The head of a request, from its first byte; the first one from the connection's start.
    pub(super) head: Duration,
    /// Until the client reads some of its answer.
    pub(super) unread: Duration,
    /// Without a request in work and without a byte in either direction. It ends what the
    /// keep-alive of the HTTP server does not: rests of requests that were answered already.
    pub(super) idle: Duration,
}

/// Whose turn it is on a connection, known to its wire and to its requests.
#[derive(Debug, Default)]
struct Turn {
    /// Requests whose answer is being made.
    in_work: Cell<u32>,
    /// Requests whose head has arrived so far.
    begun: Cell<u64>,
}

/// A request whose answer is being made; until this is dropped, its wire waits for no head.
pub(crate) struct Working(Rc<Turn>);

impl Working {
    /// Tells the wire of `request` that its head has arrived. `None` without a wire, as in tests.
    pub(crate) fn begin(request: &ServiceRequest) -> Option<Self> {
        request.conn_data::<Rc<Turn>>().map(Self::on)
    }

    fn on(turn: &Rc<Turn>) -> Self {
        turn.begun.set(turn.begun.get() + 1);
        turn.in_work.set(turn.in_work.get() + 1);
        Self(turn.clone())
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.in_work.set(self.0.in_work.get().saturating_sub(1));
    }
}

/// Counts a connection that was ended by us.
pub(super) fn cut(reason: &'static str) {
    counter!("http_connections_cut_total", "reason" => reason).increment(1);
}

/// A connection between its socket and HTTP.
pub(super) struct Wire<T> {
    socket: T,
    rules: Rules,
    bare: Arc<Bare>,
    turn: Rc<Turn>,
    /// [`Turn::begun`] when this last looked.
    seen: u64,
    /// When the head that is on its way must be there; `None`: none is.
    head_due: Option<Instant>,
    /// When something happened last.
    last: Instant,
    /// Fires when something may be due, or before.
    timer: Pin<Box<Sleep>>,
    /// Runs while the client reads nothing of what waits for it.
    unread_timer: Option<Pin<Box<Sleep>>>,
    /// Our own words, to be sent before anything else.
    words: BytesMut,
    /// Nothing more is read.
    is_over: bool,
}

impl<T> Wire<T> {
    pub(super) fn new(socket: T, rules: Rules, bare: Arc<Bare>) -> Self {
        let now = Instant::now();
        let due = now + rules.head;
        Self {
            socket,
            rules,
            bare,
            turn: Rc::default(),
            seen: 0,
            head_due: Some(due),
            last: now,
            timer: Box::pin(sleep_until(due)),
            unread_timer: None,
            words: BytesMut::new(),
            is_over: false,
        }
    }

    /// Makes the wire known to the requests that come over it.
    pub(super) fn introduce(&self, to: &mut Extensions) {
        to.insert(self.turn.clone());
    }

    /// Notices when the head that was on its way has arrived.
    fn catch_up(&mut self) {
        if self.seen != self.turn.begun.get() {
            self.seen = self.turn.begun.get();
            self.head_due = None;
        }
    }

    fn bytes_came(&mut self) {
        self.catch_up();
        self.last = Instant::now();
        if !self.is_working() && self.head_due.is_none() {
            self.head_due = Some(self.last + self.rules.head);
        }
    }

    fn is_working(&self) -> bool {
        self.turn.in_work.get() > 0
    }

    /// When this wire has waited long enough, and what for.
    fn due(&self) -> (Instant, &'static str) {
        match self.head_due {
            // How long work takes is for others to judge.
            _ if self.is_working() => (Instant::now() + self.rules.idle, "idle"),
            Some(due) => (due, "slow_head"),
            None => (self.last + self.rules.idle, "idle"),
        }
    }

    /// Waits until something is due, and says what.
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<&'static str> {
        loop {
            let (due, what) = self.due();
            if self.timer.deadline() > due {
                self.timer.as_mut().reset(due);
            }
            ready!(self.timer.as_mut().poll(context));
            // It may have been set for something that came in time.
            if Instant::now() >= due {
                return Poll::Ready(what);
            }
            self.timer.as_mut().reset(due);
        }
    }

    fn poll_unread<R>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        let unread = self.rules.unread;
        let timer = self.unread_timer.get_or_insert_with(|| Box::pin(sleep(unread)));
        ready!(timer.as_mut().poll(context));
        cut("unread_answer");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncWrite + Unpin> Wire<T> {
    /// Sends our own words.
    fn poll_words(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.words.is_empty() {
            match Pin::new(&mut self.socket).poll_write(context, &self.words) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.words.advance(count);
                    self.unread_timer = None;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.poll_unread(context),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits for bytes; gives up the connection when that takes too long.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.catch_up();
        let what = ready!(self.poll_due(context));
        cut(what);
        if self.unread_timer.is_some() {
            // An answer is on its way: nothing may come in between.
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        // For HTTP the client has sent all that it will.
        self.is_over = true;
        if self.head_due.is_some() {
            self.words.extend_from_slice(&self.bare.too_slow());
        }
        match self.poll_words(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What is not sent yet goes with the next flush.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_over {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.socket).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() > before {
                    this.bytes_came();
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.poll_patience(context),
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_words(context))?;
        if let Some((instead, reason)) = this.bare.instead_of(bytes) {
            cut(reason);
            this.words.extend_from_slice(&instead);
            if let Poll::Ready(Err(error)) = this.poll_words(context) {
                return Poll::Ready(Err(error));
            }
            return Poll::Ready(Ok(bytes.len()));
        }
        match Pin::new(&mut this.socket).poll_write(context, bytes) {
            Poll::Pending => this.poll_unread(context),
            done => {
                this.unread_timer = None;
                this.last = Instant::now();
                done
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_words(context))?;
        Pin::new(&mut this.socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_words(context))?;
        Pin::new(&mut this.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
