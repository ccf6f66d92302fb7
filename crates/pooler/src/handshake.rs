//! A client's first bytes: which protocol it speaks, and which version of Bolt.

use bolt::Version;
use bolt::version::{self, HandshakeError, Opening};
use net::Wire;

use crate::metrics::Fault;
use crate::pooler::Shared;
use crate::session::End;

/// What both sides agree on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Negotiated {
    pub version: Version,
    /// By manifest, which HELLO's answer has to show.
    pub by_manifest: bool,
}

/// Agrees on a version that the upstream speaks, and waits until that is known.
pub(crate) async fn accept(client: &mut Wire, shared: &Shared) -> Result<Negotiated, End> {
    // Whoever doesn't speak Bolt shall not have to wait for the upstream to hear that.
    loop {
        match version::has_opening(&client.input) {
            Ok(true) => break,
            Ok(false) => client.fill().await?,
            Err(_) => return Err(refuse(client).await),
        }
    }
    let served = shared.server().ranges().await;
    match version::read_opening(&mut client.input, &served) {
        Ok(Some(Opening::Agreed(version))) => {
            client.output.extend_from_slice(&version::agreement(version));
            client.flush().await?;
            Ok(Negotiated { version, by_manifest: false })
        }
        Ok(Some(Opening::Manifest)) => {
            client.output.extend_from_slice(&version::manifest(&served));
            client.flush().await?;
            // Some drivers send their choice by itself, and HELLO only when that is acknowledged.
            client.acknowledge_quickly();
            loop {
                match version::read_choice(&mut client.input, &served) {
                    Ok(Some(version)) => return Ok(Negotiated { version, by_manifest: true }),
                    Ok(None) => client.fill().await?,
                    Err(HandshakeError::NotOffered) => {
                        return Err(End::Refused(Fault::Client, "version"));
                    }
                    Err(_) => return Err(End::Protocol("handshake")),
                }
            }
        }
        _ => {
            client.output.extend_from_slice(&version::NOTHING_IN_COMMON);
            client.finish().await;
            Err(End::Refused(Fault::Client, "version"))
        }
    }
}

/// Tells a browser or a health check where it is; anything else is closed without a word.
pub(crate) async fn refuse(client: &mut Wire) -> End {
    if !HTTP_METHODS.iter().any(|method| client.input.starts_with(method)) {
        return End::Protocol("not_bolt");
    }
    client.output.extend_from_slice(HTTP_ANSWER);
    client.finish().await;
    End::Protocol("http")
}

/// As much of the methods as the shortest input that can be told from Bolt.
const HTTP_METHODS: [&[u8]; 7] = [b"G", b"P", b"H", b"O", b"D", b"C", b"T"];

const HTTP_ANSWER: &[u8] = b"HTTP/1.1 426 Upgrade Required\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 106\r\n\
    Connection: close\r\n\
    Upgrade: bolt\r\n\
    \r\n\
    This is BoltBouncer. It speaks Bolt over TCP on this port, not HTTP or WebSocket: use bolt:// \
    or neo4j://\n";

#[cfg(test)]
mod tests {
    #[test]
    fn the_answer_to_http_is_as_long_as_it_says() {
        let text = std::str::from_utf8(super::HTTP_ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
