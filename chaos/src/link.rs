//! A TCP proxy on one link. Its weather is changed while connections are open.

use crate::balancer::{Balancer, Slot};
use rand::Rng;
use serde::Serialize;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

/// What a link does to what passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Weather {
    /// Nothing.
    #[default]
    Fair,
    /// Each piece comes later, by so many milliseconds.
    Delay(u64),
    /// Nothing passes; what was sent meanwhile passes afterwards, as after a partition.
    BlackHole,
    /// Connections are reset, new ones at once.
    Reset,
    /// One byte at a time.
    Dribble,
    /// A piece passes by half, then the connection is closed.
    Cut,
}

impl Weather {
    /// Every bad one.
    pub const BAD: [Self; 5] =
        [Self::Delay(200), Self::BlackHole, Self::Reset, Self::Dribble, Self::Cut];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fair => "fair",
            Self::Delay(_) => "delay",
            Self::BlackHole => "black_hole",
            Self::Reset => "reset",
            Self::Dribble => "dribble",
            Self::Cut => "cut",
        }
    }
}

/// Where a link leads.
enum Upstream {
    Fixed(Mutex<SocketAddr>),
    Nodes(Arc<Balancer>),
}

/// One link: whoever connects to its address is passed on.
pub struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Shared {
    upstream: Upstream,
    weather: watch::Sender<Weather>,
    /// Pieces and connections that the weather has touched.
    hits: AtomicU64,
    /// Requests that begin with `counted`, and connections that led nowhere.
    calls: AtomicU64,
    counted: &'static [u8],
}

impl Link {
    /// A link to one place. Requests that begin with `counted` are counted.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn to(upstream: SocketAddr, counted: &'static str) -> std::io::Result<Self> {
        Self::start(Upstream::Fixed(Mutex::new(upstream)), counted).await
    }

    /// A link to whichever node is ready, one after the other.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn to_nodes(balancer: Arc<Balancer>, counted: &'static str) -> std::io::Result<Self> {
        Self::start(Upstream::Nodes(balancer), counted).await
    }

    async fn start(upstream: Upstream, counted: &'static str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            weather: watch::Sender::new(Weather::Fair),
            hits: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            counted: counted.as_bytes(),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { address, shared, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections somewhere else.
    pub fn lead_to(&self, address: SocketAddr) {
        if let Upstream::Fixed(upstream) = &self.shared.upstream {
            *upstream.lock().unwrap_or_else(PoisonError::into_inner) = address;
        }
    }

    /// Changes the weather, also for open connections.
    pub fn set(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
    }

    /// How often bad weather has touched something so far.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.shared.hits.load(Ordering::Relaxed)
    }

    /// Counted requests, and connections that led nowhere.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(relay(client, shared.clone()));
            }
            // No file handles left, for instance: somebody else may free one.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Why a relay ends before both sides are done.
enum End {
    /// Both sides are reset.
    Reset,
    /// Both sides are closed.
    Closed,
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionReset => Self::Reset,
            _ => Self::Closed,
        }
    }
}

