//! The HTTP API of Prometheus, as far as it is needed.

use crate::query::Scope;
use crate::signals::SIGNALS;
use crate::{GateError, Series, Window};
use serde::Deserialize;
use std::time::Duration;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A Prometheus that is asked.
#[derive(Debug)]
pub struct Prometheus {
    http: reqwest::Client,
    url: String,
}

/// What it answers, be it well or badly.
#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    result: serde_json::Value,
}

/// One row of values: `[seconds, "number"]` each.
#[derive(Deserialize)]
struct Row {
    values: Vec<(f64, String)>,
}

impl Prometheus {
    /// At a base URL, such as `http://127.0.0.1:9090`.
    ///
    /// # Errors
    /// [`GateError::Client`] if no HTTP client can be made.
    pub fn at(url: &str) -> Result<Self, GateError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .build()
            .map_err(GateError::Client)?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned() })
    }

    /// Its own time, in seconds since 1970: what it has scraped is told by its clock, not by ours.
    ///
    /// # Errors
    /// [`GateError`] if it does not answer.
    pub async fn now(&self) -> Result<f64, GateError> {
        let result = self.ask("query", &[("query", "time()".to_owned())]).await?;
        let at: Result<(f64, String), _> = serde_json::from_value(result);
        at.map(|(at, _)| at).map_err(|error| self.odd(&error.to_string()))
    }

    /// Every signal in the last `windows` windows of `seconds` before `until`, in the order of
    /// [`SIGNALS`].
    ///
    /// # Errors
    /// [`GateError`] if it does not answer, or does not understand.
    pub async fn series(
        &self,
        scope: &Scope,
        seconds: u64,
        windows: u32,
        until: f64,
    ) -> Result<Vec<Series>, GateError> {
        let mut all = Vec::with_capacity(SIGNALS.len());
        for signal in SIGNALS {
            let asked = scope.questions(signal, seconds);
            let values = self.range(&asked.value, seconds, windows, until).await?;
            let samples = self.range(&asked.samples, seconds, windows, until).await?;
            let both = values.into_iter().zip(samples);
            let windows = both.map(|((began, value), (_, samples))| Window {
                began,
                value,
                samples: samples.unwrap_or(0.0),
            });
            all.push(Series { windows: windows.collect() });
        }
        Ok(all)
    }

    /// A question at the end of each window: when the window began, and the answer.
    #[expect(clippy::cast_precision_loss, reason = "seconds of a window are few")]
    async fn range(
        &self,
        query: &str,
        seconds: u64,
        windows: u32,
        until: f64,
    ) -> Result<Vec<(f64, Option<f64>)>, GateError> {
        let length = seconds as f64;
        let ends: Vec<f64> =
            (0..windows).rev().map(|back| until - length * f64::from(back)).collect();
        let start = ends.first().copied().unwrap_or(until);
        let asked = [
            ("query", query.to_owned()),
            ("start", format!("{start:.3}")),
            ("end", format!("{until:.3}")),
            ("step", format!("{seconds}")),
        ];
        let rows: Vec<Row> = serde_json::from_value(self.ask("query_range", &asked).await?)
            .map_err(|error| self.odd(&error.to_string()))?;
        if rows.len() > 1 {
            return Err(self.odd(&format!("{} rows for {query}", rows.len())));
        }
        let values = rows.first().map_or(&[][..], |row| &row.values);
        let at = |end: f64| {
            let near = |(at, _): &&(f64, String)| (at - end).abs() < length / 2.0;
            values.iter().find(near).and_then(|(_, number)| number.parse().ok())
        };
        Ok(ends.iter().map(|end| (end - length, at(*end))).collect())
    }

    async fn ask(
        &self,
        path: &str,
        asked: &[(&str, String)],
    ) -> Result<serde_json::Value, GateError> {
        let away = |source| GateError::Away { url: self.url.clone(), source };
        let request = self.http.get(format!("{}/api/v1/{path}", self.url)).query(asked);
        let response = request.send().await.map_err(away)?;
        let status = response.status();
        let text = response.text().await.map_err(away)?;
        let answer: Answer = serde_json::from_str(&text)
            .map_err(|_| self.odd(&format!("status {status}, and no answer in JSON")))?;
        match answer.data {
            Some(data) if answer.status == "success" => Ok(data.result),
            _ => {
                let query = asked.first().map(|(_, query)| query.clone()).unwrap_or_default();
                Err(GateError::Refused { query, message: answer.error })
            }
        }
    }

    fn odd(&self, message: &str) -> GateError {
        GateError::Odd { url: self.url.clone(), message: message.to_owned() }
    }
}
