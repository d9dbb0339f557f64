//! A row that was read to its end.

use rusqlite::types::Value;
use std::sync::Arc;

/// The values of a row, with the names of their columns.
pub(crate) struct Cells {
    pub(super) names: Arc<[String]>,
    pub(super) values: Vec<Value>,
}

/// A value of a column, read as a type of ours.
pub(crate) trait FromCell: Sized {
    /// `None` if the value has another type.
    fn from_cell(value: &Value) -> Option<Self>;
}

impl FromCell for i64 {
    fn from_cell(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

impl FromCell for String {
    fn from_cell(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(value: &Value) -> Option<Self> {
        match value {
            Value::Blob(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }
}

impl FromCell for uuid::Uuid {
    fn from_cell(value: &Value) -> Option<Self> {
        match value {
            Value::Blob(bytes) => Self::from_slice(bytes).ok(),
            _ => None,
        }
    }
}

impl Cells {
    /// The value of a column; `None` inside for NULL.
    pub(crate) fn read<T: FromCell>(&self, column: &str) -> Result<Option<T>, String> {
        let index = self.names.iter().position(|name| name == column);
        let value = index.and_then(|index| self.values.get(index));
        match value {
            None => Err("there is no such column".to_owned()),
            Some(Value::Null) => Ok(None),
            Some(value) => match T::from_cell(value) {
                Some(read) => Ok(Some(read)),
                None => Err(format!("is of the type {}", value.data_type())),
            },
        }
    }
}