async fn relay(mut client: TcpStream, shared: Arc<Shared>) {
    if *shared.weather.borrow() == Weather::Reset {
        shared.hits.fetch_add(1, Ordering::Relaxed);
        let _ = client.set_zero_linger();
        return;
    }
    let Some((mut server, slot)) = shared.connect().await else {
        shared.calls.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let tap = Tap { shared: &shared, slot: slot.as_deref(), outstanding: AtomicBool::new(false) };
    let ended = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        tokio::try_join!(
            pump(from_client, to_server, &shared, |piece| tap.request(piece)),
            pump(from_server, to_client, &shared, |_| tap.answer()),
        )
    };
    tap.answer();
    if matches!(ended, Err(End::Reset)) {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

impl Shared {
    async fn connect(&self) -> Option<(TcpStream, Option<Arc<Slot>>)> {
        match &self.upstream {
            Upstream::Fixed(address) => {
                let address = *address.lock().unwrap_or_else(PoisonError::into_inner);
                let connecting = TcpStream::connect(address);
                let server = tokio::time::timeout(CONNECT_PATIENCE, connecting).await;
                Some((server.ok()?.ok()?, None))
            }
            Upstream::Nodes(balancer) => {
                let (server, slot) = balancer.connect().await?;
                Some((server, Some(slot)))
            }
        }
    }
}

/// Sees what passes, so that it is known what a kill interrupts.
struct Tap<'a> {
    shared: &'a Shared,
    slot: Option<&'a Slot>,
    outstanding: AtomicBool,
}

impl Tap<'_> {
    fn request(&self, piece: &[u8]) {
        if self.shared.counted.is_empty() || !piece.starts_with(self.shared.counted) {
            return;
        }
        self.shared.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(slot) = self.slot
            && !self.outstanding.swap(true, Ordering::Relaxed)
        {
            slot.outstanding.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn answer(&self) {
        if let Some(slot) = self.slot
            && self.outstanding.swap(false, Ordering::Relaxed)
        {
            slot.outstanding.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Carries bytes one way until their end.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    shared: &Shared,
    saw: impl Fn(&[u8]),
) -> Result<(), End> {
    let mut weather = shared.weather.subscribe();
    let mut buffer = vec![0_u8; 16 * 1024];
    loop {
        let length = tokio::select! {
            read = from.read(&mut buffer) => read?,
            changed = weather.changed() => {
                if changed.is_err() || *weather.borrow_and_update() == Weather::Reset {
                    shared.hits.fetch_add(1, Ordering::Relaxed);
                    return Err(End::Reset);
                }
                continue;
            }
        };
        let piece = &buffer[..length];
        saw(piece);
        suffer(piece, &mut to, shared, &mut weather).await?;
        if length == 0 {
            to.shutdown().await?;
            return Ok(());
        }
    }
}

/// Writes a piece the way the weather has it.
async fn suffer(
    piece: &[u8],
    to: &mut WriteHalf<'_>,
    shared: &Shared,
    weather: &mut watch::Receiver<Weather>,
) -> Result<(), End> {
    let now = *weather.borrow_and_update();
    if now != Weather::Fair && !piece.is_empty() {
        shared.hits.fetch_add(1, Ordering::Relaxed);
    }
    match now {
        Weather::Fair => to.write_all(piece).await?,
        Weather::Delay(milliseconds) => {
            tokio::time::sleep(jittered(milliseconds)).await;
            to.write_all(piece).await?;
        }
        Weather::BlackHole => {
            let cleared = weather.wait_for(|weather| *weather != Weather::BlackHole).await;
            let cleared = cleared.map(|weather| *weather);
            if cleared.unwrap_or(Weather::Reset) == Weather::Reset {
                return Err(End::Reset);
            }
            to.write_all(piece).await?;
        }
        Weather::Reset => return Err(End::Reset),
        Weather::Dribble => dribble(piece, to, weather).await?,
        Weather::Cut => {
            to.write_all(&piece[..piece.len() / 2]).await?;
            return Err(End::Closed);
        }
    }
    Ok(())
}

async fn dribble(
    piece: &[u8],
    to: &mut WriteHalf<'_>,
    weather: &watch::Receiver<Weather>,
) -> std::io::Result<()> {
    for (index, byte) in piece.iter().enumerate() {
        if !matches!(*weather.borrow(), Weather::Dribble) {
            return to.write_all(&piece[index..]).await;
        }
        to.write_all(&[*byte]).await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Half to one and a half times as long.
fn jittered(milliseconds: u64) -> Duration {
    let spread = rand::rng().random_range(0..=milliseconds.max(1));
    Duration::from_millis(milliseconds / 2 + spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets, behind a link.
    async fn echo() -> Link {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        Link::to(address, "ping").await.unwrap()
    }

    async fn ask(stream: &mut TcpStream) -> std::io::Result<String> {
        stream.write_all(b"ping!").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    #[tokio::test]
    async fn fair_and_slow_weather_change_no_byte() {
        let link = echo().await;
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        assert_eq!(ask(&mut stream).await.unwrap(), "ping!");
        assert_eq!((link.hits(), link.calls()), (0, 1));
        for weather in [Weather::Delay(5), Weather::Dribble] {
            link.set(weather);
            let before = link.hits();
            assert_eq!(ask(&mut stream).await.unwrap(), "ping!");
            assert!(link.hits() > before, "{weather:?}");
        }
    }

    #[tokio::test]
    async fn a_reset_and_a_cut_end_the_connection() {
        let link = echo().await;
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        assert_eq!(ask(&mut stream).await.unwrap(), "ping!");
        link.set(Weather::Reset);
        assert!(ask(&mut stream).await.is_err(), "an open connection is reset");
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        assert!(ask(&mut stream).await.is_err(), "a new one too");
        link.set(Weather::Cut);
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        assert!(ask(&mut stream).await.is_err(), "half an answer is none");
        link.set(Weather::Fair);
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        assert_eq!(ask(&mut stream).await.unwrap(), "ping!");
    }

    #[tokio::test]
    async fn a_black_hole_keeps_what_it_swallows() {
        let link = echo().await;
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        assert_eq!(ask(&mut stream).await.unwrap(), "ping!");
        link.set(Weather::BlackHole);
        stream.write_all(b"ping!").await.unwrap();
        let mut answer = [0; 5];
        let mut reading = std::pin::pin!(stream.read_exact(&mut answer));
        while link.hits() == 0 {
            assert!(futures_util::poll!(reading.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
        link.set(Weather::Fair);
        reading.await.unwrap();
        assert_eq!(&answer, b"ping!");
    }
}
