//! The PROXY protocol, with which a balancer says for whom it has opened a connection. Versions 1 and 2, as
//! HAProxy's `proxy-protocol.txt` describes them.

use std::io;
use std::net::{IpAddr, SocketAddr};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Why the first bytes of a connection are no header.
#[derive(Debug, Error)]
pub enum ProxyHeaderError {
    #[error("there is no PROXY header")]
    Missing,
    #[error("the PROXY header is malformed: {0}")]
    Malformed(&'static str),
    #[error("the PROXY header was not read: {0}")]
    Io(#[from] io::Error),
}

/// Reads a header, and not a byte more. Returns the client's address, or `None` if the balancer speaks for
/// itself (a health check), or can't say for whom. There is no limit of time.
///
/// # Errors
/// [`ProxyHeaderError`]; what was read is lost then.
pub async fn read_proxy_header(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let mut start = [0; SIGNATURE.len()];
    for at in 0..start.len() {
        start[at] = stream.read_u8().await?;
        if !may_begin_proxy_header(&start[..=at]) {
            return Err(ProxyHeaderError::Missing);
        }
    }
    if start == SIGNATURE { binary(stream).await } else { text(&start, stream).await }
}

/// Whether a header of either version can begin like this.
pub fn may_begin_proxy_header(bytes: &[u8]) -> bool {
    let begins = |expected: &[u8]| {
        let length = bytes.len().min(expected.len());
        bytes[..length] == expected[..length]
    };
    begins(&SIGNATURE) || begins(TEXT)
}

/// Version 1: a line of text.
async fn text(
    start: &[u8],
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == TEXT_MAX {
            return Err(ProxyHeaderError::Malformed("the line does not end"));
        }
        line.push(stream.read_u8().await?);
    }
    let line = std::str::from_utf8(&line).map_err(|_| ProxyHeaderError::Malformed("no text"))?;
    let words: Vec<_> = line.trim_end().split(' ').collect();
    let address = match words[..] {
        ["PROXY", "UNKNOWN", ..] => return Ok(None),
        ["PROXY", family @ ("TCP4" | "TCP6"), source, _, port, _] => {
            let source = source.parse().ok();
            source.filter(|ip: &IpAddr| ip.is_ipv4() == (family == "TCP4")).zip(port.parse().ok())
        }
        _ => None,
    };
    let address = address.ok_or(ProxyHeaderError::Malformed("no address in the line"))?;
    Ok(Some(SocketAddr::from(address)))
}

/// Version 2, after its signature.
async fn binary(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let version_and_command = stream.read_u8().await?;
    let family_and_protocol = stream.read_u8().await?;
    let length = usize::from(stream.read_u16().await?);
    if length > BINARY_MAX {
        return Err(ProxyHeaderError::Malformed("it is too long"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match version_and_command {
        LOCAL => Ok(None),
        PROXY => match family_and_protocol {
            TCP4 => source::<4>(&rest).map(Some),
            TCP6 => source::<16>(&rest).map(Some),
            // A socket of another kind, or it is not known.
            _ => Ok(None),
        },
        _ => Err(ProxyHeaderError::Malformed("it is neither LOCAL nor PROXY of version 2")),
    }
}

/// The first of two addresses, with the first of the two ports behind them.
fn source<const IP: usize>(addresses: &[u8]) -> Result<SocketAddr, ProxyHeaderError>
where
    IpAddr: From<[u8; IP]>,
{
    let ports = addresses.get(2 * IP..).and_then(<[u8]>::first_chunk);
    let Some((ip, [high, low, _, _])) = addresses.first_chunk::<IP>().zip(ports) else {
        return Err(ProxyHeaderError::Malformed("the address is cut short"));
    };
    Ok(SocketAddr::new((*ip).into(), u16::from_be_bytes([*high, *low])))
}

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const TEXT: &[u8] = b"PROXY ";
/// The longest line of version 1, its end included.
const TEXT_MAX: usize = 107;
/// More than the addresses of Unix sockets and a certificate's names take.
const BINARY_MAX: usize = 4096;
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read, and what is left behind it.
    async fn read(bytes: &[u8]) -> (Result<Option<SocketAddr>, ProxyHeaderError>, usize) {
        let mut stream = bytes;
        let read = read_proxy_header(&mut stream).await;
        (read, stream.len())
    }

    fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE, &[command, family][..], &length, rest, b"next"].concat()
    }

    #[tokio::test]
    async fn headers_are_read_to_their_end_and_no_further() {
        let v4 = [10, 1, 2, 3, 10, 0, 0, 1, 0xC0, 0, 0x1E, 0x07];
        let v6 = [[0xFD; 16].as_slice(), &[0; 16], &[0x1F, 0x90, 0, 1]].concat();
        let with_more = [&v4[..], &[4, 0, 1, 9]].concat();
        let cases = [
            (b"PROXY TCP4 10.1.2.3 10.0.0.1 49152 7687\r\nnext".to_vec(), Some("10.1.2.3:49152")),
            (b"PROXY TCP6 2001:db8::1 ::1 8080 7687\r\nnext".to_vec(), Some("[2001:db8::1]:8080")),
            (b"PROXY UNKNOWN\r\nnext".to_vec(), None),
            (b"PROXY UNKNOWN ffff:: ffff:: 65535 65535\r\nnext".to_vec(), None),
            (version_2(PROXY, TCP4, &v4), Some("10.1.2.3:49152")),
            (version_2(PROXY, TCP4, &with_more), Some("10.1.2.3:49152")),
            (version_2(PROXY, TCP6, &v6), Some("[fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd]:8080")),
            (version_2(LOCAL, 0, &[]), None),
            (version_2(LOCAL, TCP4, &v4), None),
            (version_2(PROXY, 0x31, &[b'x'; 216]), None),
        ];
        for (bytes, address) in cases {
            let (read, left) = read(&bytes).await;
            let shown = read.unwrap().map(|address| address.to_string());
            assert_eq!((shown.as_deref(), left), (address, 4), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused_at_the_first_byte_that_tells() {
        for (bytes, left) in
            [(&b"\x60\x60\xB0\x17more"[..], 7), (b"POST / HTTP", 9), (b"\r\nxyz", 2)]
        {
            let (read, rest) = read(bytes).await;
            assert!(matches!(read, Err(ProxyHeaderError::Missing)) && rest == left, "{bytes:?}");
        }
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        let too_long = [&SIGNATURE, &[PROXY, TCP4, 0xFF, 0xFF][..]].concat();
        for bytes in [
            &b"PROXY TCP4 10.1.2.3 10.0.0.1 99999 7687\r\n"[..],
            b"PROXY TCP4 somewhere 10.0.0.1 1 2\r\n",
            b"PROXY TCP4 ::1 ::1 1 2\r\n",
            b"PROXY SCTP 10.1.2.3\r\n",
            b"PROXY \xFF\xFF\xFF\xFF\xFF\xFF\r\n",
            &long,
            &too_long,
            &version_2(PROXY, TCP4, &[1; 11]),
            &version_2(0x11, TCP4, &[1; 12]),
        ] {
            let (read, _) = read(bytes).await;
            assert!(matches!(read, Err(ProxyHeaderError::Malformed(_))), "{bytes:?}: {read:?}");
        }
        for half in [&b"PROXY TCP4 10.1"[..], &SIGNATURE, &version_2(PROXY, TCP4, &[1; 12])[..20]] {
            let (read, _) = read(half).await;
            assert!(matches!(read, Err(ProxyHeaderError::Io(_))), "{half:?}: {read:?}");
        }
    }
}
