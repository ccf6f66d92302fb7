//! One connection to the admin pages: HTTP for a bounded time, whatever the other side does.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tracing::debug;

/// Answers the requests that come over `stream`.
pub(super) async fn serve<F>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: impl Fn(Request<Incoming>) -> F,
) where
    F: Future<Output = Response<Full<Bytes>>>,
{
    let service = service_fn(|request| {
        let answer = answer(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(REQUEST_TIMEOUT);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = sleep(LIFETIME) => {
            connection.as_mut().graceful_shutdown();
            timeout(REQUEST_TIMEOUT, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = served {
        debug!(%error, "an admin connection broke");
    }
}

/// From the connection, or the last answer, to the end of the next request's head.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Prometheus and the like connect again without a word.
const LIFETIME: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Instant;

    fn connect() -> DuplexStream {
        let (ours, theirs) = duplex(1 << 16);
        let answer = || Response::new(Full::new(Bytes::from_static(b"answer")));
        tokio::spawn(serve(theirs, move |_| std::future::ready(answer())));
        ours
    }

    async fn ended_after(stream: &mut DuplexStream, since: Instant) -> Duration {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        since.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_nothing_is_closed() {
        for begun in ["", "GET / HTTP/1.1\r\nHost: x"] {
            let (since, mut stream) = (Instant::now(), connect());
            stream.write_all(begun.as_bytes()).await.unwrap();
            assert_eq!(ended_after(&mut stream, since).await.as_secs(), 5, "{begun:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_keeps_asking_is_closed_after_a_minute() {
        let (since, mut stream) = (Instant::now(), connect());
        let mut answers = 0;
        while stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.is_ok() {
            let mut answer = [0; 1024];
            match stream.read(&mut answer).await {
                Ok(1..) => answers += 1,
                _ => break,
            }
            sleep(Duration::from_secs(4)).await;
        }
        assert!(answers >= 15, "{answers}");
        assert!((60..66).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    }
}
