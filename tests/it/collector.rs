//! A collector of traces: it takes OTLP over HTTP, as any other does, and keeps what it is told.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

pub struct Collector {
    pub url: String,
    spans: Arc<Mutex<Vec<Span>>>,
    server: JoinHandle<()>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let spans = Arc::new(Mutex::new(Vec::new()));
        let taken = spans.clone();
        let server = tokio::spawn(async move {
            // They end with the collector.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, taken.clone()));
            }
        });
        Self { url, spans, server }
    }

    /// The spans of a trace, as far as they have come in.
    pub fn trace(&self, trace_id: &str) -> Vec<Span> {
        let of_trace = |span: &&Span| hex(&span.trace_id) == trace_id;
        self.spans.lock().unwrap().iter().filter(of_trace).cloned().collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Answers one request after the other.
async fn serve(stream: TcpStream, taken: Arc<Mutex<Vec<Span>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
            if first.is_empty() {
                first = line;
            }
        }
        assert!(first.starts_with("post /v1/traces "), "{first}");
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let request = ExportTraceServiceRequest::decode(&*body).expect("OTLP");
        for of_resource in request.resource_spans {
            let names: Vec<String> =
                of_resource.resource.unwrap().attributes.into_iter().map(|it| it.key).collect();
            assert!(names.contains(&"service.name".to_owned()), "{names:?}");
            let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            taken.lock().unwrap().extend(spans);
        }
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// As it stands in headers and logs.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
