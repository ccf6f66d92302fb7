//! A pooler between scripted clients and a scripted upstream, all in memory and under a clock that
//! stands still.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bolt::Response;
use conversation::{Clock, Head, Peer, Problem, Setup, Stream, expect_equal, response};
use pooler::{Config, Counts, File, Pooler};
use tokio::io::duplex;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::upstream::{MemoryDialer, PIPE_BYTES, Upstream};

pub struct InMemory {
    /// `None` once it shuts down.
    pooler: Option<Pooler>,
    upstream: Arc<Upstream>,
    opened: mpsc::UnboundedReceiver<Peer>,
}

impl Setup for InMemory {
    const VERBS: &'static [&'static str] = &[
        "DOWN",
        "UP",
        "NEXT-LOGIN",
        "NEXT-HELLO",
        "LOGINS",
        "CLIENTS",
        "UPSTREAMS",
        "RELOAD",
        "DRAIN",
    ];
    const CLOCK: Clock = Clock::StandsStill;
    const PASSWORD: &'static str = "secret";

    async fn start(head: &Head) -> Result<Self, Problem> {
        let options = head.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let config = configuration(options)?;
        let (sender, opened) = mpsc::unbounded_channel();
        let upstream = Arc::new(Upstream::default());
        let dialer = Arc::new(MemoryDialer { upstream: upstream.clone(), opened: sender });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let pooler = Pooler::start_with(listener, config, dialer).await.map_err(setup_problem)?;
        Ok(Self { pooler: Some(pooler), upstream, opened })
    }

    async fn connect(&mut self) -> Result<Box<dyn Stream>, Problem> {
        let (ours, theirs) = duplex(PIPE_BYTES);
        self.running()?.serve(theirs);
        Ok(Box::new(ours))
    }

    async fn upstream(&mut self) -> Option<Peer> {
        self.opened.recv().await
    }

    async fn run_line(&mut self, verb: &str, rest: &str) -> Result<(), Problem> {
        match verb {
            "DOWN" => self.upstream.is_down.store(true, Ordering::SeqCst),
            "UP" => self.upstream.is_down.store(false, Ordering::SeqCst),
            "NEXT-LOGIN" => {
                let answer = if rest == "EOF" { None } else { Some(response(rest)?) };
                self.upstream.answers.lock().unwrap().push_back(answer);
            }
            "NEXT-HELLO" => {
                if let Response::Success(entries) = response(&format!("SUCCESS {rest}"))? {
                    *self.upstream.hello.lock().unwrap() = entries;
                }
            }
            "LOGINS" => return expect_equal(rest, self.upstream.logins.load(Ordering::SeqCst)),
            "CLIENTS" => return expect_equal(rest, self.settled_counts().await?.clients),
            "UPSTREAMS" => return expect_equal(rest, self.settled_counts().await?.upstream_open),
            "RELOAD" => {
                let options = rest.split_whitespace().filter_map(|word| word.split_once('='));
                self.running()?.reload(configuration(options)?);
            }
            "DRAIN" => {
                self.running()?;
                tokio::spawn(self.pooler.take().map(Pooler::shut_down).unwrap());
                sleep(SETTLE).await;
            }
            _ => unreachable!("only own verbs come here"),
        }
        Ok(())
    }

    async fn end(self) -> Result<(), Problem> {
        let Some(pooler) = &self.pooler else { return Ok(()) };
        // Upstream connections that were left in the middle of something are given up after this.
        sleep(Duration::from_secs(20)).await;
        let counts = pooler.counts();
        match (counts.clients, counts.busy) {
            (0, 0) => Ok(()),
            _ => Err(Problem::Setup(format!("something is left: {counts:?}"))),
        }
    }
}

impl InMemory {
    fn running(&self) -> Result<&Pooler, Problem> {
        self.pooler.as_ref().ok_or_else(|| Problem::Missing("pooler after DRAIN".into()))
    }

    async fn settled_counts(&self) -> Result<Counts, Problem> {
        sleep(SETTLE).await;
        Ok(self.running()?.counts())
    }
}

/// A script's options are limits, but for the upstream's URI. Nothing is asked for a sign of life unless
/// a script says so: it would be heard in the middle of others.
fn configuration<'a>(options: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Config, Problem> {
    let (mut upstream, mut limits) = ("bolt://192.0.2.1:7687", String::new());
    for (name, value) in options {
        match name {
            "upstream" => upstream = value,
            _ => limits += &format!("{name} = {value}\n"),
        }
    }
    if !limits.contains("liveness_check_timeout") {
        limits += "liveness_check_timeout = 0\n";
    }
    let text = format!("upstream = \"{upstream}\"\n[limits]\n{limits}");
    File::parse(&text).map_err(setup_problem)?.check(|_| None).map_err(setup_problem)
}

fn setup_problem(error: impl ToString) -> Problem {
    Problem::Setup(error.to_string())
}

const SETTLE: Duration = Duration::from_millis(1);
