//! A node of the shop: `orderly serve`, started again and again.

use crate::balancer::{Addresses, Slot};
use crate::process::Program;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a node may take to be ready, while it must be started again because the database is
/// away.
const UP_PATIENCE: Duration = Duration::from_secs(90);
const START_PATIENCE: Duration = Duration::from_secs(45);

/// How long a node may take to end after SIGTERM: drain delay, 25 seconds, and some.
pub const DRAIN_PATIENCE: Duration = Duration::from_secs(40);

/// The key that all nodes of a run share.
pub const ADMIN_KEY: &str = "admin-key-of-the-chaos-0123456789";

/// What the bank's events are signed with.
pub const WEBHOOK_SECRET: &str = "whsec_of_the_chaos_0123456789";

/// What a node is started with.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The program.
    pub program: PathBuf,
    /// Where logs go; the node's own data are in a folder of its name below.
    pub folder: PathBuf,
    /// Its name.
    pub name: String,
    /// The database, behind its link.
    pub database_url: String,
    /// The bank, behind its link.
    pub bank_url: String,
    /// Seconds that it serves on after SIGTERM.
    pub drain_delay_secs: u64,
    /// The bug that is planted in it, if any.
    pub bug: Option<String>,
}

/// A node.
pub struct Node {
    config: NodeConfig,
    slot: Arc<Slot>,
    program: Option<Program>,
}

impl Node {
    /// A node that is down. The balancer reaches it through `slot`.
    #[must_use]
    pub const fn new(config: NodeConfig, slot: Arc<Slot>) -> Self {
        Self { config, slot, program: None }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// From its next start on it is another program.
    pub fn becomes(&mut self, program: PathBuf) {
        self.config.program = program;
    }

    /// Its place in the balancer.
    #[must_use]
    pub const fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// Starts it, to die at `crash_at` if that is given. It may fail for want of a database.
    ///
    /// # Errors
    /// It ends, or says nothing.
    pub async fn start(&mut self, crash_at: Option<&str>) -> Result<()> {
        let mut command = Command::new(&self.config.program);
        command
            .env_clear()
            .arg("serve")
            .env("ORDERLY_LISTEN", "127.0.0.1:0")
            .env("ORDERLY_PRIVATE_LISTEN", "127.0.0.1:0")
            .env("ORDERLY_DATA_DIR", self.config.folder.join(&self.config.name))
            .env("ORDERLY_ADMIN_KEY", ADMIN_KEY)
            .env("ORDERLY_DRAIN_DELAY_SECS", self.config.drain_delay_secs.to_string())
            .env("ORDERLY_LOG_FORMAT", "json")
            .env("ORDERLY_PAYMENTS_URL", &self.config.bank_url)
            .env("ORDERLY_PAYMENTS_KEY", "sk_test_of_the_chaos")
            .env("ORDERLY_PAYMENTS_WEBHOOK_SECRET", WEBHOOK_SECRET)
            .env("DATABASE_URL", &self.config.database_url);
        if let Some(point) = crash_at {
            command.env("ORDERLY_CRASH_AT", point);
        }
        if let Some(bug) = &self.config.bug {
            command.env("ORDERLY_PLANTED_BUG", bug);
        }
        let mut program = Program::start(command, &self.config.folder, &self.config.name)?;
        let public = program.announced("orderly serves on http://", START_PATIENCE).await?;
        let private = program.announced("metrics and probes on http://", START_PATIENCE).await?;
        self.slot.set(Some(Addresses { public: public.parse()?, private: private.parse()? }));
        self.program = Some(program);
        Ok(())
    }

    /// Starts it, again and again while the database is away, and waits until it is ready.
    ///
    /// # Errors
    /// It is not ready in time.
    pub async fn bring_up(&mut self, crash_at: Option<&str>) -> Result<()> {
        let began = Instant::now();
        let mut last = String::from("not ready");
        while began.elapsed() < UP_PATIENCE {
            if self.program.as_mut().is_none_or(|program| program.status().is_some()) {
                self.gone();
                if let Err(error) = self.start(crash_at).await {
                    last = format!("{error:#}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            }
            if self.slot.is_ready() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("{} is not up after {UP_PATIENCE:?}: {last}", self.config.name)
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        if let Some(program) = &mut self.program {
            program.kill();
        }
        self.gone();
    }

    /// Stops it where it stands, or lets it go on.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        self.running()?.signal(if frozen { "STOP" } else { "CONT" })
    }

    /// Asks it to stop, waits for its end, and says how it ended.
    ///
    /// # Errors
    /// It does not end in time; it is killed then.
    pub async fn drain(&mut self) -> Result<ExitStatus> {
        self.running()?.signal("TERM")?;
        let ended = match &mut self.program {
            Some(program) => program.ended(DRAIN_PATIENCE).await?,
            None => None,
        };
        self.kill();
        ended.with_context(|| format!("{} did not stop on SIGTERM", self.config.name))
    }

    /// Waits for it to end by itself; `None` if it does not.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn dies(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let Some(program) = &mut self.program else { return Ok(None) };
        let ended = program.ended(patience).await?;
        if ended.is_some() {
            self.gone();
        }
        Ok(ended)
    }

    /// How it ended although nobody asked it to.
    pub fn ended_by_itself(&mut self) -> Option<ExitStatus> {
        self.program.as_mut()?.status()
    }

    fn running(&self) -> Result<&Program> {
        self.program.as_ref().with_context(|| format!("{} is down", self.config.name))
    }

    fn gone(&mut self) {
        self.program = None;
        self.slot.set(None);
    }
}
