//! Takes out of what is logged what may not stand in a log: card numbers, e-mail addresses, phone
//! numbers, keys, tokens and passwords.
//!
//! It is the last line of defence, for what reaches a log through the words of others: an error of
//! a library, a panic, an address with a password in it. Names and street addresses cannot be known
//! by their look; our own code does not log them.

use std::borrow::Cow;

/// Stands for a secret.
const SECRET: &str = "[secret]";
/// Stands for a card number.
const CARD: &str = "[card]";
/// Stands for an e-mail address.
const EMAIL: &str = "[email]";
/// Stands for a phone number.
const PHONE: &str = "[phone]";

/// Digits of a card number (ISO/IEC 7812).
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Digits of a phone number with its country (ITU-T E.164).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;
/// Shorter than this, what follows the prefix of a key is a word and not a key.
const KEY_BYTES_MIN: usize = 8;

/// How our keys, those of a provider like Stripe, and signed tokens begin.
const KEY_PREFIXES: &[&str] = &["ok_", "sk_", "rk_", "whsec_", "eyJ"];

/// Names whose value is a secret or personal, as a field and in `name=value`.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "authorization",
    "api_key",
    "apikey",
    "api-key",
    "card_number",
    "cvc",
    "cvv",
    "email",
    "phone",
    "iban",
];

/// Whether the value of a field of this name is never logged.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    SECRET_NAMES.iter().any(|secret| secret.eq_ignore_ascii_case(last))
}

/// What the text gives away by its bytes alone: most texts give nothing away, and stay as they are.
#[derive(Default)]
struct Signs {
    digits: usize,
    at: bool,
    plus: bool,
    assigns: bool,
    underscore_or_dot: bool,
    blank: bool,
}

impl Signs {
    fn of(text: &str) -> Self {
        let mut signs = Self::default();
        for byte in text.bytes() {
            match byte {
                b'0'..=b'9' => signs.digits += 1,
                b'@' => signs.at = true,
                b'+' => signs.plus = true,
                b'=' | b':' => signs.assigns = true,
                b'_' | b'.' => signs.underscore_or_dot = true,
                b' ' => signs.blank = true,
                _ => {}
            }
        }
        signs
    }
}

/// The text without what may not be logged. `is_cut` says that its end was cut off and replaced by
/// `…`: what ends there may be the beginning of something secret.
pub(crate) fn scrub(text: String, is_cut: bool) -> String {
    let signs = Signs::of(&text);
    let mut text = Cow::Owned::<str>(text);
    let mut pass = |applies: bool, scrubbed: fn(&str) -> Option<String>| {
        if applies && let Some(scrubbed) = scrubbed(&text) {
            text = Cow::Owned(scrubbed);
        }
    };
    pass(is_cut, last_word);
    pass(signs.at && signs.assigns, url_passwords);
    pass(signs.assigns, named_values);
    pass(signs.blank, bearers);
    pass(signs.underscore_or_dot || text_has_token(&signs), keys);
    pass(signs.at, emails);
    pass(signs.digits >= *PHONE_DIGITS.start() && signs.plus, phones);
    pass(signs.digits >= *CARD_DIGITS.start(), cards);
    text.into_owned()
}

/// A signed token may be cut before its first dot.
const fn text_has_token(signs: &Signs) -> bool {
    signs.digits > 0
}

/// Copies `text` with pieces of it replaced. `find` gives the next piece at or after a place, with
/// what stands for it.
fn replace(
    text: &str,
    mut find: impl FnMut(usize) -> Option<(usize, usize, &'static str)>,
) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    while let Some((start, end, stands_for)) = find(done) {
        out.push_str(&text[done..start]);
        out.push_str(stands_for);
        done = end;
    }
    (done > 0).then(|| {
        out.push_str(&text[done..]);
        out
    })
}

/// Length of the run at the beginning of `bytes` that `belongs` takes.
fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !belongs(*byte)).unwrap_or(bytes.len())
}

