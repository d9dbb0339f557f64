//! Why nothing could be asked or compared.

/// Why nothing could be asked or compared.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Nobody answers there, or the answer broke off.
    #[error("Prometheus at {url} does not answer")]
    Away {
        /// Where it was looked for.
        url: String,
        /// What the network says.
        source: reqwest::Error,
    },
    /// It answers, and says no.
    #[error("Prometheus refuses the query {query}: {message}")]
    Refused {
        /// What was asked.
        query: String,
        /// What it says about that.
        message: String,
    },
    /// What answers is no Prometheus.
    #[error("what answers at {url} is not the HTTP API of Prometheus: {message}")]
    Odd {
        /// Who was asked.
        url: String,
        /// What is wrong with the answer.
        message: String,
    },
    /// The baseline is no baseline of this program.
    #[error("the baseline cannot be used: {0}")]
    Baseline(String),
    /// No client could be made.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}
