//! The program under test as a process: started, watched, asked to stop, killed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take on a slow and busy machine before the test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(15);

/// Looks again and again until `look` finds what it is after; fails with what it saw last.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if began.elapsed() > PATIENCE => panic!("{what}: last seen: {seen}"),
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// The environment of a process: nothing of the test's own is passed on, but where temporary
/// files belong.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    bears_full_files: bool,
}

impl Environment {
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Processes of it are told when a file may not grow any more ([`limit_files`]), and not ended.
    pub fn bearing_full_files(mut self) -> Self {
        self.bears_full_files = true;
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        const PROGRAM: &str = env!("CARGO_BIN_EXE_orderly-under-test");
        let mut command = if self.bears_full_files {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", r#"trap '' XFSZ; exec "$0" "$@""#, PROGRAM]);
            shell
        } else {
            Command::new(PROGRAM)
        };
        command.args(arguments).env_clear().envs(&self.variables).stdin(Stdio::null());
        if let Some(folder) = std::env::var_os("TMPDIR") {
            command.env("TMPDIR", folder);
        }
        command
    }
}

/// A process of the program. It is killed when this is dropped.
pub struct Program {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// How a process that ran to its end did.
pub struct Finished {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    /// Starts it. What it says goes to `<name>.out` (new) and `<name>.log` (appended) in `folder`.
    pub fn start(arguments: &[&str], environment: &Environment, folder: &Path, name: &str) -> Self {
        let stdout = folder.join(format!("{name}.out"));
        let stderr = folder.join(format!("{name}.log"));
        let log = OpenOptions::new().create(true).append(true).open(&stderr).unwrap();
        let child = environment
            .command(arguments)
            .stdout(File::create(&stdout).unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, stdout, stderr }
    }

    /// Runs it to its end.
    pub async fn run(
        arguments: &[&str],
        environment: &Environment,
        folder: &Path,
        name: &str,
    ) -> Finished {
        Self::start(arguments, environment, folder, name).finish().await
    }

    /// Waits for its end and tells what it said.
    pub async fn finish(mut self) -> Finished {
        // A replay of thousands of orders in a debug build takes longer than anything else.
        let deadline = Instant::now() + 10 * PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            let (stdout, stderr) = (read(&self.stdout), read(&self.stderr));
            assert!(Instant::now() < deadline, "it does not end:\n{stdout}\n{stderr}");
            tokio::time::sleep(POLL).await;
        };
        Finished { code: status.code(), stdout: read(&self.stdout), stderr: read(&self.stderr) }
    }

    /// Waits until it says `before` on standard output, and gives the word that follows. `Err`
    /// with its log if it ends instead.
    pub async fn announced(&mut self, before: &str) -> Result<String, String> {
        eventually(&format!("the process says '{before}'"), async || {
            let said = read(&self.stdout);
            // Only whole lines: the rest may still be on its way.
            let whole = said.rfind('\n').map_or("", |end| &said[..end]);
            if let Some((_, rest)) = whole.split_once(before) {
                return Ok(Ok(rest.split_whitespace().next().unwrap_or("").to_owned()));
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                return Ok(Err(format!("{status}\n{said}\n{}", read(&self.stderr))));
            }
            Err(said)
        })
        .await
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Asks it to stop.
    pub fn ask_to_stop(&self) {
        signal("TERM", self.child.id());
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        eventually("the process ends", async || {
            let status = self.child.try_wait().unwrap();
            status.ok_or_else(|| format!("it runs\n{}", read(&self.stderr)))
        })
        .await
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that a test has started.
pub fn signal(name: &str, process: u32) {
    let command = format!("kill -{name} {process}");
    let status = Command::new("/bin/sh").args(["-c", &command]).status().unwrap();
    assert!(status.success(), "{command}");
}

/// A file of text, empty if it is not there.
/// From now on no file of a process grows beyond so many bytes; `None`: as far as it likes. What a
/// full disk does to it, without a disk.
pub fn limit_files(process: u32, bytes: Option<u64>) {
    let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    let status = Command::new("prlimit")
        .args([&format!("--pid={process}"), &format!("--fsize={limit}:unlimited")])
        .status()
        .unwrap();
    assert!(status.success(), "prlimit: {status}");
}

pub fn read(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
