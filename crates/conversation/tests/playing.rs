//! How scripts are played, without anything to test between the two sides: a client's connection is
//! the server's.

#![allow(clippy::unwrap_used)]

use conversation::{Clock, Head, Peer, Problem, Setup, Stream, expect_equal, play, run, scripts};
use tokio::io::duplex;
use tokio::sync::mpsc;

/// Clients that are connected with a scripted server and nothing between. The clock is the one that
/// a test asks for.
struct Direct {
    opened: mpsc::UnboundedReceiver<Peer>,
    sender: mpsc::UnboundedSender<Peer>,
    connections: usize,
}

impl Setup for Direct {
    const VERBS: &'static [&'static str] = &["CLIENTS"];
    const CLOCK: Clock = Clock::StandsStill;
    const PASSWORD: &'static str = "secret";

    async fn start(head: &Head) -> Result<Self, Problem> {
        if let Some((name, _)) = head.options.first() {
            return Err(Problem::Setup(format!("there is no option {name}")));
        }
        let (sender, opened) = mpsc::unbounded_channel();
        Ok(Self { opened, sender, connections: 0 })
    }

    async fn connect(&mut self) -> Result<Box<dyn Stream>, Problem> {
        self.connections += 1;
        let (ours, theirs) = duplex(1 << 16);
        let sender = self.sender.clone();
        tokio::spawn(async move {
            if let Some(peer) = Peer::accept(Box::new(theirs)).await {
                let _ = sender.send(peer);
            }
        });
        Ok(Box::new(ours))
    }

    async fn upstream(&mut self) -> Option<Peer> {
        self.opened.recv().await
    }

    async fn run_line(&mut self, _: &str, rest: &str) -> Result<(), Problem> {
        expect_equal(rest, self.connections)
    }
}

/// The same by the usual clock.
struct Hasty;

impl Setup for Hasty {
    const CLOCK: Clock = Clock::Runs;
    const PASSWORD: &'static str = "secret";

    async fn start(_: &Head) -> Result<Self, Problem> {
        Ok(Self)
    }

    async fn connect(&mut self) -> Result<Box<dyn Stream>, Problem> {
        let (ours, theirs) = duplex(1 << 16);
        tokio::spawn(Peer::accept(Box::new(theirs)));
        Ok(Box::new(ours))
    }
}

/// What a script of these lines fails with.
fn failure<S: Setup>(head: &str, lines: &str) -> String {
    let scripts = scripts(&format!("== it\n{head}\n{lines}\n"), S::VERBS).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(S::CLOCK == Clock::StandsStill)
        .build()
        .unwrap();
    runtime.block_on(play::<S>(&scripts[0])).unwrap_err().to_string()
}

fn wrong(lines: &str) -> String {
    failure::<Direct>("BOLT 5.8", &format!("CONNECT A\n{lines}"))
}

#[test]
fn what_is_said_is_heard() {
    run::<Direct>(include_str!("playing.txt"), 6);
}

#[test]
fn what_is_heard_instead_is_told_with_its_line() {
    let told = |line: &str, wanted: &str, found: &str| {
        format!("it\n  line {line}\n  wanted {wanted}, found {found}")
    };
    let begin = "A> BEGIN\n1< ";
    for (lines, expected) in [
        ("A< EOF", told("4: A< EOF", "EOF", "nothing")),
        ("1> EOF\nA< nothing", told("5: A< nothing", "nothing", "EOF")),
        ("1> EOF\nA< SUCCESS", told("5: A< SUCCESS", "SUCCESS", "EOF")),
        ("A< NOOP", told("4: A< NOOP", "NOOP", "something else or nothing")),
        ("1> IGNORED\nA< NOOP", told("5: A< NOOP", "NOOP", "something else or nothing")),
        ("1> IGNORED\nA< nothing", told("5: A< nothing", "nothing", "IGNORED")),
        ("1> IGNORED\nA< SUCCESS", told("5: A< SUCCESS", "SUCCESS", "IGNORED")),
        (&format!("{begin}EOF"), told("5: 1< EOF", "EOF", "BEGIN")),
        (&format!("{begin}RESET"), told("5: 1< RESET", "RESET", "BEGIN")),
        (
            &format!("{begin}BEGIN ; nothing ; PULL"),
            told("5: 1< BEGIN ; nothing ; PULL", "PULL", "nothing"),
        ),
        ("CLIENTS 2", told("4: CLIENTS 2", "2", "1")),
    ] {
        assert_eq!(wrong(lines), expected);
    }
}

#[test]
fn a_difference_that_a_line_does_not_show_is_still_one() {
    let found = wrong("A> RAW 00 0D B1 01 A1 8A 75 73 65 72 5F 61 67 65 6E 00 00\n1< nothing");
    assert!(found.contains("found a message that can't be read: "), "{found}");
    let expected = "it\n  line 4: 1< HELLO\n  wanted HELLO, found HELLO with other contents";
    assert_eq!(failure::<Direct>("BOLT 5.8", "LOGIN A routing=h:1 => nothing\n1< HELLO"), expected);
}

#[test]
fn somebody_who_is_not_there_is_missed() {
    assert_eq!(wrong("B< EOF"), "it\n  line 4: B< EOF\n  there is no client B");
    assert_eq!(wrong("2< EOF"), "it\n  line 4: 2< EOF\n  there is no upstream connection 2");
    let closed = "it\n  line 5: A< EOF\n  the script itself has closed this connection";
    assert_eq!(wrong("A> EOF\nA< EOF"), closed);
}

#[test]
fn a_setup_may_refuse() {
    let refused = failure::<Direct>("BOLT 5.8 colour=red", "LOGIN A");
    assert_eq!(refused, "it\n  at the start\n  there is no option colour");
}

#[test]
fn nothing_is_certain_only_under_a_clock_that_stands_still() {
    let refused = failure::<Hasty>("BOLT 5.8", "CONNECT A\nA< nothing");
    assert!(
        refused.ends_with("`nothing` is certain only under a clock that stands still"),
        "{refused}"
    );
}

#[test]
#[should_panic(expected = "line 3, `WIAT 5`: there is no verb `WIAT`; there are: WAIT, DIAL")]
fn a_mistyped_file_is_not_played() {
    run::<Direct>("== it\nBOLT 5.8\nWIAT 5\nCONNECT A\n", 1);
}

#[test]
#[should_panic(expected = "1 of 2:\nit\n  line 8: A< EOF\n  wanted EOF, found nothing")]
fn one_script_that_goes_otherwise_fails_the_file() {
    run::<Direct>("== good\nBOLT 5.8\nCONNECT A\n\n== it\nBOLT 5.8\nCONNECT A\nA< EOF\n", 2);
}

#[test]
#[should_panic(expected = "only 1 scripts were found")]
fn a_file_that_lost_its_scripts_is_noticed() {
    run::<Direct>("== it\nBOLT 5.8\nCONNECT A\n", 2);
}
