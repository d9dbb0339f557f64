//! A whole shop of the bench's own: a bank and servers as processes of this very program, and a
//! database. Nothing of it is left when it is dropped.

use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::cpu;
use crate::database::Database;

/// How long a process may take to start.
const START: Duration = Duration::from_secs(120);
/// The secret key between server and bank.
const BANK_KEY: &str = "sk_bench";

/// What a stack of the bench's own is made of.
#[derive(Debug, Clone)]
pub struct OwnStack {
    /// The program that has the commands `serve` and `bank`.
    pub program: PathBuf,
    /// `postgres://` URL of a server where databases may be created; `None`: SQLite.
    pub postgres: Option<String>,
    /// Where ledgers, logs and SQLite files go; they stay there. `None`: the system's folder for
    /// temporary files, and nothing stays.
    pub folder: Option<PathBuf>,
    /// More arguments for `serve`.
    pub serve_args: Vec<String>,
}

/// A folder that is gone when this is dropped, unless it is to stay.
struct Folder {
    path: PathBuf,
    stays: bool,
}

impl Folder {
    fn make(wanted: Option<&Path>) -> anyhow::Result<Self> {
        let parent = wanted.map_or_else(std::env::temp_dir, Path::to_owned);
        let name = format!("orderly-bench-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let path = parent.join(name);
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path, stays: wanted.is_some() })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.stays {
            // A folder that cannot be removed is left to the system's own tidying.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// A process of this program; killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    lines: UnboundedReceiver<String>,
    log: PathBuf,
    name: String,
}

impl Process {
    fn start(
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
        (folder, name): (&Path, &str),
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let (sender, lines) = unbounded_channel();
        if let Some(said) = child.stdout.take() {
            let listen = move || listen(said, |line| sender.send(line).is_ok());
            std::thread::Builder::new().name(format!("bench-{name}")).spawn(listen)?;
        }
        Ok(Self { child, lines, log, name: name.to_owned() })
    }

