//! The page about security shows the table that the gate judges by.

use super::source::root;
use gateway::{ACCESS, access_markdown};
use std::fs;

const DOCUMENT: &str = "docs/SECURITY.md";
const BEGIN: &str =
    "<!-- access table: made by `UPDATE_DOCS=1 cargo test -p orderly-tests house` -->\n";
const END: &str = "<!-- end of the access table -->\n";

#[test]
fn the_page_about_security_has_the_table_of_the_code() {
    let path = root().join(DOCUMENT);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{DOCUMENT}: {error}"));
    let (before, rest) = text.split_once(BEGIN).expect("the table begins");
    let (table, after) = rest.split_once(END).expect("the table ends");
    let wanted = access_markdown();
    assert!(wanted.lines().count() == ACCESS.len() + 2, "a row per route");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let whole = format!("{before}{BEGIN}{wanted}{END}{after}");
        fs::write(&path, whole).unwrap_or_else(|error| panic!("{DOCUMENT}: {error}"));
        return;
    }
    assert!(
        table == wanted,
        "{DOCUMENT} does not show the table of crates/gateway/src/access.rs; make it anew with \
         `UPDATE_DOCS=1 cargo test -p orderly-tests house`"
    );
}
