//! A client's bytes against a whole pooler, all in memory. The upstream answers at once and in
//! turns as servers may, well and badly.

use std::net::SocketAddr;
use std::sync::Arc;

use bolt::chunk::payload;
use bolt::failure::code;
use bolt::message::tag;
use bolt::{Dictionary, Failure, Piece, Requests, Response, Value, Version, version};
use bytes::BytesMut;
use conversation::{Login, accept_version, opening};
use net::Socket;
use pooler::{Config, Dial, Dialling, Pooler, Resolving};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::yield_now;

/// Serves one client that says `input` and leaves. The first byte says whether it has logged in
/// before that, and with which of [`VERSIONS`]; the second one how the upstream behaves. Returns
/// what the client heard, in bytes.
///
/// # Panics
/// Only if the pooler does.
pub fn serve(input: &[u8]) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime needs nothing that could be missing");
    let [how, mood, input @ ..] = input else { return 0 };
    runtime.block_on(serve_once(*how, *mood, input))
}

async fn serve_once(how: u8, mood: u8, input: &[u8]) -> usize {
    let target = "bolt://192.0.2.1:7687".parse().expect("it is a URI");
    let mut config = Config::new(target);
    config.limits.max_connection_pool_size = 1;
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let pooler = Pooler::without_listener(&config, nowhere, Arc::new(Upstream { mood }));
    let (ours, theirs) = duplex(PIPE_BYTES);
    pooler.serve(theirs);
    let version = VERSIONS[usize::from(how >> 1) % VERSIONS.len()];
    let mut said = if how & 1 == 0 { BytesMut::new() } else { prologue(version) };
    said.extend_from_slice(input);
    let heard = converse(ours, &said).await;
    for _ in 0..TURNS_MAX {
        if pooler.counts().clients == 0 {
            break;
        }
        // If it is not gone in the end, it waits for a time-out of its own, which is not a fault.
        yield_now().await;
    }
    heard
}

/// Says everything and stays for the answers; returns how much came.
async fn converse(stream: DuplexStream, said: &[u8]) -> usize {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let speak = async {
        let _ = writer.write_all(said).await;
        // Everybody else has a turn each time.
        for _ in 0..PATIENCE_TURNS {
            yield_now().await;
        }
        let _ = writer.shutdown().await;
    };
    let mut heard = Vec::new();
    let listen = reader.read_to_end(&mut heard);
    let _ = tokio::join!(speak, listen);
    heard.len()
}

/// What an official driver says until it has logged in.
fn prologue(version: Version) -> BytesMut {
    let mut output = BytesMut::new();
    output.extend_from_slice(&opening(version));
    if version >= Version::V6_0 {
        output.extend_from_slice(&version::choice(version));
    }
    let login = Login::default().requests(version, "secret");
    login.iter().for_each(|request| request.put(&mut output));
    output
}

struct Upstream {
    mood: u8,
}

impl Dial for Upstream {
    fn resolve(&self) -> Resolving<'_> {
        Box::pin(async { Ok(vec![([192, 0, 2, 1], 7687).into()]) })
    }

    fn connect(&self, _: SocketAddr) -> Dialling<'_> {
        Box::pin(async {
            let (ours, theirs) = duplex(PIPE_BYTES);
            tokio::spawn(answer(theirs, self.mood));
            Ok(Socket::Other(Box::new(ours)))
        })
    }
}

async fn answer(mut stream: DuplexStream, mood: u8) -> Option<()> {
    let mut input = BytesMut::new();
    let version = accept_version(&mut stream, &mut input).await?;
    let mut requests = Requests::new(1 << 20, 1 << 20);
    let mut turn = u32::from(mood);
    loop {
        let Some(piece) = requests.next(&mut input).ok()? else {
            if stream.read_buf(&mut input).await.ok()? == 0 {
                return None;
            }
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

pub const VERSIONS: [Version; 6] =
    [Version::V4_4, Version::V5_0, Version::V5_4, Version::V5_7, Version::V5_8, Version::V6_1];
const PIPE_BYTES: usize = 1 << 16;
const PATIENCE_TURNS: usize = 100;
const TURNS_MAX: usize = 10_000;
