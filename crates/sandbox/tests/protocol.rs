//! Protocol cases as data: each file in `scripts/` is a conversation. `C:` lines that follow one
//! another are sent in one write; `S:` lines are what must come back, and nothing else.
//!
//! A script begins with `BOLT 5.8`; `LOGIN` on that line does the usual login first. `SUCCESS a=b`
//! asks for that entry among others, `FAILURE code` for a code with that end, `EOF` for the end of
//! the connection.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use bolt::message::{AccessMode, Auth, Hello, Route, Stream, TransactionExtra};
use bolt::version::{self, Proposal, VersionRange};
use bolt::{Dechunker, Dictionary, Request, Response, Value, Version};
use bytes::BytesMut;
use sandbox::{Sandbox, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Peer {
    stream: TcpStream,
    input: BytesMut,
    dechunker: Dechunker,
    version: Version,
}

impl Peer {
    async fn connect(sandbox: &Sandbox, version: Version) -> Self {
        let mut stream = TcpStream::connect(sandbox.address()).await.unwrap();
        let only = Proposal::Range(VersionRange { newest: version, below: 0 });
        stream.write_all(&version::opening(&[only])).await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, version::agreement(version));
        Self { stream, input: BytesMut::new(), dechunker: Dechunker::new(1 << 20), version }
    }

    async fn send(&mut self, requests: &[Request]) {
        let mut output = BytesMut::new();
        requests.iter().for_each(|request| request.put(&mut output));
        self.stream.write_all(&output).await.unwrap();
    }

    /// The next response as a line of a script, or `EOF`.
    async fn receive(&mut self) -> String {
        loop {
            if let Some(message) = self.dechunker.next(&mut self.input).unwrap() {
                return describe(&Response::decode(&message).unwrap());
            }
            if !matches!(self.stream.read_buf(&mut self.input).await, Ok(1..)) {
                return "EOF".into();
            }
        }
    }

    async fn login(&mut self) {
        let has_logon = self.version.has_logon();
        let auth = Auth::basic("neo4j", "boltbouncer");
        let hello = Hello {
            user_agent: "script/1".into(),
            auth: (!has_logon).then(|| auth.clone()),
            ..Hello::default()
        };
        self.send(&[Request::Hello(hello)]).await;
        assert!(self.receive().await.starts_with("SUCCESS"));
        if has_logon {
            self.send(&[Request::Logon(auth)]).await;
            assert!(self.receive().await.starts_with("SUCCESS"));
        }
    }
}

fn describe(response: &Response) -> String {
    match response {
        Response::Success(metadata) => {
            metadata.iter().fold("SUCCESS".into(), |mut line, (key, value)| {
                let _ = write!(line, " {key}={}", text(value));
                line
            })
        }
        Response::Record(values) => {
            format!("RECORD {}", values.iter().map(text).collect::<Vec<_>>().join(","))
        }
        Response::Ignored => "IGNORED".into(),
        Response::Failure(failure) => format!("FAILURE {}", failure.code),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Integer(integer) => integer.to_string(),
        Value::String(string) => string.clone(),
        Value::List(list) => format!("[{}]", list.iter().map(text).collect::<Vec<_>>().join(",")),
        other => format!("{other:?}").replace(' ', ""),
    }
}

fn request(line: &str) -> Request {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let extra = || TransactionExtra {
        mode: if rest.contains("mode=r") { AccessMode::Read } else { AccessMode::Write },
        database: option(rest, "db").map(str::to_owned),
        bookmarks: option(rest, "bookmark").into_iter().map(str::to_owned).collect(),
        impersonated_user: option(rest, "imp_user").map(str::to_owned),
        timeout_ms: option(rest, "timeout_ms").map(|ms| ms.parse().unwrap()),
        ..TransactionExtra::default()
    };
    let stream = || Stream {
        records: option(rest, "n").map(|n| n.parse().unwrap()),
        qid: option(rest, "qid").map(|qid| qid.parse().unwrap()),
    };
    match verb {
        "HELLO" => Request::Hello(Hello { user_agent: "script/1".into(), ..Hello::default() }),
        "LOGON" => Request::Logon(Auth::basic("neo4j", rest)),
        "LOGOFF" => Request::Logoff,
        "GOODBYE" => Request::Goodbye,
        "RESET" => Request::Reset,
        "BEGIN" => Request::Begin(extra()),
        "COMMIT" => Request::Commit,
        "ROLLBACK" => Request::Rollback,
        "PULL" => Request::Pull(stream()),
        "DISCARD" => Request::Discard(stream()),
        "TELEMETRY" => Request::Telemetry { api: 1 },
        "ROUTE" => Request::Route(Route {
            routing: Dictionary::new().with("address", "example:1"),
            database: option(rest, "db").map(str::to_owned),
            ..Route::default()
        }),
        "RUN" => Request::Run {
            query: rest.into(),
            parameters: Dictionary::new(),
            extra: TransactionExtra::default(),
        },
        "RUN-IN" => {
            let (options, query) = rest.split_once(" | ").unwrap();
            let extra = match request(&format!("BEGIN {options}")) {
                Request::Begin(extra) => extra,
                _ => unreachable!(),
            };
            Request::Run { query: query.into(), parameters: Dictionary::new(), extra }
        }
        other => panic!("unknown request {other}"),
    }
}

fn option<'a>(options: &'a str, name: &str) -> Option<&'a str> {
    options.split(' ').find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
}

/// Whether a response is what a script asks for.
fn fits(wanted: &str, found: &str) -> bool {
    match wanted.split_once(' ') {
        Some(("SUCCESS", entries)) => {
            found.starts_with("SUCCESS")
                && entries.split(' ').all(|entry| found.split(' ').any(|have| have == entry))
        }
        Some(("FAILURE", code)) => found.starts_with("FAILURE") && found.ends_with(code),
        None if wanted == "SUCCESS" => found.starts_with("SUCCESS"),
        _ => wanted == found,
    }
}

async fn check(name: &str, script: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = Sandbox::start(listener, Settings::default()).unwrap();
    let mut lines = script.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let head = lines.next().unwrap();
    let version = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut peer = Peer::connect(&sandbox, version).await;
    if head.ends_with("LOGIN") {
        peer.login().await;
    }
    let mut unsent = Vec::new();
    for line in lines {
        if let Some(line) = line.strip_prefix("C: ") {
            unsent.push(request(line));
            continue;
        }
        peer.send(&std::mem::take(&mut unsent)).await;
        let wanted = line.strip_prefix("S: ").unwrap_or_else(|| panic!("{name}: {line}"));
        let found = peer.receive().await;
        assert!(fits(wanted, &found), "{name}\n  wanted {wanted}\n  found  {found}");
    }
    assert!(unsent.is_empty(), "{name} ends with a request that nobody answers");
}

#[tokio::test]
async fn conversations_go_as_written() {
    let scripts = include_str!("scripts/conversations.txt");
    let mut count = 0;
    for script in scripts.split("\n== ").skip(1) {
        let (name, script) = script.split_once('\n').unwrap();
        check(name, script).await;
        count += 1;
    }
    assert!(count >= 20, "only {count} conversations were found");
}
