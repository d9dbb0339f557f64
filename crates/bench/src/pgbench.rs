//! PostgreSQL's own load generator, which runs the rival of the bench.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use percent_encoding::percent_decode_str;

/// Where Debian and Ubuntu keep the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// `pgbench`, found.
pub(crate) struct Pgbench(PathBuf);

/// What it said of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    /// Scripts done.
    pub(crate) done: u64,
    /// Scripts given up.
    pub(crate) failed: u64,
    /// Scripts per second.
    pub(crate) per_second: f64,
}

impl Pgbench {
    /// The newest version that is installed, as `scripts/test` finds the server's programs.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let mut versions: Vec<(u64, PathBuf)> = std::fs::read_dir(VERSIONS)
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let folder = entry.ok()?.path();
                let version = folder.file_name()?.to_str()?.parse().ok()?;
                Some((version, folder.join("bin/pgbench")))
            })
            .collect();
        versions.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
        let installed = versions.into_iter().map(|(_, program)| program);
        // What stands on the PATH may be anywhere.
        let mut candidates = installed.chain([PathBuf::from("pgbench")]);
        candidates
            .find(|program| {
                let asked = Command::new(program).arg("--version").stdout(Stdio::null()).status();
                asked.is_ok_and(|status| status.success())
            })
            .map(Self)
            .context(
                "--baseline sql needs pgbench, and there is none: it comes with PostgreSQL \
                 (on Debian and Ubuntu in the package postgresql-contrib or postgresql)",
            )
    }

    /// Runs a script from `clients` connections for `time`, with prepared statements.
    pub(crate) async fn run(
        &self,
        url: &str,
        script: &Path,
        clients: usize,
        time: Duration,
        variables: &[(&str, usize)],
    ) -> anyhow::Result<Measured> {
        let (url, password) = without_password(url);
        let mut command = Command::new(&self.0);
        command
            .args(["--no-vacuum", "--protocol=prepared", "--max-tries=20"])
            .arg(format!("--client={clients}"))
            .arg(format!("--jobs={}", clients.min(2)))
            .arg(format!("--time={}", time.as_secs().max(1)))
            .arg("--file")
            .arg(script)
            .args(variables.iter().map(|(name, value)| format!("--define={name}={value}")))
            .arg(url)
            .stdin(Stdio::null());
        if let Some(password) = password {
            // Not among the arguments, which everybody on the machine can read.
            command.env("PGPASSWORD", password);
        }
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "pgbench failed: {}", complaint.trim());
        parse(&said).with_context(|| format!("pgbench said something else than usual: {said}"))
    }
}

/// Reads what pgbench prints at its end.
fn parse(said: &str) -> Option<Measured> {
    let after = |label: &str| {
        let rest = said.lines().find_map(|line| line.trim().strip_prefix(label))?;
        rest.trim_start_matches([':', '=', ' ']).split([' ', '/']).next()
    };
    Some(Measured {
        done: after("number of transactions actually processed")?.parse().ok()?,
        // Older versions do not count them: they end instead.
        failed: after("number of failed transactions").map_or(Some(0), |n| n.parse().ok())?,
        per_second: after("tps")?.parse().ok()?,
    })
}

/// The URL without its password, and the password.
fn without_password(url: &str) -> (String, Option<String>) {
    let whole = || (url.to_owned(), None);
    let Some((scheme, rest)) = url.split_once("://") else { return whole() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let Some((login, host)) = authority.rsplit_once('@') else { return whole() };
    let Some((user, password)) = login.split_once(':') else { return whole() };
    let password = percent_decode_str(password).decode_utf8_lossy().into_owned();
    (format!("{scheme}://{user}@{host}{path}"), Some(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "pgbench (15.8)\ntransaction type: two.sql\nscaling factor: 1\n\
        query mode: prepared\nnumber of clients: 8\nnumber of threads: 2\n\
        maximum number of tries: 20\nduration: 3 s\n\
        number of transactions actually processed: 9321\n\
        number of failed transactions: 2 (0.021%)\nlatency average = 2.573 ms\n\
        initial connection time = 9.120 ms\ntps = 3108.952331 (without initial connection time)\n";

    #[test]
    fn reads_what_pgbench_prints() {
        let read = parse(SAID);
        assert_eq!(read, Some(Measured { done: 9_321, failed: 2, per_second: 3_108.952_331 }));
        let older = SAID.replace("number of failed transactions: 2 (0.021%)\n", "");
        assert_eq!(parse(&older).map(|measured| measured.failed), Some(0));
        assert_eq!(parse("pgbench: error"), None);
    }

    #[test]
    fn a_password_is_not_an_argument() {
        assert_eq!(
            without_password("postgres://u:p%40x@h:1/db?sslmode=disable"),
            ("postgres://u@h:1/db?sslmode=disable".into(), Some("p@x".into()))
        );
        for url in ["postgres://u@h/db", "postgres://h/db", "db"] {
            assert_eq!(without_password(url), (url.to_owned(), None));
        }
    }
}
