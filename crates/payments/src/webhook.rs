//! What the provider tells of its own accord. Who sent it is proved by a signature over the raw
//! bytes; what it says is not believed: it names an order, and somebody looks (rule D12).

use crate::messages::PaymentsError;
use domain::{OrderId, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use topology::Failure;

/// How far the time of a signature may be from ours, in seconds: as in Stripe's own libraries.
const TOLERANCE_S: i64 = 300;

/// Longest header that is looked at. One with several signatures has about 200 bytes.
const HEADER_MAX_BYTES: usize = 4_096;

/// Signatures that are looked at; while a secret is being changed there are two.
const SIGNATURES_MAX: usize = 16;

/// Longest name or kind of an event.
const NAME_MAX_BYTES: usize = 255;

/// Bytes of an HMAC-SHA-256.
const MAC_BYTES: usize = 32;

/// Why an event is not taken. Nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is no secret to check signatures with.
    #[error("events of the provider are not expected: no secret is set")]
    NotConfigured,
    /// It is not signed, or not by the provider.
    #[error("the event is not signed by the provider")]
    BadSignature,
    /// It was signed too long ago, or by a clock that is ahead.
    #[error("the event was not signed within the last five minutes")]
    Stale,
    /// It is signed, and no event.
    #[error("the event cannot be read: {0}")]
    Malformed(String),
    /// It could not be kept; the provider will send it again.
    #[error("the event could not be kept")]
    NotKept(#[from] PaymentsError),
}

impl Failure for WebhookError {
    fn is_failure(&self) -> bool {
        match self {
            Self::NotKept(error) => error.is_failure(),
            Self::NotConfigured | Self::BadSignature | Self::Stale | Self::Malformed(_) => false,
        }
    }
}

/// What became of an event that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The provider's name of it.
    pub id: String,
    /// The order it speaks of, if it names one. Nobody has looked whether there is such an order.
    pub order_id: Option<OrderId>,
    /// Whether it came for the first time.
    pub is_new: bool,
}

/// What is taken from an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) order_id: Option<OrderId>,
}

/// Checks the header `Stripe-Signature`, `t=<seconds>,v1=<hex>[,v1=<hex>…]`: one of the signatures
/// must be the HMAC-SHA-256 of `<seconds>.<body>` under one of the secrets. The comparison takes
/// the same time wherever it fails.
///
/// # Errors
/// [`WebhookError::NotConfigured`], [`WebhookError::BadSignature`], [`WebhookError::Stale`].
pub(crate) fn verify(
    secrets: &[String],
    header: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<(), WebhookError> {
    if secrets.is_empty() {
        return Err(WebhookError::NotConfigured);
    }
    if faults::planted("webhook-signature-unchecked") {
        return Ok(());
    }
    let header = header.filter(|header| header.len() <= HEADER_MAX_BYTES);
    let signed = header.and_then(Signed::parse).ok_or(WebhookError::BadSignature)?;
    if !secrets.iter().any(|secret| signed.is_by(secret, body)) {
        return Err(WebhookError::BadSignature);
    }
    // Only now: a time that nobody signed means nothing.
    let seconds = now.micros().div_euclid(1_000_000);
    if seconds.abs_diff(signed.at) > TOLERANCE_S.unsigned_abs() {
        return Err(WebhookError::Stale);
    }
    Ok(())
}

/// The header, taken apart.
struct Signed<'a> {
    /// As it was written, because it is signed like that.
    time: &'a str,
    at: i64,
    signatures: Vec<[u8; MAC_BYTES]>,
}

impl<'a> Signed<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let mut time = None;
        let mut signatures = Vec::new();
        for part in header.split(',') {
            match part.trim().split_once('=')? {
                // Two times: which one is signed?
                ("t", text) if time.replace(text).is_some() => return None,
                ("v1", hex) if signatures.len() < SIGNATURES_MAX => signatures.extend(unhex(hex)),
                // Older and newer schemes, which we do not know.
                _ => {}
            }
        }
        let time = time.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        let at = time.parse().ok()?;
        (!signatures.is_empty()).then_some(Self { time, at, signatures })
    }

    fn is_by(&self, secret: &str, body: &[u8]) -> bool {
        // A key of any length is taken; an empty one would be everybody's.
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
        let Some(mut mac) = mac.ok().filter(|_| !secret.is_empty()) else { return false };
        mac.update(self.time.as_bytes());
        mac.update(b".");
        mac.update(body);
        self.signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    }
}

fn unhex(text: &str) -> Option<[u8; MAC_BYTES]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let mut bytes = [0; MAC_BYTES];
    if pairs.len() != MAC_BYTES {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    order_id: Option<String>,
}

/// Takes from an event what is of use. An order that is not named by an id of ours is none.
///
/// # Errors
/// [`WebhookError::Malformed`].
pub(crate) fn parse(body: &[u8]) -> Result<Told, WebhookError> {
    let event: Event =
        serde_json::from_slice(body).map_err(|error| WebhookError::Malformed(error.to_string()))?;
    for (what, text) in [("id", &event.id), ("type", &event.kind)] {
        let is_name = (1..=NAME_MAX_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_name {
            return Err(WebhookError::Malformed(format!("its {what} is no name")));
        }
    }
    let named = event.data.object.metadata.and_then(|metadata| metadata.order_id);
    let order_id = named.and_then(|id| id.parse().ok());
    Ok(Told { id: event.id, kind: event.kind, order_id })
}

#[cfg(test)]
mod tests;
