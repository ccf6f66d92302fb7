//! One end of a connection, as a script speaks and listens on it.

use std::fmt;
use std::time::Duration;

use bolt::version::{self, NEO4J_RANGES};
use bolt::{Dechunker, Request, Response, Version};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::handshake::{accept_version, opening};
use crate::message::{Heard, Said};
use crate::problem::Problem;
use crate::request::{describe_request, sized_run};
use crate::response::{describe_response, fits};

/// What a connection runs over: a socket, or a pipe in memory.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub struct Peer {
    /// `None` once the script has closed it.
    stream: Option<Box<dyn Stream>>,
    input: BytesMut,
    dechunker: Dechunker,
    /// What was found while something else was looked for.
    found: Option<Found>,
    /// The end of what was being said when nobody took it any more.
    unsaid: BytesMut,
    version: Version,
    /// How long it listens before it has heard nothing; `None` for as long as it takes.
    pub(crate) patience: Option<Duration>,
}

/// What somebody who listens has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A message without its chunk headers.
    Message(Bytes),
    Eof,
    Nothing,
}

/// What became of reading more.
enum Fill {
    More,
    End,
    Silence,
}

impl Peer {
    /// A client that has said its first bytes.
    pub async fn dial(stream: Box<dyn Stream>, version: Version) -> Result<Self, Problem> {
        let mut peer = Self::new(stream, BytesMut::new(), version);
        peer.write(&opening(version)).await?;
        Ok(peer)
    }

    /// A server that has agreed with a client on a version; `None` if it could not.
    pub async fn accept(mut stream: Box<dyn Stream>) -> Option<Self> {
        let mut input = BytesMut::new();
        let version = accept_version(&mut *stream, &mut input).await?;
        Some(Self::new(stream, input, version))
    }

    fn new(stream: Box<dyn Stream>, input: BytesMut, version: Version) -> Self {
        let dechunker = Dechunker::new(MESSAGE_MAX);
        let (found, unsaid) = (None, BytesMut::new());
        Self { stream: Some(stream), input, dechunker, found, unsaid, version, patience: None }
    }

    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether the other side agrees on the version that was proposed.
    pub async fn is_agreed(&mut self) -> Result<bool, Problem> {
        if self.version < Version::V6_0 {
            return self.skip(&version::agreement(self.version)).await;
        }
        let is_offered = self.skip(&version::manifest(&NEO4J_RANGES)).await?;
        self.write(&version::choice(self.version)).await?;
        Ok(is_offered)
    }

    /// Says messages, in one write unless one of them needs its own.
    pub async fn say(&mut self, messages: &[Said]) -> Result<(), Problem> {
        let mut output = BytesMut::new();
        for message in messages {
            match message {
                Said::Request(request) => request.put(&mut output),
                Said::Response(response) => response.put(&mut output, self.version),
                Said::Noop => output.extend_from_slice(&NOOP),
                Said::Raw(bytes) => output.extend_from_slice(bytes),
                Said::RunHalf(size) => {
                    self.write(&output.split()).await?;
                    self.run_half(*size).await?;
                }
                Said::Flood => {
                    self.write(&output.split()).await?;
                    self.flood().await?;
                }
                Said::Eof => {
                    self.write(&output.split()).await?;
                    self.stream = None;
                    return Ok(());
                }
            }
        }
        self.write(&output).await
    }

    /// More than fits between the two: as much as is taken in the time.
    async fn run_half(&mut self, size: usize) -> Result<(), Problem> {
        let mut whole = BytesMut::new();
        sized_run(size).put(&mut whole);
        let patience = self.patience;
        let stream = self.stream.as_mut().ok_or(Problem::Closed)?;
        match patience {
            Some(patience) => {
                let _ = timeout(patience, stream.write_all(&whole[..size / 2])).await;
            }
            None => stream.write_all(&whole[..size / 2]).await?,
        }
        Ok(())
    }

    /// Writes records until nobody takes them any more.
    async fn flood(&mut self) -> Result<(), Problem> {
        let mut records = BytesMut::new();
        let record = Response::Record(vec!["x".repeat(1000).into()]);
        (0..RECORDS).for_each(|_| record.put(&mut records, self.version));
        let patience = self.patience.unwrap_or_default();
        let stream = self.stream.as_mut().ok_or(Problem::Closed)?;
        for _ in 0..FLOOD_MAX / records.len() {
            let mut rest = records.clone();
            while !rest.is_empty() {
                match timeout(patience, stream.write_buf(&mut rest)).await {
                    Ok(written) => written?,
                    Err(_) => {
                        // A record that has begun ends before anything else is said.
                        let of_record = rest.len() % (records.len() / RECORDS);
                        self.unsaid = rest.split_to(of_record);
                        return Ok(());
                    }
                };
            }
        }
        let wanted = "an end of taking records".to_owned();
        Err(Problem::Differs { wanted, found: format!("{FLOOD_MAX} bytes were taken") })
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let stream = self.stream.as_mut().ok_or(Problem::Closed)?;
        if bytes.is_empty() {
            return Ok(());
        }
        stream.write_all(&self.unsaid.split()).await?;
        Ok(stream.write_all(bytes).await?)
    }

