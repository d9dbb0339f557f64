//! What can be imported, and what stands in its columns. Pure.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Products of the catalogue, made or changed.
    Products,
    /// Adjustments of stock: units to add or take away.
    Stock,
    /// Customers, made unless their reference is known.
    Customers,
    /// Prices of a price list, put on it or taken off.
    Prices,
}

/// How a cell is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Whole,
    Truth,
}

/// A column of a kind, and the member of a row that it becomes.
#[derive(Debug)]
struct Column {
    member: &'static str,
    /// Also called so, as in exports of other shops.
    alias: &'static str,
    form: Form,
    required: bool,
}

const fn must(member: &'static str, alias: &'static str, form: Form) -> Column {
    Column { member, alias, form, required: true }
}

const fn may(member: &'static str, form: Form) -> Column {
    Column { member, alias: member, form, required: false }
}

const PRODUCTS: &[Column] = &[
    must("sku", "sku", Form::Text),
    must("name", "name", Form::Text),
    must("unit_amount", "unit_price_minor", Form::Whole),
    must("currency", "currency", Form::Text),
    may("category", Form::Text),
    may("active", Form::Truth),
];

const STOCK: &[Column] = &[
    must("sku", "sku", Form::Text),
    must("delta", "opening_stock", Form::Whole),
    may("reason", Form::Text),
    may("location", Form::Text),
];

const CUSTOMERS: &[Column] = &[
    // Without it somebody would be made anew each time.
    must("external_ref", "external_ref", Form::Text),
    must("name", "name", Form::Text),
    may("email", Form::Text),
    may("default_payment_method", Form::Text),
];

const PRICES: &[Column] =
    &[must("sku", "sku", Form::Text), may("unit_amount", Form::Whole), may("off", Form::Truth)];

/// Why the columns of a file are not those of a kind.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// A column is needed that the file has not.
    #[error("the column `{0}` is missing")]
    Missing(&'static str),
    /// Two columns of the file mean the same.
    #[error("the column `{0}` stands there twice")]
    Twice(&'static str),
}

/// The columns of a file.
#[derive(Debug)]
pub(crate) struct Header {
    columns: Vec<Option<&'static Column>>,
    /// Those that mean nothing.
    pub(crate) unused: Vec<String>,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Products, Self::Stock, Self::Customers, Self::Prices];

    /// As it is named at the command line and in keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Products => "products",
            Self::Stock => "stock",
            Self::Customers => "customers",
            Self::Prices => "prices",
        }
    }

    /// The route that takes rows of it; `list` names the price list, and prices alone have one.
    pub(crate) fn path(self, list: Option<&str>) -> anyhow::Result<String> {
        Ok(match (self, list) {
            (Self::Products, None) => "/v1/products:batch".to_owned(),
            (Self::Stock, None) => "/v1/stock:batch".to_owned(),
            (Self::Customers, None) => "/v1/customers:batch".to_owned(),
            (Self::Prices, Some(list)) => {
                let list = utf8_percent_encode(list, NON_ALPHANUMERIC);
                format!("/v1/price-lists/{list}/prices:batch")
            }
            (Self::Prices, None) => anyhow::bail!("prices stand on a list: name it with --list"),
            (_, Some(_)) => anyhow::bail!("only prices stand on a list: leave --list away"),
        })
    }

    const fn columns(self) -> &'static [Column] {
        match self {
            Self::Products => PRODUCTS,
            Self::Stock => STOCK,
            Self::Customers => CUSTOMERS,
            Self::Prices => PRICES,
        }
    }

    /// A row that is JSON already, as it is sent. What is wrong with it otherwise, the server says.
    ///
    /// # Errors
    /// Why it is no row of this kind, as a sentence.
    pub(crate) fn row_of_json(self, text: &str) -> Result<String, String> {
        let row: Value =
            serde_json::from_str(text).map_err(|error| format!("this is no JSON: {error}"))?;
        let Value::Object(row) = row else { return Err("this is no JSON object".to_owned()) };
        for column in self.columns().iter().filter(|column| column.required) {
            if row.get(column.member).is_none_or(|value| value.is_null() || value == "") {
                return Err(missing(column.member));
            }
        }
        // On one line, whatever was between its members.
        Ok(Value::Object(row).to_string())
    }
}

fn missing(member: &str) -> String {
    format!("`{member}` is missing")
}

impl Header {
    /// Reads the names of the columns.
    pub(crate) fn read<'a>(
        kind: Kind,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<Self, HeaderFault> {
        let (mut columns, mut unused) = (Vec::new(), Vec::new());
        for name in names {
            // Spreadsheets put a mark before the first one.
            let name = name.trim_start_matches('\u{feff}').trim();
            let known = kind.columns().iter().find(|c| c.member == name || c.alias == name);
            match known {
                None => unused.push(name.to_owned()),
                Some(column) => {
                    let same = |other: &&'static Column| other.member == column.member;
                    if columns.iter().flatten().any(same) {
                        return Err(HeaderFault::Twice(column.member));
                    }
                }
            }
            columns.push(known);
        }
        let has = |member: &str| columns.iter().flatten().any(|column| column.member == member);
        match kind.columns().iter().find(|column| column.required && !has(column.member)) {
            Some(column) => Err(HeaderFault::Missing(column.member)),
            None => Ok(Self { columns, unused }),
        }
    }

