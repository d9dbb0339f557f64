//! Where an actor lives.

use actix::ArbiterHandle;
use std::future::Future;
use std::pin::Pin;

/// Where a service runs. An actor and all its tasks stay on one thread for life.
#[derive(Clone, Debug)]
pub enum Home {
    /// On the thread of this arbiter.
    Arbiter(ArbiterHandle),
    /// Among the local tasks of whoever starts it (`tokio::task::LocalSet`): a simulated node is
    /// one such set, and dropping the set ends everything on it at once, like a `kill -9`.
    Here,
}

impl Home {
    /// The arbiter that this is called on.
    ///
    /// # Panics
    /// Outside of an actix system.
    #[must_use]
    pub fn current() -> Self {
        Self::Arbiter(actix::Arbiter::current())
    }

    /// Runs what `make` gives at this place; `false` if the place has ended.
    pub(crate) fn spawn(
        &self,
        make: impl FnOnce() -> Option<Pin<Box<dyn Future<Output = ()>>>> + Send + 'static,
    ) -> bool {
        let begin = move || {
            if let Some(future) = make() {
                actix::spawn(future);
            }
        };
        match self {
            Self::Arbiter(arbiter) => arbiter.spawn_fn(begin),
            Self::Here => {
                begin();
                true
            }
        }
    }
}

impl From<ArbiterHandle> for Home {
    fn from(arbiter: ArbiterHandle) -> Self {
        Self::Arbiter(arbiter)
    }
}
