//! Query strings of lists: a few known parameters, each once, and nothing else.

use crate::http::cursor::CursorSeal;
use crate::problem::{Code, Problem};
use actix_web::HttpRequest;
use actix_web::web;
use serde::Serialize;
use std::fmt::Write;

/// Rows of a page when the client does not say.
pub(crate) const LIMIT_DEFAULT: i64 = 20;

/// Most rows of a page.
pub(crate) const LIMIT_MAX: i64 = 100;

/// Longest value of a parameter, in bytes.
pub(crate) const VALUE_BYTES_MAX: usize = 500;

/// The parameters of one request, in order of their names.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

/// A page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    /// The rows.
    pub(crate) data: Vec<T>,
    /// Whether there are more after these.
    pub(crate) has_more: bool,
    /// The cursor of the next page.
    pub(crate) next_cursor: Option<String>,
}

/// Which page of which list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// The list: its path and filters.
    list: String,
    /// Rows of a page.
    pub(crate) limit: i64,
    /// The position after which the page begins; `None`: at the beginning.
    pub(crate) after: Option<String>,
}

impl Query {
    /// Reads the query of `request`, in which only `known` parameters may stand.
    ///
    /// # Errors
    /// `INVALID_PARAMETER` with the parameter's name.
    pub(crate) fn of(request: &HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        Self::parse(request.query_string(), known)
    }

    fn parse(text: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut pairs = web::Query::<Vec<(String, String)>>::from_query(text)
            .map_err(|_| Problem::new(Code::InvalidParameter, "The query cannot be read."))?
            .into_inner();
        pairs.sort();
        for (index, (name, value)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(refuse(name, "There is no such parameter."));
            }
            if pairs.get(index + 1).is_some_and(|(next, _)| next == name) {
                return Err(refuse(name, "The parameter stands more than once."));
            }
            if value.len() > VALUE_BYTES_MAX || value.chars().any(char::is_control) {
                return Err(refuse(name, "The value is too long or not printable."));
            }
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, read by `read`.
    ///
    /// # Errors
    /// `INVALID_PARAMETER` with `expected` where `read` gives `None`.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        self.get(name).map(|value| read(value).ok_or_else(|| refuse(name, expected))).transpose()
    }

    /// The parameter `limit`.
    ///
    /// # Errors
    /// `INVALID_PARAMETER` unless it is a whole number from 1 to [`LIMIT_MAX`].
    pub(crate) fn limit(&self) -> Result<i64, Problem> {
        let in_range = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|limit| digits && (1..=LIMIT_MAX).contains(limit))
        };
        let limit = self.read("limit", "limit is a whole number from 1 to 100.", in_range)?;
        Ok(limit.unwrap_or(LIMIT_DEFAULT))
    }

    /// Which page of the list at `path` is asked for.
    ///
    /// # Errors
    /// `INVALID_PARAMETER` for the limit, `INVALID_CURSOR` for the cursor.
    pub(crate) fn page(&self, path: &str, seal: &CursorSeal) -> Result<PageRequest, Problem> {
        let limit = self.limit()?;
        let mut list = path.to_owned();
        for (name, value) in self.0.iter().filter(|(n, _)| n != "limit" && n != "cursor") {
            // Lengths keep values that look like the next parameter apart from it.
            // Writing to a string cannot fail.
            let _ = write!(list, "?{name}={}:{value}", value.len());
        }
        let after = self.get("cursor").map(|cursor| seal.open(&list, cursor)).transpose()?;
        Ok(PageRequest { list, limit, after })
    }
}

/// Which page is asked for of the list at `path`, which has no filters.
///
/// # Errors
/// `INVALID_PARAMETER` for the limit or another parameter, `INVALID_CURSOR` for the cursor.
pub(crate) fn page_of(
    request: &HttpRequest,
    path: &str,
    seal: &CursorSeal,
) -> Result<PageRequest, Problem> {
    Query::of(request, &["limit", "cursor"])?.page(path, seal)
}

