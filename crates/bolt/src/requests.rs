//! The forwarding path from client to server: whole requests as they stood on the wire, but for a
//! RUN with large parameters, which is passed on in pieces and never gathered.

use bytes::BytesMut;

use crate::chunk::{ChunkError, HEADER};
use crate::message::{RequestTag, tag};
use crate::scan::{drop_noops, message_length, tag_of};

/// What [`Requests::next`] found. `Debug` shows lengths, never bytes: these may be a login's.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    /// A whole request. What does not begin as a Bolt message does has tag 0.
    Message { tag: u8, wire: BytesMut },
    /// The beginning of a RUN that is longer than what may be gathered.
    Begun { wire: BytesMut },
    /// More of it; `ended` with its last byte.
    More { wire: BytesMut, ended: bool },
}

impl Piece {
    /// Which request begins here; `None` if this is more of one that has begun before.
    pub fn request(&self) -> Option<RequestTag> {
        match self {
            Self::Message { tag, .. } => Some((*tag).into()),
            Self::Begun { .. } => Some(RequestTag::Run),
            Self::More { .. } => None,
        }
    }

    /// The bytes as they stood on the wire.
    pub fn wire(&self) -> &BytesMut {
        match self {
            Self::Message { wire, .. } | Self::Begun { wire } | Self::More { wire, .. } => wire,
        }
    }
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Message { tag, wire } => write!(f, "Message({tag:#04X}, {} bytes)", wire.len()),
            Self::Begun { wire } => write!(f, "Begun({} bytes)", wire.len()),
            Self::More { wire, ended } => write!(f, "More({} bytes, {ended})", wire.len()),
        }
    }
}

/// Splits a client's stream of chunks into requests. NOOPs are dropped.
#[derive(Debug)]
pub struct Requests {
    limit: usize,
    /// A RUN longer than this is passed on in pieces.
    run_limit: Option<usize>,
    /// Inside a RUN that is passed on in pieces: the bytes of the current chunk to come; 0: a
    /// header comes next.
    chunk_left: Option<usize>,
}

impl Requests {
    /// For somebody who has not logged in: no request may be longer than `limit` bytes.
    pub fn unauthenticated(limit: usize) -> Self {
        Self { limit, run_limit: None, chunk_left: None }
    }

    /// RUN may have any length, and is passed on in pieces from `run_limit` bytes; nothing else may
    /// be longer than `limit`.
    pub fn new(run_limit: usize, limit: usize) -> Self {
        Self { limit, run_limit: Some(run_limit), chunk_left: None }
    }

    /// Returns the next request or piece of one, or `None` until `input` holds more bytes.
    ///
    /// # Errors
    /// [`ChunkError::TooLarge`] from the header of the chunk that passes the limit. The stream
    /// can't be used after that.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Piece>, ChunkError> {
        if self.chunk_left.is_some() {
            return Ok(self.more(input));
        }
        drop_noops(input);
        let run_limit = self.run_limit.filter(|_| tag_of(input) == tag::RUN);
        match message_length(input, run_limit.unwrap_or(self.limit)) {
            Ok(Some(length)) => {
                let tag = tag_of(&input[..length]);
                Ok(Some(Piece::Message { tag, wire: input.split_to(length) }))
            }
            Ok(None) => Ok(None),
            Err(_) if run_limit.is_some() => Ok(Some(self.begin(input))),
            // The header of a first chunk may come before its tag does.
            Err(_) if self.run_limit.is_some() && input.len() < TAG_KNOWN => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn begin(&mut self, input: &mut BytesMut) -> Piece {
        self.chunk_left = Some(0);
        let (length, ended) = self.stretch(input);
        let wire = input.split_to(length);
        if ended { Piece::Message { tag: tag::RUN, wire } } else { Piece::Begun { wire } }
    }

    fn more(&mut self, input: &mut BytesMut) -> Option<Piece> {
        let (length, ended) = self.stretch(input);
        (length > 0).then(|| Piece::More { wire: input.split_to(length), ended })
    }

    /// How many leading bytes belong to the request, and whether it ends there.
    fn stretch(&mut self, input: &[u8]) -> (usize, bool) {
        let mut at = 0;
        let mut left = self.chunk_left.unwrap_or(0);
        let ended = loop {
            let taken = left.min(input.len() - at);
            at += taken;
            left -= taken;
            if left > 0 {
                break false;
            }
            let Some(header) = input[at..].first_chunk::<HEADER>() else { break false };
            at += HEADER;
            left = usize::from(u16::from_be_bytes(*header));
            if left == 0 {
                break true;
            }
        };
        self.chunk_left = (!ended).then_some(left);
        (at, ended)
    }
}

/// A first chunk of one byte, the next chunk's header, and the tag.
const TAG_KNOWN: usize = HEADER + 1 + HEADER + 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::put_message;
    use bytes::BufMut;

