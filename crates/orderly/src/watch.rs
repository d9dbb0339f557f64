//! Whether the database answers: for the edge, which refuses writes within a second when it does
//! not, and for readiness, which is in less of a hurry (rule D18).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{Backend, Db, StoreConfig, StoreError};
use tokio::time::{Instant, sleep, timeout};

/// How often the database is asked.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// How soon it is asked again when it refused: one broken connection is no broken database.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// Refusals in a row that count.
const REFUSALS: u32 = 2;

/// A refusal comes at once; what takes longer is a wait for a connection that was given up.
const REFUSAL_MAX: Duration = Duration::from_millis(300);

/// How long Postgres may be silent. The question is trivial and has a connection of its own.
const SILENCE_POSTGRES: Duration = Duration::from_millis(750);

/// How long SQLite may be silent: a slow disk is not away, and its connections are shared with all
/// who read.
const SILENCE_SQLITE: Duration = Duration::from_secs(5);

/// From this time without an answer on, the node should get no requests.
const NOT_READY_AFTER: Duration = Duration::from_secs(5);

/// What is known of the database.
pub(crate) struct Watch {
    answers: AtomicBool,
    ready: AtomicBool,
    asked: Db,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Answered,
    Refused,
    Silent,
}

/// What has been seen so far.
#[derive(Clone, Copy, Debug)]
struct Pulse {
    last_answer: Instant,
    refusals: u32,
    silence_max: Duration,
}

impl Pulse {
    const fn new(now: Instant, silence_max: Duration) -> Self {
        Self { last_answer: now, refusals: 0, silence_max }
    }

    const fn note(&mut self, seen: Seen, now: Instant) {
        match seen {
            Seen::Answered => *self = Self::new(now, self.silence_max),
            Seen::Refused => self.refusals = self.refusals.saturating_add(1),
            Seen::Silent => {}
        }
    }

    /// Whether it is taken to answer, when it was asked until now.
    fn answers(self, now: Instant) -> bool {
        let silent = now.saturating_duration_since(self.last_answer);
        self.refusals < REFUSALS && silent < self.silence_max
    }

    fn is_ready(self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_answer) < NOT_READY_AFTER
    }

    /// When to ask next.
    const fn pause(self) -> Duration {
        if self.refusals == 1 { ASK_AGAIN } else { ASK_EVERY }
    }
}

impl Watch {
    /// Asks from now on. Postgres is asked over a connection that nobody else uses: however busy
    /// the others are, this one tells whether the server is there.
    ///
    /// # Errors
    /// The database cannot be reached now.
    pub(crate) async fn start(db: &Db, config: &StoreConfig) -> Result<Arc<Self>, StoreError> {
        let (asked, silence) = match db.backend() {
            Backend::Postgres => {
                let (connections_max, acquire_timeout) = (1, SILENCE_POSTGRES);
                let config = StoreConfig { connections_max, acquire_timeout, ..config.clone() };
                (Db::open(&config).await?, SILENCE_POSTGRES)
            }
            Backend::Sqlite => (db.clone(), SILENCE_SQLITE),
        };
        let (answers, ready) = (AtomicBool::new(true), AtomicBool::new(true));
        let watch = Arc::new(Self { answers, ready, asked });
        actix::spawn(watch.clone().watch(silence));
        Ok(watch)
    }

    /// Whether it answers.
    pub(crate) fn answers(&self) -> bool {
        self.answers.load(Ordering::Acquire)
    }

    /// Whether it answered within the last seconds.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Closes the connection of its own; the other connections are not its to close.
    pub(crate) async fn close(&self) {
        if self.asked.backend() == Backend::Postgres {
            self.asked.close().await;
        }
    }

    async fn watch(self: Arc<Self>, silence: Duration) {
        let mut pulse = Pulse::new(Instant::now(), silence);
        loop {
            sleep(pulse.pause()).await;
            let asked = Instant::now();
            let seen = match timeout(silence, self.asked.ping()).await {
                Ok(Ok(())) => Seen::Answered,
                Ok(Err(_)) if asked.elapsed() < REFUSAL_MAX => Seen::Refused,
                Ok(Err(_)) | Err(_) => Seen::Silent,
            };
            let now = Instant::now();
            pulse.note(seen, now);
            let answers = pulse.answers(now);
            if answers != self.answers() {
                tracing::warn!(event = "database_watched", answers);
            }
            self.ready.store(pulse.is_ready(now), Ordering::Release);
            self.answers.store(answers, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is taken to answer after these.
    fn after(seen: &[Seen]) -> bool {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(now, Duration::from_secs(1));
        for seen in seen {
            now += Duration::from_millis(400);
            pulse.note(*seen, now);
        }
        pulse.answers(now)
    }

    #[test]
    fn one_refusal_is_a_broken_connection_and_two_are_a_broken_database() {
        use Seen::{Answered, Refused, Silent};
        assert!(after(&[]) && after(&[Answered]) && after(&[Refused]));
        assert!(after(&[Refused, Answered, Refused]));
        assert!(!after(&[Refused, Refused]) && !after(&[Answered, Refused, Refused, Refused]));
        // Silence counts by its time: three times are more than a second here.
        assert!(after(&[Silent, Silent]) && !after(&[Silent, Silent, Silent]));
        assert!(after(&[Silent, Silent, Answered, Silent]) && !after(&[Silent, Refused, Silent]));
        assert!(after(&[Silent, Refused, Refused, Answered]));
    }

    #[test]
    fn a_database_that_went_away_is_found_out_within_a_second() {
        // Silence is the slowest way to learn it; a refusal is followed by another question at once.
        assert!(ASK_EVERY + SILENCE_POSTGRES <= Duration::from_secs(1));
        let mut pulse = Pulse::new(Instant::now(), SILENCE_POSTGRES);
        pulse.note(Seen::Refused, Instant::now());
        assert_eq!(pulse.pause(), ASK_AGAIN);
        pulse.note(Seen::Refused, Instant::now());
        assert_eq!(pulse.pause(), ASK_EVERY);
    }

    #[test]
    fn readiness_waits_for_five_seconds() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start, SILENCE_POSTGRES);
        pulse.note(Seen::Silent, start);
        assert!(pulse.is_ready(start + Duration::from_millis(4_999)));
        assert!(!pulse.is_ready(start + Duration::from_secs(5)));
        pulse.note(Seen::Answered, start + Duration::from_secs(9));
        assert!(pulse.is_ready(start + Duration::from_secs(9)));
    }
}
