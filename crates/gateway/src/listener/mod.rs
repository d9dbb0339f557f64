//! A listener: sockets, connections, and how both end.
//!
//! What `actix_web::HttpServer` does, with a wire of our own between socket and HTTP
//! ([`wire::Wire`]): `HttpServer` bounds the time of the first head on a connection only.

mod bare;
mod wire;

pub(crate) use wire::Working;

use crate::config::Limits;
use crate::limits::{Quota, Taken};
use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server, ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::{App, Error, rt};
use bare::Bare;
use domain::{Clock, IdSource};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wire::{Rules, Wire};

/// How long a connection that ends may take to read its last answer.
const LINGER: Duration = Duration::from_secs(1);

/// What a listener needs to say something when nothing else can.
#[derive(Clone)]
pub(crate) struct Voice {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
}

/// A server that holds its address but does not serve yet.
pub(crate) struct Bound {
    address: SocketAddr,
    run: Box<dyn FnOnce() -> Server>,
}

/// A server that serves.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

/// Bounds how many connections a listener takes in a second.
struct Accepting {
    quota: Quota,
    full_at: Mutex<Instant>,
}

impl Accepting {
    fn takes_one_more(&self, now: Instant) -> bool {
        // Nothing in here panics half-way.
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        match self.quota.take(*full_at, now) {
            Taken::Yes { full_at: after, .. } => {
                *full_at = after;
                true
            }
            Taken::No { .. } => false,
        }
    }
}

/// Binds a server of the app that `make` makes, once for each worker.
///
/// # Errors
/// The address is in use, or may not be used.
pub(crate) fn bind<F, T, B>(
    address: SocketAddr,
    workers: usize,
    limits: Limits,
    voice: Voice,
    make: F,
) -> io::Result<Bound>
where
    F: Fn() -> App<T> + Clone + Send + 'static,
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that was stopped may be started again at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let socket = socket.listen(limits.backlog)?.into_std()?;
    let address = socket.local_addr()?;
    let bare = Arc::new(Bare { clock: voice.clock, ids: voice.ids });
    let rules = Rules {
        head: limits.request_head,
        unread: limits.unread_answer,
        idle: limits.keep_alive + limits.request_head,
    };
    let quota = Quota::new(limits.connections_per_second, Duration::from_secs(1));
    let accepting = Arc::new(Accepting { quota, full_at: Mutex::new(Instant::now()) });
    let server = Server::build()
        .workers(workers.max(1))
        .max_concurrent_connections(limits.connections_per_worker)
        .shutdown_timeout(limits.drain.as_secs())
        .disable_signals();
    let stopping = server.graceful_shutdown_signal();
    let server = server.listen("http", socket, move || {
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(limits.keep_alive)
            // The wire keeps the time, of every head.
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(LINGER)
            .local_addr(address)
            .on_connect_ext(Wire::<TcpStream>::introduce)
            .h1(map_config(make(), |()| AppConfig::default()));
        let (bare, accepting) = (bare.clone(), accepting.clone());
        fn_service(move |stream: TcpStream| {
            let wired = wire(stream, rules, &bare, &accepting);
            async move { wired }
        })
        .and_then(http)
    })?;
    Ok(Bound { address, run: Box::new(move || server.run()) })
}

fn wire(
    stream: TcpStream,
    rules: Rules,
    bare: &Arc<Bare>,
    accepting: &Accepting,
) -> Result<(Wire<TcpStream>, Option<SocketAddr>), DispatchError> {
    if !accepting.takes_one_more(Instant::now()) {
        wire::cut("too_many");
        return Err(DispatchError::Io(io::ErrorKind::ConnectionRefused.into()));
    }
    let peer = stream.peer_addr().ok();
    // An answer is one write: waiting for more to send would only cost time.
    stream.set_nodelay(true).map_err(DispatchError::Io)?;
    Ok((Wire::new(stream, rules, bare.clone()), peer))
}

impl Bound {
    pub(crate) fn run(self) -> Listener {
        let server = (self.run)();
        let handle = server.handle();
        Listener { address: self.address, handle, task: rt::spawn(server) }
    }
}

impl Listener {
    /// Accepts nothing more, and returns when nothing is served any more: gracefully, when the
    /// requests in work are answered; else at once.
    pub(crate) async fn stop(self, graceful: bool) {
        self.handle.stop(graceful).await;
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(event = "listener_failed", %error),
            Err(error) => tracing::error!(event = "listener_crashed", %error),
        }
    }
}
