//! Reading a file row by row, as CSV or as JSON lines.

use crate::Kind;
use crate::kind::Header;
use anyhow::Context as _;
use csv::ByteRecord;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Rows that are sent together. Part of what idempotency keys are made of: with another number the
/// same file would be another import.
pub const PART_ROWS: usize = 500;

/// Longest row, in bytes.
pub const ROW_BYTES_MAX: usize = 64 * 1024;

/// How the rows of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180) in UTF-8; the first record names the columns.
    Csv,
    /// A JSON object on each line.
    Ndjson,
}

impl Format {
    /// What the name of a file says.
    fn of(file: &Path) -> anyhow::Result<Self> {
        match file.extension().and_then(|end| end.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("ndjson" | "jsonl") => Ok(Self::Ndjson),
            _ => anyhow::bail!(
                "{} ends neither in .csv nor in .ndjson: say which it is with --format",
                file.display()
            ),
        }
    }
}

/// What a first look at a file tells.
pub(crate) struct Look {
    /// Made of all its bytes.
    pub(crate) digest: String,
    /// About as many as it has rows.
    pub(crate) lines: u64,
}

/// Reads a file once.
pub(crate) fn look_over(file: &Path) -> anyhow::Result<Look> {
    let mut reader = BufReader::new(open(file)?);
    let (mut hash, mut lines) = (Sha256::new(), 0);
    loop {
        let bytes = reader.fill_buf().with_context(|| unreadable(file))?;
        if bytes.is_empty() {
            break;
        }
        hash.update(bytes);
        lines += bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        let read = bytes.len();
        reader.consume(read);
    }
    let mut digest = String::new();
    for byte in hash.finalize().iter().take(8) {
        // Writing to a string cannot fail.
        let _ = write!(digest, "{byte:02x}");
    }
    Ok(Look { digest, lines })
}

fn open(file: &Path) -> anyhow::Result<File> {
    File::open(file).with_context(|| unreadable(file))
}

fn unreadable(file: &Path) -> String {
    format!("cannot read {}", file.display())
}

/// A row of a file.
#[derive(Debug)]
pub(crate) struct Row {
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
    /// As it is sent, or why it cannot be sent.
    pub(crate) body: Result<String, String>,
    /// As it stands in the file.
    pub(crate) text: String,
}

/// A file that is read row by row.
pub(crate) struct Reader {
    kind: Kind,
    source: Source,
}

enum Source {
    Csv { reader: Box<csv::Reader<File>>, header: Header, count: LineCount },
    Ndjson { reader: BufReader<File>, line: u64 },
}

impl Reader {
    /// # Errors
    /// The file cannot be read, or has not the columns that it needs.
    pub(crate) fn open(kind: Kind, file: &Path, format: Option<Format>) -> anyhow::Result<Self> {
        let format = format.map_or_else(|| Format::of(file), Ok)?;
        let source = match format {
            Format::Ndjson => Source::Ndjson { reader: BufReader::new(open(file)?), line: 0 },
            Format::Csv => {
                let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(open(file)?);
                let names = reader.headers().with_context(|| unreadable(file))?;
                let header = Header::read(kind, names.iter())
                    .with_context(|| format!("{} has no {}", file.display(), kind.as_str()))?;
                let count = LineCount { reader: BufReader::new(open(file)?), at: 0, line: 1 };
                Source::Csv { reader: Box::new(reader), header, count }
            }
        };
        Ok(Self { kind, source })
    }

    /// Columns that mean nothing.
    pub(crate) fn unused_columns(&self) -> Vec<String> {
        match &self.source {
            Source::Csv { header, .. } => header.unused.clone(),
            Source::Ndjson { .. } => Vec::new(),
        }
    }

    /// Passes over so many rows.
    pub(crate) fn skip(&mut self, rows: u64) -> anyhow::Result<()> {
        for _ in 0..rows {
            if self.next()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// The next [`PART_ROWS`] rows; none at the end.
    pub(crate) fn part(&mut self) -> anyhow::Result<Vec<Row>> {
        let mut part = Vec::new();
        while part.len() < PART_ROWS
            && let Some(row) = self.next()?
        {
            part.push(row);
        }
        Ok(part)
    }

    fn next(&mut self) -> anyhow::Result<Option<Row>> {
        match &mut self.source {
            Source::Csv { reader, header, count } => {
                let mut record = ByteRecord::new();
                if !reader.read_byte_record(&mut record).context("cannot read the file")? {
                    return Ok(None);
                }
                let begins = record.position().map_or(0, csv::Position::byte);
                let line = count.line_of(begins).context("cannot read the file")?;
                Ok(Some(Row { line, body: row_of_csv(header, &record), text: text_of(&record) }))
            }
            Source::Ndjson { reader, line } => loop {
                let Some(bytes) = next_line(reader).context("cannot read the file")? else {
                    return Ok(None);
                };
                *line += 1;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if text.trim().is_empty() {
                    continue;
                }
                let body = if bytes.len() > ROW_BYTES_MAX {
                    Err(too_long())
                } else if std::str::from_utf8(&bytes).is_err() {
                    Err(no_text())
                } else {
                    self.kind.row_of_json(&text)
                };
                return Ok(Some(Row { line: *line, body, text }));
            },
        }
    }
}

/// Counts the lines of a file beside its reader, which takes empty lines, and the second half of a
/// line end, for a part of the record that follows.
struct LineCount {
    reader: BufReader<File>,
    at: u64,
    line: u64,
}

impl LineCount {
    /// The line on which the record begins that is read from this byte on; never before the last.
    fn line_of(&mut self, begins: u64) -> std::io::Result<u64> {
        loop {
            let bytes = self.reader.fill_buf()?;
            let is_before = |at: u64, byte: u8| at < begins || matches!(byte, b'\r' | b'\n');
            let (mut passed, mut lines) = (0, 0);
            for byte in bytes {
                if !is_before(self.at + passed as u64, *byte) {
                    break;
                }
                passed += 1;
                lines += u64::from(*byte == b'\n');
            }
            let is_all = passed == bytes.len() && passed > 0;
            self.reader.consume(passed);
            self.at += passed as u64;
            self.line += lines;
            if !is_all {
                return Ok(self.line);
            }
        }
    }
}

fn too_long() -> String {
    format!("the row is longer than {ROW_BYTES_MAX} bytes")
}

fn no_text() -> String {
    "the row is not UTF-8".to_owned()
}

fn row_of_csv(header: &Header, record: &ByteRecord) -> Result<String, String> {
    if record.as_slice().len() > ROW_BYTES_MAX {
        return Err(too_long());
    }
    let cells: Result<Vec<&str>, _> = record.iter().map(std::str::from_utf8).collect();
    header.row(cells.map_err(|_| no_text())?.into_iter())
}

/// A record as CSV writes it.
fn text_of(record: &ByteRecord) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail; of a record that could not be written nothing is shown.
    let _ = writer.write_byte_record(record);
    let text = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

/// The next line without its end; of one that is too long, as much as tells that it is.
fn next_line(reader: &mut BufReader<File>) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let most = ROW_BYTES_MAX as u64 + 2;
    if reader.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() as u64 == most {
        // The rest of it.
        while !reader.fill_buf()?.is_empty() {
            let bytes = reader.fill_buf()?;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let passed = end.map_or(bytes.len(), |end| end + 1);
            reader.consume(passed);
            if end.is_some() {
                break;
            }
        }
    }
    Ok(Some(line))
}
