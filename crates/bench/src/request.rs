//! Requests as bytes that are made once; only the idempotency key differs from one use to the next.

/// Digits of a key.
const KEY_DIGITS: usize = 32;

/// A request that waits for its key.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    /// Where the key stands.
    key_at: usize,
}

/// To whom and as whom requests are sent.
#[derive(Clone)]
pub(crate) struct Sender {
    /// Host and port of the server.
    pub(crate) host: String,
    /// API key.
    pub(crate) api_key: String,
}

impl Sender {
    /// A POST of JSON with an idempotency key. `more` are further lines of the head, each ended by
    /// CR LF.
    pub(crate) fn post(&self, path: &str, body: &[u8], more: &str) -> Template {
        let mut bytes = self.head("POST", path);
        bytes.extend_from_slice(b"Content-Type: application/json\r\nIdempotency-Key: ");
        let key_at = bytes.len();
        bytes.resize(key_at + KEY_DIGITS, b'0');
        let rest = format!("\r\n{more}Content-Length: {}\r\n\r\n", body.len());
        bytes.extend_from_slice(rest.as_bytes());
        bytes.extend_from_slice(body);
        Template { bytes, key_at }
    }

    /// A GET, complete.
    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        let mut bytes = self.head("GET", path);
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    fn head(&self, method: &str, path: &str) -> Vec<u8> {
        let Self { host, api_key } = self;
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {api_key}\r\n")
            .into_bytes()
    }
}

impl Template {
    /// Writes the request with this key over what `into` held.
    pub(crate) fn fill(&self, key: Key, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(&self.bytes);
        if let Some(place) = into.get_mut(self.key_at..self.key_at + KEY_DIGITS) {
            key.write(place);
        }
    }
}

/// An idempotency key: which bench, and which of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    /// Drawn once for a bench, so that no two share a key.
    pub(crate) bench: u64,
    /// Counted up.
    pub(crate) number: u64,
}

impl Key {
    fn write(self, place: &mut [u8]) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut rest = (u128::from(mix(self.number)) << 64) | u128::from(self.bench);
        for digit in place.iter_mut().rev() {
            *digit = HEX[(rest & 15) as usize];
            rest >>= 4;
        }
    }
}

/// Scatters numbers that are counted up, no two onto the same: the keys of real clients come in no
/// order, and an index of ordered keys would be faster than theirs. (The finaliser of SplitMix64.)
const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender() -> Sender {
        Sender { host: "127.0.0.1:8080".into(), api_key: "k".into() }
    }

    #[test]
    fn a_request_differs_from_the_last_in_its_key_alone() {
        let template = sender().post("/v1/orders", b"{}", "Prefer: respond-async\r\n");
        let mut bytes = b"what was there before".to_vec();
        template.fill(Key { bench: 0xab, number: 0x12 }, &mut bytes);
        let key = format!("{:016x}00000000000000ab", mix(0x12));
        let expected = "POST /v1/orders HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAuthorization: Bearer k\r\n\
             Content-Type: application/json\r\n\
             Idempotency-Key: {KEY}\r\n\
             Prefer: respond-async\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected.replace("{KEY}", &key));
        let first = bytes.clone();
        template.fill(Key { bench: 0xab, number: 0x13 }, &mut bytes);
        let again = format!("{:016x}00000000000000ab", mix(0x13));
        let text = String::from_utf8(first).unwrap();
        assert_eq!(text.replace(&key, &again).into_bytes(), bytes);
    }

    #[test]
    fn keys_are_scattered_and_never_the_same() {
        let mut keys: Vec<u64> = (0..10_000).map(mix).collect();
        assert!(!keys.is_sorted());
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 10_000);
    }

    #[test]
    fn a_read_has_no_body() {
        let bytes = sender().get("/v1/orders?limit=1");
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("GET /v1/orders?limit=1 HTTP/1.1\r\n"));
        assert!(text.ends_with("\r\n\r\n"));
    }
}
