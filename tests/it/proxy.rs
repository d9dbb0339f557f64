//! A TCP proxy that can fall silent: nothing is refused and nothing arrives, as when a cable is cut.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Proxy {
    speaks: watch::Sender<bool>,
}

impl Proxy {
    /// A proxy before the server of `url`, and the URL that goes through it.
    pub async fn before(url: &str) -> (Self, String) {
        let at = url.find('@').map_or(url.find("://").unwrap() + 3, |at| at + 1);
        let end = url[at..].find(['/', '?']).map_or(url.len(), |end| at + end);
        let server = url[at..end].to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (speaks, listens) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, listens) = (server.clone(), listens.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::spawn(carry(from_client, to_server, listens.clone()));
                    tokio::spawn(carry(from_server, to_client, listens));
                });
            }
        });
        (Self { speaks }, format!("{}{address}{}", &url[..at], &url[end..]))
    }

    /// From now on every byte waits.
    pub fn fall_silent(&self) {
        self.speaks.send_replace(false);
    }

    /// What waited goes on.
    pub fn speak_again(&self) {
        self.speaks.send_replace(true);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut speaks: watch::Receiver<bool>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if speaks.wait_for(|speaks| *speaks).await.is_err()
            || to.write_all(&bytes[..count]).await.is_err()
        {
            return;
        }
    }
}
