use proptest::prelude::*;

use super::*;

fn scrubbed(text: &str) -> String {
    scrub(text.to_owned(), false)
}

#[test]
fn what_may_not_be_logged_is_taken_out_and_the_rest_stays() {
    for (text, expected) in [
        ("paid with 4242424242424242 now", "paid with [card] now"),
        ("4242 4242 4242 4242 12/28", "[card] 12/28"),
        ("pan=3782-822463-10005.", "pan=[card]."),
        ("id 17 6011111111111117", "id 17 [card]"),
        ("ann.lee+x@example.co.uk ordered", "[email] ordered"),
        ("<bö@dömain.de>", "<[email]>"),
        ("call +49 (151) 234-5678!", "call [phone]!"),
        ("no route to postgres://u:p%40:w@db:5432/x", "no route to postgres://[secret]@db:5432/x"),
        ("Authorization: Bearer abc\nHost: x", "Authorization: [secret]\nHost: x"),
        ("got bearer abcdefgh12345", "got bearer [secret]"),
        (r#"{"password": "a b", "n": 1}"#, r#"{"password": "[secret] b", "n": 1}"#),
        ("api_key=abc&x=1", "api_key=[secret]&x=1"),
        ("key ok_Zm9vYmFyYmF6cXV4 is not known", "key [secret] is not known"),
        ("eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl", "[secret]"),
        ("signed with whsec_0123456789abcdef", "signed with [secret]"),
    ] {
        assert_eq!(scrubbed(text), expected, "{text:?}");
    }
}

#[test]
fn what_looks_alike_stays() {
    for text in [
        "",
        "order 01890f5e-4a7b-7cc3-98c4-dc0c0c07398f is confirmed",
        // All its digits would pass for a card's.
        "10000000-0000-7000-8424-242424242424",
        "at 1732345678901237 microseconds",
        "0af7651916cd43dd8448eb211c80319c",
        "2026-11-23T05:30:05.123+00:00",
        "4242424242424241 fails the check",
        "stock_level ok_ sk_short",
        "a token of thanks, sent at 10:30",
        "127.0.0.1:9464",
        "a @ b",
        "1 + 1",
    ] {
        assert_eq!(scrubbed(text), text);
    }
}

#[test]
fn names_say_that_a_value_is_secret() {
    for name in ["password", "http.authorization", "Email", "card_number"] {
        assert!(is_secret_name(name), "{name}");
    }
    for name in ["user_id", "address", "tokens_left", "message"] {
        assert!(!is_secret_name(name), "{name}");
    }
}

#[test]
fn half_a_secret_at_the_end_of_a_cut_text_is_taken_out() {
    let cut = |text: &str| scrub(format!("{text}…"), true);
    assert_eq!(cut("with 424242424242"), "with [secret]…");
    assert_eq!(cut("no route to postgres://u:pass"), "no route to [secret]…");
    assert_eq!(cut("ann@exam"), "[email]");
    assert_eq!(cut("and so on"), "and so on…");
}

/// A card number with its check digit, of `length` digits.
fn card(network: u8, body: &[u8], length: usize) -> String {
    let mut digits = vec![b'0' + network];
    digits.extend(body.iter().take(length - 2).map(|digit| b'0' + digit));
    for check in b'0'..=b'9' {
        digits.push(check);
        if passes_luhn(&digits) {
            break;
        }
        digits.pop();
    }
    String::from_utf8(digits).expect("digits")
}

fn grouped(card: &str, separator: &str) -> String {
    let groups: Vec<&str> = card
        .as_bytes()
        .chunks(4)
        .map(|group| std::str::from_utf8(group).expect("digits"))
        .collect();
    groups.join(separator)
}

proptest! {
    #[test]
    fn a_card_number_never_stays(
        network in 2..=6_u8,
        body in proptest::collection::vec(0..=9_u8, 17),
        length in 13..=19_usize,
        separator in prop::sample::select(vec!["", " ", "-"]),
        before in "[^0-9A-Za-z_+-]{0,9}",
        after in "[^0-9A-Za-z_ -]{0,9}",
    ) {
        let number = grouped(&card(network, &body, length), separator);
        let seen = scrubbed(&format!("{before}{number}{after}"));
        prop_assert!(!seen.contains(&number), "{seen}");
    }

    #[test]
    fn keys_tokens_and_addresses_never_stay(
        key in "[A-Za-z0-9_-]{16,60}",
        prefix in prop::sample::select(vec!["ok_", "sk_", "sk_test_", "whsec_", "Bearer ",
            "password=", "\"token\": \"", "api_key: ", "authorization: basic ", "postgres://u:"]),
        local in "[a-z0-9._%+-]{1,20}",
        domain in "[a-z0-9-]{1,20}\\.[a-z]{2,8}",
        before in "([^A-Za-z0-9_]{0,9}[ (\"'])?",
        after in "([ ,\"'][^@]{0,9})?",
    ) {
        let at = if prefix.contains("://") { "@db/orderly" } else { "" };
        let seen = scrubbed(&format!("{before}{prefix}{key}{at}{after}"));
        prop_assert!(!seen.contains(&key), "{seen}");
        let address = format!("{local}@{domain}");
        let seen = scrubbed(&format!("{before}{address}{after}"));
        prop_assert!(!seen.contains(&address) && !seen.contains(&format!("@{domain}")), "{seen}");
    }

    #[test]
    fn any_text_is_taken_and_what_is_scrubbed_stays_scrubbed(text in any::<String>(), is_cut: bool) {
        let once = scrub(text, is_cut);
        prop_assert_eq!(scrub(once.clone(), false), once);
    }

    #[test]
    fn texts_of_dangerous_pieces_are_taken(
        pieces in proptest::collection::vec(prop::sample::select(vec![
            "4242", " ", "-", "@", "://", "sk_", "=", ":", "password", "é", "…", "+", "\"", "eyJ",
            "bearer ", "a", "7", "authorization", "\n",
        ]), 0..40),
        is_cut: bool,
    ) {
        let text = pieces.concat();
        scrub(text, is_cut);
    }
}
