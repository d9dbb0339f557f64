//! The inventory with real actors, on both databases.

mod cache;
mod changes;
mod moves;
mod places;
mod world;
