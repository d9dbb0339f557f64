//! The bank: a process with its own ledger, and its faults.

use crate::http;
use crate::link::Link;
use crate::process::Program;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const START_PATIENCE: Duration = Duration::from_secs(60);

/// Faults that spoil a call, by the names under which the bank counts them.
const SPOILING: &[&str] = &[
    "error_before",
    "error_after",
    "reset_before",
    "lost_reply",
    "rate_limit",
    "malformed",
    "oversized",
    "wrong_amount",
];

/// How many calls were spoiled.
#[must_use]
pub fn spoiled(fired: &BTreeMap<String, u64>) -> u64 {
    SPOILING.iter().filter_map(|name| fired.get(*name)).sum()
}

/// One payment in the bank's books.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct LedgerEntry {
    /// The bank's name of the payment.
    pub payment_intent: String,
    /// The key that the charge came with.
    #[serde(default)]
    pub idempotency_key: Option<String>,
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
    /// Where it stands.
    pub status: String,
}

/// The bank, behind one link per node.
pub struct Bank {
    program_path: PathBuf,
    folder: PathBuf,
    http: reqwest::Client,
    program: Option<Program>,
    address: SocketAddr,
    links: Vec<Arc<Link>>,
    faults: Value,
    webhook: Option<Value>,
    /// Counts of faults of the lives that have ended.
    fired_before: BTreeMap<String, u64>,
}

impl Bank {
    /// Starts the bank with a new ledger.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(program_path: &Path, folder: &Path) -> Result<Self> {
        let mut bank = Self {
            program_path: program_path.to_owned(),
            folder: folder.to_owned(),
            http: http::client(Duration::from_secs(60), false)?,
            program: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            links: Vec::new(),
            faults: json!({}),
            webhook: None,
            fired_before: BTreeMap::new(),
        };
        bank.serve().await?;
        Ok(bank)
    }

    /// Where it listens now.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Nodes come through these links; they follow the bank to its new address after a restart.
    pub fn reached_through(&mut self, links: Vec<Arc<Link>>) {
        self.links = links;
    }

    /// Starts it, again with the same ledger and the same faults.
    ///
    /// # Errors
    /// It does not start.
    pub async fn serve(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program_path);
        command.env_clear().args(["bank", "--listen", "127.0.0.1:0", "--ledger"]);
        command.arg(self.folder.join("bank.ledger")).env("ORDERLY_LOG_FORMAT", "json");
        let mut program = Program::start(command, &self.folder, "bank")?;
        let url = program.announced("the bank serves on http://", START_PATIENCE).await;
        self.address = url.context("the bank does not start")?.parse()?;
        self.program = Some(program);
        for link in &self.links {
            link.lead_to(self.address);
        }
        if self.faults != json!({}) {
            let faults = self.faults.clone();
            self.set_faults(faults).await?;
        }
        if let Some(webhook) = self.webhook.clone() {
            self.put("webhook", &webhook).await?;
        }
        Ok(())
    }

    /// Lets the bank tell of what it does, there and signed with this.
    ///
    /// # Errors
    /// The bank refuses.
    pub async fn tell(&mut self, url: &str, secret: &str) -> Result<()> {
        let webhook = json!({"url": url, "secret": secret});
        self.put("webhook", &webhook).await?;
        self.webhook = Some(webhook);
        Ok(())
    }

    /// Whether it tells anybody.
    #[must_use]
    pub const fn tells(&self) -> bool {
        self.webhook.is_some()
    }

    /// Ends it as a crash does, after looking up which faults it has made.
    ///
    /// # Errors
    /// It does not say which.
    pub async fn kill(&mut self) -> Result<()> {
        self.fired_before = self.fired().await?;
        self.program = None;
        Ok(())
    }

    /// Sets what goes wrong, replacing what was set.
    ///
    /// # Errors
    /// The bank does not know such faults.
    pub async fn set_faults(&mut self, faults: Value) -> Result<()> {
        self.put("faults", &faults).await?;
        self.faults = faults;
        Ok(())
    }

    async fn put(&self, what: &str, value: &Value) -> Result<()> {
        let url = format!("http://{}/{what}", self.address);
        let answer = self.http.put(url).json(value).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("the bank refuses the {what} {value}: {status} {text}");
        }
        Ok(())
    }

    /// How often each fault has fired in all lives of the bank.
    ///
    /// # Errors
    /// The bank does not say; a bank without `GET /faults/fired` is too old for the harness.
    pub async fn fired(&self) -> Result<BTreeMap<String, u64>> {
        if self.program.is_none() {
            return Ok(self.fired_before.clone());
        }
        let url = format!("http://{}/faults/fired", self.address);
        let answer = self.http.get(url).send().await?;
        let status = answer.status();
        if status.as_u16() != 200 {
            bail!("the bank does not tell which faults fired (GET /faults/fired: {status})");
        }
        let mut fired = self.fired_before.clone();
        for (name, count) in answer.json::<BTreeMap<String, u64>>().await? {
            *fired.entry(name).or_default() += count;
        }
        Ok(fired)
    }

    /// The bank's books.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn ledger(&self) -> Result<Vec<LedgerEntry>> {
        let url = format!("http://{}/ledger", self.address);
        let text = self.http.get(url).send().await?.error_for_status()?.text().await?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}
