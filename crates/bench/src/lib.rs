//! `orderly bench`: how fast the shop is, measured from outside through its REST API, with
//! everything switched on.
//!
//! Each run starts a shop of its own (or takes one that runs), fills its shelves, places orders, and
//! then compares what was answered with stock, audit and the bank's ledger: a run whose books do not
//! balance is no result. The generator lives on one thread and speaks plain HTTP over bare sockets
//! with requests that are made beforehand, so that it takes little of the machine it shares with
//! what it measures; its own share is part of the report.
//!
//! Pure are `arrivals`, `goods`, `latency`, `plot`, `report`, `request`, `tally`, the reading of answers
//! (`http`) and of `/proc` (`cpu`), and the comparisons of `verify`.

mod arrivals;
mod baseline;
mod counting;
mod cpu;
mod database;
mod drive;
mod goods;
mod http;
mod latency;
mod options;
mod pgbench;
mod plot;
mod preload;
mod report;
mod request;
mod run;
mod scenarios;
mod scene;
mod shop;
mod stack;
mod tally;
mod verify;

pub use baseline::Rival;
pub use latency::Latency;
pub use options::{Options, Scenario, ScenarioError, Target};
pub use report::{Cores, Report, Run, Spread, plot, print};
pub use run::run;
pub use stack::OwnStack;
