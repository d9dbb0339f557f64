//! Writes a line as one JSON object.

use std::fmt::Write as _;

use tracing::Level;

use crate::fields::Value;
use crate::line::{Line, is_unprintable, push_escaped, push_timestamp};

/// Appends the line and its line feed. The text has no other line feed, whatever was logged.
pub(crate) fn push_line(out: &mut String, line: &Line, service: &str) {
    out.push_str("{\"timestamp\":\"");
    push_timestamp(out, line.at);
    out.push_str("\",\"level\":\"");
    out.push_str(line.level.as_str());
    out.push_str("\",\"service\":");
    push_text(out, service);
    out.push_str(",\"trace_id\":");
    push_id(out, line.trace_id.map(|id| format!("{id:032x}")));
    out.push_str(",\"span_id\":");
    push_id(out, line.span_id.map(|id| format!("{id:016x}")));
    out.push_str(",\"event\":");
    push_optional(out, line.event.as_ref().or(line.message.as_ref()));
    if let Some(message) = &line.message {
        push_key(out, "message");
        push_value(out, message);
    }
    push_key(out, "target");
    push_text(out, &line.target);
    if line.level == Level::ERROR {
        push_key(out, "parent_span");
        push_id(out, line.parent_span.map(|id| format!("{id:016x}")));
    }
    line.for_each_field(|name, value| {
        push_key(out, name);
        match value {
            // Readers of `cause` find a list, also when the error was recorded as a sentence.
            Value::Text(sentence) if name == "cause" => {
                out.push('[');
                push_text(out, sentence);
                out.push(']');
            }
            _ => push_value(out, value),
        }
    });
    out.push_str("}\n");
}

fn push_key(out: &mut String, name: &str) {
    out.push(',');
    push_text(out, name);
    out.push(':');
}

fn push_id(out: &mut String, id: Option<String>) {
    match id {
        Some(id) => push_text(out, &id),
        None => out.push_str("null"),
    }
}

fn push_optional(out: &mut String, value: Option<&Value>) {
    match value {
        Some(value) => push_value(out, value),
        None => out.push_str("null"),
    }
}

fn push_value(out: &mut String, value: &Value) {
    // Writing to a string cannot fail.
    let _ = match value {
        Value::Bool(value) => write!(out, "{value}"),
        Value::Signed(value) => write!(out, "{value}"),
        Value::Unsigned(value) => write!(out, "{value}"),
        // `{:?}` writes 1e300 and 1.0, both JSON numbers. JSON has no infinity and no NaN.
        Value::Float(value) if value.is_finite() => write!(out, "{value:?}"),
        Value::Float(_) => out.write_str("null"),
        Value::Text(text) => {
            push_text(out, text);
            Ok(())
        }
        Value::Causes(causes) => {
            push_list(out, causes);
            Ok(())
        }
    };
}

fn push_list(out: &mut String, texts: &[String]) {
    out.push('[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_text(out, text);
    }
    out.push(']');
}

fn push_text(out: &mut String, text: &str) {
    out.push('"');
    push_escaped(
        out,
        text,
        |c| matches!(c, '"' | '\\') || is_unprintable(c),
        |out, c| match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // All the others are in the basic multilingual plane: four digits do.
            _ => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        },
    );
    out.push('"');
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
