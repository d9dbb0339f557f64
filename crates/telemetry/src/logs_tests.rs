use std::fmt;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tracing::field::Empty;
use tracing::{Level, debug, error, info, info_span};

use super::*;

const TRACE: &str = "0123456789abcdef0123456789abcdef";

/// A log that writes to memory.
struct Log {
    written: Arc<Mutex<String>>,
    control: LogControl,
    dispatch: tracing::Dispatch,
}

impl Log {
    fn with_style(filter: &str, style: Style) -> Self {
        let written = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&written);
        let layer = LogLayer {
            style,
            now: || OffsetDateTime::UNIX_EPOCH,
            write: move |line: &str| sink.lock().unwrap().push_str(line),
        };
        let (subscriber, control) = assemble(filter, 7, layer, None).unwrap();
        Self { written, control, dispatch: tracing::Dispatch::new(subscriber) }
    }

    fn json(filter: &str) -> Self {
        let service = "orderly".to_owned();
        Self::with_style(filter, Style::Json { service })
    }

    fn text(&self) -> String {
        self.written.lock().unwrap().clone()
    }

    /// What `work` logs, line by line.
    fn lines_of(&self, work: impl FnOnce()) -> Vec<Json> {
        self.written.lock().unwrap().clear();
        tracing::dispatcher::with_default(&self.dispatch, work);
        self.text()
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    fn line_of(&self, work: impl FnOnce()) -> Json {
        let lines = self.lines_of(work);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.into_iter().next().unwrap()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the bank did not answer")]
struct BankError(#[source] std::io::Error);

#[test]
fn a_line_inside_spans_carries_their_ids_and_fields() {
    let lines = Log::json("info").lines_of(|| {
        let request = info_span!("request", trace_id = TRACE, user_id = "u1").entered();
        info!(event = "request_started", "a request came in");
        let place = info_span!("place_order", order_id = 17_u64).entered();
        info!(event = "order_placed", amount = 1999, "the order is placed");
        drop(place);
        drop(request);
        info!("outside");
    });
    let [started, placed, outside] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(started["trace_id"], TRACE);
    assert_eq!(started["user_id"], "u1");
    assert_eq!(started["event"], "request_started");
    assert_eq!(placed["trace_id"], TRACE, "inherited");
    assert_eq!(placed["user_id"], "u1", "inherited");
    assert_eq!(placed["order_id"], 17);
    assert_eq!(placed["amount"], 1999);
    assert_eq!(placed["message"], "the order is placed");
    assert_eq!(placed["target"], "telemetry::logs::tests");
    let ids = [&started["span_id"], &placed["span_id"]].map(|id| id.as_str().unwrap());
    assert!(ids.iter().all(|id| id.len() == 16), "{ids:?}");
    assert_ne!(ids[0], ids[1]);
    assert_eq!(
        outside,
        &json!({"timestamp": "1970-01-01T00:00:00.000Z", "level": "INFO", "service": "orderly",
            "trace_id": null, "span_id": null, "event": "outside", "message": "outside",
            "target": "telemetry::logs::tests"})
    );
}

#[test]
fn what_a_span_records_later_is_seen_by_its_children() {
    let line = Log::json("info").line_of(|| {
        let request = info_span!("request", trace_id = Empty, user_id = Empty, status = 1);
        let child = info_span!(parent: &request, "child").entered();
        request.record("trace_id", TRACE);
        request.record("user_id", "u2");
        request.record("status", 2);
        info!("now");
        drop(child);
    });
    assert_eq!(line["trace_id"], TRACE);
    assert_eq!(line["user_id"], "u2");
    assert_eq!(line["status"], 2);
}

#[test]
fn a_false_trace_id_is_dropped_and_the_nearest_true_one_wins() {
    let other = "ffffffffffffffffffffffffffffffff";
    let lines = Log::json("info").lines_of(|| {
        let _request = info_span!("request", trace_id = TRACE).entered();
        let _forged = info_span!("forged", trace_id = "x\n").entered();
        info!("inherited");
        info!(trace_id = %other, "own");
    });
    assert_eq!(lines[0]["trace_id"], TRACE);
    assert_eq!(lines[1]["trace_id"], other);
}

#[test]
fn log_error_writes_the_code_and_the_cause_chain() {
    let error = BankError(std::io::Error::other("connection reset"));
    let lines = Log::json("info").lines_of(|| {
        let _request = info_span!("request").entered();
        info!("for the span's id");
        let _charge = info_span!("charge", trace_id = TRACE).entered();
        log_error("BANK_SILENT", &error, "the card could not be charged");
    });
    let line = &lines[1];
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["code"], "BANK_SILENT");
    assert_eq!(line["event"], "bank_silent");
    assert_eq!(line["message"], "the card could not be charged");
    assert_eq!(line["cause"], json!(["the bank did not answer", "connection reset"]));
    assert_eq!(line["parent_span"], lines[0]["span_id"]);
    assert_ne!(line["span_id"], line["parent_span"]);
}

#[test]
fn levels_change_while_the_log_runs() {
    let log = Log::json("info");
    let work = || {
        info!("coarse");
        debug!("fine");
    };
    let control = log.control.clone();
    let lines = log.lines_of(|| {
        work();
        control.set_filter("debug").unwrap();
        work();
        control.set_filter("info,telemetry::logs=off").unwrap();
        work();
        let refused = control.set_filter("info,orders=loud").unwrap_err();
        assert!(matches!(refused, TelemetryError::Filter { .. }));
        work(); // the old filter stays
        control.set_filter("info").unwrap();
        work();
    });
    let events: Vec<_> = lines.iter().map(|line| &line["event"]).collect();
    assert_eq!(events, ["coarse", "coarse", "fine", "coarse"]);
}

#[test]
fn a_log_that_is_gone_cannot_be_changed() {
    let Log { control, .. } = Log::json("info");
    let refused = control.set_filter("debug").unwrap_err();
    assert!(matches!(refused, TelemetryError::LogGone));
}

#[test]
fn spans_below_the_level_cost_and_show_nothing() {
    struct NeverFormatted;
    impl fmt::Debug for NeverFormatted {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("formatted although the span is off")
        }
    }
    let line = Log::json("info").line_of(|| {
        let span = tracing::debug_span!("detail", order_id = ?NeverFormatted);
        assert!(span.is_disabled());
        span.in_scope(|| info!("inside"));
    });
    assert_eq!(line["span_id"], Json::Null);
    assert_eq!(line.get("order_id"), None);
}

#[test]
fn a_value_may_log_while_it_is_formatted() {
    struct Talkative;
    impl fmt::Debug for Talkative {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info_span!("inner", of = "value").in_scope(|| f.write_str("talked"))
        }
    }
    let line = Log::json("info").line_of(|| {
        let span = info_span!("outer", at_first = ?Talkative, later = Empty);
        let _entered = span.enter();
        span.record("later", tracing::field::debug(Talkative));
        info!(now = ?Talkative, "said");
    });
    for key in ["at_first", "later", "now"] {
        assert_eq!(line[key], "talked");
    }
}

