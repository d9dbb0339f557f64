//! A statement in two dialects, with its parameters.

use domain::Timestamp;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Postgres, Sqlite};
use time::OffsetDateTime;
use uuid::Uuid;

/// One query in both dialects. Made by [`crate::statement!`].
#[derive(Debug)]
pub struct Statement {
    /// Its name: that of its two files.
    pub name: &'static str,
    /// Its text for Postgres.
    pub postgres: &'static str,
    /// Its text for SQLite.
    pub sqlite: &'static str,
}

/// Takes a query from `queries/postgres/<name>.sql` and `queries/sqlite/<name>.sql` of the crate.
#[macro_export]
macro_rules! statement {
    ($name:literal) => {
        $crate::Statement {
            name: $name,
            postgres: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/queries/postgres/",
                $name,
                ".sql"
            )),
            sqlite: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/queries/sqlite/",
                $name,
                ".sql"
            )),
        }
    };
}

/// A single parameter.
#[derive(Clone, Debug)]
pub enum Value {
    /// A whole number.
    Int(Option<i64>),
    /// Text.
    Text(Option<String>),
    /// A UUID: `uuid` in Postgres, a BLOB of 16 bytes in SQLite.
    Uuid(Option<Uuid>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
    /// A moment: `timestamptz` in Postgres, microseconds since 1970 as INTEGER in SQLite.
    Time(Option<Timestamp>),
}

macro_rules! value_from {
    ($($type:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self { Self::$variant(Some(value)) }
        }
        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self { Self::$variant(value) }
        }
    )+};
}
value_from!(i64 => Int, String => Text, Uuid => Uuid, Vec<u8> => Bytes, Timestamp => Time);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

enum Column {
    Ints(Vec<i64>),
    Texts(Vec<Option<String>>),
    Uuids(Vec<Option<Uuid>>),
    Bytes(Vec<Vec<u8>>),
    Times(Vec<Option<Timestamp>>),
}

/// Rows as a parameter, column by column: `$1`, `$2`, … in Postgres, one JSON array of arrays as
/// `$1` in SQLite (UUIDs and bytes as hex for `unhex`, moments as microseconds). Parameters bound
/// after it are numbered on from there.
#[derive(Default)]
pub struct Rows {
    columns: Vec<Column>,
}

impl Rows {
    /// No column yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column of whole numbers.
    #[must_use]
    pub fn ints(mut self, values: impl IntoIterator<Item = i64>) -> Self {
        self.columns.push(Column::Ints(values.into_iter().collect()));
        self
    }

    /// Adds a column of texts, or of optional texts.
    #[must_use]
    pub fn texts<T: Into<Option<String>>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.columns.push(Column::Texts(values.into_iter().map(Into::into).collect()));
        self
    }

    /// Adds a column of UUIDs, or of optional UUIDs.
    #[must_use]
    pub fn uuids<T: Into<Option<Uuid>>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.columns.push(Column::Uuids(values.into_iter().map(Into::into).collect()));
        self
    }

    /// Adds a column of byte strings.
    #[must_use]
    pub fn bytes(mut self, values: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.columns.push(Column::Bytes(values.into_iter().collect()));
        self
    }

    /// Adds a column of moments, or of optional moments.
    #[must_use]
    pub fn times<T: Into<Option<Timestamp>>>(
        mut self,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.columns.push(Column::Times(values.into_iter().map(Into::into).collect()));
        self
    }

    fn to_json(&self) -> String {
        let rows = self.columns.iter().map(Column::len).max().unwrap_or(0);
        let mut json = String::with_capacity(2 + rows * self.columns.len() * 24);
        json.push('[');
        for row in 0..rows {
            json.push_str(if row == 0 { "[" } else { ",[" });
            for (index, column) in self.columns.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                column.write_json(row, &mut json);
            }
            json.push(']');
        }
        json.push(']');
        json
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Ints(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::Uuids(values) => values.len(),
            Self::Bytes(values) => values.len(),
            Self::Times(values) => values.len(),
        }
    }

    fn write_json(&self, row: usize, json: &mut String) {
        match self {
            Self::Ints(values) => push_int(values.get(row).copied(), json),
            Self::Times(values) => {
                push_int(values.get(row).copied().flatten().map(Timestamp::micros), json);
            }
            Self::Texts(values) => match values.get(row).and_then(Option::as_ref) {
                // Serialising a string to JSON cannot fail.
                Some(text) => json.push_str(&serde_json::to_string(text).unwrap_or_default()),
                None => json.push_str("null"),
            },
            Self::Uuids(values) => {
                push_hex(
                    values.get(row).and_then(Option::as_ref).map(|id| &id.as_bytes()[..]),
                    json,
                );
            }
            Self::Bytes(values) => push_hex(values.get(row).map(Vec::as_slice), json),
        }
    }
}

