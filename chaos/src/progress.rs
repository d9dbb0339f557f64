//! A line on standard error that says how far a run has come.

use crate::clients::Control;
use crate::nemesis::Fired;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// Tells how far a run has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    shown: bool,
    on_terminal: bool,
}

impl Progress {
    /// Tells it, or not.
    #[must_use]
    pub fn new(shown: bool) -> Self {
        Self { shown, on_terminal: std::io::stderr().is_terminal() }
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        if self.shown {
            let clear = if self.on_terminal { "\r\x1b[K" } else { "" };
            eprintln!("{clear}{line}");
        }
    }

    /// Tells how far it has come while something goes on.
    pub async fn during<T>(
        &self,
        control: &Arc<Control>,
        fired: &Fired,
        work: impl Future<Output = T>,
    ) -> T {
        // A log need not have a line per second.
        let every = Duration::from_secs(if self.on_terminal { 1 } else { 10 });
        let mut work = std::pin::pin!(work);
        let began = Instant::now();
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(every) => self.line(began, control, fired),
            }
        }
    }

    fn line(&self, began: Instant, control: &Control, fired: &Fired) {
        if !self.shown {
            return;
        }
        let of = |class| fired.of(class);
        let line = format!(
            "{:>4} s  operations {} begun, {} decided, {} doubts · nodes killed {}, frozen {}, \
             drained {}, crashed {} · database killed {} · bank killed {}",
            began.elapsed().as_secs(),
            control.begun.load(Ordering::Relaxed),
            control.decided.load(Ordering::Relaxed),
            control.doubts.load(Ordering::Relaxed),
            of("node_kill"),
            of("node_freeze"),
            of("node_drain"),
            of("node_crash"),
            of("postgres_kill"),
            of("bank_kill"),
        );
        if self.on_terminal {
            eprint!("\r\x1b[K{line}");
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }
}
