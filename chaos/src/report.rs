//! What came of a run, for people and for programs.

use crate::check::Check;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

/// A condition under which the run proves something at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// What it says.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// What was seen.
    pub seen: String,
}

impl Gate {
    /// A gate.
    pub fn new(name: impl Into<String>, ok: bool, seen: impl Into<String>) -> Self {
        Self { name: name.into(), ok, seen: seen.into() }
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// What was run.
    pub mode: String,
    /// The seed that makes the same plan again.
    pub seed: u64,
    /// The commit under test, if it is known.
    pub commit: Option<String>,
    /// How long it took.
    pub seconds: u64,
    /// Figures, by name.
    pub figures: BTreeMap<String, Value>,
    /// Faults by class.
    pub faults: BTreeMap<String, u64>,
    /// What must be.
    pub checks: Vec<Check>,
    /// Whether the run proves something.
    pub gates: Vec<Gate>,
    /// Where logs, ledgers and facts are kept, if something is wrong.
    pub folder: Option<PathBuf>,
}

impl Report {
    /// A report of a run of `mode`.
    #[must_use]
    pub fn new(mode: &str, seed: u64) -> Self {
        Self { mode: mode.to_owned(), seed, commit: commit(), ..Self::default() }
    }

    /// Adds a figure.
    pub fn figure(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.insert(name.to_owned(), value.into());
    }

    /// Adds a gate.
    pub fn gate(&mut self, name: impl Into<String>, ok: bool, seen: impl Into<String>) {
        self.gates.push(Gate::new(name, ok, seen));
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.wrong == 0) && self.gates.iter().all(|gate| gate.ok)
    }

    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        let commit = self.commit.as_deref().unwrap_or("unknown");
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "\n{} · seed {} · commit {commit} · {} s",
            self.mode, self.seed, self.seconds
        );
        for (name, value) in &self.figures {
            let _ = writeln!(text, "  {name:<34} {value}");
        }
        if !self.faults.is_empty() {
            let _ = writeln!(text, "Faults");
        }
        for (class, count) in &self.faults {
            let _ = writeln!(text, "  {class:<34} {count:>9}");
        }
        if !self.checks.is_empty() {
            let _ = writeln!(text, "Invariants {:>49} {:>7}", "checked", "wrong");
        }
        for check in &self.checks {
            let sign = if check.wrong == 0 { "ok  " } else { "FAIL" };
            let _ = writeln!(
                text,
                "  {sign} {:<3} {:<42} {:>7} {:>7}",
                check.invariant, check.name, check.checked, check.wrong
            );
            for shown in &check.shown {
                let _ = writeln!(text, "       {shown}");
            }
        }
        if !self.gates.is_empty() {
            let _ = writeln!(text, "Gates");
        }
        for gate in &self.gates {
            let sign = if gate.ok { "ok  " } else { "FAIL" };
            let _ = writeln!(text, "  {sign} {}: {}", gate.name, gate.seen);
        }
        if let Some(folder) = &self.folder {
            let _ = writeln!(text, "Everything is kept in {}", folder.display());
        }
        let verdict = if self.is_good() { "Nothing is wrong." } else { "SOMETHING IS WRONG." };
        let _ = writeln!(text, "{verdict}");
        text
    }
}

/// The commit under test: told by the environment, or by git.
fn commit() -> Option<String> {
    let told = ["ORDERLY_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA"];
    if let Some(commit) = told.iter().find_map(|name| std::env::var(name).ok()) {
        return Some(commit);
    }
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_check_and_a_closed_gate_are_bad() {
        let mut report = Report::new("test", 7);
        assert!(report.is_good());
        report.gate("something happened", false, "nothing did");
        assert!(!report.is_good() && report.table().contains("FAIL something happened"));
        let mut report = Report::new("test", 7);
        let mut check = Check::new("I1", "every order is there");
        check.look(false, || "order 5 is lost".to_owned());
        report.checks.push(check);
        assert!(!report.is_good() && report.table().contains("order 5 is lost"));
    }
}
