//! Carries scripts out, line after line, and tells at which line something went otherwise.

use std::collections::HashMap;

use bolt::Version;
use tokio::time::{sleep, timeout};

use crate::README;
use crate::login::Login;
use crate::message::{Heard, Said};
use crate::peer::Peer;
use crate::problem::{Failed, Place, Problem};
use crate::response::fits;
use crate::script::{Line, Script, scripts};
use crate::setup::{Clock, Setup};
use crate::step::Step;
use crate::who::Who;

/// Plays every script of a file, each in a setup and a runtime of its own.
///
/// # Panics If a line is mistyped, if a script did not go as written, or if there are fewer than
/// `at_least`: a file that nobody reads any more must not pass. All mistakes and all scripts are
/// told, not just the first.
pub fn run<S: Setup>(text: &str, at_least: usize) {
    for verb in S::VERBS {
        assert!(
            README.contains(&format!("| `{verb}")),
            "crates/conversation/README.md lacks {verb}"
        );
    }
    let scripts = scripts(text, S::VERBS).unwrap_or_else(|mistakes| panic!("{}", lines(&mistakes)));
    let failed: Vec<_> = scripts
        .iter()
        .filter_map(|script| S::CLOCK.runtime().block_on(play::<S>(script)).err())
        .collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), scripts.len(), lines(&failed));
    assert!(scripts.len() >= at_least, "only {} scripts were found", scripts.len());
}

fn lines(all: &[impl ToString]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Plays one script.
pub async fn play<S: Setup>(script: &Script) -> Result<(), Failed> {
    let failed = |at, problem| Failed { script: script.name.clone(), at, problem };
    let setup = S::start(&script.head).await.map_err(|problem| failed(Place::Start, problem))?;
    let version = script.head.version;
    let mut player = Player { setup, version, clients: HashMap::new(), upstreams: Vec::new() };
    for Line { number, text, step } in &script.lines {
        let place = || Place::Line { number: *number, text: text.clone() };
        player.run_line(step).await.map_err(|problem| failed(place(), problem))?;
    }
    player.clients.clear();
    player.setup.end().await.map_err(|problem| failed(Place::End, problem))
}

/// Everybody in a script.
struct Player<S> {
    setup: S,
    version: Version,
    clients: HashMap<char, Peer>,
    upstreams: Vec<Peer>,
}

impl<S: Setup> Player<S> {
    async fn run_line(&mut self, step: &Step) -> Result<(), Problem> {
        match step {
            Step::Say { who, messages } => self.say(*who, messages).await,
            Step::Hear { who, messages } => self.hear(*who, messages).await,
            Step::Wait(time) => {
                sleep(*time).await;
                Ok(())
            }
            Step::Dial(client) => self.dial(*client).await,
            Step::Agreed(client) => self.agreed(*client).await,
            Step::Connect(client) => self.connect(*client).await,
            Step::Login { client, login, answer } => {
                self.connect(*client).await?;
                self.log_in(*client, login, answer).await
            }
            Step::Own { verb, rest } => self.setup.run_line(verb, rest).await,
        }
    }

    async fn say(&mut self, who: Who, messages: &[Said]) -> Result<(), Problem> {
        self.peer(who).await?.say(messages).await
    }

    async fn hear(&mut self, who: Who, messages: &[Heard]) -> Result<(), Problem> {
        if S::CLOCK == Clock::Runs && messages.contains(&Heard::Nothing) {
            let why = "`nothing` is certain only under a clock that stands still";
            return Err(Problem::Setup(why.into()));
        }
        let peer = self.peer(who).await?;
        for wanted in messages {
            peer.hear(wanted).await?;
        }
        Ok(())
    }

    async fn dial(&mut self, client: char) -> Result<(), Problem> {
        let stream = self.setup.connect().await?;
        let mut peer = Peer::dial(stream, self.version).await?;
        peer.patience = Some(S::CLOCK.patience());
        self.clients.insert(client, peer);
        Ok(())
    }

    async fn agreed(&mut self, client: char) -> Result<(), Problem> {
        if self.peer(Who::Client(client)).await?.is_agreed().await? {
            return Ok(());
        }
        let (wanted, found) =
            (format!("Bolt {}", self.version), "something else or nothing".into());
        Err(Problem::Differs { wanted, found })
    }

    async fn connect(&mut self, client: char) -> Result<(), Problem> {
        self.dial(client).await?;
        self.agreed(client).await
    }

    /// Says HELLO, and LOGON where there is one. `wanted` is what must come back last.
    async fn log_in(&mut self, client: char, login: &Login, wanted: &str) -> Result<(), Problem> {
        let requests = login.requests(self.version, S::PASSWORD);
        let peer = self.peer(Who::Client(client)).await?;
        let mut found = String::new();
        for request in requests {
            peer.say(&[request.into()]).await?;
            found = peer.answer().await?;
            if !found.starts_with("SUCCESS") {
                break;
            }
        }
        match fits(wanted, &found) {
            true => Ok(()),
            false => Err(Problem::Differs { wanted: wanted.to_owned(), found }),
        }
    }

    async fn peer(&mut self, who: Who) -> Result<&mut Peer, Problem> {
        let missing = |what: &str| Problem::Missing(format!("{what} {who}"));
        match who {
            Who::Client(name) => self.clients.get_mut(&name).ok_or_else(|| missing("client")),
            Who::Upstream(number) => {
                while self.upstreams.len() < number {
                    let opened = timeout(S::CLOCK.patience(), self.setup.upstream()).await;
                    let opened = opened.ok().flatten();
                    let mut peer = opened.ok_or_else(|| missing("upstream connection"))?;
                    peer.patience = Some(S::CLOCK.patience());
                    self.upstreams.push(peer);
                }
                Ok(&mut self.upstreams[number - 1])
            }
        }
    }
}
