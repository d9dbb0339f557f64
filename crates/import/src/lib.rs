//! Puts the rows of a file on a running server: products, stock, customers, prices.
//!
//! The rows go through the server's routes for streams, in parts of [`PART_ROWS`]. A row that is
//! refused, here or there, harms no other: it is written into a file of its own, with its line and
//! the reason. How far the import has come is kept beside the file, so one that was broken off goes
//! on where it stopped. A part that was sent and not noted is sent again: products, prices and
//! customers are recognised by their names, adjustments of stock by idempotency keys made of the run id and the
//! place of the row in the file. So whatever happens, a row takes effect once.
//!
//! The pure parts are the columns (`kind`) and the reading of answers (`answer`).

mod answer;
mod bad;
mod kind;
mod note;
mod rows;

pub use bad::BadRow;
pub use kind::Kind;
pub use rows::{Format, PART_ROWS, ROW_BYTES_MAX};

use answer::Outcome;
use anyhow::Context as _;
use bad::BadRows;
use note::Note;
use replay::client::{Api, Body, Call};
use replay::progress;
use rows::{Reader, Row};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often rows are sent that the server could not take just now.
const SENDINGS_MAX: u32 = 6;

/// Bad rows that are told in the report itself; the others stand in their file alone.
const TOLD_MAX: usize = 20;

/// The longest run id: with the place of a row behind it a key must not pass 255 characters.
const RUN_ID_MAX: usize = 100;

/// What to import, and where.
#[derive(Clone)]
pub struct ImportOptions {
    /// What the rows are.
    pub kind: Kind,
    /// Of prices: the price list, which exists.
    pub list: Option<String>,
    /// The file.
    pub file: PathBuf,
    /// How its rows are written; `None`: what its name says.
    pub format: Option<Format>,
    /// Base URL of the server, without `/v1`.
    pub target: String,
    /// Key of a principal that may write what is imported.
    pub api_key: String,
    /// Part of every idempotency key: 1 to 100 letters, digits, `-`, `_` or `.`. `None`: made of the
    /// bytes of the file, so that the same file is the same import.
    pub run_id: Option<String>,
    /// Where it is kept how far the import has come; `None`: beside the file.
    pub note: Option<PathBuf>,
    /// Where bad rows are written; `None`: beside the file.
    pub bad_rows: Option<PathBuf>,
    /// Show a progress bar on standard error, if that is a terminal.
    pub progress: bool,
}

/// What became of an import.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImportReport {
    /// What the rows were.
    pub kind: Kind,
    /// The server.
    pub target: String,
    /// What made its keys: give it again to repeat this import with a file that was mended.
    pub run_id: String,
    /// Rows of the file.
    pub rows: u64,
    /// Of these, rows that an earlier attempt had dealt with.
    pub before: u64,
    /// Rows that the server has taken, now or before.
    pub accepted: u64,
    /// Rows that were refused.
    pub refused: u64,
    /// The first of them.
    pub bad_rows: Vec<BadRow>,
    /// Where all of them are, as JSON, one a line; `None` without any.
    pub bad_rows_file: Option<PathBuf>,
    /// Columns of the file that mean nothing here.
    pub unused_columns: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// Whether every row was accepted.
    pub ok: bool,
}

