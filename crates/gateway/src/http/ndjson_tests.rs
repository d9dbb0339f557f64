//! Tests of the streams of lines.

use super::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

type Chunk = Result<Bytes, PayloadError>;

fn source(chunks: &[&str]) -> impl Stream<Item = Chunk> + Unpin + use<> {
    let chunks: Vec<Chunk> =
        chunks.iter().map(|text| Ok(Bytes::copy_from_slice(text.as_bytes()))).collect();
    stream::iter(chunks)
}

async fn read(source: impl Stream<Item = Chunk> + Unpin) -> Vec<(u64, Result<String, Code>)> {
    let mut lines = Lines::new(source);
    let mut read = Vec::new();
    while let Some(line) = lines.next().await {
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).expect("text");
        read.push((line.number, line.content.map(text).map_err(|problem| problem.code())));
    }
    read
}

fn ok(number: u64, text: &str) -> (u64, Result<String, Code>) {
    (number, Ok(text.to_owned()))
}

#[actix_web::test]
async fn lines_do_not_depend_on_how_the_bytes_arrive() {
    let body = "one\n\ntwo\r\n  \nthree";
    let expected = vec![ok(1, "one"), ok(3, "two\r"), ok(5, "three")];
    assert_eq!(read(source(&[body])).await, expected);
    let bytes: Vec<String> = body.chars().map(String::from).collect();
    let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
    assert_eq!(read(source(&bytes)).await, expected);
    assert_eq!(read(source(&[])).await, vec![]);
    assert_eq!(read(source(&["\n\n"])).await, vec![]);
}

#[actix_web::test]
async fn a_line_that_is_too_long_harms_no_other() {
    let long = "x".repeat(BODY_BYTES_MAX + 1);
    let too_large = |number| (number, Err(Code::PayloadTooLarge));
    let whole = format!("a\n{long}\nb\n");
    assert_eq!(read(source(&[&whole])).await, vec![ok(1, "a"), too_large(2), ok(3, "b")]);
    let parts = ["a\n", &long, &long, "xx\nb", "\nc\n"];
    assert_eq!(read(source(&parts)).await, vec![ok(1, "a"), too_large(2), ok(3, "b"), ok(4, "c")]);
    let longest = "x".repeat(BODY_BYTES_MAX);
    assert_eq!(read(source(&[&longest])).await, vec![ok(1, &longest)]);
}

#[actix_web::test]
async fn a_broken_stream_ends_with_an_error_line() {
    let broken = source(&["a\nb"]).chain(stream::iter([Err(PayloadError::Incomplete(None))]));
    assert_eq!(read(broken).await, vec![ok(1, "a"), (2, Err(Code::InvalidBody))]);
}

#[actix_web::test]
async fn a_silent_stream_ends_with_an_error_line() {
    tokio::time::pause();
    let silent = source(&["a\n"]).chain(stream::pending());
    assert_eq!(read(silent).await, vec![ok(1, "a"), (2, Err(Code::RequestTimeout))]);
}

/// Gives `bytes`, one in every `every`, with the time that passed before each.
fn trickle(bytes: &'static [u8], every: Duration) -> impl Stream<Item = Chunk> + Unpin {
    Box::pin(stream::iter(bytes.chunks(1)).then(move |byte| async move {
        tokio::time::sleep(every).await;
        Ok(Bytes::from_static(byte))
    }))
}

#[actix_web::test]
async fn a_line_that_trickles_in_ends_the_stream_and_slow_lines_do_not() {
    tokio::time::pause();
    let trickling = trickle(b"abcdefghijklmnop\n", Duration::from_secs(1));
    let first = source(&["a\n"]).chain(trickling);
    assert_eq!(read(first).await, vec![ok(1, "a"), (2, Err(Code::RequestTimeout))]);
    // Each line takes eight seconds, and all of them half a minute.
    let slow = trickle(b"a\nb\nc\nd\n", Duration::from_secs(4));
    assert_eq!(read(slow).await, vec![ok(1, "a"), ok(2, "b"), ok(3, "c"), ok(4, "d")]);
}

