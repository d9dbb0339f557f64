//! What the feature `armed` adds: the process reads from its environment where it is to die and
//! which bug is planted; a simulation sets both from within.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Environment variable that names the point at which the process dies: `name`, or `name:n` for
/// the n-th time it comes by.
pub const CRASH_AT: &str = "ORDERLY_CRASH_AT";

/// Environment variable that names the bug that is planted.
pub const PLANTED_BUG: &str = "ORDERLY_PLANTED_BUG";

/// Told of every point that a task of this thread passes; the task waits for what it gives.
pub type Hook = Rc<dyn Fn(&'static str) -> Pin<Box<dyn Future<Output = ()>>>>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    static PLANTED: RefCell<Option<String>> = const { RefCell::new(None) };
}

static CRASH: OnceLock<Option<(String, u64)>> = OnceLock::new();
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
    fn a_bug_is_planted_in_one_thread() {
        let name = crate::BUGS[0].name;
        plant(Some(name));
        assert!(planted(name));
        assert!(!std::thread::spawn(move || planted(name)).join().unwrap());
        plant(None);
        assert!(!planted(name));
    }
}
