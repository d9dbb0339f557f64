//! Processes that the harness starts, watches, stops, freezes and kills.

use anyhow::{Context, Result, bail};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(10);

/// A process of ours. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Program {
    /// Starts a process. What it says goes to `<name>.out` (new) and `<name>.log` (appended) in
    /// `folder`.
    ///
    /// # Errors
    /// The files cannot be opened, or the program cannot be started.
    pub fn start(mut command: Command, folder: &Path, name: &str) -> Result<Self> {
        let stdout = folder.join(format!("{name}.out"));
        let stderr = folder.join(format!("{name}.log"));
        let log = OpenOptions::new().create(true).append(true).open(&stderr)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
        Ok(Self { child, stdout, stderr })
    }

    /// Waits until the process says `before` on standard output, and gives the word that follows.
    ///
    /// # Errors
    /// It ends, or says nothing in time; the end of its log is told.
    pub async fn announced(&mut self, before: &str, patience: Duration) -> Result<String> {
        let began = Instant::now();
        loop {
            let said = read(&self.stdout);
            // Only whole lines: the rest may still be on its way.
            let whole = said.rfind('\n').map_or("", |end| &said[..end]);
            if let Some((_, rest)) = whole.split_once(before) {
                return Ok(rest.split_whitespace().next().unwrap_or("").to_owned());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}: {}", tail(&read(&self.stderr), 5));
            }
            if began.elapsed() > patience {
                bail!("it did not say '{before}' within {patience:?}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal, such as `TERM`, `STOP` or `CONT`.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn signal(&self, name: &str) -> Result<()> {
        let command = format!("kill -{name} {}", self.child.id());
        let status = Command::new("/bin/sh").args(["-c", &command]).status()?;
        if !status.success() {
            bail!("{command}: {status}");
        }
        Ok(())
    }

    /// Waits for its end, at most for `patience`; `None` if it still runs then.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn ended(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if began.elapsed() > patience {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// How it ended, if it did.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A file of text, empty if it is not there.
#[must_use]
pub fn read(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// The last lines of a text, in one line.
#[must_use]
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join(" | ")
}
