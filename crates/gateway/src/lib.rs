//! The HTTP front of the shop: admits requests, reads them strictly, passes them to the services
//! and tells what came of them.
//!
//! | module | what is in it |
//! |---|---|
//! | `problem` | the table of errors: code, status, whether to try again |
//! | `http` | what holds for every route: headers, bodies, lists, streams, the edge |
//! | `limits` | who is refused before any work: quotas, load, a database that is away |
//! | `access` | the table: who may use which route |
//! | `admission` | who comes in, and for how long they wait |
//! | `routes` | the handlers, one file per resource |
//! | `views` | how things are told |
//! | `documents` | the OpenAPI document |
//! | `listener` | sockets and connections: slow clients, what is no HTTP, draining |
//! | `server` | the two listeners |
//!
//! **Invariants.** No input leads to a 500. A write runs in a task of its own, so a client that
//! leaves cannot stop it half-way. Nothing that a client sends is held without a bound. This is
//! the only service crate that names actix-web.

mod access;
mod admission;
mod config;
mod documents;
mod errors;
mod http;
#[cfg(feature = "simulation")]
mod in_process;
mod limits;
mod listener;
mod problem;
mod routes;
mod server;
mod services;
mod views;

#[cfg(test)]
mod tests;

pub use access::{ACCESS, Entry, Reach, Rule, access_markdown};
pub use config::{GatewayConfig, Limits};
pub use documents::openapi;
#[cfg(feature = "simulation")]
pub use in_process::{InProcess, PlainRequest, PlainResponse};
pub use limits::{DatabaseProbe, Network, NotANetwork};
pub use problem::{Code, Fault, Problem};
pub use routes::answers::render_order_answer;
pub use routes::debug::{Diagnostics, Form, MemoryUse, NoDiagnostics, NoProfile, Profiled};
pub use routes::life_answers::render_life_answer;
pub use routes::probes::{Probes, Readiness};
pub use server::{GatewayError, RunningGateway, start};
pub use services::Services;
