//! The protocol as conversations with the sandbox; `crates/conversation/README.md` explains every
//! word in them. The sandbox has threads of its own, so these run by the usual clock, over sockets.

use conversation::{Clock, Head, Problem, Setup, Stream, run};
use sandbox::{Sandbox, Settings};
use tokio::net::{TcpListener, TcpStream};

struct OneSandbox(Sandbox);

impl Setup for OneSandbox {
    const CLOCK: Clock = Clock::Runs;
    const PASSWORD: &'static str = "boltbouncer";

    async fn start(head: &Head) -> Result<Self, Problem> {
        if let Some((name, _)) = head.options.first() {
            return Err(Problem::Setup(format!("the sandbox has no option {name}")));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let sandbox = Sandbox::start(listener, Settings::default());
        sandbox.map(Self).map_err(|error| Problem::Setup(error.to_string()))
    }

    async fn connect(&mut self) -> Result<Box<dyn Stream>, Problem> {
        Ok(Box::new(TcpStream::connect(self.0.address()).await?))
    }
}

#[test]
fn conversations_go_as_written() {
    run::<OneSandbox>(include_str!("scripts/conversations.txt"), 20);
}