/// Length of the run at the end.
fn run_back(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().rev().position(|byte| !belongs(*byte)).unwrap_or(bytes.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The last word of a text that was cut, if it may be half of an address or of a number.
fn last_word(text: &str) -> Option<String> {
    let whole = text.strip_suffix('…')?;
    let start = whole.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let word = whole.get(start..)?;
    let digits = run_back(word.as_bytes(), |byte| byte.is_ascii_digit() || byte == b'-');
    if word.contains("://") && word.contains(':') {
        Some(format!("{}{SECRET}…", whole.get(..start)?))
    } else if digits >= 6 {
        Some(format!("{}{SECRET}…", whole.get(..whole.len() - digits)?))
    } else {
        None
    }
}

/// `scheme://user:password@host`.
fn url_passwords(text: &str) -> Option<String> {
    replace(text, |from| {
        let mut from = from;
        loop {
            let start = from + text[from..].find("://")? + 3;
            let ends = |byte: u8| {
                byte.is_ascii_whitespace() || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'')
            };
            let end = start + run(&text.as_bytes()[start..], |byte| !ends(byte));
            if let Some(at) = text[start..end].rfind('@') {
                return Some((start, start + at, SECRET));
            }
            from = start;
        }
    })
}

/// `password=…`, `"token": "…"`, `Authorization: …`.
fn named_values(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let bytes = text.as_bytes();
    replace(text, |from| {
        SECRET_NAMES
            .iter()
            .filter_map(|name| named_value(&lower, bytes, from, name))
            .min_by_key(|(start, ..)| *start)
    })
}

fn named_value(
    lower: &str,
    bytes: &[u8],
    from: usize,
    name: &str,
) -> Option<(usize, usize, &'static str)> {
    let mut from = from;
    loop {
        let mut at = from + lower.get(from..)?.find(name)? + name.len();
        from = at;
        let quote_or_blank = |byte: u8| matches!(byte, b'"' | b'\'' | b'\\' | b' ');
        at += run(&bytes[at..], quote_or_blank);
        if !matches!(bytes.get(at), Some(b'=' | b':')) {
            continue;
        }
        at += 1;
        at += run(&bytes[at..], quote_or_blank);
        // The value of `Authorization` has two words, and a header ends with its line.
        let blanks_belong = name == "authorization";
        let ends = |byte: u8| {
            matches!(byte, b'"' | b'\'' | b'\\' | b',' | b';' | b'&' | b')' | b'}' | b']')
                || byte.is_ascii_control()
                || (byte == b' ' && !blanks_belong)
        };
        let length = run(&bytes[at..], |byte| !ends(byte));
        if length > 0 {
            return Some((at, at + length, SECRET));
        }
    }
}

/// `Bearer …`.
fn bearers(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let bytes = text.as_bytes();
    replace(text, |from| {
        let mut from = from;
        loop {
            let start = from + lower.get(from..)?.find("bearer ")? + "bearer ".len();
            let length = run(&bytes[start..], is_of_key);
            if length >= KEY_BYTES_MIN {
                return Some((start, start + length, SECRET));
            }
            from = start;
        }
    })
}

/// Bytes of keys and tokens: base64 in both alphabets, with dots between the parts of a token.
fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'=' | b'~')
}

/// Keys and tokens that are known by their beginning.
fn keys(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    replace(text, |from| {
        KEY_PREFIXES
            .iter()
            .filter_map(|prefix| {
                let mut from = from;
                loop {
                    let start = from + text.get(from..)?.find(prefix)?;
                    let is_start = start == 0 || !is_word(bytes[start - 1]);
                    let length = run(&bytes[start..], is_of_key);
                    if is_start && length >= prefix.len() + KEY_BYTES_MIN {
                        return Some((start, start + length, SECRET));
                    }
                    from = start + prefix.len();
                }
            })
            .min_by_key(|(start, ..)| *start)
    })
}

