//! The smallest HTTP/1.1 client that does the job: one connection that stays open, a request that
//! is ready as bytes, and of the answer what a load generator looks at. A general client would cost
//! more than the server it measures.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long an answer is waited for; the server answers within a minute at most.
const PATIENCE: Duration = Duration::from_secs(90);
/// The most headers an answer may have.
const HEADERS_MAX: usize = 48;
/// The longest answer that is read.
const ANSWER_MAX: usize = 16 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Connection(#[from] std::io::Error),
    /// The server closed the connection before the answer was complete.
    #[error("the server closed the connection")]
    Closed,
    /// No answer within [`PATIENCE`].
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    Silent,
    /// What came is not an answer this client understands.
    #[error("the answer cannot be read: {0}")]
    Malformed(&'static str),
}

/// The parts of an answer's head that are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Bytes of the head.
    pub(crate) length: usize,
    /// Bytes of the body.
    pub(crate) body: usize,
    /// The server closes the connection after this answer.
    pub(crate) closes: bool,
    /// What follows the last `/` of `Location`: the id of what was made.
    pub(crate) made: Option<String>,
}

/// Reads the head of an answer; `None` while it is not complete.
pub(crate) fn head(bytes: &[u8]) -> Result<Option<Head>, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let length = match answer.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(HttpError::Malformed("no HTTP/1.1")),
    };
    let status = answer.code.ok_or(HttpError::Malformed("no status"))?;
    let mut head = Head { status, length, body: 0, closes: false, made: None };
    let mut sized = matches!(status, 204 | 304);
    for header in answer.headers.iter() {
        let text = || std::str::from_utf8(header.value).unwrap_or_default();
        if header.name.eq_ignore_ascii_case("content-length") {
            head.body =
                text().trim().parse().map_err(|_| HttpError::Malformed("an odd Content-Length"))?;
            sized = true;
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.closes = text().eq_ignore_ascii_case("close");
        } else if header.name.eq_ignore_ascii_case("location") {
            head.made = text().rsplit('/').next().map(str::to_owned);
        }
    }
    if !sized || head.body > ANSWER_MAX {
        return Err(HttpError::Malformed("a body without a length, or too long"));
    }
    Ok(Some(head))
}

/// An answer; its body lies in the connection's buffer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The id of what was made, if something was.
    pub(crate) made: Option<String>,
    body: Range<usize>,
}

/// One connection to a server, opened when it is first needed and again after it was lost.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

impl Connection {
    /// A connection that is not open yet.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, received: Vec::with_capacity(4096) }
    }

    /// Opens the connection, if it is not.
    pub(crate) async fn open(&mut self) -> Result<(), HttpError> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Sends a request and waits for its answer. After an error nothing is known of the request's
    /// effect.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer, HttpError> {
        let outcome = match tokio::time::timeout(PATIENCE, self.once(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(HttpError::Silent),
        };
        match outcome {
            Ok((answer, closes)) => {
                if closes {
                    self.stream = None;
                }
                Ok(answer)
            }
            Err(error) => {
                self.stream = None;
                Err(error)
            }
        }
    }

    async fn once(&mut self, request: &[u8]) -> Result<(Answer, bool), HttpError> {
        self.open().await?;
        let stream = self.stream.as_mut().ok_or(HttpError::Closed)?;
        let received = &mut self.received;
        received.clear();
        stream.write_all(request).await?;
        let head = loop {
            if stream.read_buf(received).await? == 0 {
                return Err(HttpError::Closed);
            }
            if let Some(head) = head(received)? {
                break head;
            }
        };
        let end = head.length + head.body;
        while received.len() < end {
            if stream.read_buf(received).await? == 0 {
                return Err(HttpError::Closed);
            }
        }
        let answer = Answer { status: head.status, made: head.made, body: head.length..end };
        Ok((answer, head.closes))
    }

    /// The body of the last answer.
    pub(crate) fn body(&self, answer: &Answer) -> &[u8] {
        self.received.get(answer.body.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] =
        b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nlocation: /v1/orders/0190\r\n\
        etag: \"v2\"\r\n\r\n{}";

    #[test]
    fn reads_what_a_generator_looks_at() {
        let found = head(ANSWER).unwrap().unwrap();
        assert_eq!((found.status, found.length, found.body), (201, ANSWER.len() - 2, 2));
        assert_eq!(found.made.as_deref(), Some("0190"));
        assert!(!found.closes);
        let closing = b"HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert!(head(closing).unwrap().unwrap().closes);
        let empty = head(b"HTTP/1.1 304 Same\r\n\r\n").unwrap().unwrap();
        assert_eq!((empty.status, empty.body), (304, 0));
    }

    #[test]
    fn a_head_in_pieces_is_waited_for() {
        let whole = ANSWER.len() - 2;
        for end in 0..whole {
            assert_eq!(head(&ANSWER[..end]).unwrap(), None, "{end}");
        }
        assert!(head(&ANSWER[..whole]).unwrap().is_some());
    }

    #[test]
    fn what_cannot_be_measured_is_an_error() {
        for odd in [
            &b"SSH-2.0-x\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        ] {
            assert!(head(odd).is_err(), "{}", String::from_utf8_lossy(odd));
        }
    }
}
