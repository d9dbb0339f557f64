//! Slow clients, clients that speak no HTTP, and a gateway that stops: over real sockets.

use super::{ADMIN, config, in_a_shop, probes};
use crate::{GatewayConfig, start};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A gateway that has less patience, and still more than a busy machine takes for a request.
fn impatient() -> GatewayConfig {
    let mut config = config();
    config.limits.request_head = Duration::from_secs(1);
    config.limits.request_body = Duration::from_secs(1);
    config.limits.keep_alive = Duration::from_secs(3);
    config
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("connects")
}

/// Reads until the server ends the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is cut may end in an error.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).expect("text")
}

/// Reads one answer with a body, as its head and its body.
async fn one(stream: &mut TcpStream) -> (String, String) {
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= length(head)
        {
            return (head.to_owned(), body.to_owned());
        }
        let read = stream.read_buf(&mut answer).await.expect("reads");
        assert_ne!(read, 0, "the answer broke off: {text}");
    }
}

fn length(head: &str) -> usize {
    let line = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    line.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Fails unless this is one whole problem, and the last one of its connection.
fn check_last(answer: &str, status: u16, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    assert!(head.contains("\r\nconnection: close"), "{answer}");
    assert!(head.contains("\r\ncontent-type: application/problem+json"), "{answer}");
    let body: Value = serde_json::from_str(body).expect("json");
    assert_eq!((&body["status"], &body["code"]), (&status.into(), &code.into()), "{answer}");
    let trace = format!("\r\nx-trace-id: {}", body["trace_id"].as_str().expect("a trace"));
    assert!(head.contains(&trace), "{answer}");
}

const GET: &str = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn a_client_that_does_not_finish_its_head_is_cut_and_others_are_served_meanwhile() {
    in_a_shop(|services, _| async move {
        let gateway = start(services, probes(), &impatient()).expect("starts");
        let address = gateway.public_address();
        let (mut silent, mut slow) = (connect(address).await, connect(address).await);
        slow.write_all(b"GET /livez HTTP/1.1\r\nHos").await.expect("sends");
        let mut healthy = connect(address).await;
        for _ in 0..5 {
            healthy.write_all(GET.as_bytes()).await.expect("sends");
            assert!(one(&mut healthy).await.0.starts_with("HTTP/1.1 200 "));
        }
        check_last(&rest(&mut slow).await, 408, "REQUEST_TIMEOUT");
        check_last(&rest(&mut silent).await, 408, "REQUEST_TIMEOUT");
        // The same on a connection that was good until now.
        healthy.write_all(GET.as_bytes()).await.expect("sends");
        assert!(one(&mut healthy).await.0.starts_with("HTTP/1.1 200 "));
        healthy.write_all(b"G").await.expect("sends");
        check_last(&rest(&mut healthy).await, 408, "REQUEST_TIMEOUT");
        gateway.stop(true).await;
    });
}

#[test]
fn a_head_that_trickles_in_has_no_more_time_than_another() {
    in_a_shop(|services, _| async move {
        let gateway = start(services, probes(), &impatient()).expect("starts");
        let mut slow = connect(gateway.public_address()).await;
        // Byte by byte, for as long as the server listens: it must be the server that ends this.
        let bytes = std::iter::repeat(b'x');
        slow.write_all(b"GET /livez HTTP/1.1\r\nX-Slow: ").await.expect("sends");
        let mut answer = Vec::new();
        for byte in bytes {
            let _ = slow.write_all(&[byte]).await;
            let wait = Duration::from_millis(5);
            let read = tokio::time::timeout(wait, slow.read_buf(&mut answer)).await;
            if matches!(read, Ok(Ok(0) | Err(_))) {
                break;
            }
        }
        let answer = String::from_utf8(answer).expect("text");
        // The answer may be lost, because the client wrote on when the connection was closed.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
        gateway.stop(true).await;
    });
}

#[test]
fn a_body_that_does_not_arrive_is_not_waited_for() {
    in_a_shop(|services, _| async move {
        let gateway = start(services, probes(), &impatient()).expect("starts");
        let head = |more: &str| {
            format!(
                "POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\
                 Idempotency-Key: k\r\n{more}\r\n\r\n"
            )
        };
        for sent in [
            head("Content-Length: 100") + "{\"currency\":",
            head("Transfer-Encoding: chunked") + "4\r\n{\"cu\r\n",
        ] {
            let mut slow = connect(gateway.public_address()).await;
            slow.write_all(sent.as_bytes()).await.expect("sends");
            check_last(&rest(&mut slow).await, 408, "REQUEST_TIMEOUT");
        }
        gateway.stop(true).await;
    });
}

#[test]
fn an_idle_connection_is_kept_and_a_request_in_work_is_not_hurried() {
    in_a_shop(|services, _| async move {
        let gateway = start(services, probes(), &impatient()).expect("starts");
        let mut stream = connect(gateway.public_address()).await;
        let head = format!(
            "POST /v1/stock:batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("sends");
        // Longer than any head may take: the stream is in work, though bytes come and go.
        for _ in 0..4 {
            let line = "{\"sku\":\"A\",\"delta\":1}\n";
            let chunk = format!("{:x}\r\n{line}\r\n", line.len());
            stream.write_all(chunk.as_bytes()).await.expect("sends");
            tokio::time::sleep(Duration::from_millis(350)).await;
        }
        stream.write_all(b"0\r\n\r\n").await.expect("sends");
        let mut answer = String::new();
        while !answer.ends_with("0\r\n\r\n") {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).await.expect("reads");
            assert_ne!(read, 0, "the answer broke off: {answer}");
            answer.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        assert_eq!(answer.matches("\"status\":200").count(), 4, "{answer}");
        // And idle for longer than that.
        let mut stream = connect(gateway.public_address()).await;
        for _ in 0..2 {
            stream.write_all(GET.as_bytes()).await.expect("sends");
            assert!(one(&mut stream).await.0.starts_with("HTTP/1.1 200 "));
            tokio::time::sleep(Duration::from_millis(1_300)).await;
        }
        gateway.stop(true).await;
    });
}

#[test]
fn what_is_no_http_is_told_so_once_and_the_connection_ends() {
    in_a_shop(|services, _| async move {
        let gateway = start(services, probes(), &config()).expect("starts");
        let post = |headers: &str, body: &str| {
            format!("POST /v1/orders HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n{body}{GET}")
        };
        for sent in [
            post("Content-Length: 2\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
            post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
            post("Content-Length: 2\r\nContent-Length: 3", "{}"),
            post("Content-Length: +2", "{}"),
            post("Content-Length: -2", "{}"),
            post("Content-Length: 0x2", "{}"),
            post("Content-Length: 99999999999999999999", "{}"),
            post("Transfer-Encoding: xchunked", "0\r\n\r\n"),
            post("Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n"),
            post("Content-Length : 2", "{}"),
            post("X: 1\r\n Content-Length: 2", "{}"),
            "GET /livez HTTP/1.1\r\n\r\n".to_owned(),
            "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
            "GET /livez HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
            "GET\r\n\r\n".to_owned(),
            "\u{16}\u{3}\u{1}\u{2}\r\n\r\n".to_owned(),
        ] {
            let mut stream = connect(gateway.public_address()).await;
            stream.write_all(sent.as_bytes()).await.expect("sends");
            check_last(&rest(&mut stream).await, 400, "BAD_REQUEST");
        }
        gateway.stop(true).await;
    });
}

#[test]
fn a_head_without_end_is_refused() {
    in_a_shop(|services, _| async move {
        let gateway = start(services, probes(), &config()).expect("starts");
        for (sent, status, code) in [
            (format!("X: {}\r\n", "x".repeat(1_000)).repeat(200), 431, "HEAD_TOO_LARGE"),
            ("X: y\r\n".repeat(100), 431, "HEAD_TOO_LARGE"),
        ] {
            let mut stream = connect(gateway.public_address()).await;
            let head = format!("GET /livez HTTP/1.1\r\nHost: x\r\n{sent}");
            // The server may have refused before it has read everything.
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(b"\r\n").await;
            let answer = rest(&mut stream).await;
            if !answer.is_empty() {
                check_last(&answer, status, code);
            }
        }
        let mut stream = connect(gateway.public_address()).await;
        stream.write_all(GET.as_bytes()).await.expect("sends");
        assert!(one(&mut stream).await.0.starts_with("HTTP/1.1 200 "));
        gateway.stop(true).await;
    });
}

#[test]
fn head_has_the_length_of_get_and_no_body() {
    in_a_shop(|services, _| async move {
        let gateway = start(services, probes(), &config()).expect("starts");
        let mut stream = connect(gateway.public_address()).await;
        for path in ["/openapi.json", "/livez", "/nowhere"] {
            let ask = |method: &str| format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
            stream.write_all(ask("GET").as_bytes()).await.expect("sends");
            let (get, body) = one(&mut stream).await;
            assert_eq!(length(&get), body.len(), "{path}");
            // Both at once: a body after the first would be taken for the second answer.
            let both = ask("HEAD") + "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            stream.write_all(both.as_bytes()).await.expect("sends");
            let answers = rest(&mut stream).await;
            let (head, second) = answers.split_once("\r\n\r\n").expect("a head");
            assert_eq!(head.lines().next(), get.lines().next(), "{path}");
            assert_eq!(length(head), length(&get), "{path}");
            assert!(second.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {second}");
            stream = connect(gateway.public_address()).await;
        }
        gateway.stop(true).await;
    });
}

#[test]
fn a_gateway_that_drains_asks_its_clients_to_leave_and_finishes_what_it_has() {
    in_a_shop(|services, _| async move {
        let gateway = start(services, probes(), &config()).expect("starts");
        let address = gateway.public_address();
        let mut stream = connect(address).await;
        stream.write_all(GET.as_bytes()).await.expect("sends");
        let (head, _) = one(&mut stream).await;
        assert!(!head.contains("connection: close"), "{head}");
        gateway.drain();
        // It serves on, on this connection and on new ones, and ends each after its answer.
        stream.write_all(GET.as_bytes()).await.expect("sends");
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\nconnection: close"));
        let mut stream = connect(address).await;
        let body = "{\"delta\":1}";
        let head = format!(
            "POST /v1/stock/A/adjustments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\
             Idempotency-Key: k\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("sends");
        // The request is in work before the stop begins, and ends after it has.
        assert!(one(&mut stream).await.0.starts_with("HTTP/1.1 100 "));
        let finishing = async {
            while TcpStream::connect(address).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stream.write_all(body.as_bytes()).await.expect("sends");
            rest(&mut stream).await
        };
        let ((), answer) = futures_util::future::join(gateway.stop(true), finishing).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("\r\nconnection: close"), "{answer}");
    });
}
