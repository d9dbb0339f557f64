//! Places where tests make a process die, and bugs that tests plant, so that the harness can prove
//! that it would have noticed.
//!
//! Without the feature `armed`, which only test programs switch on, every call here is empty.

mod list;

pub use list::{BUGS, Bug, POINTS};

#[cfg(feature = "armed")]
mod armed;
#[cfg(feature = "armed")]
pub use armed::{
    CRASH_AT, Hook, PANIC_IN, PLANTED_BUG, chance, panic_point, plant, planted, point, seed,
    set_hook,
};

/// A named place on the order's way. Armed, and asked for by name, the process ends here as if it
/// had been killed.
#[cfg(not(feature = "armed"))]
#[inline]
pub async fn point(_name: &'static str) {}

/// The moment before an actor takes a message. Armed, and asked for by the actor's name, it panics.
#[cfg(not(feature = "armed"))]
#[inline]
pub const fn panic_point(_actor: &str) {}

/// Whether the bug of this name is planted. Never in a released program.
#[cfg(not(feature = "armed"))]
#[inline]
#[must_use]
pub const fn planted(_name: &'static str) -> bool {
    false
}

/// A number in `0.0..1.0` that `real` gives. A simulation gives its own.
#[cfg(not(feature = "armed"))]
#[inline]
pub fn chance(real: fn() -> f64) -> f64 {
    real()
}
