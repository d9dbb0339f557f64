//! The provider's own books, if it shows them.

use super::ProviderError;
use super::http::HttpProvider;
use domain::parse_currency;
use futures_util::StreamExt;
use reqwest::StatusCode;
use serde::Deserialize;
use std::time::Duration;

/// The whole books: no time-out but the connection's own.
const PATIENCE: Duration = Duration::from_secs(600);

/// Longest line; one has about 300 bytes.
const LINE_MAX_BYTES: usize = 64 * 1024;

/// One payment in the provider's own books.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LedgerEntry {
    /// The provider's name of the payment.
    pub payment_intent: String,
    /// The order it was made for.
    pub order_id: Option<String>,
    /// What was asked for, in minor units.
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// What was taken, in minor units.
    pub captured: i64,
    /// What was given back, in minor units.
    pub refunded: i64,
    /// The provider's word for where it stands.
    pub status: String,
}

impl HttpProvider {
    pub(super) async fn read_ledger(&self) -> Result<Option<Vec<LedgerEntry>>, ProviderError> {
        #[cfg(feature = "simulation")]
        if let Some(wire) = &self.wire {
            let shown = super::wire::exchange(&**wire, self.get("/ledger"), PATIENCE).await;
            let (_, lines) = shown.map_err(ProviderError::Ledger)?;
            let mut entries = Vec::new();
            parse_lines(&lines, &mut entries)?;
            return Ok(Some(entries));
        }
        let response = self.get("/ledger").timeout(PATIENCE).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !response.status().is_success() {
            return Err(ProviderError::Ledger(format!("the answer is {}", response.status())));
        }
        let mut stream = response.bytes_stream();
        let (mut entries, mut rest) = (Vec::new(), Vec::new());
        while let Some(chunk) = stream.next().await {
            rest.extend_from_slice(&chunk?);
            let complete = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            parse_lines(&rest[..complete], &mut entries)?;
            rest.drain(..complete);
            if rest.len() > LINE_MAX_BYTES {
                return Err(ProviderError::Ledger("a line is too long".to_owned()));
            }
        }
        parse_lines(&rest, &mut entries)?;
        Ok(Some(entries))
    }
}

fn parse_lines(lines: &[u8], entries: &mut Vec<LedgerEntry>) -> Result<(), ProviderError> {
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let entry: LedgerEntry = serde_json::from_slice(line)
            .map_err(|error| ProviderError::Ledger(error.to_string()))?;
        if parse_currency(&entry.currency).is_none() {
            return Err(ProviderError::Ledger(format!("{} is no currency", entry.currency)));
        }
        entries.push(entry);
    }
    Ok(())
}
