//! Requests that have arrived and wait for their turn. A RESET among them is noticed as soon as it
//! is here, whatever stands before it.

use std::collections::VecDeque;

use bolt::message::tag;
use bolt::{ChunkError, Piece, Requests};
use bytes::BytesMut;

#[derive(Debug)]
pub struct Inbox {
    requests: Requests,
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// RESETs among the pieces. While there is one, nothing before it is carried out.
    pub resets: usize,
}

impl Inbox {
    /// For a client that has not logged in.
    pub fn unauthenticated() -> Self {
        Self {
            requests: Requests::unauthenticated(UNAUTHENTICATED_MESSAGE_MAX),
            pieces: VecDeque::new(),
            bytes: 0,
            resets: 0,
        }
    }

    /// From now on the limits for clients that have logged in hold, or no longer.
    pub fn set_authenticated(&mut self, authenticated: bool) {
        self.requests = if authenticated {
            Requests::new(GATHERED_MAX, MESSAGE_MAX)
        } else {
            Requests::unauthenticated(UNAUTHENTICATED_MESSAGE_MAX)
        };
    }

    /// Moves whole requests out of `input`, as far as there is room.
    pub fn take_in(&mut self, input: &mut BytesMut) -> Result<(), ChunkError> {
        while !self.is_full() && self.take_one(input)? {}
        Ok(())
    }

    /// Moves one request; what comes behind it may be under other limits.
    pub fn take_one(&mut self, input: &mut BytesMut) -> Result<bool, ChunkError> {
        if input.is_empty() {
            return Ok(false);
        }
        let Some(piece) = self.requests.next(input)? else { return Ok(false) };
        self.bytes += wire(&piece).len();
        self.resets += usize::from(tag_of(&piece) == Some(tag::RESET));
        self.pieces.push_back(piece);
        Ok(true)
    }

    pub fn front(&self) -> Option<&Piece> {
        self.pieces.front()
    }

    pub fn pop(&mut self) -> Option<Piece> {
        let piece = self.pieces.pop_front()?;
        self.bytes -= wire(&piece).len();
        self.resets -= usize::from(tag_of(&piece) == Some(tag::RESET));
        Some(piece)
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Past these limits the socket has to wait, as in Neo4j. What comes behind a LOGOFF is read
    /// only when that is done, under the limits that hold then.
    pub fn is_full(&self) -> bool {
        self.pieces.len() >= PIECES_MAX
            || self.bytes >= BYTES_MAX
            || self.pieces.back().and_then(tag_of) == Some(tag::LOGOFF)
    }

    /// Gives memory back if nothing is waiting.
    pub fn release(&mut self) {
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
    }
}

fn tag_of(piece: &Piece) -> Option<u8> {
    match piece {
        Piece::Message { tag, .. } => Some(*tag),
        Piece::Begun { .. } => Some(tag::RUN),
        Piece::More { .. } => None,
    }
}

fn wire(piece: &Piece) -> &BytesMut {
    match piece {
        Piece::Message { wire, .. } | Piece::Begun { wire } | Piece::More { wire, .. } => wire,
    }
}

/// Neo4j's limit before login.
const UNAUTHENTICATED_MESSAGE_MAX: usize = 8 * 1024;
/// Longer RUNs are passed on in pieces.
const GATHERED_MAX: usize = 256 * 1024;
/// For all but RUN. Neo4j has no limit here; BEGIN with tens of thousands of bookmarks takes less.
const MESSAGE_MAX: usize = 4 << 20;
/// As Neo4j.
const PIECES_MAX: usize = 300;
const BYTES_MAX: usize = 2 << 20;