    fn message(payload: &[u8]) -> Vec<u8> {
        let mut wire = BytesMut::new();
        put_message(&mut wire, |output| output.put_slice(payload));
        wire.to_vec()
    }

    /// What came out in order, and every byte of it.
    fn read(requests: &mut Requests, parts: &[&[u8]]) -> (Vec<String>, Vec<u8>) {
        let (mut seen, mut bytes, mut input) = (Vec::new(), Vec::new(), BytesMut::new());
        for part in parts {
            input.extend_from_slice(part);
            while let Some(piece) = requests.next(&mut input).unwrap() {
                let (what, wire) = match piece {
                    Piece::Message { tag, wire } => (format!("{tag:02X}"), wire),
                    Piece::Begun { wire } => ("begun".into(), wire),
                    Piece::More { wire, ended: true } => ("ended".into(), wire),
                    Piece::More { wire, ended: false } => ("more".into(), wire),
                };
                bytes.extend_from_slice(&wire);
                match what.as_str() {
                    "more" | "begun" => {}
                    "ended" => seen.push("10".into()),
                    _ => seen.push(what),
                }
            }
        }
        (seen, bytes)
    }

    #[test]
    fn requests_come_whole_and_a_long_run_in_pieces_at_every_split_point() {
        let long = [&[0xB3, tag::RUN][..], &[0xC0; 70]].concat();
        let wire =
            [message(&[0xB0, tag::RESET]), message(&long), message(&[0xB1, tag::PULL, 0xA0])]
                .concat();
        for split in 0..=wire.len() {
            let (seen, bytes) = read(&mut Requests::new(50, 50), &[&wire[..split], &wire[split..]]);
            assert_eq!(seen, ["0F", "10", "3F"], "split at {split}");
            assert_eq!(bytes, wire, "split at {split}");
        }
    }

    #[test]
    fn a_long_run_is_passed_on_before_it_is_whole() {
        let mut requests = Requests::new(50, 50);
        let mut input = BytesMut::from(&[0, 200, 0xB3, tag::RUN, 0x80, 0xA0][..]);
        let piece = requests.next(&mut input).unwrap();
        assert!(matches!(piece, Some(Piece::Begun { ref wire }) if wire.len() == 6));
        assert_eq!(requests.next(&mut input), Ok(None));
    }

    #[test]
    fn nothing_but_run_may_be_long_and_a_stranger_may_not_even_that() {
        let long_begin = message(&[&[0xB1, tag::BEGIN][..], &[0; 70]].concat());
        let refused = Err(ChunkError::TooLarge { size: 74, limit: 50 });
        let next = |mut requests: Requests, wire: &[u8]| requests.next(&mut BytesMut::from(wire));
        assert_eq!(next(Requests::new(50, 50), &long_begin), refused);
        assert_eq!(next(Requests::new(50, 50), &long_begin[..6]), refused);
        let long_run = message(&[&[0xB3, tag::RUN][..], &[0; 70]].concat());
        assert_eq!(next(Requests::unauthenticated(50), &long_run[..2]), refused);
    }

    #[test]
    fn what_is_no_short_structure_has_no_tag() {
        let wire = message(&[0xDC, 0x11, tag::RUN]);
        let (seen, _) = read(&mut Requests::new(50, 50), &[&wire]);
        assert_eq!(seen, ["00"]);
    }
}
