//! A client's bytes against a pooler, all in memory: what a fuzzer needs. The upstream answers at
//! once and in turns as servers may, well and badly.

use std::net::SocketAddr;
use std::sync::Arc;

use bolt::chunk::payload;
use bolt::failure::code;
use bolt::message::{Auth, Hello, tag};
use bolt::version::{self, NEO4J_RANGES, Opening, Proposal, VersionRange};
use bolt::{Dictionary, Failure, Piece, Request, Requests, Response, Value, Version};
use bytes::BytesMut;
use net::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::config::Config;
use crate::pooler::Pooler;
use crate::server::{Dial, Dialling};

/// Serves one client that says `input` and leaves. The first byte says whether it has logged in
/// before that, and with which version of Bolt; the second one how the upstream behaves. Returns
/// what the client heard, in bytes.
///
/// # Panics
/// Only if the pooler does, or if it does not let go of the client.
pub fn rehearse(input: &[u8]) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime needs nothing that could be missing");
    let [how, mood, input @ ..] = input else { return 0 };
    runtime.block_on(rehearse_once(*how, *mood, input))
}

async fn rehearse_once(how: u8, mood: u8, input: &[u8]) -> usize {
    let target = "bolt://192.0.2.1:7687".parse().expect("it is a URI");
    let mut config = Config::new(target);
    config.limits.max_connection_pool_size = 1;
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let pooler = Pooler::in_memory(&config, nowhere, Arc::new(Upstream { mood }));
    let (mut ours, theirs) = duplex(PIPE_BYTES);
    pooler.serve(theirs);
    let version = VERSIONS[usize::from(how >> 1) % VERSIONS.len()];
    let mut said = if how & 1 == 0 { BytesMut::new() } else { prologue(version) };
    said.extend_from_slice(input);
    let (mut reader, mut writer) = tokio::io::split(&mut ours);
    let speak = async {
        let _ = writer.write_all(&said).await;
        // It stays for the answers: everybody else has a turn each time.
        for _ in 0..PATIENCE_TURNS {
            tokio::task::yield_now().await;
        }
        let _ = writer.shutdown().await;
    };
    let mut heard = Vec::new();
    let listen = reader.read_to_end(&mut heard);
    let _ = tokio::join!(speak, listen);
    drop(ours);
    for _ in 0..TURNS_MAX {
        if pooler.counts().clients == 0 {
            return heard.len();
        }
        tokio::task::yield_now().await;
    }
    // It waits for a time-out of its own, which is not a fault.
    heard.len()
}

/// What an official driver says until it has logged in.
fn prologue(version: Version) -> BytesMut {
    let mut output = BytesMut::new();
    let proposal = match version >= Version::V6_0 {
        true => Proposal::Manifest,
        false => Proposal::Range(VersionRange { newest: version, below: 0 }),
    };
    output.extend_from_slice(&version::opening(&[proposal]));
    if version >= Version::V6_0 {
        output.extend_from_slice(&version::choice(version));
    }
    let auth = Auth::basic("neo4j", "secret");
    let hello = Hello {
        user_agent: "rehearsal/1".into(),
        bolt_agent: Some(Dictionary::new().with("product", "rehearsal/1")),
        auth: (!version.has_logon()).then(|| auth.clone()),
        ..Hello::default()
    };
    Request::Hello(hello).put(&mut output);
    if version.has_logon() {
        Request::Logon(auth).put(&mut output);
    }
    output
}

struct Upstream {
    mood: u8,
}

impl Dial for Upstream {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async {
            let (ours, theirs) = duplex(PIPE_BYTES);
            tokio::spawn(answer(theirs, self.mood));
            Ok(Socket::Other(Box::new(ours)))
        })
    }
}

async fn answer(mut stream: DuplexStream, mood: u8) -> Option<()> {
    let mut input = BytesMut::new();
    let version = agree(&mut stream, &mut input).await?;
    let mut requests = Requests::new(1 << 20, 1 << 20);
    let mut turn = u32::from(mood);
    loop {
        let Some(piece) = requests.next(&mut input).ok()? else {
            read(&mut stream, &mut input).await?;
            continue;
        };
        let Piece::Message { tag, wire } = piece else { continue };
        // What the pooler forwards must at least be a message.
        let _whole = payload(&wire);
        turn = turn.wrapping_mul(31).wrapping_add(u32::from(tag));
        let mut output = BytesMut::new();
        for response in responses(tag, turn, mood)? {
            response.put(&mut output, version);
        }
        stream.write_all(&output).await.ok()?;
    }
}