    /// Checks what comes next.
    pub async fn hear(&mut self, wanted: &Heard) -> Result<(), Problem> {
        if *wanted == Heard::Noop {
            return match self.skip(&NOOP).await? {
                true => Ok(()),
                false => Err(differs(wanted, "something else or nothing".into())),
            };
        }
        if *wanted == Heard::Records {
            return self.hear_records().await;
        }
        let found = self.next().await?;
        let (is_it, text) = match (wanted, &found) {
            (_, Found::Eof) => (*wanted == Heard::Eof, "EOF".to_owned()),
            (_, Found::Nothing) => (*wanted == Heard::Nothing, "nothing".to_owned()),
            (Heard::Request(wanted), Found::Message(message)) => {
                let found = Request::decode(message, self.version);
                (found.as_ref() == Ok(wanted), self.describe(message))
            }
            (Heard::Response(wanted), Found::Message(message)) => {
                let text = self.describe(message);
                (fits(wanted, &text), text)
            }
            (_, Found::Message(message)) => (false, self.describe(message)),
        };
        if is_it { Ok(()) } else { Err(differs(wanted, text)) }
    }

    async fn hear_records(&mut self) -> Result<(), Problem> {
        for count in 0.. {
            let found = self.next().await?;
            if matches!(&found, Found::Message(message) if is_record(message)) {
                continue;
            }
            let text = self.text(&found);
            self.found = Some(found).filter(|found| *found != Found::Nothing);
            if count == 0 {
                return Err(differs(&Heard::Records, text));
            }
            break;
        }
        Ok(())
    }

    /// The next answer as a line has it, or `EOF` or `nothing`.
    pub async fn answer(&mut self) -> Result<String, Problem> {
        let found = self.next().await?;
        Ok(self.text(&found))
    }

    fn text(&self, found: &Found) -> String {
        match found {
            Found::Message(message) => self.describe(message),
            Found::Eof => "EOF".into(),
            Found::Nothing => "nothing".into(),
        }
    }

    fn describe(&self, message: &[u8]) -> String {
        if let Ok(response) = Response::decode(message) {
            return describe_response(&response);
        }
        match Request::decode(message, self.version) {
            Ok(request) => describe_request(&request),
            Err(error) => format!("a message that can't be read: {error}"),
        }
    }

    /// The next message, undecoded.
    pub async fn next(&mut self) -> Result<Found, Problem> {
        if let Some(found) = self.found.take() {
            return Ok(found);
        }
        loop {
            if let Some(message) = self.dechunker.next(&mut self.input)? {
                return Ok(Found::Message(message));
            }
            match self.fill().await? {
                Fill::More => {}
                Fill::End => return Ok(Found::Eof),
                Fill::Silence => return Ok(Found::Nothing),
            }
        }
    }

    /// Takes the next bytes, chunk headers and all, if they are these.
    async fn skip(&mut self, expected: &[u8]) -> Result<bool, Problem> {
        while self.input.len() < expected.len() && matches!(self.fill().await?, Fill::More) {}
        let is_expected = self.input.starts_with(expected);
        if is_expected {
            self.input.advance(expected.len());
        }
        Ok(is_expected)
    }

    async fn fill(&mut self) -> Result<Fill, Problem> {
        let stream = self.stream.as_mut().ok_or(Problem::Closed)?;
        let reading = stream.read_buf(&mut self.input);
        let read = match self.patience {
            Some(patience) => match timeout(patience, reading).await {
                Ok(read) => read,
                Err(_) => return Ok(Fill::Silence),
            },
            None => reading.await,
        };
        // A connection that was reset has ended as well.
        Ok(if matches!(read, Ok(1..)) { Fill::More } else { Fill::End })
    }
}

fn differs(wanted: &Heard, found: String) -> Problem {
    let wanted = wanted.to_string();
    let found = if found == wanted { format!("{found} with other contents") } else { found };
    Problem::Differs { wanted, found }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("version", &self.version).finish_non_exhaustive()
    }
}

fn is_record(message: &[u8]) -> bool {
    matches!(Response::decode(message), Ok(Response::Record(_)))
}

/// Records of a flood that are written at once.
const RECORDS: usize = 64;
const NOOP: [u8; 2] = [0, 0];
const MESSAGE_MAX: usize = 1 << 26;
/// Far more than anybody may keep for a client that does not read.
const FLOOD_MAX: usize = 4 << 20;
