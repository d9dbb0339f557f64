//! The bank of a simulated shop, and the way to it. It lives outside of the nodes: what was sent to
//! it arrives whether or not the sender still lives or waits.

pub mod books;
mod hooks;
mod wire;

use crate::nature::Calm;
use crate::profile::BankProfile;
use crate::rng::Rng;
use crate::trace::Trace;
use books::Books;
use payments::WireRequest;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

pub(crate) use hooks::tell_the_shop;
pub use hooks::{WEBHOOK_SECRET, signature};
pub(crate) use wire::Line;

/// A request on its way, and where its answer goes.
type Sent = (WireRequest, oneshot::Sender<Option<(u16, Vec<u8>)>>);

/// What happened at the bank, to be told to the shop.
#[derive(Clone, Debug)]
pub(crate) struct Happening {
    pub(crate) kind: &'static str,
    pub(crate) object: serde_json::Value,
}

/// The bank.
pub struct Bank {
    books: Mutex<Books>,
    chance: Mutex<Rng>,
    pub(crate) profile: BankProfile,
    calm: Arc<Calm>,
    pub(crate) trace: Arc<Trace>,
    letterbox: mpsc::UnboundedSender<Sent>,
    happenings: mpsc::UnboundedSender<Happening>,
    under_way: AtomicUsize,
}

/// What comes out of the bank: requests to be worked on, and events to be told.
pub(crate) struct Doors {
    pub(crate) requests: mpsc::UnboundedReceiver<Sent>,
    pub(crate) happenings: mpsc::UnboundedReceiver<Happening>,
}

/// What happens to one call.
struct Fate {
    there: Duration,
    back: Duration,
    fault: Option<&'static str>,
    decline: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bank {
    /// A bank with empty books.
    pub(crate) fn new(
        profile: BankProfile,
        rng: Rng,
        calm: Arc<Calm>,
        trace: Arc<Trace>,
    ) -> (Self, Doors) {
        let (letterbox, requests) = mpsc::unbounded_channel();
        let (told, happenings) = mpsc::unbounded_channel();
        let bank = Self {
            books: Mutex::default(),
            chance: Mutex::new(rng),
            profile,
            calm,
            trace,
            letterbox,
            happenings: told,
            under_way: AtomicUsize::new(0),
        };
        (bank, Doors { requests, happenings })
    }

    fn fate(&self) -> Fate {
        let mut rng = lock(&self.chance);
        let p = &self.profile;
        if self.calm.is() {
            let (there, back) = (rng.millis(1, 5), rng.millis(1, 5));
            return Fate { there, back, fault: None, decline: false };
        }
        let mut time = || {
            let slow = rng.permille(p.slow_permille);
            rng.millis(0, if slow { p.slow_millis } else { p.usual_millis })
        };
        let (there, back) = (time(), time());
        let faults = [
            ("bank.lost", p.lost_permille),
            ("bank.reply_lost", p.reply_lost_permille),
            ("bank.error_before", p.error_before_permille),
            ("bank.error_after", p.error_after_permille),
            ("bank.rate_limit", p.rate_limit_permille),
            ("bank.malformed", p.malformed_permille),
            ("bank.wrong_amount", p.wrong_amount_permille),
        ];
        let drawn = rng.below(1_000);
        let mut upto = 0;
        let fault = faults.iter().find(|(_, permille)| {
            upto += permille;
            drawn < upto
        });
        let fault = fault.map(|(name, _)| *name);
        Fate { there, back, fault, decline: rng.permille(p.decline_permille) }
    }

    /// Works on requests as they arrive, until nobody can send any more.
    pub(crate) async fn work(self: Arc<Self>, mut requests: mpsc::UnboundedReceiver<Sent>) {
        let bank = Rc::new(self);
        while let Some((request, reply)) = requests.recv().await {
            let bank = bank.clone();
            bank.under_way.fetch_add(1, Ordering::SeqCst);
            tokio::task::spawn_local(async move {
                let answer = bank.answer(request).await;
                bank.under_way.fetch_sub(1, Ordering::SeqCst);
                // A sender that does not wait any more does not hear it.
                let _ = reply.send(answer);
            });
        }
    }

    /// `None` when the connection fails.
    async fn answer(&self, request: WireRequest) -> Option<(u16, Vec<u8>)> {
        let fate = self.fate();
        let slow = Duration::from_millis(self.profile.usual_millis.unsigned_abs());
        if fate.there > slow || fate.back > slow {
            self.trace.count("bank.delay");
        }
        tokio::time::sleep(fate.there).await;
        if let Some(fault) = fate.fault {
            self.trace.count(fault);
            self.trace.note("bank", format_args!("{fault} {}", request.path));
        }
        match fate.fault {
            Some("bank.lost") => return None,
            Some("bank.error_before") => return Some((500, b"{}".to_vec())),
            Some("bank.rate_limit") => return Some((429, b"{}".to_vec())),
            _ => {}
        }
        let (status, body) = self.serve(&request, fate.decline);
        self.trace.note(
            "bank",
            format_args!("{} {} {:?}: {status} {body}", request.method, request.path, request.key),
        );
        tokio::time::sleep(fate.back).await;
        match fate.fault {
            Some("bank.reply_lost") => None,
            Some("bank.error_after") => Some((500, b"{}".to_vec())),
            Some("bank.malformed") => Some((200, b"<html>".to_vec())),
            Some("bank.wrong_amount") => Some((status, wire::one_more(&body).into_bytes())),
            _ => Some((status, body.into_bytes())),
        }
    }

    /// Requests that were sent and are not answered yet: they may still do something.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    /// The books, as a checker reads them.
    pub fn books<T>(&self, read: impl FnOnce(&Books) -> T) -> T {
        read(&lock(&self.books))
    }
}
