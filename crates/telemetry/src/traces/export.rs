//! Sends spans to a collector, in a thread of its own. Whatever the collector does, nobody else
//! waits for it: what finds the queue full, or is not taken, is gone and counted.

use std::sync::mpsc as blocking;
use std::thread;
use std::time::Duration;

use reqwest::Client;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::TraceConfig;
use super::otlp::encode;
use super::trail::Span;
use crate::TelemetryError;

/// Traces that wait to be sent.
const WAITING_MAX: usize = 2_048;
/// Spans in one request, roughly: a trace is not taken apart.
const SPANS_MAX: usize = 512;
/// How long spans are gathered before they are sent.
const GATHER: Duration = Duration::from_millis(500);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last spans may take when the process ends.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

pub(super) enum Message {
    Spans(Vec<Span>),
    Flush(blocking::Sender<()>),
}

/// The way to the thread that sends.
#[derive(Clone)]
pub(crate) struct Exporter(mpsc::Sender<Message>);

impl Exporter {
    #[cfg(test)]
    pub(super) const fn to(sender: mpsc::Sender<Message>) -> Self {
        Self(sender)
    }

    /// Hands spans over, at once or not at all.
    pub(crate) fn send(&self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        if self.0.try_send(Message::Spans(spans)).is_err() {
            metrics::counter!("trace_spans_total", "outcome" => "queue_full").increment(count);
        }
    }
}

/// Lets the process wait for its last spans.
pub struct TracesHandle(Exporter);

impl TracesHandle {
    /// Sends what waits, if the collector takes it within three seconds. Blocks.
    pub fn flush(&self) {
        let (done, wait) = blocking::channel();
        if self.0.0.try_send(Message::Flush(done)).is_ok() {
            // If it takes longer, the spans are lost, and that is all.
            let _ = wait.recv_timeout(LAST_PATIENCE);
        }
    }
}

/// Starts the thread.
///
/// # Errors
/// [`TelemetryError::Traces`] if the address cannot be read or there is no thread to be had.
pub(crate) fn start(config: &TraceConfig) -> Result<(Exporter, TracesHandle), TelemetryError> {
    let no = |why: String| TelemetryError::Traces { endpoint: config.endpoint.clone(), why };
    let address = format!("{}/v1/traces", config.endpoint.trim_end_matches('/'));
    let address = reqwest::Url::parse(&address).map_err(|error| no(error.to_string()))?;
    let client = Client::builder().timeout(PATIENCE).no_proxy();
    let client = client.build().map_err(|error| no(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| no(error.to_string()))?;
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let sending = Sending {
        client,
        address,
        service: config.service.clone(),
        instance: config.instance.clone(),
        away: false,
    };
    let thread = thread::Builder::new().name("otlp".to_owned());
    let run = move || runtime.block_on(sending.run(receiver));
    thread.spawn(run).map_err(|error| no(error.to_string()))?;
    Ok((Exporter(sender.clone()), TracesHandle(Exporter(sender))))
}

struct Sending {
    client: Client,
    address: reqwest::Url,
    service: String,
    instance: String,
    /// The collector did not take what was sent last.
    away: bool,
}

impl Sending {
    async fn run(mut self, mut from: mpsc::Receiver<Message>) {
        while let Some(first) = from.recv().await {
            let mut spans = Vec::new();
            let mut flushes = Vec::new();
            let until = Instant::now() + GATHER;
            let mut next = Some(first);
            while let Some(message) = next.take() {
                match message {
                    Message::Spans(more) => spans.extend(more),
                    Message::Flush(done) => flushes.push(done),
                }
                let is_urgent = !flushes.is_empty() || spans.len() >= SPANS_MAX;
                next = if is_urgent {
                    None
                } else {
                    timeout_at(until, from.recv()).await.ok().flatten()
                };
            }
            if !spans.is_empty() {
                self.send(spans).await;
            }
            for done in flushes {
                // Whoever waited may have given up.
                let _ = done.send(());
            }
        }
    }

    async fn send(&mut self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        let body = encode(&self.service, &self.instance, spans);
        let request = self.client.post(self.address.clone());
        let request = request.header("content-type", "application/x-protobuf").body(body);
        let refused = match request.send().await {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status())),
            Err(error) => Some(chain(&error)),
        };
        let outcome = if refused.is_none() { "exported" } else { "not_taken" };
        metrics::counter!("trace_spans_total", "outcome" => outcome).increment(count);
        match refused {
            Some(cause) if !self.away => {
                self.away = true;
                tracing::warn!(
                    event = "collector_away",
                    cause,
                    "the collector of traces does not take them; they are dropped until it does"
                );
            }
            None if self.away => {
                self.away = false;
                tracing::info!(
                    event = "collector_back",
                    "the collector of traces takes them again"
                );
            }
            _ => {}
        }
    }
}

/// An error with its causes, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    crate::fields::cause_chain(error).join(": ")
}
