//! The input files of a replay: catalogue, opening stock, orders and, if there are any, returns.
//!
//! Catalogue and stock are held in memory; orders and returns are read one line at a time, so the
//! size of their files does not matter. Every file may be gzipped: that is told by its first two
//! bytes, not by its name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

/// One row of the catalogue file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Product {
    /// Stock keeping unit, the catalogue's key.
    pub sku: String,
    /// Display name; need not be unique.
    pub name: String,
    /// Category of the catalogue.
    pub category: String,
    /// Catalogue price of one unit in minor units of `currency`.
    #[serde(rename = "unit_price_minor")]
    pub unit_amount: i64,
    /// ISO 4217 code.
    pub currency: String,
}

/// One row of the stock file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Opening {
    /// The SKU this stock belongs to.
    pub sku: String,
    /// Units on hand before the first order.
    #[serde(rename = "opening_stock")]
    pub units: u64,
}

/// One line of an order of the order file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OrderLine {
    /// What was bought.
    pub sku: String,
    /// Units, at least 1.
    pub quantity: u64,
    /// Price of one unit in minor units.
    #[serde(rename = "unit_price_minor")]
    pub unit_amount: i64,
    /// Discount of the whole line in minor units.
    #[serde(rename = "discount_minor")]
    pub discount_amount: i64,
}

/// One order of the order file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Order {
    /// The order's key in the file; unique.
    pub order_ref: String,
    /// Who bought.
    pub customer_ref: String,
    /// Where it was bought, when the file says so.
    pub store_ref: Option<String>,
    /// When it was bought, when the file says so.
    pub timestamp: Option<String>,
    /// ISO 4217 code of every amount of the order.
    pub currency: String,
    /// At least one line.
    pub lines: Vec<OrderLine>,
    /// What the customer paid, in minor units: Σ quantity × unit price − discount.
    pub total_minor: i64,
}

/// A file that cannot be used, with the place of the fault.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file cannot be opened or read.
    #[error("cannot read {file}")]
    Read {
        /// Name of the file.
        file: String,
        /// What the operating system or the decompressor said.
        #[source]
        source: io::Error,
    },
    /// A row of a CSV file is not what its columns promise.
    #[error("{file}, line {line}: not a valid row")]
    Row {
        /// Name of the file.
        file: String,
        /// Line, counted from 1.
        line: u64,
        /// What is wrong with the row.
        #[source]
        source: csv::Error,
    },
    /// A line of the orders or returns is not the JSON of an order.
    #[error("{file}, line {line}: not a valid order")]
    Json {
        /// Name of the file.
        file: String,
        /// Line, counted from 1.
        line: u64,
        /// What is wrong with the line.
        #[source]
        source: serde_json::Error,
    },
    /// A row is well formed but contradicts itself or another row.
    #[error("{file}, line {line}: {problem}")]
    Content {
        /// Name of the file.
        file: String,
        /// Line, counted from 1.
        line: u64,
        /// What is wrong, as a sentence.
        problem: String,
    },
}

/// Where bytes come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A file of the file system.
    File(PathBuf),
    /// A file embedded in the program.
    Memory {
        /// Its name in messages.
        name: &'static str,
        /// Its content.
        bytes: &'static [u8],
    },
}

impl Source {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Memory { name, .. } => (*name).to_owned(),
        }
    }

    fn read_error(&self, source: io::Error) -> DatasetError {
        DatasetError::Read { file: self.name(), source }
    }

    /// Opens the source, through a decompressor when it is gzipped.
    fn open(&self) -> Result<Box<dyn BufRead + Send>, DatasetError> {
        let mut raw: Box<dyn BufRead + Send> = match self {
            Self::File(path) => {
                Box::new(BufReader::new(File::open(path).map_err(|e| self.read_error(e))?))
            }
            Self::Memory { bytes, .. } => Box::new(Cursor::new(*bytes)),
        };
        let gzipped = raw.fill_buf().map_err(|e| self.read_error(e))?.starts_with(&[0x1f, 0x8b]);
        Ok(if gzipped { Box::new(BufReader::new(MultiGzDecoder::new(raw))) } else { raw })
    }
}

/// Catalogue, opening stock, orders and returns of a replay.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The catalogue.
    pub products: Vec<Product>,
    pub(super) stock: Vec<Opening>,
    pub(super) orders: Source,
    pub(super) returns: Option<Source>,
}

impl Dataset {
    /// Reads catalogue and stock (CSV) and remembers where the orders (NDJSON) are.
    ///
    /// # Errors
    /// A file cannot be read, or a row of catalogue or stock is not valid or comes twice. The
    /// orders are read later, so their faults show when the replay starts.
    pub fn open(products: &Path, stock: &Path, orders: &Path) -> Result<Self, DatasetError> {
        let orders = Source::File(orders.to_owned());
        // A missing order file should be told now, not after the catalogue was loaded.
        orders.open()?;
        Self::from_sources(
            &Source::File(products.to_owned()),
            &Source::File(stock.to_owned()),
            orders,
        )
    }

    pub(super) fn from_sources(
        products: &Source,
        stock: &Source,
        orders: Source,
    ) -> Result<Self, DatasetError> {
        Ok(Self {
            products: rows(products, |product: &Product| {
                let sound = product.unit_amount >= 0;
                (&product.sku, if sound { Ok(()) } else { Err("the price is negative") })
            })?,
            stock: rows(stock, |opening: &Opening| (&opening.sku, Ok(())))?,
            orders,
            returns: None,
        })
    }

