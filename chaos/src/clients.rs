//! Those who use the shop while it is being broken, and write down what they were told.

mod journal;
mod judge;
mod patience;
mod record;
mod shopper;
mod single;
mod workload;

pub use judge::Finding;
pub use record::{Attempt, Outcome, Record};
pub use shopper::{Control, Crowd, Shopper};
pub use single::{order, place};
pub use workload::{CATALOGUE, Good, OPERATIONS, Operation};
