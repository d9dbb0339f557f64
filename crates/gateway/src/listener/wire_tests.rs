//! Tests of the wire, over a pipe and with a clock that stands still until it is moved.

use super::*;
use actors::{SystemClock, SystemIds};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::advance;

const RULES: Rules = Rules {
    head: Duration::from_secs(5),
    unread: Duration::from_secs(30),
    idle: Duration::from_secs(80),
};

/// A wire whose client holds the other end of a pipe of `room` bytes.
fn wire(room: usize) -> (Wire<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(room);
    let bare = Bare { clock: Arc::new(SystemClock), ids: Arc::new(SystemIds) };
    (Wire::new(ours, RULES, Arc::new(bare)), theirs)
}

/// What the wire gives at this moment; `None` if it waits.
async fn now<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

/// Reads from the wire at this moment: the number of bytes, `None` if it waits for more.
async fn read(wire: &mut Wire<DuplexStream>) -> Option<io::Result<usize>> {
    now(wire.read(&mut [0; 64])).await
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_head_is_told_and_ends() {
    let (mut wire, mut client) = wire(4_096);
    assert!(read(&mut wire).await.is_none());
    advance(millis(4_999)).await;
    assert!(read(&mut wire).await.is_none());
    advance(millis(2)).await;
    assert_eq!(read(&mut wire).await.expect("ends").expect("softly"), 0);
    drop(wire);
    let mut told = String::new();
    client.read_to_string(&mut told).await.expect("reads");
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
}

#[tokio::test(start_paused = true)]
async fn bytes_one_by_one_do_not_make_the_time_longer() {
    let (mut wire, mut client) = wire(4_096);
    for _ in 0..4 {
        client.write_all(b"G").await.expect("sends");
        assert_eq!(read(&mut wire).await.expect("bytes").expect("some"), 1);
        assert!(read(&mut wire).await.is_none());
        advance(millis(1_200)).await;
    }
    assert!(read(&mut wire).await.is_none());
    advance(millis(201)).await;
    assert_eq!(read(&mut wire).await.expect("ends").expect("softly"), 0);
}

#[tokio::test(start_paused = true)]
async fn every_head_has_its_own_time_and_a_request_in_work_has_none() {
    let (mut wire, mut client) = wire(4_096);
    for _ in 0..3 {
        client.write_all(b"GET").await.expect("sends");
        assert_eq!(read(&mut wire).await.expect("bytes").expect("some"), 3);
        let working = Working::on(&wire.turn);
        assert!(read(&mut wire).await.is_none());
        // The body may take longer: that is for the handler to judge.
        advance(millis(60_000)).await;
        assert!(read(&mut wire).await.is_none());
        client.write_all(b"body").await.expect("sends");
        assert_eq!(read(&mut wire).await.expect("bytes").expect("some"), 4);
        // As long as it takes.
        for _ in 0..3 {
            assert!(read(&mut wire).await.is_none());
            advance(millis(79_000)).await;
        }
        client.write_all(b"body").await.expect("sends");
        assert_eq!(read(&mut wire).await.expect("bytes").expect("some"), 4);
        drop(working);
        // Idle between two requests: that is for the keep-alive to judge.
        assert!(read(&mut wire).await.is_none());
        advance(millis(75_000)).await;
        assert!(read(&mut wire).await.is_none());
    }
    client.write_all(b"GET").await.expect("sends");
    assert_eq!(read(&mut wire).await.expect("bytes").expect("some"), 3);
    assert!(read(&mut wire).await.is_none());
    advance(millis(5_001)).await;
    assert_eq!(read(&mut wire).await.expect("ends").expect("softly"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_request_that_was_answered_is_not_waited_for() {
    let (mut wire, mut client) = wire(4_096);
    client.write_all(b"POST").await.expect("sends");
    assert_eq!(read(&mut wire).await.expect("bytes").expect("some"), 4);
    let working = Working::on(&wire.turn);
    assert!(read(&mut wire).await.is_none());
    drop(working);
    assert_eq!(now(wire.write(b"no")).await.expect("some").expect("is sent"), 2);
    advance(millis(79_999)).await;
    assert!(read(&mut wire).await.is_none());
    advance(millis(2)).await;
    // It ends without a word: everything was said.
    assert_eq!(read(&mut wire).await.expect("ends").expect("softly"), 0);
    drop(wire);
    let mut told = String::new();
    client.read_to_string(&mut told).await.expect("reads");
    assert_eq!(told, "no");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_reads_is_given_up() {
    let (mut wire, mut client) = wire(16);
    assert_eq!(now(wire.write(&[b'x'; 64])).await.expect("some").expect("is sent"), 16);
    assert!(now(wire.write(&[b'x'; 64])).await.is_none());
    advance(millis(29_999)).await;
    assert!(now(wire.write(&[b'x'; 64])).await.is_none());
    // A client that reads slowly is a client.
    client.read_exact(&mut [0; 1]).await.expect("reads");
    assert_eq!(now(wire.write(&[b'x'; 64])).await.expect("some").expect("is sent"), 1);
    assert!(now(wire.write(&[b'x'; 64])).await.is_none());
    advance(millis(30_001)).await;
    let error = now(wire.write(&[b'x'; 64])).await.expect("an end").expect_err("given up");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_in_the_middle_of_an_answer() {
    let (mut wire, mut client) = wire(16);
    assert_eq!(now(wire.write(&[b'x'; 64])).await.expect("some").expect("is sent"), 16);
    assert!(now(wire.write(&[b'x'; 64])).await.is_none());
    advance(millis(5_001)).await;
    let error = read(&mut wire).await.expect("an end").expect_err("cut");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(wire);
    let mut told = Vec::new();
    client.read_to_end(&mut told).await.expect("reads");
    assert_eq!(told, [b'x'; 16]);
}

#[tokio::test(start_paused = true)]
async fn a_bare_answer_becomes_a_problem_also_over_a_narrow_pipe() {
    let (mut wire, mut client) = wire(16);
    let bare = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let reading = tokio::spawn(async move {
        let mut told = String::new();
        client.read_to_string(&mut told).await.expect("reads");
        told
    });
    wire.write_all(bare).await.expect("sends");
    wire.flush().await.expect("sends");
    wire.shutdown().await.expect("ends");
    let told = reading.await.expect("ends");
    assert!(told.starts_with("HTTP/1.1 400 ") && told.contains("\"BAD_REQUEST\""), "{told}");
}