fn push_int(number: Option<i64>, json: &mut String) {
    match number {
        Some(number) => json.push_str(&number.to_string()),
        None => json.push_str("null"),
    }
}

fn push_hex(bytes: Option<&[u8]>, json: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let Some(bytes) = bytes else { return json.push_str("null") };
    json.push('"');
    for byte in bytes {
        json.push(char::from(DIGITS[usize::from(byte >> 4)]));
        json.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    json.push('"');
}

/// A statement with its parameters, ready to run.
pub struct Query {
    pub(crate) statement: &'static Statement,
    rows: Option<Rows>,
    values: Vec<Value>,
}

/// A statement for SQLite with the values of `$1`, `$2`, ….
#[cfg(feature = "simulation")]
pub(crate) struct Prepared {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<rusqlite::types::Value>,
}

impl Statement {
    /// A query of this statement, without parameters yet.
    #[must_use]
    pub const fn query(&'static self) -> Query {
        Query { statement: self, rows: None, values: Vec::new() }
    }
}

impl Query {
    /// Sets the rows; they come before every single parameter.
    #[must_use]
    pub fn rows(mut self, rows: Rows) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Binds the next single parameter.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    pub(crate) fn for_postgres(self) -> sqlx::query::Query<'static, Postgres, PgArguments> {
        let mut query = sqlx::query(self.statement.postgres);
        let moments = |time: Option<Timestamp>| time.map(OffsetDateTime::from);
        for column in self.rows.map(|rows| rows.columns).unwrap_or_default() {
            query = match column {
                Column::Ints(values) => query.bind(values),
                Column::Texts(values) => query.bind(values),
                Column::Uuids(values) => query.bind(values),
                Column::Bytes(values) => query.bind(values),
                Column::Times(values) => {
                    query.bind(values.into_iter().map(moments).collect::<Vec<_>>())
                }
            };
        }
        for value in self.values {
            query = match value {
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Uuid(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
                Value::Time(value) => query.bind(moments(value)),
            };
        }
        query
    }

    /// For SQLite without sqlx.
    #[cfg(feature = "simulation")]
    pub(crate) fn prepared(self) -> Prepared {
        use rusqlite::types::Value as Cell;
        let rows = self.rows.iter().map(|rows| Cell::Text(rows.to_json()));
        let singles = self.values.into_iter().map(|value| match value {
            Value::Int(value) => value.map(Cell::Integer),
            Value::Text(value) => value.map(Cell::Text),
            Value::Uuid(value) => value.map(|id| Cell::Blob(id.as_bytes().to_vec())),
            Value::Bytes(value) => value.map(Cell::Blob),
            Value::Time(value) => value.map(|time| Cell::Integer(time.micros())),
        });
        let values = rows.chain(singles.map(|value| value.unwrap_or(Cell::Null))).collect();
        Prepared { sql: self.statement.sqlite, values }
    }

    pub(crate) fn for_sqlite(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        let mut query = sqlx::query(self.statement.sqlite);
        if let Some(rows) = self.rows {
            query = query.bind(rows.to_json());
        }
        for value in self.values {
            query = match value {
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Uuid(value) => query.bind(value.map(|id| id.as_bytes().to_vec())),
                Value::Bytes(value) => query.bind(value),
                Value::Time(value) => query.bind(value.map(Timestamp::micros)),
            };
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_one_json_document_with_everything_escaped() {
        let rows = Rows::new()
            .ints([1, -2])
            .texts([Some("a\"\n\u{1F600}".to_owned()), None])
            .uuids([Uuid::from_u128(255)])
            .bytes([vec![0xab], vec![]])
            .times([Timestamp::from_micros(5)]);
        let read: serde_json::Value = serde_json::from_str(&rows.to_json()).expect("is JSON");
        let id = "000000000000000000000000000000ff";
        assert_eq!(
            read,
            serde_json::json!([[1, "a\"\n\u{1F600}", id, "ab", 5], [-2, null, null, "", null]])
        );
    }

    #[test]
    fn no_rows_are_an_empty_list() {
        assert_eq!(Rows::new().ints([]).to_json(), "[]");
    }
}
