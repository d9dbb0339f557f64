//! Something else than a socket between us and the provider, for simulated time: the requests are
//! made, and the answers are read, by the same code.

use super::{HttpProvider, ProviderConfig, ProviderError};
use async_trait::async_trait;
use reqwest::RequestBuilder;
use std::sync::Arc;
use std::time::Duration;

/// A request to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// `Idempotency-Key`.
    pub key: Option<String>,
    /// The form.
    pub body: String,
}

/// The way of requests to the provider, and of its answers.
#[async_trait]
pub trait Wire: Send + Sync {
    /// Takes a request there and its answer back: status and body, or what was seen instead.
    async fn exchange(&self, request: WireRequest) -> Result<(u16, Vec<u8>), String>;
}

impl HttpProvider {
    /// A provider that is reached over `wire`.
    ///
    /// # Errors
    /// See [`ProviderError`].
    pub fn over(config: ProviderConfig, wire: Arc<dyn Wire>) -> Result<Self, ProviderError> {
        let mut provider = Self::new(config)?;
        provider.wire = Some(wire);
        Ok(provider)
    }
}

pub(super) async fn exchange(
    wire: &dyn Wire,
    request: RequestBuilder,
    patience: Duration,
) -> Result<(u16, Vec<u8>), String> {
    let request = request.build().map_err(|error| error.to_string())?;
    let (url, headers) = (request.url(), request.headers());
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let key = headers.get("Idempotency-Key").and_then(|key| key.to_str().ok());
    let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default();
    let request = WireRequest {
        method: request.method().to_string(),
        path: format!("{}{query}", url.path()),
        key: key.map(str::to_owned),
        body: String::from_utf8_lossy(body).into_owned(),
    };
    match tokio::time::timeout(patience, wire.exchange(request)).await {
        Ok(answer) => answer,
        Err(_) => Err("no answer in time".to_owned()),
    }
}
