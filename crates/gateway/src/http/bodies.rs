//! Bodies around bodies.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;
use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body whose size is told and that is not sent: the answer to HEAD.
pub(crate) struct Announced(pub(crate) BodySize);

impl MessageBody for Announced {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

/// A body that holds something until it is sent or given up.
pub(crate) struct Held<T> {
    body: BoxBody,
    _held: T,
}

impl<T> Held<T> {
    pub(crate) const fn new(body: BoxBody, held: T) -> Self {
        Self { body, _held: held }
    }
}

impl<T: Unpin> MessageBody for Held<T> {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