/// What a server might say to a request; `None`: it hangs up.
fn responses(request: u8, turn: u32, mood: u8) -> Option<Vec<Response>> {
    let success = |metadata| Response::Success(metadata);
    let some = || Dictionary::new().with("type", "w").with("db", "neo4j");
    let hello = || {
        let hints = Dictionary::new().with("ssr.enabled", true);
        Dictionary::new().with("server", "Neo4j/5.26.0").with("hints", hints)
    };
    let is_quiet = mood.is_multiple_of(4);
    Some(match (request, turn % 16) {
        (tag::GOODBYE, _) => return None,
        (tag::HELLO, _) => vec![success(hello())],
        (tag::LOGON | tag::RESET, _) => vec![success(Dictionary::new())],
        (_, 13) if !is_quiet => return None,
        (_, 14) if !is_quiet => vec![Response::Failure(Failure::new(code::SYNTAX, "no"))],
        (_, 15) if !is_quiet => vec![Response::Ignored],
        (_, 12) if !is_quiet => vec![success(Dictionary::new()), success(some())],
        (tag::PULL, 0..4) => {
            let record = Response::Record(vec![Value::from("x".repeat(turn as usize % 300))]);
            vec![record.clone(), record, success(Dictionary::new().with("has_more", true))]
        }
        (tag::RUN, _) => vec![success(some().with("fields", vec!["x"]))],
        (tag::BEGIN | tag::ROLLBACK, _) => vec![success(Dictionary::new())],
        _ => vec![success(some())],
    })
}

async fn agree(stream: &mut DuplexStream, input: &mut BytesMut) -> Option<Version> {
    loop {
        match version::read_opening(input, &NEO4J_RANGES).ok()? {
            None => read(stream, input).await?,
            Some(Opening::Agreed(version)) => {
                stream.write_all(&version::agreement(version)).await.ok()?;
                return Some(version);
            }
            Some(Opening::Manifest) => break,
            Some(Opening::NothingInCommon) => return None,
        }
    }
    stream.write_all(&version::manifest(&NEO4J_RANGES)).await.ok()?;
    loop {
        match version::read_choice(input, &NEO4J_RANGES).ok()? {
            Some(version) => return Some(version),
            None => read(stream, input).await?,
        }
    }
}

async fn read(stream: &mut DuplexStream, input: &mut BytesMut) -> Option<()> {
    matches!(stream.read_buf(input).await, Ok(1..)).then_some(())
}

const VERSIONS: [Version; 6] =
    [Version::V4_4, Version::V5_0, Version::V5_4, Version::V5_7, Version::V5_8, Version::V6_1];
const PIPE_BYTES: usize = 1 << 16;
const PATIENCE_TURNS: usize = 100;
const TURNS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn said(requests: &[Request]) -> Vec<u8> {
        let mut output = BytesMut::new();
        requests.iter().for_each(|request| request.put(&mut output));
        output.to_vec()
    }

    #[test]
    fn a_client_that_has_logged_in_is_answered() {
        let query = Request::Run {
            query: "RETURN 1".into(),
            parameters: Dictionary::new(),
            extra: Default::default(),
        };
        let pull = Request::Pull(bolt::message::Stream::ALL);
        for version in 0..VERSIONS.len() as u8 {
            let logged_in = rehearse(&[version << 1 | 1, 0]);
            let input =
                [&[version << 1 | 1, 0][..], &said(&[query.clone(), pull.clone()])].concat();
            assert!(rehearse(&input) > logged_in, "version {version}: {logged_in}");
        }
    }

    #[test]
    fn a_stranger_is_not() {
        assert_eq!(rehearse(&[0, 0, 1, 2, 3]), 0);
        assert_eq!(rehearse(&[]), 0);
    }
}
