//! A relay that makes a server seem far away: every byte arrives half a round trip later. The TCP
//! handshake is not delayed, so that a new connection looks cheaper than it would be.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use net::Target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// Ends, with all connections through it, when it is dropped.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Link {
    /// Passes on to `target` whatever `listener` accepts.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn start(listener: TcpListener, target: Target, round_trip: Duration) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, target, round_trip / 2));
        Ok(Self { address, accepting })
    }

    /// What a client dials instead of `target`.
    pub fn stands_for(&self, target: &Target) -> Target {
        Target { host: self.address.ip().to_string(), port: self.address.port(), ..target.clone() }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: Target, delay: Duration) {
    // Dropped, and with it every connection, when this task is aborted.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connect(stream, target.clone(), delay));
                }
                // Out of files, most likely; some may be free again soon.
                Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(client: TcpStream, target: Target, delay: Duration) -> io::Result<()> {
    let server = TcpStream::connect((target.host.as_str(), target.port)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::try_join!(carry(from_client, to_server, delay), carry(from_server, to_client, delay))?;
    Ok(())
}

/// Carries bytes in one direction, and then their end. What the channel holds is on its way.
async fn carry(mut from: OwnedReadHalf, to: OwnedWriteHalf, delay: Duration) -> io::Result<()> {
    let (send, receive) = mpsc::channel::<(Instant, Option<Vec<u8>>)>(ON_THE_WAY_MAX);
    let reading = async move {
        loop {
            let mut bytes = Vec::with_capacity(READ_BYTES);
            let read = from.read_buf(&mut bytes).await?;
            let bytes = (read > 0).then_some(bytes);
            let is_end = bytes.is_none();
            if send.send((Instant::now() + delay, bytes)).await.is_err() || is_end {
                return Ok(());
            }
        }
    };
    tokio::try_join!(reading, deliver(receive, to))?;
    Ok(())
}

async fn deliver(
    mut receive: mpsc::Receiver<(Instant, Option<Vec<u8>>)>,
    mut to: OwnedWriteHalf,
) -> io::Result<()> {
    while let Some((due, bytes)) = receive.recv().await {
        sleep_until(due).await;
        match bytes {
            Some(bytes) => to.write_all(&bytes).await?,
            None => to.shutdown().await?,
        }
    }
    Ok(())
}

const READ_BYTES: usize = 16 * 1024;
/// 16 MiB each way: at 20 ms more than any Bolt server sends.
const ON_THE_WAY_MAX: usize = 1024;
const RETRY_PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_arrive_later_and_whole_and_so_does_the_end() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("bolt://{}", server.local_addr().unwrap()).parse::<Target>().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = Link::start(listener, target.clone(), Duration::from_millis(40)).unwrap();
        let echo = async {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        };
        let sent: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        let ask = async {
            let near = link.stands_for(&target);
            let mut stream = TcpStream::connect((near.host.as_str(), near.port)).await.unwrap();
            let start = Instant::now();
            stream.write_all(&sent).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            (bytes, start.elapsed())
        };
        let ((), (bytes, took)) = tokio::join!(echo, ask);
        assert_eq!(bytes, sent);
        // Never early; how late depends on the machine.
        assert!(took >= Duration::from_millis(40), "{took:?}");
    }
}