    /// The row of these cells, as it is sent.
    ///
    /// # Errors
    /// Why it is none, as a sentence.
    pub(crate) fn row<'a>(
        &self,
        cells: impl ExactSizeIterator<Item = &'a str>,
    ) -> Result<String, String> {
        if cells.len() != self.columns.len() {
            return Err(format!("{} cells under {} columns", cells.len(), self.columns.len()));
        }
        let mut row = Map::new();
        for (column, cell) in self.columns.iter().zip(cells) {
            let Some(column) = column else { continue };
            if cell.is_empty() {
                if column.required {
                    return Err(missing(column.member));
                }
                continue;
            }
            row.insert(column.member.to_owned(), column.value(cell)?);
        }
        Ok(Value::Object(row).to_string())
    }
}

impl Column {
    fn value(&self, cell: &str) -> Result<Value, String> {
        let wrong = |what: &str| format!("`{}` is {what}", self.member);
        match self.form {
            Form::Text => Ok(cell.into()),
            Form::Whole => {
                cell.trim().parse::<i64>().map(Value::from).map_err(|_| wrong("no whole number"))
            }
            Form::Truth => match cell.trim() {
                "true" => Ok(true.into()),
                "false" => Ok(false.into()),
                _ => Err(wrong("neither true nor false")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(header: &Header, cells: &[&str]) -> Result<Value, String> {
        let row = header.row(cells.iter().copied())?;
        Ok(serde_json::from_str(&row).expect("JSON"))
    }

    #[test]
    fn cells_become_members_and_empty_ones_are_absent() {
        let names = ["\u{feff}sku", "brand", "unit_price_minor", " name ", "currency", "active"];
        let header = Header::read(Kind::Products, names.into_iter()).expect("good columns");
        assert_eq!(header.unused, ["brand"]);
        assert_eq!(
            row(&header, &["7", "x", "199", "Tea, \"green\"", "USD", ""]),
            Ok(
                json!({"sku": "7", "unit_amount": 199, "name": "Tea, \"green\"", "currency": "USD"})
            )
        );
        for (cells, reason) in [
            (vec!["7", "x", "1.99", "Tea", "USD", ""], "`unit_amount` is no whole number"),
            (vec!["7", "x", "199", "", "USD", ""], "`name` is missing"),
            (vec!["7", "x", "199", "Tea", "USD", "maybe"], "`active` is neither true nor false"),
            (vec!["7", "x", "199", "Tea", "USD"], "5 cells under 6 columns"),
        ] {
            assert_eq!(row(&header, &cells), Err(reason.to_owned()));
        }
    }

    #[test]
    fn prices_alone_stand_on_a_list() {
        let path = |kind: Kind, list| kind.path(list).ok();
        let spring = "/v1/price-lists/spring%202027%2Fa/prices:batch".to_owned();
        assert_eq!(path(Kind::Prices, Some("spring 2027/a")), Some(spring));
        assert_eq!(path(Kind::Stock, None).as_deref(), Some("/v1/stock:batch"));
        for (kind, list) in [(Kind::Prices, None), (Kind::Stock, Some("spring"))] {
            assert_eq!(path(kind, list), None);
        }
    }

    #[test]
    fn columns_that_are_needed_stand_there_once() {
        let read = |names: &[&'static str]| {
            Header::read(Kind::Stock, names.iter().copied()).map(|header| header.unused)
        };
        assert_eq!(read(&["sku", "delta"]), Ok(Vec::new()));
        assert_eq!(read(&["sku", "opening_stock", "note"]), Ok(vec!["note".to_owned()]));
        assert_eq!(read(&["sku"]), Err(HeaderFault::Missing("delta")));
        assert_eq!(read(&["sku", "delta", "opening_stock"]), Err(HeaderFault::Twice("delta")));
    }

    #[test]
    fn json_rows_are_objects_with_what_is_needed() {
        let good = Kind::Customers.row_of_json("{ \"external_ref\": \"c-1\",\t\"name\": \"A\"}");
        assert_eq!(good.as_deref(), Ok(r#"{"external_ref":"c-1","name":"A"}"#));
        for (text, reason) in [
            ("[1]", "this is no JSON object"),
            (r#"{"name": "A"}"#, "`external_ref` is missing"),
            (r#"{"external_ref": null, "name": "A"}"#, "`external_ref` is missing"),
        ] {
            assert_eq!(Kind::Customers.row_of_json(text), Err(reason.to_owned()));
        }
        let broken = Kind::Customers.row_of_json("{").expect_err("no JSON");
        assert!(broken.starts_with("this is no JSON: "), "{broken}");
    }
}