    /// Waits until it says `before`, and gives the word that follows.
    async fn announced(&mut self, before: &str) -> anyhow::Result<String> {
        let hear = async {
            while let Some(line) = self.lines.recv().await {
                if let Some((_, rest)) = line.split_once(before) {
                    return rest.split_whitespace().next().map(str::to_owned);
                }
            }
            None
        };
        match tokio::time::timeout(START, hear).await {
            Ok(Some(word)) => Ok(word),
            Ok(None) => {
                anyhow::bail!("the {} ended as it started: {}", self.name, last_lines(&self.log))
            }
            Err(_) => anyhow::bail!("the {} does not start", self.name),
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Hands on each line of a process until it ends, so that it never waits for somebody to read.
fn listen(said: ChildStdout, hand_on: impl Fn(String) -> bool) {
    let mut wanted = true;
    for line in BufReader::new(said).lines() {
        let Ok(line) = line else { return };
        wanted = wanted && hand_on(line);
    }
}

/// The end of a log, for a message.
fn last_lines(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(2_000)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    read().unwrap_or_default()
}

/// A server that serves.
pub(crate) struct Server {
    pub(crate) process: Process,
    /// Base URL of its API.
    pub(crate) url: String,
    /// Base URL of its private listener.
    pub(crate) private: String,
}

/// A bank that serves.
struct Bank {
    process: Process,
    url: String,
}

impl Bank {
    async fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let ledger = folder.join("bank.ledger").display().to_string();
        let arguments = ["bank", "--listen", "127.0.0.1:0", "--ledger", &ledger].map(str::to_owned);
        let environment = [("ORDERLY_BANK_KEY", BANK_KEY.to_owned())];
        let mut process = Process::start(program, &arguments, &environment, (folder, "bank"))?;
        let url = process.announced("the bank serves on ").await?;
        Ok(Self { process, url })
    }
}

/// A shop that serves.
pub(crate) struct Stack {
    own: OwnStack,
    pub(crate) servers: Vec<Server>,
    /// `None`: the one inside the server.
    bank: Option<Bank>,
    pub(crate) database: Option<Database>,
    pub(crate) api_key: String,
    folder: Folder,
}

impl Stack {
    /// Starts one server on a new database, and a bank unless that is to be inside the server.
    pub(crate) async fn start(own: &OwnStack, bank_inside: bool) -> anyhow::Result<Self> {
        let folder = Folder::make(own.folder.as_deref())?;
        let database = match &own.postgres {
            Some(server) => Some(Database::create(server).await?),
            None => None,
        };
        let bank = match bank_inside {
            true => None,
            false => Some(Bank::start(&own.program, &folder.path).await?),
        };
        let api_key = format!("bench_{:016x}{:016x}", rand::random::<u64>(), rand::random::<u64>());
        let own = own.clone();
        let mut stack = Self { own, servers: Vec::new(), bank, database, api_key, folder };
        stack.add_server(None).await?;
        Ok(stack)
    }

    /// Ends a server at once, as a crash does. Where it listened stays known.
    pub(crate) fn stop_server(&mut self, place: usize) -> anyhow::Result<()> {
        self.servers.get_mut(place).context("there is no such server")?.process.kill();
        Ok(())
    }

    /// Starts a server again that was stopped, where it listened before.
    pub(crate) async fn start_again(&mut self, place: usize) -> anyhow::Result<()> {
        anyhow::ensure!(place < self.servers.len(), "there is no such server");
        let stopped = self.servers.remove(place);
        let listen = stopped.url.trim_start_matches("http://").to_owned();
        self.add_server(Some(&listen)).await?;
        let started = self.servers.pop().context("no server was started")?;
        self.servers.insert(place, started);
        Ok(())
    }

    /// Starts one more server on the same database, listening there, or on a free port.
    pub(crate) async fn add_server(&mut self, listen: Option<&str>) -> anyhow::Result<()> {
        let data = self.folder.path.join("data");
        let listen = listen.unwrap_or("127.0.0.1:0");
        let mut arguments: Vec<String> =
            ["serve", "--listen", listen, "--private-listen", "127.0.0.1:0"]
                .map(str::to_owned)
                .into();
        arguments.extend(self.own.serve_args.iter().cloned());
        let mut environment = vec![
            ("ORDERLY_DATA_DIR", data.display().to_string()),
            ("ORDERLY_ADMIN_KEY", self.api_key.clone()),
            // The program itself does not know it; the one of the tests, which counts, does.
            ("ORDERLY_COUNT_HEAP", "1".to_owned()),
        ];
        if let Some(bank) = &self.bank {
            environment.push(("ORDERLY_PAYMENTS_URL", bank.url.clone()));
            environment.push(("ORDERLY_PAYMENTS_KEY", BANK_KEY.to_owned()));
        }
        if let Some(database) = &self.database {
            environment.push(("DATABASE_URL", database.url()));
        }
        let place = (self.folder.path.as_path(), "server");
        let mut process = Process::start(&self.own.program, &arguments, &environment, place)?;
        let url = process.announced("orderly serves on ").await?;
        let private = process.announced("metrics and probes on ").await?;
        self.servers.push(Server { process, url, private });
        Ok(())
    }

    /// Time on the cores that all servers have had.
    pub(crate) fn server_cpu(&self) -> Option<Duration> {
        self.servers.iter().map(|server| cpu::of_process(server.process.id())).sum()
    }

    /// Time on the cores that the bank has had.
    pub(crate) fn bank_cpu(&self) -> Option<Duration> {
        cpu::of_process(self.bank.as_ref()?.process.id())
    }

    /// Base URL of the bank.
    pub(crate) fn bank_url(&self) -> anyhow::Result<&str> {
        Ok(&self.bank.as_ref().context("the bank is inside the server")?.url)
    }

    /// Time on the cores that the Postgres server has had; SQLite runs within the server.
    pub(crate) fn database_cpu(&self) -> Option<Duration> {
        cpu::of_postgres(self.database.as_ref()?.postmaster?)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Before the database is dropped, so that nobody writes errors about that into a log.
        for server in &mut self.servers {
            server.process.kill();
        }
    }
}
