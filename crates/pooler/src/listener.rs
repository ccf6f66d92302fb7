//! Accepts clients, up to the limit, and finds out whether they encrypt.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use net::{KeepAlive, Socket, Wire};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use crate::config::ClientTls;
use crate::handshake;
use crate::reason::Reason;
use crate::session;
use crate::shared::Shared;

pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Those whose TLS handshake is not over yet; they end with this task.
    let mut arriving = JoinSet::new();
    let mut watch = Watch::default();
    watch.over(&[&listener], &shared);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    // The limits may have changed.
                    watch.over(&[&listener, &stream], &shared);
                    arrive(stream, address, &shared, &mut arriving);
                }
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

/// How the kernel watches over clients. It was told on the listening socket, from which the others have it,
/// so that a client costs no more for it.
#[derive(Default)]
struct Watch(Option<KeepAlive>);

impl Watch {
    /// Tells the kernel what is to hold from now on, if it does not know yet.
    fn over(&mut self, sockets: &[&dyn AsFd], shared: &Shared) {
        let wanted = shared.limits().client_keep_alive();
        if wanted == self.0 {
            return;
        }
        for socket in sockets {
            let told = match &wanted {
                Some(keep_alive) => keep_alive.apply(socket),
                None => KeepAlive::switch_off(socket),
            };
            if let Err(error) = told {
                warn!(%error, "cannot watch over the clients' connections");
            }
        }
        self.0 = wanted;
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
    let is_proxied = shared.is_proxy(address.ip());
    if tls.is_none() && !is_proxied {
        return serve(shared, Socket::Plain(stream), Some(address));
    }
    let shared = shared.clone();
    arriving.spawn(async move {
        let limit = shared.limits().client_login_timeout.0;
        let arrival = Arrival { stream, address, is_proxied };
        match timeout(limit, arrival.come_in(tls.as_ref(), &shared)).await {
            Ok(Ok((socket, address))) => serve(&shared, socket, Some(address)),
            Ok(Err(reason)) => {
                debug!(%address, reason = reason.label(), "client refused");
                shared.metrics().error(reason);
            }
            Err(_) => shared.metrics().error(Reason::ClientLoginTimeout),
        }
    });
}

/// A connection of which the first bytes are not Bolt's.
struct Arrival {
    stream: TcpStream,
    address: SocketAddr,
    /// It comes from a balancer, which says for whom.
    is_proxied: bool,
}

impl Arrival {
    /// What the client speaks Bolt on, and where it is.
    async fn come_in(
        mut self,
        tls: Option<&ClientTls>,
        shared: &Shared,
    ) -> Result<(Socket, SocketAddr), Reason> {
        let address = if self.is_proxied { self.read_header(shared).await? } else { self.address };
        match tls {
            None => Ok((Socket::Plain(self.stream), address)),
            Some(tls) => Ok((encrypt(self.stream, tls, shared).await?, address)),
        }
    }

    async fn read_header(&mut self, shared: &Shared) -> Result<SocketAddr, Reason> {
        match net::read_proxy_header(&mut self.stream).await {
            Ok(client) => Ok(client.unwrap_or(self.address)),
            Err(error) => {
                if shared.clients.odd_proxies.allows() {
                    let balancer = self.address;
                    info!(%balancer, %error, "an address in proxy_protocol_from sent no good header");
                }
                Err(Reason::ProxyHeader)
            }
        }
    }
}

/// Encrypts if the client wants it, as its first byte tells.
async fn encrypt(stream: TcpStream, tls: &ClientTls, shared: &Shared) -> Result<Socket, Reason> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1..) => {}
        _ => return Err(Reason::ClosedBeforeTls),
    }
    if first[0] == TLS_HANDSHAKE {
        return tls.certificate.accept(stream).await.map_err(|_| Reason::TlsFailed);
    }
    if !tls.required {
        return Ok(Socket::Plain(stream));
    }
    if shared.clients.unencrypted.allows() {
        info!("a client did not encrypt, and [tls] required = true");
    }
    // A browser or a health check is told where it is.
    let mut client = Wire::new(Socket::Plain(stream));
    if first[0].is_ascii_uppercase() && client.fill().await.is_ok() {
        handshake::refuse(&mut client).await;
    }
    Err(Reason::TlsRequired)
}

/// Serves a client in a task of its own. If it panics, that ends this client alone.
pub(crate) fn serve(shared: &Arc<Shared>, socket: Socket, address: Option<SocketAddr>) {
    shared.metrics().client_accepted();
    let entry = shared.clients.open(address);
    let session = session::serve(socket, entry, shared.clone());
    let mut sessions = shared.sessions();
    while let Some(ended) = sessions.try_join_next() {
        if let Err(ended) = ended
            && ended.is_panic()
        {
            error!("a client's task has panicked; its connections are closed");
            shared.metrics().error(Reason::Panic);
        }
    }
    sessions.spawn(session);
}

/// The type of a TLS record that begins a handshake.
const TLS_HANDSHAKE: u8 = 0x16;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