    /// The same with a file of returns, in the form of the orders: each line is a credit note, with
    /// the units that came back and what was given for them.
    ///
    /// # Errors
    /// The file cannot be opened. Like the orders, it is read later.
    pub fn with_returns(self, returns: &Path) -> Result<Self, DatasetError> {
        let returns = Source::File(returns.to_owned());
        returns.open()?;
        Ok(Self { returns: Some(returns), ..self })
    }

    /// The orders from the first one on, read as they are asked for.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn orders(&self) -> Result<OrderReader, DatasetError> {
        OrderReader::open(&self.orders)
    }

    /// The returns from the first one on; `None` without a file of returns.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn returns(&self) -> Result<Option<OrderReader>, DatasetError> {
        self.returns.as_ref().map(OrderReader::open).transpose()
    }
}

/// Reads a CSV file whose key column is a SKU. `look` gives the row's SKU and whether the rest
/// of the row is sound.
fn rows<T: for<'de> Deserialize<'de>>(
    source: &Source,
    look: impl Fn(&T) -> (&String, Result<(), &'static str>),
) -> Result<Vec<T>, DatasetError> {
    let mut reader = csv::Reader::from_reader(source.open()?);
    let headers = reader.headers().map_err(|e| csv_error(source, e))?.clone();
    let mut seen = std::collections::HashSet::new();
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| csv_error(source, e))? {
        let row: T = record.deserialize(Some(&headers)).map_err(|e| csv_error(source, e))?;
        let (sku, sound) = look(&row);
        let problem = match sound {
            _ if sku.is_empty() => Some("the SKU is empty".to_owned()),
            Err(problem) => Some(problem.to_owned()),
            Ok(()) if !seen.insert(sku.clone()) => Some(format!("SKU {sku} was there before")),
            Ok(()) => None,
        };
        if let Some(problem) = problem {
            let line = record.position().map_or(0, csv::Position::line);
            return Err(DatasetError::Content { file: source.name(), line, problem });
        }
        rows.push(row);
    }
    Ok(rows)
}

fn csv_error(source: &Source, error: csv::Error) -> DatasetError {
    let line = error.position().map_or(1, csv::Position::line);
    if error.is_io_error() {
        return source.read_error(error.into());
    }
    DatasetError::Row { file: source.name(), line, source: error }
}

/// Reads orders one by one; an [`Iterator`] that ends after the first error.
pub struct OrderReader {
    file: String,
    input: Box<dyn BufRead + Send>,
    line: u64,
    buffer: Vec<u8>,
    broken: bool,
}

/// No order of a till or a shop is that long; a file without line ends must not fill the memory.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;

impl OrderReader {
    fn open(source: &Source) -> Result<Self, DatasetError> {
        let (file, input) = (source.name(), source.open()?);
        Ok(Self { file, input, line: 0, buffer: Vec::new(), broken: false })
    }

    /// The line the last order came from, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// An error about the line the last order came from.
    pub(super) fn problem(&self, problem: String) -> DatasetError {
        DatasetError::Content { file: self.file.clone(), line: self.line, problem }
    }

    /// Reads the next line that is not blank; `false` at the end.
    fn advance(&mut self) -> Result<bool, DatasetError> {
        loop {
            self.buffer.clear();
            let read = (&mut self.input)
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut self.buffer)
                .map_err(|source| DatasetError::Read { file: self.file.clone(), source })?;
            if read == 0 {
                return Ok(false);
            }
            self.line += 1;
            if read as u64 == MAX_LINE_BYTES {
                return Err(self.problem(format!("longer than {MAX_LINE_BYTES} bytes")));
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// Reads the order of the current line.
    fn parse(&self) -> Result<Order, DatasetError> {
        let order: Order = serde_json::from_slice(&self.buffer).map_err(|source| {
            DatasetError::Json { file: self.file.clone(), line: self.line, source }
        })?;
        match fault(&order) {
            Some(problem) => Err(self.problem(problem)),
            None => Ok(order),
        }
    }
}

impl Iterator for OrderReader {
    type Item = Result<Order, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let order = self.advance().and_then(|more| more.then(|| self.parse()).transpose());
        self.broken = order.is_err();
        order.transpose()
    }
}

/// What an order of the file contradicts itself in, if anything.
fn fault(order: &Order) -> Option<String> {
    if order.order_ref.is_empty() || order.customer_ref.is_empty() {
        return Some("order_ref or customer_ref is empty".to_owned());
    }
    if order.lines.is_empty() {
        return Some("the order has no lines".to_owned());
    }
    let mut total = Some(0_i64);
    for line in &order.lines {
        let gross = line.gross();
        let sound = line.quantity >= 1
            && line.unit_amount >= 0
            && line.discount_amount >= 0
            && gross.is_some_and(|gross| line.discount_amount <= gross);
        if !sound {
            return Some(format!(
                "quantity, price or discount of SKU {} is out of range",
                line.sku
            ));
        }
        total = total
            .zip(gross)
            .and_then(|(total, gross)| total.checked_add(gross - line.discount_amount));
    }
    (total != Some(order.total_minor))
        .then(|| format!("total_minor is {}, which is not the sum of the lines", order.total_minor))
}

impl OrderLine {
    /// Quantity × unit price in minor units; `None` when it does not fit.
    pub(super) fn gross(&self) -> Option<i64> {
        i64::try_from(self.quantity).ok()?.checked_mul(self.unit_amount)
    }
}

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;
