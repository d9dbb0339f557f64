//! Tests of the whole product: they stand in `it/` and drive the real program as a process, through
//! its REST API and its command line, on SQLite and on Postgres.
