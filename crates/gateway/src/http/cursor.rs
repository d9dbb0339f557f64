//! Cursors of lists: opaque, and of no use for another list than the one they were given for.

use crate::problem::{Code, Problem};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Bytes of the seal in front of the position: 128 bits of the HMAC.
const SEAL_BYTES: usize = 16;

/// Seals and opens cursors with the node's secret. All nodes share it, so that any of them can
/// go on with a list.
#[derive(Clone)]
pub(crate) struct CursorSeal(Hmac<Sha256>);

impl CursorSeal {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        // HMAC fills a key up to its block with zeros; done here, no key can have a wrong length.
        let mut block = [0; 64];
        block[..secret.len()].copy_from_slice(&secret);
        Self(Hmac::new(&block.into()))
    }

    /// The cursor of `position` in the list `list` (its path and filters).
    pub(crate) fn close(&self, list: &str, position: &str) -> String {
        let mut bytes = self.seal(list, position).to_vec();
        bytes.extend_from_slice(position.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in a cursor that [`Self::close`] made for the same list.
    ///
    /// # Errors
    /// `INVALID_CURSOR` for any other text.
    pub(crate) fn open(&self, list: &str, cursor: &str) -> Result<String, Problem> {
        let invalid = || {
            Problem::new(
                Code::InvalidCursor,
                "The cursor does not belong to this list. Use next_cursor with the same filters.",
            )
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
        let (seal, position) = bytes.split_at_checked(SEAL_BYTES).ok_or_else(invalid)?;
        let position = std::str::from_utf8(position).map_err(|_| invalid())?;
        let genuine = bool::from(self.seal(list, position).ct_eq(seal));
        genuine.then(|| position.to_owned()).ok_or_else(invalid)
    }

    fn seal(&self, list: &str, position: &str) -> [u8; SEAL_BYTES] {
        let mut mac = self.0.clone();
        // The length keeps "a" + "bc" apart from "ab" + "c".
        mac.update(&(list.len() as u64).to_be_bytes());
        mac.update(list.as_bytes());
        mac.update(position.as_bytes());
        let tag = mac.finalize().into_bytes();
        std::array::from_fn(|index| tag[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "/v1/orders?status=pending";

    #[test]
    fn a_cursor_opens_for_its_own_list_only() {
        let seal = CursorSeal::new([7; 32]);
        let cursor = seal.close(LIST, "SKU 1/ü");
        assert_eq!(seal.open(LIST, &cursor).ok().as_deref(), Some("SKU 1/ü"));
        for other in ["/v1/orders", "/v1/stock", ""] {
            let problem = seal.open(other, &cursor).expect_err("another list");
            assert_eq!(problem.code(), Code::InvalidCursor, "{other}");
        }
        assert!(CursorSeal::new([8; 32]).open(LIST, &cursor).is_err(), "another secret");
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let seal = CursorSeal::new([7; 32]);
        let bytes = URL_SAFE_NO_PAD.decode(seal.close(LIST, "A-1")).expect("base64");
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(seal.open(LIST, &URL_SAFE_NO_PAD.encode(changed)).is_err(), "bit {bit}");
        }
        for short in 0..bytes.len() {
            assert!(seal.open(LIST, &URL_SAFE_NO_PAD.encode(&bytes[..short])).is_err());
        }
    }

    #[test]
    fn nonsense_is_no_cursor() {
        let seal = CursorSeal::new([7; 32]);
        for bad in ["", "x", "====", "ü", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let problem = seal.open(LIST, bad).expect_err("nonsense");
            assert_eq!(problem.code(), Code::InvalidCursor, "{bad}");
        }
    }
}
