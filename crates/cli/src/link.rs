//! `boltbouncer link`: runs the relay of `boltbouncer bench` by itself.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bench::link::Link;
use net::{Encryption, Target};
use tokio::net::TcpListener;

use crate::signals::Signals;
use crate::{numbers, runtime};

/// Make a server seem far away: a relay that delays every byte
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: boltbouncer link --to bolt://localhost:7687 --delay-ms 20

More: docs/bench.md")]
pub struct Arguments {
    /// The server to relay to
    #[arg(long, value_name = "URI")]
    to: Target,
    /// How much longer a round trip takes; half of it is added each way
    #[arg(long, value_name = "MS", value_parser = numbers::fractional_milliseconds, allow_negative_numbers = true)]
    delay_ms: f64,
    /// Where to listen; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:0", value_parser = net::listen_address)]
    listen: SocketAddr,
}

/// Prints the relay's URI, under which the server seems far away, and relays until a signal ends it.
pub fn run(arguments: &Arguments) -> Result<()> {
    if !(0.0..=DELAY_MS_MAX).contains(&arguments.delay_ms) {
        bail!("--delay-ms {} makes no sense; give 0 to {DELAY_MS_MAX}", arguments.delay_ms);
    }
    if arguments.to.encryption == Encryption::Verified {
        bail!(
            "--to {}: no certificate is good for the relay's own address; write a scheme with +ssc, which checks none",
            arguments.to
        );
    }
    runtime::many_threads()?.block_on(async {
        // Before anything is said: whoever reads the address may end the process at once.
        let mut signals = Signals::new()?;
        let listen = arguments.listen;
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("cannot listen on {listen}; choose another address with --listen")
        })?;
        let round_trip = Duration::from_secs_f64(arguments.delay_ms / 1000.0);
        let link = Link::start(listener, arguments.to.clone(), round_trip)?;
        println!("{}", link.stands_for(&arguments.to));
        signals.ended().await;
        Ok(())
    })
}

const DELAY_MS_MAX: f64 = 60_000.0;
