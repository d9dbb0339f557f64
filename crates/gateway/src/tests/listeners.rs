//! The two listeners, over real sockets.

use super::{ADMIN, config, in_a_shop, probes};
use crate::{GatewayConfig, GatewayError, start};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends bytes and reads until the server closes.
async fn talk(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(bytes.as_bytes()).await.expect("sends");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("reads");
    String::from_utf8(answer).expect("text")
}

async fn get(address: SocketAddr, path: &str) -> String {
    talk(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
}

#[test]
fn probes_are_on_both_and_metrics_on_the_private_one_only() {
    in_a_shop(|services, _| async move {
        let gateway = start(services, probes(), &config()).expect("starts");
        let (public, private) = (gateway.public_address(), gateway.private_address());
        for address in [public, private] {
            assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
            assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 503"));
        }
        assert!(get(private, "/metrics").await.ends_with("orders_total 7\n"));
        assert!(get(private, "/v1/orders").await.starts_with("HTTP/1.1 404"));
        assert!(get(public, "/metrics").await.starts_with("HTTP/1.1 404"));
        let wrong = "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        assert!(talk(private, wrong).await.starts_with("HTTP/1.1 405"));
        gateway.stop(true).await;
        assert!(TcpStream::connect(public).await.is_err());
        assert!(TcpStream::connect(private).await.is_err());
    });
}

#[test]
fn a_stream_is_answered_while_it_is_sent() {
    in_a_shop(|services, _| async move {
        let gateway = start(services, probes(), &config()).expect("starts");
        let mut stream = TcpStream::connect(gateway.public_address()).await.expect("connects");
        let head = format!(
            "POST /v1/stock:batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("sends");
        let mut answer = String::new();
        for number in 1..=3 {
            let line = "{\"sku\":\"A\",\"delta\":1}\n";
            let chunk = format!("{:x}\r\n{line}\r\n", line.len());
            stream.write_all(chunk.as_bytes()).await.expect("sends");
            // The outcome comes although the stream has not ended.
            while !answer.contains(&format!("{{\"line\":{number},")) {
                let mut bytes = [0; 4096];
                let read = stream.read(&mut bytes).await.expect("reads");
                assert_ne!(read, 0, "the answer broke off: {answer}");
                answer.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        }
        stream.write_all(b"0\r\n\r\n").await.expect("sends");
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.expect("reads");
        assert!((answer + &rest).ends_with("0\r\n\r\n"));
        gateway.stop(true).await;
    });
}

#[test]
fn both_lengths_at_once_are_refused() {
    in_a_shop(|services, _| async move {
        let gateway = start(services, probes(), &config()).expect("starts");
        for headers in [
            "Content-Length: 2\r\nTransfer-Encoding: chunked",
            "Content-Length: 2\r\nContent-Length: 3",
            "Content-Length: +2",
            "Transfer-Encoding: xchunked",
            "Content-Length : 2",
        ] {
            let request = format!("POST /v1/orders HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n{{}}");
            let answer = talk(gateway.public_address(), &request).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{headers}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{headers}: {answer}");
        }
        gateway.stop(true).await;
    });
}

#[test]
fn a_body_that_nobody_read_is_not_taken_for_a_request() {
    in_a_shop(|services, _| async move {
        let gateway = start(services, probes(), &config()).expect("starts");
        let hidden = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
        let length = hidden.len();
        let request = format!(
            "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{hidden}\
             GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );
        let answer = talk(gateway.public_address(), &request).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
        gateway.stop(true).await;
    });
}

#[test]
fn an_address_in_use_is_told() {
    in_a_shop(|services, _| async move {
        let first = start(services.clone(), probes(), &config()).expect("starts");
        let taken = GatewayConfig { private_listen: first.private_address(), ..config() };
        let error = start(services, probes(), &taken).err().expect("refused");
        assert!(matches!(error, GatewayError::Listen { .. }), "{error}");
        first.stop(true).await;
    });
}
