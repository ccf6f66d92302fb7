//! What a Bolt connection stands on, whichever side of it we are. It knows sockets and bytes, and
//! nothing of queries, users or pools.
//!
//! - [`wire`]: a socket with its buffers; [`inbox`]: a client's requests in turn
//! - [`handshake`]: how both sides agree on a version; [`proxy_header`]: what a balancer says before it
//! - [`target`]: `bolt://host:port` and its kin; [`listen`]: where to listen
//! - [`socket`]: TCP or TLS; [`keep_alive`]: what if the other side vanishes
//! - [`dialer`]: how one is opened; [`resolver`]: how names become addresses; [`race`]: which of several
//!   is taken
//! - [`tls`]: certificates are verified by default, unverified for `+ssc`; [`certificate`]: one's own

mod certificate;
mod dialer;
mod handshake;
mod inbox;
mod keep_alive;
mod listen;
mod proxy_header;
mod race;
mod resolver;
mod socket;
mod target;
mod tls;
mod wire;

pub use certificate::{Certificate, CertificateError, read_certificates};
pub use dialer::{DialError, Dialer};
pub use handshake::{Disagreement, Negotiated, accept, agree, await_opening, choose, propose};
pub use inbox::{Inbox, InboxLimits};
pub use keep_alive::KeepAlive;
pub use listen::listen_address;
pub use proxy_header::{ProxyHeaderError, may_begin_proxy_header, read_proxy_header};
pub use race::{HEAD_START, race};
pub use resolver::{Resolve, Resolving, SystemResolver};
pub use socket::{Socket, Stream};
pub use target::{Encryption, Target, TargetError};
pub use wire::Wire;

/// A certificate as it is trusted, or shown, and its key.
pub use rustls::pki_types::{CertificateDer, PrivateKeyDer};