/// `local@domain`.
fn emails(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_local = |byte: u8| {
        byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)
    };
    let is_domain =
        |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || matches!(byte, b'-' | b'.');
    replace(text, |from| {
        let mut look = from;
        loop {
            let at = look + text.get(look..)?.find('@')?;
            let local = run_back(&bytes[from..at], is_local);
            let domain = run(&bytes[at + 1..], is_domain);
            // The end of a cut text is no letter of a domain, but its sign may stay in it.
            if local > 0 && domain > 0 {
                return Some((at - local, at + 1 + domain, EMAIL));
            }
            look = at + 1;
        }
    })
}

/// `+49 151 2345678`.
fn phones(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    replace(text, |from| {
        let mut look = from;
        loop {
            let plus = look + text.get(look..)?.find('+')?;
            let is_start = plus == 0 || !is_word(bytes[plus - 1]);
            let of_number =
                |byte: u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'(' | b')');
            let mut length = run(&bytes[plus + 1..], of_number);
            length -= run_back(&bytes[plus + 1..plus + 1 + length], |byte| !byte.is_ascii_digit());
            let number = &bytes[plus + 1..plus + 1 + length];
            let digits = number.iter().filter(|byte| byte.is_ascii_digit()).count();
            if is_start && PHONE_DIGITS.contains(&digits) {
                return Some((plus, plus + 1 + length, PHONE));
            }
            look = plus + 1;
        }
    })
}

/// Card numbers, also in groups with blanks or hyphens between them.
fn cards(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    replace(text, |from| {
        let mut at = from;
        while at < bytes.len() {
            if !bytes[at].is_ascii_digit() {
                at += 1;
                continue;
            }
            let is_start = at == 0 || !is_word(bytes[at - 1]);
            if let Some(end) = in_uuid(bytes, at) {
                at = end;
            } else if is_start && let Some(end) = card_at(bytes, at) {
                return Some((at, end, CARD));
            } else {
                at += run(&bytes[at..], |byte| byte.is_ascii_digit());
            }
        }
        None
    })
}

/// The end of the UUID that the byte belongs to: one in ten ids would look like a card otherwise.
fn in_uuid(bytes: &[u8], at: usize) -> Option<usize> {
    let belongs = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    let start = at - run_back(&bytes[..at], belongs);
    let end = at + run(&bytes[at..], belongs);
    let token = &bytes[start..end];
    let is_uuid = token.len() == 36
        && token.iter().enumerate().all(|(place, byte)| {
            if matches!(place, 8 | 13 | 18 | 23) { *byte == b'-' } else { byte.is_ascii_hexdigit() }
        });
    is_uuid.then_some(end)
}

/// The end of the card number that begins here. Its first digit says the network: none of payment
/// begins with 0, 1, 7, 8 or 9, and times in microseconds begin with 1.
fn card_at(bytes: &[u8], start: usize) -> Option<usize> {
    if !matches!(bytes[start], b'2'..=b'6') {
        return None;
    }
    let mut digits = Vec::with_capacity(*CARD_DIGITS.end());
    let mut end = start;
    let mut found = None;
    loop {
        let group = run(&bytes[end..], |byte| byte.is_ascii_digit());
        digits.extend_from_slice(&bytes[end..end + group]);
        end += group;
        let ends_here = bytes.get(end).is_none_or(|byte| !is_word(*byte));
        if group == 0 || digits.len() > *CARD_DIGITS.end() || !ends_here {
            return found;
        }
        if CARD_DIGITS.contains(&digits.len()) && passes_luhn(&digits) {
            found = Some(end);
        }
        if !matches!(bytes.get(end), Some(b' ' | b'-')) {
            return found;
        }
        end += 1;
    }
}

/// The check digit of ISO/IEC 7812.
fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            if place % 2 == 0 {
                digit
            } else if digit > 4 {
                digit * 2 - 9
            } else {
                digit * 2
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
#[path = "scrub_tests.rs"]
mod tests;
