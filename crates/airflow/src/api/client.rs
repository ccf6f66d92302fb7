//! Sends requests with a credential, and returns answers whatever their status.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rustls::crypto::aws_lc_rs;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Request, Uri};
use ureq::tls::TlsConfig;

use super::error::ApiError;

#[derive(Clone)]
pub(super) struct Client {
    agent: Agent,
    /// Without a slash at the end.
    url: String,
    authorization: Option<String>,
}

pub(super) enum Credential {
    Basic { user: String, password: String },
    Token(String),
}

pub(super) struct Response {
    pub status: u16,
    body: String,
}

impl Client {
    pub fn new(url: &str) -> Self {
        let mut config = Agent::config_builder();
        if is_loopback(url) {
            // A proxy would look for a loopback address on its own machine.
            config = config.proxy(None);
        }
        let config = config
            .http_status_as_error(false)
            .timeout_global(Some(TIME_MAX))
            // A redirect would lead to a login page, which is no answer.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(tls())
            .build();
        Self {
            agent: config.into(),
            url: url.trim_end_matches('/').to_owned(),
            authorization: None,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn log_in(&mut self, credential: Credential) {
        self.authorization = Some(match credential {
            Credential::Basic { user, password } => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
            }
            Credential::Token(token) => format!("Bearer {token}"),
        });
    }

    pub fn log_out(&mut self) {
        self.authorization = None;
    }

    pub fn get(&self, path: &str) -> Result<Response, ApiError> {
        self.request("GET", path, None)
    }

    pub fn send(&self, method: &str, path: &str, body: &Value) -> Result<Response, ApiError> {
        self.request(method, path, Some(body))
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response, ApiError> {
        let unreachable = |reason: String| ApiError::Unreachable { url: self.url.clone(), reason };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("Accept", "application/json")
            .header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let body = body.map_or_else(String::new, Value::to_string);
        let request = request.body(body).map_err(|error| unreachable(error.to_string()))?;
        let mut response =
            self.agent.run(request).map_err(|error| unreachable(error.to_string()))?;
        let status = response.status().as_u16();
        let body =
            response.body_mut().with_config().limit(BODY_MAX).lossy_utf8(true).read_to_string();
        Ok(Response { status, body: body.map_err(|error| unreachable(error.to_string()))? })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Response {
    /// The body as JSON, or `None` if it is no JSON.
    pub fn json(&self) -> Option<Value> {
        if self.status == 204 {
            return Some(Value::Null);
        }
        serde_json::from_str(&self.body).ok()
    }

    /// What the answer says about an error.
    pub fn detail(&self) -> String {
        let body = self.json().unwrap_or_default();
        let detail = ["detail", "title"].into_iter().find_map(|key| body.get(key));
        detail.map_or_else(
            || "no reason given".into(),
            |detail| match detail {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        )
    }
}

/// The same provider of TLS as everywhere in this program, so that only one has to be compiled.
fn tls() -> TlsConfig {
    TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .build()
}

fn is_loopback(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    host.is_some_and(|host| {
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

/// The web server of a busy machine may take long to answer.
const TIME_MAX: Duration = Duration::from_secs(60);
const BODY_MAX: u64 = 64 << 20;