/// Imports a file. Refused rows are not an error: the report says which.
///
/// Needs a Tokio runtime with time and I/O.
///
/// # Errors
/// The options make no sense, the file cannot be read or has not the columns it needs, the server
/// cannot be reached, refuses the caller, or stays unable to take rows. The next call goes on.
pub async fn run(options: ImportOptions) -> anyhow::Result<ImportReport> {
    let start = Instant::now();
    let look = rows::look_over(&options.file)?;
    let run_id = options.run_id.clone().unwrap_or_else(|| format!("import-{}", look.digest));
    check_run_id(&run_id)?;
    let path = options.kind.path(options.list.as_deref())?;
    let mut reader = Reader::open(options.kind, &options.file, options.format)?;
    let api = Api::new(&options.target, &options.api_key, 1)?;
    let beside = |given: &Option<PathBuf>, end: &str| {
        given.clone().unwrap_or_else(|| beside(&options.file, end))
    };
    let note = beside(&options.note, ".import.json");
    let fresh = Note::new(&run_id, options.kind, &format!("{}{path}", options.target));
    let kept = Note::read(&note)?;
    if options.run_id.is_none()
        && let Some(kept) = kept.as_ref().and_then(|kept| kept.of_another_file(&fresh))
    {
        // With other keys its first rows would be imported once more.
        anyhow::bail!(
            "an import of this file was broken off, and the file was changed since: go on with \
             `--run-id {kept}`, or remove {} to begin anew",
            note.display()
        );
    }
    let mut done = kept.filter(|kept| kept.is_of(&fresh)).unwrap_or(fresh);
    let mut bad = BadRows::open(beside(&options.bad_rows, ".rejected.ndjson"), done.bad_bytes)?;

    let bar = progress::bar(options.kind.as_str(), look.lines, options.progress);
    let before = done.rows;
    reader.skip(before)?;
    bar.set_position(before);
    loop {
        let part = reader.part()?;
        if part.is_empty() {
            break;
        }
        let key = format!("{run_id}/{}/{}", options.kind.as_str(), done.rows);
        let outcomes = send(&api, &path, &part, &key).await?;
        for (row, outcome) in part.iter().zip(outcomes) {
            match outcome {
                Outcome::Accepted => done.accepted += 1,
                Outcome::Refused { code, reason } => {
                    done.refused += 1;
                    bad.add(BadRow { line: row.line, code, reason, row: row.text.clone() })?;
                }
            }
        }
        done.rows += part.len() as u64;
        // The bad rows first: what is noted stands in their file.
        done.bad_bytes = bad.flush()?;
        done.write(&note)?;
        bar.set_position(done.rows);
    }
    bar.finish_and_clear();
    // The next import of this file begins at its first row.
    Note::remove(&note)?;
    let report = ImportReport {
        kind: options.kind,
        target: options.target,
        run_id,
        rows: done.rows,
        before,
        accepted: done.accepted,
        refused: done.refused,
        bad_rows_file: (done.refused > 0).then(|| bad.path().to_owned()),
        bad_rows: bad.first(TOLD_MAX)?,
        unused_columns: reader.unused_columns(),
        seconds: start.elapsed().as_secs_f64(),
        ok: done.refused == 0,
    };
    bad.close()?;
    Ok(report)
}

fn check_run_id(run_id: &str) -> anyhow::Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    anyhow::ensure!(
        (1..=RUN_ID_MAX).contains(&run_id.len()) && run_id.bytes().all(plain),
        "the run id must be 1 to {RUN_ID_MAX} letters, digits, `-`, `_` or `.`"
    );
    Ok(())
}

/// The file with `end` behind its name.
fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Sends a part until each of its rows is accepted or refused. Rows that are bad before they are
/// sent, and those that have their answer, leave an empty line: so a row keeps its number in the
/// part, which its idempotency key is made of.
async fn send(api: &Api, path: &str, part: &[Row], key: &str) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes: Vec<Option<Outcome>> = part
        .iter()
        .map(|row| row.body.as_ref().err().map(|reason| Outcome::refused_here(reason)))
        .collect();
    let mut wait = Duration::from_millis(250);
    for sending in 1..=SENDINGS_MAX {
        if outcomes.iter().all(Option::is_some) {
            break;
        }
        if sending > 1 {
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        let body = lines(part, &outcomes);
        let call =
            Call { path, body: Some(Body::Ndjson(&body)), key: Some(key), ..Call::default() };
        let answer = api.call(call).await.with_context(|| "the server cannot be reached")?;
        if !(200..300).contains(&answer.status) {
            let what = answer::told(&answer.body);
            anyhow::bail!("{} answered {}: {what}", path, answer.status);
        }
        for (number, outcome) in answer::outcomes(&answer.body)? {
            let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
            if let Some(place) = place.and_then(|place| outcomes.get_mut(place)) {
                place.get_or_insert(outcome);
            }
        }
    }
    let unanswered = outcomes.iter().filter(|outcome| outcome.is_none()).count();
    anyhow::ensure!(
        unanswered == 0,
        "the server could not take {unanswered} rows from line {} on; run the same import again to \
         go on",
        part.first().map_or(0, |row| row.line)
    );
    Ok(outcomes.into_iter().flatten().collect())
}

/// The rows that have no outcome yet, each on the line of its number.
fn lines(part: &[Row], outcomes: &[Option<Outcome>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (row, outcome) in part.iter().zip(outcomes) {
        if let (Ok(json), None) = (&row.body, outcome) {
            body.extend_from_slice(json.as_bytes());
        }
        body.push(b'\n');
    }
    body
}

#[cfg(test)]
mod tests;
