//! Accepts clients, up to the limit, and finds out whether they encrypt.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use client::Socket;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsStream;
use tracing::{debug, info, warn};

use crate::handshake;
use crate::metrics::Fault;
use crate::pooler::Shared;
use crate::tls::ClientTls;
use crate::wire::Wire;

pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Those whose TLS handshake is not over yet; they end with this task.
    let mut arriving = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => arrive(stream, address, &shared, &mut arriving),
                Err(error) => {
                    // Mostly: no file descriptors left. Trying again at once would spin.
                    warn!(%error, "cannot accept a client");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = arriving.join_next() => {}
        }
    }
}

fn arrive(
    stream: TcpStream,
    address: SocketAddr,
    shared: &Arc<Shared>,
    arriving: &mut JoinSet<()>,
) {
    let limit = match shared.limits().max_client_connections {
        0 => usize::MAX,
        limit => limit,
    };
    if shared.clients.len() + arriving.len() >= limit {
        // The default is a limit of the process; a log line for each would not help.
        debug!(%address, limit, "client refused: max_client_connections");
        shared.metrics().client_refused();
        return;
    }
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%address, %error, "cannot switch off Nagle's algorithm");
    }
    let tls = shared.tls.read().clone();
    match tls {
        None => shared.serve(Socket::Plain(stream), Some(address)),
        Some(tls) => {
            let shared = shared.clone();
            arriving.spawn(async move {
                let limit = shared.limits().client_login_timeout.0;
                match timeout(limit, encrypt(stream, &tls)).await {
                    Ok(Ok(socket)) => shared.serve(socket, Some(address)),
                    Ok(Err(reason)) => {
                        debug!(%address, reason, "client refused");
                        shared.metrics().error(Fault::Client, reason);
                    }
                    Err(_) => shared.metrics().error(Fault::Client, "client_login_timeout"),
                }
            });
        }
    }
}

/// Encrypts if the client wants it, as its first byte tells.
async fn encrypt(stream: TcpStream, tls: &ClientTls) -> Result<Socket, &'static str> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1..) => {}
        _ => return Err("closed_before_tls"),
    }
    if first[0] == TLS_HANDSHAKE {
        let stream = tls.acceptor.accept(stream).await.map_err(|_| "tls_failed")?;
        return Ok(Socket::Tls(Box::new(TlsStream::Server(stream))));
    }
    if !tls.required {
        return Ok(Socket::Plain(stream));
    }
    info!("a client did not encrypt, and [tls] required = true");
    // A browser or a health check is told where it is.
    let mut client = Wire::new(Socket::Plain(stream));
    if first[0].is_ascii_uppercase() && client.fill().await.is_ok() {
        handshake::refuse(&mut client).await;
    }
    Err("tls_required")
}

/// The type of a TLS record that begins a handshake.
const TLS_HANDSHAKE: u8 = 0x16;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
