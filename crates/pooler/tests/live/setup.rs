//! A pooler in front of a sandbox, with clients over sockets or memory.

use std::io::Write;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bolt::Dictionary;
use bolt::message::Auth;
use client::{ClientError, Connection};
use net::{Socket, Target};
use pooler::{Config, Pooler};
use sandbox::{Sandbox, Settings};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::net::{TcpListener, TcpStream};

pub struct Setup {
    pub pooler: Pooler,
    pub config: Config,
    pub sandbox: Option<Sandbox>,
}

impl Setup {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_user("neo4j", change).await
    }

    /// Somebody else is the server's only user.
    pub async fn with_user(user: &str, change: impl FnOnce(&mut Config)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let users = vec![(user.to_owned(), PASSWORD.into())];
        let settings = Settings { users, ..Settings::default() };
        let sandbox = Sandbox::start(listener, settings).unwrap();
        let mut config = Config::new(format!("bolt://{}", sandbox.address()).parse().unwrap());
        change(&mut config);
        let mut setup = Self::before(config).await;
        setup.sandbox = Some(sandbox);
        setup
    }

    /// In front of an upstream that is there already.
    pub async fn before(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pooler = Pooler::start(listener, config.clone()).await.unwrap();
        Self { pooler, config, sandbox: None }
    }

    pub async fn connect(&self, scheme: &str) -> Result<Connection, ClientError> {
        let uri = format!("{scheme}://localhost:{}", self.pooler.address().port());
        let target: Target = uri.parse().unwrap();
        let mut connection = Connection::dial(&target, TIMEOUT).await?;
        login(&mut connection).await?;
        Ok(connection)
    }

    /// A connection that has not logged in.
    pub async fn dial(&self) -> Connection {
        let target: Target = format!("bolt://{}", self.pooler.address()).parse().unwrap();
        Connection::dial(&target, TIMEOUT).await.unwrap()
    }

    pub async fn login_as(&self, user: &str, password: &str) -> Result<(), ClientError> {
        let mut connection = self.dial().await;
        connection.login("live/1", &Auth::basic(user, password)).await
    }

    /// A client that needs no file descriptor.
    pub async fn memory_client(&self) -> Connection {
        let (ours, theirs) = duplex(1 << 14);
        self.pooler.serve(theirs);
        let socket = Socket::Other(Box::new(ours));
        let mut connection = Connection::over(socket, TIMEOUT).await.unwrap();
        login(&mut connection).await.unwrap();
        connection
    }
}

pub async fn login(connection: &mut Connection) -> Result<(), ClientError> {
    connection.login("live/1", &Auth::basic("neo4j", PASSWORD)).await
}

/// Sends a number and returns what comes back.
pub async fn ask(connection: &mut Connection, number: i64) -> i64 {
    let parameters = Dictionary::new().with("n", number);
    let table = connection.run("RETURN $n AS n", parameters, Default::default()).await.unwrap();
    table.get(0, "n").as_integer().unwrap()
}

/// The status and the body of the admin pages' answer.
pub async fn http(setup: &Setup, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(setup.pooler.admin_address().unwrap()).await.unwrap();
    stream.write_all(format!("{request}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A request for one of the admin pages.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost:1")
}

/// A stream on which the pooler trips once the fuse is set.
pub struct Memory {
    pub stream: DuplexStream,
    pub fuse: Arc<AtomicBool>,
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        assert!(!self.fuse.load(Ordering::SeqCst), "the fuse is set");
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Everything that this process logs, at the finest level.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What all tests of this process have logged since this was first called.
pub fn captured_log() -> Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .init();
        log
    });
    log.clone()
}

pub const TIMEOUT: Duration = Duration::from_secs(600);
pub const PASSWORD: &str = "boltbouncer-secret";
