//! The inventory with real actors, on both databases.

mod changes;
mod moves;
mod places;
mod world;
