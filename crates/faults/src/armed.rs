//! What the feature `armed` adds: the process reads from its environment where it is to die and
//! which bug is planted; a simulation sets both from within.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Environment variable that names the point at which the process dies: `name`, or `name:n` for
/// the n-th time it comes by.
pub const CRASH_AT: &str = "ORDERLY_CRASH_AT";

/// Environment variable that names the actor that panics: `name`, or `name:n` at its n-th message,
/// or `name:*` at every one.
pub const PANIC_IN: &str = "ORDERLY_PANIC_IN";

/// Environment variable that names the bug that is planted.
pub const PLANTED_BUG: &str = "ORDERLY_PLANTED_BUG";

/// Told of every point that a task of this thread passes; the task waits for what it gives.
pub type Hook = Rc<dyn Fn(&'static str) -> Pin<Box<dyn Future<Output = ()>>>>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    static PLANTED: RefCell<Option<String>> = const { RefCell::new(None) };
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

static CRASH: OnceLock<Option<(String, u64)>> = OnceLock::new();
static PANIC: OnceLock<Option<(String, u64)>> = OnceLock::new();
static ALWAYS: OnceLock<Option<String>> = OnceLock::new();
static TAKEN: AtomicU64 = AtomicU64::new(0);
static PASSED: AtomicU64 = AtomicU64::new(0);
static BUG: OnceLock<Option<String>> = OnceLock::new();

/// Sets or takes away the hook of this thread.
pub fn set_hook(hook: Option<Hook>) {
    HOOK.with(|cell| *cell.borrow_mut() = hook);
}

/// Plants a bug in this thread, or takes it away.
pub fn plant(name: Option<&str>) {
    PLANTED.with(|cell| *cell.borrow_mut() = name.map(str::to_owned));
}

/// From now on chance in this thread follows from `seed`, or again from the system.
pub fn seed(seed: Option<u64>) {
    SEED.set(seed);
}

/// A number in `0.0..1.0`: the next one of this thread's seed, or what `real` gives.
pub fn chance(real: fn() -> f64) -> f64 {
    let Some(last) = SEED.get() else { return real() };
    // A linear congruential generator spreads waits well enough (the numbers are Knuth's).
    let next = last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    SEED.set(Some(next));
    f64::from(u32::try_from(next >> 32).unwrap_or(0)) / 4_294_967_296.0
}

/// Whether the bug of this name is planted, in this thread or by the environment.
#[must_use]
pub fn planted(name: &'static str) -> bool {
    debug_assert!(crate::BUGS.iter().any(|bug| bug.name == name), "{name} is not in the list");
    let here = PLANTED.with(|cell| cell.borrow().as_deref() == Some(name));
    let environment = BUG.get_or_init(|| std::env::var(PLANTED_BUG).ok());
    here || environment.as_deref() == Some(name)
}

/// A named place on the order's way. Asked for by name, the process ends here as if it had been
/// killed: nothing is flushed, closed or answered.
pub async fn point(name: &'static str) {
    debug_assert!(crate::POINTS.contains(&name), "{name} is not in the list");
    let crash = CRASH.get_or_init(|| std::env::var(CRASH_AT).ok().and_then(|text| parse(&text)));
    if let Some((wanted, nth)) = crash
        && wanted == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth
    {
        std::process::abort();
    }
    let hook = HOOK.with(|cell| cell.borrow().clone());
    if let Some(hook) = hook {
        hook(name).await;
    }
}

/// The moment before an actor takes a message: it panics, if that was asked for, once.
pub fn panic_point(actor: &str) {
    let text = || std::env::var(PANIC_IN).ok();
    let always = ALWAYS.get_or_init(|| text()?.strip_suffix(":*").map(str::to_owned));
    if always.as_deref() == Some(actor) {
        std::panic::panic_any(format!("{actor} was asked to panic every time"));
    }
    let asked = PANIC.get_or_init(|| text().and_then(|text| parse(&text)));
    if let Some((wanted, nth)) = asked
        && wanted == actor
        && TAKEN.fetch_add(1, Ordering::SeqCst) + 1 == *nth
    {
        std::panic::panic_any(format!("{actor} was asked to panic"));
    }
}

fn parse(text: &str) -> Option<(String, u64)> {
    match text.split_once(':') {
        None => Some((text.to_owned(), 1)),
        Some((name, nth)) => Some((name.to_owned(), nth.parse().ok().filter(|nth| *nth > 0)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_asked_for_by_name_and_turn() {
        assert_eq!(parse("place.after_commit"), Some(("place.after_commit".to_owned(), 1)));
        assert_eq!(parse("place.after_commit:7"), Some(("place.after_commit".to_owned(), 7)));
        assert_eq!(parse("place.after_commit:0"), None);
        assert_eq!(parse("place.after_commit:x"), None);
    }

    #[test]
    fn chance_follows_from_the_seed() {
        let draw = || (0..3).map(|_| chance(|| 2.0)).collect::<Vec<_>>();
        seed(Some(7));
        let first = draw();
        seed(Some(7));
        assert_eq!(draw(), first);
        assert!(first.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(first[0] < first[1] || first[1] < first[0]);
        seed(None);
        assert_eq!(draw(), [2.0; 3]);
    }

    #[test]
    fn a_bug_is_planted_in_one_thread() {
        let name = crate::BUGS[0].name;
        plant(Some(name));
        assert!(planted(name));
        assert!(!std::thread::spawn(move || planted(name)).join().unwrap());
        plant(None);
        assert!(!planted(name));
    }
}
