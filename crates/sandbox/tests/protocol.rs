//! Protocol cases as data: each file in `scripts/` holds conversations in the dialect of the pooler's.

#![allow(clippy::unwrap_used)]

use bolt::message::{Auth, Hello};
use bolt::version::{self, Proposal, VersionRange};
use bolt::{Dechunker, Request, Response, Version};
use bytes::BytesMut;
use conversation::{conversations, describe, fits, request};
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

async fn check(name: &str, script: Vec<&str>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = Sandbox::start(listener, Settings::default()).unwrap();
    let mut lines = script.into_iter();
    let version = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut peer = Peer::connect(&sandbox, version).await;
    match lines.next().unwrap() {
        "LOGIN A" => peer.login().await,
        line => assert_eq!(line, "CONNECT A", "{name}"),
    }
    let mut is_heard = false;
    for line in lines {
        is_heard = !line.starts_with("A> ");
        if let Some(line) = line.strip_prefix("A> ") {
            let requests: Vec<_> = line.split(" ; ").map(request).collect();
            peer.send(&requests).await;
            continue;
        }
        let wanted = line.strip_prefix("A< ").unwrap_or_else(|| panic!("{name}: {line}"));
        let found = peer.receive().await;
        assert!(fits(wanted, &found), "{name}\n  wanted {wanted}\n  found  {found}");
    }
    assert!(is_heard, "{name} ends with a request that nobody answers");
}

#[tokio::test]
async fn conversations_go_as_written() {
    let mut count = 0;
    for (name, script) in conversations(include_str!("scripts/conversations.txt")) {
        check(name, script).await;
        count += 1;
    }
    assert!(count >= 20, "only {count} conversations were found");
}
