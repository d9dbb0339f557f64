//! A PostgreSQL of the harness's own: its data, its port, its life and its deaths.

use crate::process::{Program, read, tail};
use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The role and the database of the shop.
const ROLE: &str = "orderly";

/// How long the server may take to be ready again after a crash.
const READY_PATIENCE: Duration = Duration::from_secs(60);

/// An account that may run the server: it refuses to run as root.
#[derive(Clone, Copy, Debug)]
struct Account {
    uid: u32,
    gid: u32,
}

/// The server.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    folder: PathBuf,
    account: Option<Account>,
    address: SocketAddr,
    program: Option<Program>,
}

impl Postgres {
    /// Makes a cluster in `folder`, starts the server and makes the database.
    ///
    /// # Errors
    /// There is no PostgreSQL on this machine, or it does not start.
    pub async fn start(folder: &Path) -> Result<Self> {
        let bin = find_server()?;
        let account = account()?;
        let folder = folder.join("postgres");
        std::fs::create_dir_all(&folder)?;
        if let Some(Account { uid, gid }) = account {
            chown(&folder, Some(uid), Some(gid))?;
        }
        let address = free_address()?;
        let mut server = Self { bin, folder, account, address, program: None };
        server.make_cluster()?;
        server.serve().await?;
        let mut connection = PgConnection::connect(&server.url_at(address, "postgres")).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {ROLE}")))
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the shop's database, past all faults.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_at(self.address, ROLE)
    }

    /// The URL of the shop's database behind a proxy.
    #[must_use]
    pub fn url_behind(&self, proxy: SocketAddr) -> String {
        self.url_at(proxy, ROLE)
    }

    #[expect(clippy::unused_self, reason = "the role may become the server's own")]
    fn url_at(&self, address: SocketAddr, database: &str) -> String {
        format!("postgres://{ROLE}@{address}/{database}?sslmode=disable")
    }

    /// Ends the postmaster as a crash does.
    pub fn kill(&mut self) {
        self.program = None;
    }

    /// Starts the server and waits until it takes connections. Right after a crash it refuses while
    /// its old children still end, so it is started again and again.
    ///
    /// # Errors
    /// It is not ready in time.
    pub async fn serve(&mut self) -> Result<()> {
        let began = Instant::now();
        let url = self.url_at(self.address, "postgres");
        while began.elapsed() < READY_PATIENCE {
            let program = match &mut self.program {
                Some(program) => program,
                None => self.program.insert(Program::start(
                    self.server_command(),
                    self.folder.parent().unwrap_or(&self.folder),
                    "postgres",
                )?),
            };
            if program.status().is_some() {
                self.program = None;
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            let attempt = tokio::time::timeout(Duration::from_secs(2), PgConnection::connect(&url));
            if let Ok(Ok(connection)) = attempt.await {
                let _ = connection.close().await;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let log = self.folder.parent().unwrap_or(&self.folder).join("postgres.log");
        bail!("PostgreSQL is not ready after {READY_PATIENCE:?}: {}", tail(&read(&log), 5))
    }

    fn server_command(&self) -> Command {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.folder.join("data"));
        command.args(["-p", &self.address.port().to_string()]);
        command
    }

    fn make_cluster(&self) -> Result<()> {
        let data = self.folder.join("data");
        // Trust is safe here: the socket is in a folder of the account's own, and TCP is bound to
        // loopback. --no-sync concerns initdb alone; the server itself syncs every commit.
        let made = self
            .command("initdb")
            .arg(format!("--pgdata={}", data.display()))
            .args(["--username", ROLE, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .args(["--auth-local=trust", "--auth-host=trust"])
            .output()
            .context("initdb cannot be started")?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        let settings = format!(
            "\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\n\
             max_connections = 200\nfsync = on\nsynchronous_commit = on\nfull_page_writes = on\n\
             log_line_prefix = '%m [%p] '\n",
            self.folder.display()
        );
        let path = data.join("postgresql.conf");
        let text = std::fs::read_to_string(&path)? + &settings;
        std::fs::write(&path, text)?;
        Ok(())
    }

    /// A command as the server's account, in its folder.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(&self.folder).env("HOME", &self.folder);
        if let Some(Account { uid, gid }) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// The folder of the server's programs.
fn find_server() -> Result<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        found.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    // The newest first; then wherever the shell would look.
    found.sort_by_key(|path| std::cmp::Reverse(version_of(path)));
    if let Some(paths) = std::env::var_os("PATH") {
        let real = |path: PathBuf| std::fs::canonicalize(path.join("initdb")).ok();
        found.extend(
            std::env::split_paths(&paths)
                .filter_map(real)
                .filter_map(|initdb| initdb.parent().map(Path::to_owned)),
        );
    }
    let is_whole = |path: &PathBuf| path.join("initdb").exists() && path.join("postgres").exists();
    found.into_iter().find(is_whole).context("no PostgreSQL server on this machine (initdb)")
}

fn version_of(bin: &Path) -> u32 {
    let name = bin.parent().and_then(Path::file_name).and_then(std::ffi::OsStr::to_str);
    name.and_then(|name| name.parse().ok()).unwrap_or(0)
}

/// Whom the server runs as: nobody else than we are, unless we are root.
fn account() -> Result<Option<Account>> {
    if id(&["-u"])? != 0 {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let (Ok(uid), Ok(gid)) = (id(&["-u", name]), id(&["-g", name])) {
            return Ok(Some(Account { uid, gid }));
        }
    }
    bail!("PostgreSQL does not run as root, and there is no account 'postgres' or 'nobody'")
}

fn id(arguments: &[&str]) -> Result<u32> {
    let output = Command::new("id").args(arguments).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// A port that is free now. It lies below those that the system hands out to clients, so nobody
/// takes it while the server is down.
fn free_address() -> Result<SocketAddr> {
    let first = u16::try_from(std::process::id() % 9_000).unwrap_or(0);
    for step in 0..500 {
        let port = 20_000 + (first + step * 17) % 12_000;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return Ok(listener.local_addr()?);
        }
    }
    bail!("no free port for PostgreSQL")
}
