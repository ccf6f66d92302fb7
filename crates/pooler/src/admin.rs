//! What the pooler knows, over HTTP: health, Prometheus metrics, and [`api`]. It answers GET and changes
//! nothing. On loopback, requests that name another host are refused, so that no web page can reach
//! it through a browser; elsewhere a token is asked for.

mod api;
mod connection;
mod visitors;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;
use tracing::warn;

use crate::applications::standings;
use crate::config::Admin;
use crate::metrics::Seen;
use crate::server::{Down, Standing};
use crate::shared::Shared;
use visitors::{Stay, Visitor, Visitors};

/// Answers whoever asks at `listener`.
pub(crate) async fn accept(listener: TcpListener, settings: Admin, shared: Arc<Shared>) {
    let settings = Arc::new(settings);
    let mut visitors = Visitors::default();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => visitors.let_in(address.ip(), |visitor| {
                    let (settings, shared) = (settings.clone(), shared.clone());
                    async move {
                        let (settings, shared, visitor) = (&settings, &shared, &visitor);
                        let answer = |request| answer(request, settings, shared, visitor);
                        connection::serve(stream, answer).await;
                    }
                }),
                Err(error) => {
                    warn!(%error, "cannot accept an admin connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(()) = visitors.one_left() => {}
        }
    }
}

/// Whoever may not ask is told so, and closed.
async fn answer(
    request: Request<Incoming>,
    settings: &Admin,
    shared: &Arc<Shared>,
    visitor: &Visitor,
) -> Response<Full<Bytes>> {
    if let Err(refusal) = check(&request, settings) {
        return with_header(refusal, CONNECTION, "close");
    }
    let stay = visitor.is_known();
    let (request, shared) = (request.into_parts().0, shared.clone());
    // With many clients a page is long, and the threads that serve those have better things to do.
    let page = spawn_blocking(move || page(&request.method, request.uri.path(), &shared)).await;
    let page = page.unwrap_or_else(|_| text(StatusCode::INTERNAL_SERVER_ERROR, "it broke\n"));
    match stay {
        Stay::Allowed => page,
        Stay::Over => with_header(page, CONNECTION, "close"),
    }
}

fn page(method: &Method, path: &str, shared: &Shared) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
        return with_header(refusal, ALLOW, "GET, HEAD");
    }
    match path {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => ready(shared),
        "/metrics" => metrics(shared),
        path => match api::page(path, shared) {
            Some(body) => respond(StatusCode::OK, "application/json", body),
            None => text(StatusCode::NOT_FOUND, NOT_FOUND),
        },
    }
}

fn check(request: &Request<Incoming>, settings: &Admin) -> Result<(), Response<Full<Bytes>>> {
    if let Some(token) = &settings.token {
        let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.split_once(' '));
        let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let given = given.map(|(_, token)| token).unwrap_or_default();
        let expected = token.expose().as_bytes();
        if constant_time::verify_slices_are_equal(given.as_bytes(), expected).is_err() {
            let refusal = text(StatusCode::UNAUTHORIZED, "a bearer token is asked for\n");
            return Err(with_header(refusal, WWW_AUTHENTICATE, "Bearer"));
        }
    } else if !names_this_machine(request) {
        return Err(text(StatusCode::FORBIDDEN, "the Host header must name the loopback\n"));
    }
    Ok(())
}

/// Without this a web page whose name resolves to 127.0.0.1 could read what is answered here.
fn names_this_machine(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// Ready, unless the pooler is going or the server was not to be reached when last needed. Nothing
/// is opened to find out.
fn ready(shared: &Shared) -> Response<Full<Bytes>> {
    if shared.is_draining() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    match shared.server().standing() {
        Standing::Up => text(StatusCode::OK, "ready\n"),
        Standing::Unknown => {
            text(StatusCode::SERVICE_UNAVAILABLE, "the upstream has not answered yet\n")
        }
        Standing::Down(Down { since, why, .. }) => {
            let seconds = since.elapsed().as_secs();
            let message = format!("the upstream was not reached for {seconds} s: {why}\n");
            text(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }
}

fn metrics(shared: &Shared) -> Response<Full<Bytes>> {
    let mut series = shared.scrape.lock();
    let pools = shared.directory().pools();
    let seen = Seen {
        clients: shared.clients.numbers(),
        pools: pools
            .iter()
            .map(|pool| (pool.name.clone(), pool.numbers(), pool.not_shared()))
            .collect(),
        applications: series.shares(&standings(shared)),
    };
    shared.metrics().refresh(&seen);
    let mut body = String::new();
    match prometheus_client::encoding::text::encode(&mut body, &shared.registry) {
        Ok(()) => respond(StatusCode::OK, OPEN_METRICS, body),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics can't be written\n"),
    }
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", body.into())
}

fn with_header(
    mut response: Response<Full<Bytes>>,
    name: HeaderName,
    value: &'static str,
) -> Response<Full<Bytes>> {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    with_header(response, CONTENT_TYPE, kind)
}

const NOT_FOUND: &str = "there are /healthz, /readyz, /metrics, and below /api/v1: /applications, /clients, \
    /pools, /upstreams, /waits, and /openapi.json, which describes them\n";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Mostly no file descriptors are left: trying again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
