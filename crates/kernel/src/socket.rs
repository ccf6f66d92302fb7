//! TCP connections of this machine, and which sockets a process holds. What joins the two is the number
//! that the kernel gives a socket, its inode.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::process;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpSocket {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub state: TcpState,
    pub inode: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpState {
    Established,
    Listen,
    /// Being opened or closed.
    Other,
}

/// Those of both IP versions in this process's network.
pub fn tcp() -> Vec<TcpSocket> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.into_iter().filter_map(|path| std::fs::read_to_string(path).ok());
    let sockets = tables.flat_map(|table| {
        // The first line has the columns' names.
        table.lines().skip(1).filter_map(TcpSocket::parse).collect::<Vec<_>>()
    });
    sockets.collect()
}

/// The inodes of a process's sockets; of a process that has ended, or that is somebody else's, none.
pub fn inodes_of(pid: u32) -> Vec<u64> {
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let targets = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
    let inodes = targets.filter_map(|target| {
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    });
    inodes.collect()
}

/// Which process listens on a port of this machine, on whatever address; nothing if that is somebody
/// else's.
pub fn process_listening_on(port: u16) -> Option<u32> {
    let listens =
        |socket: &TcpSocket| socket.state == TcpState::Listen && socket.local.port() == port;
    let listening = tcp().into_iter().find(listens)?;
    process::ids().into_iter().find(|pid| inodes_of(*pid).contains(&listening.inode))
}

impl TcpSocket {
    /// A line of proc_net_tcp(5): number, local and remote address, state, queues, timer, retransmits,
    /// user, timeout, inode.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace();
        let local = address(fields.nth(1)?)?;
        let remote = address(fields.next()?)?;
        let state = match fields.next()? {
            "01" => TcpState::Established,
            "0A" => TcpState::Listen,
            _ => TcpState::Other,
        };
        Some(Self { local, remote, state, inode: fields.nth(5)?.parse().ok()? })
    }
}

/// `0100007F:1F90`. The kernel prints each 32 bits of an address as a number of this machine, so that the
/// bytes in memory are in the network's order.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let word = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let words: Option<Vec<[u8; 4]>> = host.as_bytes().chunks(8).map(word).collect();
    let ip: IpAddr = match *words?.as_slice() {
        [word] => Ipv4Addr::from(word).into(),
        [a, b, c, d] => {
            let mut bytes = [0; 16];
            bytes.copy_from_slice([a, b, c, d].as_flattened());
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[cfg(target_endian = "little")]
    #[test]
    fn lines_of_both_versions_are_read() {
        let four = "   1: 0100007F:1F90 0200000A:C350 01 00000000:00000000 02:000A7D8C 00000000  1000        0 \
            4242 2 0000000000000000 20 4 30 10 -1";
        assert_eq!(
            TcpSocket::parse(four),
            Some(TcpSocket {
                local: "127.0.0.1:8080".parse().unwrap(),
                remote: "10.0.0.2:50000".parse().unwrap(),
                state: TcpState::Established,
                inode: 4242,
            })
        );
        let six = "   0: B80D0120000000000000000001000000:1E07 00000000000000000000000000000000:0000 0A \
            00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000 100 0 0 10 0";
        assert_eq!(
            TcpSocket::parse(six),
            Some(TcpSocket {
                local: "[2001:db8::1]:7687".parse().unwrap(),
                remote: "[::]:0".parse().unwrap(),
                state: TcpState::Listen,
                inode: 77,
            })
        );
    }

    #[test]
    fn what_is_no_such_line_says_nothing() {
        for line in ["", "0: 0100007F:1F90", "0: 01:1F90 0100007F:1F90 01 0 0 0 0 0 7", "a b c d"] {
            assert_eq!(TcpSocket::parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_sockets_of_this_process_are_found_at_both_ends() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine may lack the other IP version.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let listening = listener.local_addr().unwrap();
            let client = TcpStream::connect(listening).unwrap();
            let here = client.local_addr().unwrap();
            let found = tcp();
            let find = |state, local| {
                let is_it = |socket: &&TcpSocket| socket.state == state && socket.local == local;
                *found.iter().find(is_it).unwrap()
            };
            let held = inodes_of(std::process::id());
            assert!(held.contains(&find(TcpState::Listen, listening).inode));
            let connection = find(TcpState::Established, here);
            assert!(held.contains(&connection.inode));
            assert_eq!(connection.remote, listening);
        }
    }
}
