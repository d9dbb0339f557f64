//! Answers that go wrong on purpose.

use std::io;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;

use super::error::ApiError;
use super::respond;
use crate::faults::{After, Before};
use crate::render::Reply;
use crate::service::Told;

/// Seconds after which a caller that was told 429 may try again.
const RETRY_AFTER_S: u32 = 1;
/// What an oversized answer has more than a right one: a mebibyte and a quarter, in pieces.
const PADDING_PIECES: usize = 20;
const PIECE_BYTES: usize = 64 * 1024;

/// What the caller sees of its call.
pub(super) fn tell(told: Told) -> Result<HttpResponse, ApiError> {
    Ok(match told {
        Told::Plainly(reply) => respond(reply),
        Told::Unheard(Before::Error) | Told::Spoiled(After::Error, _) => {
            return Err(ApiError::inside());
        }
        Told::Unheard(Before::Reset) | Told::Spoiled(After::LostReply, _) => hang_up(),
        Told::Unheard(Before::RateLimit) => rate_limited(),
        Told::Spoiled(After::Malformed, reply) => malformed(&reply),
        Told::Spoiled(After::Oversized, reply) => oversized(&reply),
        Told::Spoiled(After::WrongAmount, reply) => respond(wrong_amount(reply)),
    })
}

/// Closes the connection without a byte of an answer: the head waits for the first byte of a body
/// that never comes.
fn hang_up() -> HttpResponse {
    let no_body = stream::iter([Err::<Bytes, _>(io::Error::other("a fault that was asked for"))]);
    HttpResponse::Ok().body(SizedStream::new(1, no_body))
}

fn rate_limited() -> HttpResponse {
    let mut response = ApiError::rate_limited().error_response();
    response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_S.into());
    response
}

/// The first half of the right answer.
fn malformed(reply: &Reply) -> HttpResponse {
    let half = reply.body.slice(..reply.body.len() / 2);
    HttpResponse::Ok().content_type(ContentType::json()).body(half)
}

/// The right answer after a member of a mebibyte and a quarter. It can be read, by whoever reads on.
fn oversized(reply: &Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let piece = Bytes::from(vec![b' '; PIECE_BYTES]);
    let begin = Bytes::from_static(b"{\"padding\":\"");
    let end = Bytes::from_static(b"\",");
    let pieces = std::iter::once(begin)
        .chain(std::iter::repeat_n(piece, PADDING_PIECES))
        .chain([end, reply.body.slice(1.min(reply.body.len())..)]);
    HttpResponse::build(status)
        .content_type(ContentType::json())
        .streaming(stream::iter(pieces.map(Ok::<_, io::Error>).collect::<Vec<_>>()))
}

/// The answer with one minor unit more.
fn wrong_amount(reply: Reply) -> Reply {
    let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) else { return reply };
    let Some(amount) = body.get("amount").and_then(Value::as_i64) else { return reply };
    body["amount"] = Value::from(amount.saturating_add(1));
    Reply { status: reply.status, body: Bytes::from(body.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_amount_is_all_that_is_wrong() {
        let body = Bytes::from_static(br#"{"id":"pi_1","amount":100,"amount_received":100}"#);
        let wrong = wrong_amount(Reply { status: 200, body });
        let read: Value = serde_json::from_slice(&wrong.body).unwrap();
        assert_eq!(read, serde_json::json!({"id": "pi_1", "amount": 101, "amount_received": 100}));
        let error = Reply { status: 200, body: Bytes::from_static(b"{}") };
        assert_eq!(wrong_amount(error.clone()), error);
    }
}
