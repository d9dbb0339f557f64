//! The signature that Stripe puts on its events.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The `Stripe-Signature` of `body`, sent at `unix_s`: `t=…,v1=…`, where `v1` is the
/// HMAC-SHA-256, keyed with the secret, of the time, a dot and the body, in hexadecimal.
pub(super) fn sign(secret: &str, unix_s: i64, body: &[u8]) -> String {
    let mut header = format!("t={unix_s},v1=");
    // A key of any length is taken.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        mac.update(unix_s.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        for byte in mac.finalize().into_bytes() {
            // Writing to a string cannot fail.
            let _ = write!(header, "{byte:02x}");
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_hmac_over_time_and_body() {
        // printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
        assert_eq!(
            sign("whsec_test", 1_700_000_000, br#"{"id":"evt_1"}"#),
            "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925"
        );
        assert_ne!(sign("a", 1, b"x"), sign("b", 1, b"x"));
        assert_ne!(sign("a", 1, b"x"), sign("a", 1, b"y"));
        assert_ne!(sign("a", 1, b"1"), sign("a", 11, b""));
    }
}
