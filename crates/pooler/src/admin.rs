//! Numbers over HTTP: health, Prometheus metrics, pools and clients. It answers GET and changes
//! nothing. On loopback, requests that name another host are refused, so that no web page can reach
//! it through a browser; elsewhere a token is asked for.

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
use serde::Serialize;
use tokio::net::TcpListener;
use tracing::warn;

use crate::config::Admin;
use crate::pool_numbers::PoolNumbers;
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
                        connection::serve(stream, |request| {
                            answer(&request, &settings, &shared, &visitor)
                        })
                        .await;
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
fn answer(
    request: &Request<Incoming>,
    settings: &Admin,
    shared: &Shared,
    visitor: &Visitor,
) -> Response<Full<Bytes>> {
    if let Err(refusal) = check(request, settings) {
        return with_header(refusal, CONNECTION, "close");
    }
    match visitor.is_known() {
        Stay::Allowed => page(request, shared),
        Stay::Over => with_header(page(request, shared), CONNECTION, "close"),
    }
}

fn page(request: &Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
        return with_header(refusal, ALLOW, "GET, HEAD");
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => ready(shared),
        "/metrics" => metrics(shared),
        "/pools" => json(&pools(shared)),
        "/clients" => json(&shared.clients.lines()),
        _ => text(
            StatusCode::NOT_FOUND,
            "there are /healthz, /readyz, /metrics, /pools and /clients\n",
        ),
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
    let numbers: Vec<(String, PoolNumbers)> =
        shared.directory().pools().iter().map(|pool| (pool.name.clone(), pool.numbers())).collect();
    let _turn = shared.scrape.lock();
    shared.metrics().refresh(&shared.clients.numbers(), &numbers);
    let mut body = String::new();
    match prometheus_client::encoding::text::encode(&mut body, &shared.registry) {
        Ok(()) => respond(StatusCode::OK, OPEN_METRICS, body),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics can't be written\n"),
    }
}

/// A line of `/pools`, in PgBouncer's words.
#[derive(Serialize)]
struct PoolLine {
    user: String,
    clients: usize,
    cl_waiting: usize,
    sv_active: usize,
    sv_parked: usize,
    sv_idle: usize,
    sv_login: usize,
    maxwait_s: f64,
    pool_mode: &'static str,
}

fn pools(shared: &Shared) -> Vec<PoolLine> {
    let line = |(name, numbers): (String, PoolNumbers)| PoolLine {
        user: name,
        clients: numbers.clients,
        cl_waiting: numbers.cl_waiting,
        sv_active: numbers.sv_active,
        sv_parked: numbers.sv_parked,
        sv_idle: numbers.sv_idle,
        sv_login: numbers.sv_login,
        maxwait_s: numbers.maxwait.as_secs_f64(),
        pool_mode: "transaction",
    };
    let pools = shared.directory().pools();
    let mut lines: Vec<_> =
        pools.iter().map(|pool| line((pool.name.clone(), pool.numbers()))).collect();
    lines.sort_by(|a, b| a.user.cmp(&b.user));
    lines
}

fn json(value: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_string(value) {
        Ok(body) => respond(StatusCode::OK, "application/json", harmless::json(&body).into_owned()),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the list can't be written\n"),
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

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Mostly no file descriptors are left: trying again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
