//! Being asked to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Termination signals, from the moment this is made: none is missed between two.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// The operating system refuses to tell about signals.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next SIGTERM or SIGINT.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// The operating system refuses to tell about signals.
pub(crate) async fn asked_to_stop() -> std::io::Result<()> {
    Signals::listen()?.next().await;
    Ok(())
}
