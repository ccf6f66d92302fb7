//! Where to listen, in the ways in which people write it.

use std::net::{Ipv4Addr, SocketAddr};

/// Reads `127.0.0.1:7688`, `[::1]:7688`, `localhost:7688`, `:7688` or `7688`. Where no host is named it is
/// this machine's loopback: whoever wants to be reached from elsewhere has to say so.
///
/// # Errors
/// A sentence that names the forms.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    let port = port.parse::<u16>().map_err(|_| {
        format!("`{text}` is no address to listen on; write 127.0.0.1:7688, localhost:7688 or 7688")
    })?;
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_this_machines_loopback() {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 7688));
        for text in ["127.0.0.1:7688", "localhost:7688", ":7688", "7688"] {
            assert_eq!(listen_address(text), Ok(loopback), "{text}");
        }
        assert_eq!(listen_address("0.0.0.0:1").unwrap().to_string(), "0.0.0.0:1");
        for text in ["", "localhost", "example.com:7688", "76880", "-1", "bolt://localhost:7688"] {
            assert!(listen_address(text).unwrap_err().contains("localhost:7688 or 7688"), "{text}");
        }
    }
}
