//! The conventions of the API that hold for every route: headers, bodies, lists, streams.

pub(crate) mod bodies;
pub(crate) mod body;
pub(crate) mod conditional;
pub(crate) mod cursor;
pub(crate) mod edge;
pub(crate) mod headers;
pub(crate) mod idempotency;
pub(crate) mod ndjson;
pub(crate) mod number;
pub(crate) mod query;
