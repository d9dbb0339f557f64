//! The whole product at its edges: the real program as a process, over HTTP and the command line,
//! on both databases. Each test has a world of its own.

// The attributes tell clippy that a failed `unwrap` here is a failed test.
#[cfg(test)]
mod cache;
#[cfg(test)]
mod client;
#[cfg(test)]
mod collector;
#[cfg(test)]
mod database;
#[cfg(test)]
mod process;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod scraper;
#[cfg(test)]
mod world;

#[cfg(test)]
mod access;
#[cfg(test)]
mod assignment;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod events;
#[cfg(test)]
mod flash_sale;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod goods;
#[cfg(test)]
mod house;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod import;
#[cfg(test)]
mod life;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod locations;
#[cfg(test)]
mod model;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod panels;
#[cfg(test)]
mod panics;
#[cfg(test)]
mod patience;
#[cfg(test)]
mod poison;
#[cfg(test)]
mod pressure;
#[cfg(test)]
mod pricing;
#[cfg(test)]
mod prometheus;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod races;
#[cfg(test)]
mod recommendations;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod returns;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod store;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod timeline;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod topology;
#[cfg(test)]
mod users;
#[cfg(test)]
mod workers;