/// `INVALID_PARAMETER` about `name`.
pub(crate) fn refuse(name: &str, message: &'static str) -> Problem {
    Problem::new(Code::InvalidParameter, message).with("parameter", name)
}

impl PageRequest {
    /// The rows to ask for: one more than the page, to know whether there are more.
    pub(crate) const fn rows(&self) -> i64 {
        self.limit + 1
    }

    /// The position after which the page begins, read by `read`.
    ///
    /// # Errors
    /// `INVALID_CURSOR` where `read` gives `None`.
    pub(crate) fn after<T>(
        &self,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let invalid = || Problem::new(Code::InvalidCursor, "The cursor does not belong here.");
        self.after.as_deref().map(|text| read(text).ok_or_else(invalid)).transpose()
    }

    /// The page out of up to [`Self::rows`] rows; `position` names a row's place in the list.
    pub(crate) fn page<T>(
        &self,
        mut rows: Vec<T>,
        seal: &CursorSeal,
        position: impl FnOnce(&T) -> String,
    ) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(0);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| has_more);
        let next_cursor = last.map(|row| seal.close(&self.list, &position(row)));
        Page { data: rows, has_more, next_cursor }
    }
}

impl<T> Page<T> {
    /// The page as `tell` tells its rows.
    pub(crate) fn told<'a, U>(&'a self, tell: impl FnMut(&'a T) -> U) -> Page<U> {
        let data = self.data.iter().map(tell).collect();
        Page { data, has_more: self.has_more, next_cursor: self.next_cursor.clone() }
    }

    /// The page as it is told.
    pub(crate) fn view<'a, U: From<&'a T>>(&'a self) -> Page<U> {
        self.told(U::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["limit", "cursor", "status"];

    fn code(query: &str) -> Option<Code> {
        let seal = CursorSeal::new([1; 32]);
        Query::parse(query, KNOWN)
            .and_then(|query| query.page("/v1/orders", &seal))
            .err()
            .map(|problem| problem.code())
    }

    #[test]
    fn parameters_are_known_single_and_in_range() {
        for good in ["", "limit=1", "limit=100", "status=a%20b", "status=%C3%BC&limit=7"] {
            assert_eq!(code(good), None, "{good}");
        }
        let long = format!("status={}", "x".repeat(501));
        for bad in [
            "limit=0",
            "limit=101",
            "limit=1000000000",
            "limit=99999999999999999999",
            "limit=-1",
            "limit=%2B5",
            "limit=",
            "limit=1&limit=1",
            "sort=price",
            "status=%00",
            &long,
        ] {
            assert_eq!(code(bad), Some(Code::InvalidParameter), "{bad}");
        }
        assert_eq!(code("cursor=x"), Some(Code::InvalidCursor));
        assert_eq!(code("cursor="), Some(Code::InvalidCursor));
    }

    #[test]
    fn pages_follow_one_another_to_the_end() {
        let seal = CursorSeal::new([1; 32]);
        let rows: Vec<u32> = (0..45).collect();
        let (mut seen, mut query) = (Vec::new(), "status=a".to_owned());
        loop {
            let request = Query::parse(&query, KNOWN)
                .expect("a query")
                .page("/v1/orders", &seal)
                .expect("ok");
            let after = request.after(|text| text.parse::<u32>().ok()).expect("a position");
            let asked = usize::try_from(request.rows()).expect("small");
            let found: Vec<u32> =
                rows.iter().copied().filter(|n| after.is_none_or(|a| *n > a)).take(asked).collect();
            let page = request.page(found, &seal, ToString::to_string);
            seen.extend(page.data);
            assert_eq!(page.has_more, page.next_cursor.is_some());
            let Some(cursor) = page.next_cursor else { break };
            let other = Query::parse(&format!("status=b&cursor={cursor}"), KNOWN).expect("a query");
            let problem = other.page("/v1/orders", &seal).expect_err("another list");
            assert_eq!(problem.code(), Code::InvalidCursor);
            query = format!("cursor={cursor}&status=a&limit=20");
        }
        assert_eq!(seen, rows);
    }
}
