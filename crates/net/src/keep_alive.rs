//! How the kernel finds out that the other side has vanished without a word: a pulled cable, a host
//! that was switched off, a balancer that forgot the connection.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// What is asked of the kernel. Times are rounded up to whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// How long nothing may come before the other side is asked for a sign of life.
    pub idle: Duration,
    /// Between two such questions.
    pub interval: Duration,
    /// So many without an answer end the connection.
    pub probes: u32,
    /// How long what was sent may stay unacknowledged, `TCP_USER_TIMEOUT`; `None` for as long as the
    /// system says. On Linux it also ends a live peer that takes nothing for so long, and it takes
    /// the place of `probes`.
    pub unacknowledged: Option<Duration>,
}

impl KeepAlive {
    /// Has the kernel do this for a connection, or for all that a listening socket accepts from now on.
    ///
    /// # Errors
    /// The system doesn't know such an option. What could be set is set.
    pub fn apply(&self, socket: &impl AsFd) -> io::Result<()> {
        let socket = SockRef::from(socket);
        let options = TcpKeepalive::new()
            .with_time(whole_seconds(self.idle))
            .with_interval(whole_seconds(self.interval))
            .with_retries(self.probes.clamp(1, PROBES_MAX));
        let kept = socket.set_tcp_keepalive(&options);
        #[cfg(target_os = "linux")]
        if self.unacknowledged.is_some() {
            socket.set_tcp_user_timeout(self.unacknowledged)?;
        }
        kept
    }

    /// Has the kernel do nothing of the kind any more.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn switch_off(socket: &impl AsFd) -> io::Result<()> {
        let socket = SockRef::from(socket);
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(None)?;
        socket.set_keepalive(false)
    }
}

/// Linux takes 1 to 32,767 seconds.
fn whole_seconds(time: Duration) -> Duration {
    let seconds = time.as_millis().div_ceil(1000).clamp(1, SECONDS_MAX);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX))
}

/// Linux's `MAX_TCP_KEEPIDLE` and `MAX_TCP_KEEPINTVL`.
const SECONDS_MAX: u128 = 32_767;
/// Linux's `MAX_TCP_KEEPCNT`.
const PROBES_MAX: u32 = 127;

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn the_kernel_is_told_and_odd_times_do_no_harm() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let usual = KeepAlive {
            idle: Duration::from_secs(20),
            interval: Duration::from_secs(5),
            probes: 3,
            unacknowledged: Some(Duration::from_secs(35)),
        };
        usual.apply(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), usual.idle);
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), usual.interval);
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), usual.probes);
            assert_eq!(socket.tcp_user_timeout().unwrap(), usual.unacknowledged);
        }
        let odd = KeepAlive {
            idle: Duration::from_millis(1),
            interval: Duration::from_secs(1 << 40),
            probes: 0,
            unacknowledged: None,
        };
        odd.apply(&stream).unwrap();
    }

    #[tokio::test]
    async fn what_a_listening_socket_was_told_holds_for_what_it_accepts() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let idle = Duration::from_secs(20);
        let limit = Some(Duration::from_secs(35));
        let usual = KeepAlive { idle, interval: idle, probes: 3, unacknowledged: limit };
        usual.apply(&listener).unwrap();
        for is_on in [true, false] {
            let address = listener.local_addr().unwrap();
            let (_theirs, ours) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (ours, _) = ours.unwrap();
            let socket = SockRef::from(&ours);
            assert_eq!(socket.keepalive().unwrap(), is_on);
            #[cfg(target_os = "linux")]
            assert_eq!(socket.tcp_user_timeout().unwrap(), limit.filter(|_| is_on));
            KeepAlive::switch_off(&listener).unwrap();
        }
    }
}
