//! A client's first bytes: which protocol it speaks, and which version of Bolt.

use bolt::version::describe_opening;
use net::{Disagreement, Negotiated, Wire};

use crate::clients::Entry;
use crate::end::End;
use crate::reason::Reason;
use crate::server::Server;

/// Agrees on a version that the upstream speaks, or may speak if it can't be reached.
pub(crate) async fn accept(
    client: &mut Wire,
    server: &Server,
    entry: &Entry,
) -> Result<Negotiated, End> {
    // A client that doesn't speak Bolt hears that at once, whether the upstream is there or not.
    match net::await_opening(client).await {
        Err(Disagreement::Refused(_)) => {
            let end = refuse(client).await;
            if end == End::Because(Reason::ProxyHeader) {
                entry.log_unasked_proxy();
            }
            return Err(end);
        }
        outcome => outcome?,
    }
    let served = server.ranges().await;
    let offered = describe_opening(&client.input);
    let accepted = net::accept(client, &served).await.map_err(End::from);
    if accepted == Err(End::Because(Reason::ClientVersion)) {
        entry.log_refused_version(&offered);
    }
    accepted
}

/// Tells a browser or a health check where it is; anything else is closed without a word.
pub(crate) async fn refuse(client: &mut Wire) -> End {
    // One byte is not enough to tell it from POST.
    if client.input.len() >= PROXY_BYTES_MIN && net::may_begin_proxy_header(&client.input) {
        return End::Because(Reason::ProxyHeader);
    }
    if !HTTP_METHODS.iter().any(|method| client.input.starts_with(method)) {
        return End::Because(Reason::NotBolt);
    }
    client.output.extend_from_slice(HTTP_ANSWER);
    client.finish().await;
    End::Because(Reason::Http)
}

/// So much of a PROXY header is like nothing else.
const PROXY_BYTES_MIN: usize = 4;
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
