//! A node: one set of local tasks. Dropping the set is a `kill -9`, not polling it a `SIGSTOP`.

use crate::shop;
use crate::world::World;
use gateway::{PlainRequest, PlainResponse};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{Instant, Sleep, sleep_until};

thread_local! {
    static RUNNING: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The node whose task runs now, if it is one's.
#[must_use]
pub fn running() -> Option<usize> {
    RUNNING.get()
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Nobody listened; nothing happened.
    Refused,
    /// The connection broke; what happened is not known.
    Reset,
}

/// A request at the node's door.
pub struct Knock {
    /// What is asked.
    pub request: PlainRequest,
    /// Where the answer goes.
    pub reply: oneshot::Sender<PlainResponse>,
}

/// What is done to a node from outside.
#[derive(Default)]
struct Control {
    killed: Cell<bool>,
    stands_until: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
}

impl Control {
    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// A node of the shop.
pub struct Node {
    /// Its number.
    pub index: usize,
    control: RefCell<Rc<Control>>,
    door: RefCell<Option<mpsc::UnboundedSender<Knock>>>,
    starts: Cell<u64>,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.index)
    }
}

impl Node {
    /// A node that does not run yet.
    #[must_use]
    pub fn new(index: usize) -> Self {
        Self { index, control: RefCell::default(), door: RefCell::new(None), starts: Cell::new(0) }
    }

    /// Starts the node, and again whenever it ends, until the run is over.
    pub async fn keep_running(self: Rc<Self>, world: Rc<World>) {
        let mut rng = world.rng(&format!("restart {}", self.index));
        while !world.is_over() {
            self.run_once(&world).await;
            if world.is_over() {
                break;
            }
            let pause =
                if world.calm.is() { Duration::from_millis(200) } else { rng.millis(100, 4_000) };
            tokio::time::sleep(pause).await;
        }
    }

    async fn run_once(&self, world: &Rc<World>) {
        let (knock, knocks) = mpsc::unbounded_channel();
        let start = self.starts.get() + 1;
        self.starts.set(start);
        *self.control.borrow_mut() = Rc::default();
        *self.door.borrow_mut() = Some(knock);
        world.trace.note(self, format_args!("starts ({start})"));
        let set = LocalSet::new();
        let main = set.spawn_local(shop::serve(world.clone(), self.index, start, knocks));
        let control = self.control.borrow().clone();
        Life { set: Some(set), main, index: self.index, control, stands: None }.await;
        *self.door.borrow_mut() = None;
        world.trace.note(self, "ended");
    }

    /// Ends the node in the middle of whatever it does.
    pub fn kill(&self, world: &World, why: &str) {
        let control = self.control.borrow();
        if control.killed.replace(true) {
            return;
        }
        // From now on nobody gets in; what is under way breaks when the set is dropped.
        *self.door.borrow_mut() = None;
        world.trace.count("node.killed");
        world.trace.note(self, format_args!("is killed: {why}"));
        control.wake();
    }

    /// Lets the node stand still for a while: none of its tasks runs, and no time-out of its own
    /// is noticed until it goes on.
    pub fn pause(&self, world: &World, time: Duration) {
        let control = self.control.borrow();
        control.stands_until.set(Some(Instant::now() + time));
        world.trace.count("node.paused");
        world.trace.note(self, format_args!("stands still for {time:?}"));
        control.wake();
    }

    /// Ends a pause.
    pub fn go_on(&self) {
        let control = self.control.borrow();
        control.stands_until.set(None);
        control.wake();
    }

    /// Whether anybody would open.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.door.borrow().as_ref().is_some_and(|door| !door.is_closed())
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// See [`Gone`].
    pub async fn call(&self, request: PlainRequest) -> Result<PlainResponse, Gone> {
        let (reply, answer) = oneshot::channel();
        let door = self.door.borrow().clone().ok_or(Gone::Refused)?;
        door.send(Knock { request, reply }).map_err(|_| Gone::Refused)?;
        drop(door);
        answer.await.map_err(|_| Gone::Reset)
    }
}

/// The node's tasks as one future.
struct Life {
    set: Option<LocalSet>,
    /// What a process does; when it returns, the process ends with whatever else it does.
    main: JoinHandle<()>,
    index: usize,
    control: Rc<Control>,
    stands: Option<Pin<Box<Sleep>>>,
}

impl Life {
    /// Whether the node stands still now.
    fn stands_still(&mut self, task: &mut Context<'_>) -> bool {
        let Some(until) = self.control.stands_until.get() else {
            self.stands = None;
            return false;
        };
        let sleep = self.stands.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.as_mut().poll(task).is_pending() {
            return true;
        }
        self.control.stands_until.set(None);
        self.stands = None;
        false
    }

    fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        RUNNING.set(Some(self.index));
        let result = work();
        RUNNING.set(None);
        result
    }
}

impl Future for Life {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        *this.control.waker.borrow_mut() = Some(task.waker().clone());
        if !this.control.killed.get() {
            if this.stands_still(task) {
                return Poll::Pending;
            }
            let Some(mut set) = this.set.take() else { return Poll::Ready(()) };
            let idle = this.within(|| Pin::new(&mut set).poll(task).is_ready());
            let ended = idle || this.main.is_finished();
            this.set = Some(set);
            if !ended && !this.control.killed.get() {
                return Poll::Pending;
            }
        }
        let set = this.set.take();
        this.within(|| drop(set));
        Poll::Ready(())
    }
}
