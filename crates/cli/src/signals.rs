//! Ctrl-C and SIGTERM. None is missed that comes after `Signals::new`.

use anyhow::Result;
use lab::Stop;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub fn new() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next of these signals.
    pub async fn ended(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Tells `stop` at the first Ctrl-C or SIGTERM, and ends the process at the second.
pub fn stop_when_interrupted(stop: &Stop, words: &'static str) -> Result<()> {
    let stop = stop.clone();
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        signals.ended().await;
        eprintln!("{words}");
        stop.stop();
        signals.ended().await;
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

/// As shells report a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;