#[test]
fn the_pretty_log_writes_one_line_per_event() {
    let log = Log::with_style("info", Style::Pretty { colours: false });
    tracing::dispatcher::with_default(&log.dispatch, || {
        let _span = info_span!("request", user_id = "u1").entered();
        error!(event = "order_refused", "no\nstock");
    });
    assert_eq!(
        log.text(),
        "1970-01-01T00:00:00.000Z ERROR order_refused no\\nstock telemetry::logs::tests \
         user_id=u1\n"
    );
}

#[test]
fn a_wrong_filter_is_refused_before_the_log_is_installed() {
    let refused = init_logs(&LogConfig {
        service: "orderly".to_owned(),
        format: LogFormat::Json,
        filter: "info,orders=loud".to_owned(),
    });
    let error = refused.unwrap_err();
    assert_eq!(error.to_string(), "the log filter \"info,orders=loud\" cannot be read");
    assert!(std::error::Error::source(&error).is_some());
}

#[derive(Debug, thiserror::Error)]
#[error("cannot reach postgres://shop:hunter2@db/orderly")]
struct Leaky(#[source] std::io::Error);

#[test]
fn secrets_are_in_no_part_of_a_line() {
    let log = Log::json("info");
    let error = Leaky(std::io::Error::other("card 4242 4242 4242 4242 of ann@example.org"));
    let lines = log.lines_of(|| {
        let request = info_span!("request", key = "ok_c2VjcmV0LXNlY3JldC1zZWNyZXQ", late = Empty);
        let _entered = request.enter();
        request.record("late", "Bearer abcdefghijk");
        error!(
            cause = &error as &dyn std::error::Error,
            password = 12_345,
            note = ?Some("sk_test_0123456789"),
            "call +49 151 23456789 about {}",
            "token=abc"
        );
    });
    let text = log.text();
    for secret in
        ["hunter2", "4242", "ann@", "c2Vj", "abcdefghijk", "12345", "sk_test", "151 2", "=abc"]
    {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert_eq!(
        lines[0]["cause"],
        json!(["cannot reach postgres://[secret]@db/orderly", "card [card] of [email]"])
    );
    assert_eq!(lines[0]["message"], "call [phone] about token=[secret]");
    assert_eq!(lines[0]["password"], "[secret]");
}

#[test]
fn the_filter_is_told_as_it_was_set_last() {
    let log = Log::json("info");
    assert_eq!(log.control.filter().unwrap(), "info");
    log.control.set_filter("info,orders=debug").unwrap();
    log.control.set_filter("info,orders=loud").unwrap_err();
    assert_eq!(log.control.filter().unwrap(), "info,orders=debug");
}

proptest! {
    #[test]
    fn any_texts_and_numbers_give_one_line_with_the_fixed_fields(
        texts in any::<[String; 4]>(),
        ratio in any::<f64>(),
        count in any::<i128>(),
    ) {
        // What is taken out of texts is the matter of other tests.
        let texts = texts.map(|text| crate::scrub::scrub(text, false));
        let [user, order, message, event] = &texts;
        let line = Log::json("trace").line_of(|| {
            let _span = info_span!("request", trace_id = user, user_id = user, ratio).entered();
            tracing::event!(Level::WARN, event, order_id = ?order, count, "{message}");
        });
        for key in ["timestamp", "level", "service", "trace_id", "span_id", "event", "message"] {
            prop_assert!(line.get(key).is_some(), "{key}");
        }
        prop_assert_eq!(line["event"].as_str(), Some(event.as_str()));
        prop_assert_eq!(line["message"].as_str(), Some(message.as_str()));
        prop_assert_eq!(line["user_id"].as_str(), Some(user.as_str()));
        let (debug, count) = (format!("{order:?}"), count.to_string());
        prop_assert_eq!(line["order_id"].as_str(), Some(debug.as_str()));
        prop_assert_eq!(line["count"].as_str(), Some(count.as_str()));
        // Read back by the same parser: it may round the last digit.
        let expected = if ratio.is_finite() { format!("{ratio:?}") } else { "null".to_owned() };
        let expected: Json = serde_json::from_str(&expected).unwrap();
        prop_assert_eq!(&line["ratio"], &expected);
    }

    #[test]
    fn huge_texts_are_cut(text in "[a-zé€]{5000,6000}") {
        let line = Log::json("info").line_of(|| info!(note = %text, "{text}"));
        for key in ["note", "message"] {
            let kept = line[key].as_str().expect("a text");
            let start = kept.strip_suffix('…').expect("marked as cut");
            prop_assert!(start.len() <= 4096 && start.len() > 4092, "{}", start.len());
            prop_assert!(text.starts_with(start));
        }
    }
}