#[actix_web::test]
async fn broken_off_waiting_counts_and_time_in_which_nobody_waits_does_not() {
    tokio::time::pause();
    let mut lines = Lines::new(source(&["a"]).chain(stream::pending()));
    for _ in 0..3 {
        assert!(timeout(Duration::from_secs(3), lines.next()).await.is_err());
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    let began = Instant::now();
    let line = lines.next().await.expect("an end");
    assert_eq!(line.content.expect_err("too slow").code(), Code::RequestTimeout);
    // One of ten seconds was left; timers are good to a millisecond.
    assert!(began.elapsed().as_millis().abs_diff(1_000) < 10, "{:?}", began.elapsed());
}

#[test]
fn outcomes_are_lines_of_json() {
    assert_eq!(
        good_line(7, 201, "order", "{\"id\":1}"),
        "{\"line\":7,\"status\":201,\"order\":{\"id\":1}}\n"
    );
    let bad = bad_line(7, &Problem::overloaded(), "00");
    let json: serde_json::Value = serde_json::from_str(&bad).expect("json");
    assert_eq!(json["status"], 503);
    assert_eq!(json["error"]["code"], "OVERLOADED");
    assert!(bad.ends_with('\n') && bad.matches('\n').count() == 1);
}

async fn drain(mut receiver: mpsc::Receiver<Bytes>) -> Vec<String> {
    let mut sent = Vec::new();
    while let Some(bytes) = receiver.recv().await {
        sent.push(String::from_utf8(bytes.to_vec()).expect("text"));
    }
    sent
}

#[actix_web::test]
async fn lines_run_side_by_side_up_to_the_limit_and_all_are_answered() {
    let body: String = (1..=10).map(|n| format!("{n}\n")).collect();
    let (sender, receiver) = mpsc::channel(100);
    let (running, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let observed = most.clone();
    let work = move |number: u64, _: Bytes| {
        let (running, most) = (running.clone(), most.clone());
        async move {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            running.set(running.get() - 1);
            assert_ne!(number, 4, "a line whose work panics");
            format!("{number}\n")
        }
    };
    let lines = Lines::new(source(&[&body]));
    each(lines, Outlet(sender), "00".to_owned(), 3, work).await;
    let mut sent = drain(receiver).await;
    sent.sort();
    assert_eq!(sent.len(), 10);
    let crashed: Vec<_> = sent.iter().filter(|line| line.contains("\"INTERNAL\"")).collect();
    assert_eq!(crashed.len(), 1);
    assert!(crashed[0].starts_with("{\"line\":4,"));
    assert_eq!(observed.get(), 3);
}

#[actix_web::test]
async fn nothing_more_is_read_when_the_client_is_gone() {
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    let begun = Rc::new(Cell::new(0));
    let counter = begun.clone();
    let work = move |_: u64, _: Bytes| {
        counter.set(counter.get() + 1);
        async { "done\n".to_owned() }
    };
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(b"x\n")));
    each(Lines::new(endless), Outlet(sender), "00".to_owned(), 4, work).await;
    assert!(begun.get() <= 5, "{} lines were begun", begun.get());
}

#[actix_web::test]
async fn chunks_are_bounded_and_a_panic_is_answered_for_each_line() {
    let body: String = (1..=1_200).map(|n| format!("{n}\n")).collect();
    let (sender, receiver) = mpsc::channel(100);
    let sizes = Rc::new(RefCell::new(Vec::new()));
    let seen = sizes.clone();
    let work = move |chunk: Vec<(u64, Bytes)>| {
        sizes.borrow_mut().push(chunk.len());
        async move {
            assert_ne!(chunk[0].0, 501, "the second chunk panics");
            chunk.iter().map(|(number, _)| format!("{number}\n")).collect()
        }
    };
    chunks(Lines::new(source(&[&body])), Outlet(sender), "00".to_owned(), work).await;
    assert_eq!(*seen.borrow(), [500, 500, 200]);
    let sent = drain(receiver).await.concat();
    let lines: Vec<&str> = sent.lines().collect();
    assert_eq!(lines.len(), 1_200);
    assert_eq!(lines[0], "1");
    assert!(lines[500].starts_with("{\"line\":501,\"status\":500,"));
    assert_eq!(lines[1_199], "1200");
}

#[actix_web::test]
async fn a_chunk_does_not_wait_for_more() {
    let (sender, receiver) = mpsc::channel(100);
    let slow = source(&["a\nb\n"]).chain(stream::pending());
    let work = |chunk: Vec<(u64, Bytes)>| async move { vec![format!("{}\n", chunk.len())] };
    tokio::time::pause();
    chunks(Lines::new(slow), Outlet(sender), "00".to_owned(), work).await;
    let sent = drain(receiver).await;
    assert_eq!(sent[0], "2\n");
    assert!(sent[1].contains("REQUEST_TIMEOUT"), "{}", sent[1]);
}
