//! Writes a line for people.

use std::fmt::Write as _;

use tracing::Level;

use crate::fields::Value;
use crate::line::{Line, is_unprintable, push_escaped, push_timestamp};

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RESET: &str = "\x1b[0m";

/// Appends the line and its line feed: time, level, event, message, fields, trace.
///
/// With `colours` the only escape sequences are the ones written here: control characters in what
/// was logged come out escaped.
pub(crate) fn push_line(out: &mut String, line: &Line, colours: bool) {
    let paint = |out: &mut String, code: &str| {
        if colours {
            out.push_str(code);
        }
    };
    paint(out, DIM);
    push_timestamp(out, line.at);
    paint(out, RESET);
    paint(out, colour(line.level));
    let _ = write!(out, " {:>5} ", line.level.as_str());
    paint(out, RESET);
    if let Some(event) = &line.event {
        paint(out, BOLD);
        push_value(out, event, Quotes::Never);
        paint(out, RESET);
        out.push(' ');
    }
    if let Some(message) = &line.message {
        push_value(out, message, Quotes::Never);
        out.push(' ');
    }
    paint(out, DIM);
    push_text(out, &line.target, Quotes::Never);
    line.for_each_field(|name, value| {
        out.push(' ');
        push_text(out, name, Quotes::Never);
        out.push('=');
        push_value(out, value, Quotes::AroundSpaces);
    });
    if let Some(trace_id) = line.trace_id {
        let _ = write!(out, " trace_id={trace_id:032x}");
    }
    paint(out, RESET);
    out.push('\n');
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Quotes {
    Never,
    /// Quotes show where a text with spaces ends.
    AroundSpaces,
}

fn push_value(out: &mut String, value: &Value, quotes: Quotes) {
    let _ = match value {
        Value::Bool(value) => write!(out, "{value}"),
        Value::Signed(value) => write!(out, "{value}"),
        Value::Unsigned(value) => write!(out, "{value}"),
        Value::Float(value) => write!(out, "{value:?}"),
        Value::Text(text) => {
            push_text(out, text, quotes);
            Ok(())
        }
        Value::Causes(causes) => {
            push_text(out, &causes.join(": "), quotes);
            Ok(())
        }
    };
}

fn push_text(out: &mut String, text: &str, quotes: Quotes) {
    let is_quoted = quotes == Quotes::AroundSpaces && (text.is_empty() || text.contains(' '));
    if is_quoted {
        out.push('"');
    }
    push_escaped(out, text, is_unprintable, |out, c| {
        let _ = write!(out, "{}", c.escape_debug());
    });
    if is_quoted {
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::fields::Fields;

    fn line() -> Line {
        let mut fields = Fields::default();
        fields.set("amount_minor", Value::Signed(1999));
        fields.set("note", Value::Text("a b\n\x1b[2Jc".to_owned()));
        fields.set("cause", Value::Causes(vec!["outer".to_owned(), "inner".to_owned()]));
        Line {
            at: OffsetDateTime::UNIX_EPOCH,
            level: Level::WARN,
            target: "orders".to_owned(),
            trace_id: Some(42),
            span_id: Some(1),
            parent_span: None,
            event: Some(Value::Text("order_refused".to_owned())),
            message: Some(Value::Text("no \rstock".to_owned())),
            fields,
            spans: Vec::new(),
        }
    }

    #[test]
    fn a_line_reads_from_left_to_right() {
        let mut out = String::new();
        push_line(&mut out, &line(), false);
        assert_eq!(
            out,
            "1970-01-01T00:00:00.000Z  WARN order_refused no \\rstock orders amount_minor=1999 \
             note=\"a b\\n\\u{1b}[2Jc\" cause=\"outer: inner\" \
             trace_id=0000000000000000000000000000002a\n"
        );
    }

    #[test]
    fn what_was_logged_cannot_colour_the_terminal() {
        let mut plain = String::new();
        push_line(&mut plain, &line(), false);
        assert!(!plain.contains('\x1b'));
        let mut coloured = String::new();
        push_line(&mut coloured, &line(), true);
        let without_our_codes = [DIM, BOLD, RESET, colour(Level::WARN)]
            .iter()
            .fold(coloured.clone(), |text, code| text.replace(code, ""));
        assert_eq!(without_our_codes, plain);
        assert_ne!(coloured, plain);
    }
}
