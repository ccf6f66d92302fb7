//! The forwarding path from client to server: whole requests as they stood on the wire, but for a
//! RUN with large parameters, which is passed on in pieces and never gathered. Any other request that
//! is too large is named, and its bytes are thrown away as they come.

use bytes::{Buf, BytesMut};

use crate::chunk::{ChunkError, HEADER};
use crate::message::{RequestTag, tag};
use crate::scan::{drop_noops, is_tag_here, tag_of};
use crate::walk::Walk;

/// What [`Requests::next`] found. `Debug` shows lengths, never bytes: these may be a login's.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    /// A whole request. What does not begin as a Bolt message does has tag 0.
    Message { tag: u8, wire: BytesMut },
    /// The beginning of a RUN that is longer than what may be gathered.
    Begun { wire: BytesMut },
    /// More of it; `ended` with its last byte.
    More { wire: BytesMut, ended: bool },
    /// A request that passes the limit. None of its bytes are here, and none will come.
    TooLarge { tag: u8 },
}

impl Piece {
    /// Which request begins here; `None` if this is more of one that has begun before.
    pub fn request(&self) -> Option<RequestTag> {
        match self {
            Self::Message { tag, .. } | Self::TooLarge { tag } => Some((*tag).into()),
            Self::Begun { .. } => Some(RequestTag::Run),
            Self::More { .. } => None,
        }
    }

    /// The bytes as they stood on the wire.
    pub fn wire(&self) -> &[u8] {
        match self {
            Self::Message { wire, .. } | Self::Begun { wire } | Self::More { wire, .. } => wire,
            Self::TooLarge { .. } => &[],
        }
    }

    /// The same, to be sent on.
    pub fn into_wire(self) -> BytesMut {
        match self {
            Self::Message { wire, .. } | Self::Begun { wire } | Self::More { wire, .. } => wire,
            Self::TooLarge { .. } => BytesMut::new(),
        }
    }
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Message { tag, wire } => write!(f, "Message({tag:#04X}, {} bytes)", wire.len()),
            Self::Begun { wire } => write!(f, "Begun({} bytes)", wire.len()),
            Self::More { wire, ended } => write!(f, "More({} bytes, {ended})", wire.len()),
            Self::TooLarge { tag } => write!(f, "TooLarge({tag:#04X})"),
        }
    }
}

/// Splits a client's stream of chunks into requests. NOOPs are dropped.
#[derive(Debug)]
pub struct Requests {
    limit: usize,
    /// A RUN longer than this is passed on in pieces. Who has logged in has this limit.
    run_limit: Option<usize>,
    position: Position,
    walk: Walk,
}

/// Where in the stream the input begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// At a request.
    Boundary,
    /// Inside a RUN that is passed on in pieces.
    Passing(ChunkLeft),
    /// Inside a request that was too large.
    Skipping(ChunkLeft),
}

/// The bytes of the current chunk to come; 0: a header comes next.
type ChunkLeft = usize;

impl Requests {
    /// For somebody who has not logged in: a request longer than `limit` bytes ends it all.
    pub fn unauthenticated(limit: usize) -> Self {
        Self { limit, run_limit: None, position: Position::Boundary, walk: Walk::default() }
    }

    /// RUN may have any length, and is passed on in pieces from `run_limit` bytes; what else is longer
    /// than `limit` is skipped.
    pub fn new(run_limit: usize, limit: usize) -> Self {
        Self { run_limit: Some(run_limit), ..Self::unauthenticated(limit) }
    }

    /// Returns the next request or piece of one, or `None` until `input` holds more bytes. Until then
    /// `input` may only grow.
    ///
    /// # Errors
    /// [`ChunkError::TooLarge`] from the header of the chunk that passes a stranger's limit. The stream
    /// can't be used after that.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Piece>, ChunkError> {
        if let Position::Passing(left) = self.position {
            return Ok(self.more(input, left));
        }
        if let Position::Skipping(left) = self.position
            && !self.skip(input, left)
        {
            return Ok(None);
        }
        drop_noops(input);
        let run_limit = self.run_limit.filter(|_| tag_of(input) == tag::RUN);
        match self.walk.end(input, run_limit.unwrap_or(self.limit)) {
            Ok(Some(length)) => {
                let tag = tag_of(&input[..length]);
                Ok(Some(Piece::Message { tag, wire: input.split_to(length) }))
            }
            Ok(None) => Ok(None),
            Err(_) if run_limit.is_some() => Ok(Some(self.begin(input))),
            // The header of a first chunk may come before its tag does.
            Err(_) if self.run_limit.is_some() && !is_tag_here(input) => Ok(None),
            Err(_) if self.run_limit.is_some() => Ok(Some(self.too_large(input))),
            Err(error) => Err(error),
        }
    }

    /// Whether a request has begun that is not whole, here or in the `input` that was looked at last.
    pub fn is_inside_request(&self, input: &[u8]) -> bool {
        self.position != Position::Boundary || !input.is_empty()
    }

    fn begin(&mut self, input: &mut BytesMut) -> Piece {
        self.walk.begin_anew();
        let (length, left) = stretch(input, 0);
        let wire = input.split_to(length);
        match left {
            None => Piece::Message { tag: tag::RUN, wire },
            Some(left) => {
                self.position = Position::Passing(left);
                Piece::Begun { wire }
            }
        }
    }

    fn more(&mut self, input: &mut BytesMut, left: ChunkLeft) -> Option<Piece> {
        let (length, left) = stretch(input, left);
        self.position = left.map_or(Position::Boundary, Position::Passing);
        let ended = left.is_none();
        (length > 0).then(|| Piece::More { wire: input.split_to(length), ended })
    }

    fn too_large(&mut self, input: &mut BytesMut) -> Piece {
        self.walk.begin_anew();
        let tag = tag_of(input);
        self.skip(input, 0);
        // What had been gathered is given back at once, not when the request has ended.
        *input = BytesMut::from(&input[..]);
        Piece::TooLarge { tag }
    }

    /// Throws away what belongs to the request; `true` if it ends there.
    fn skip(&mut self, input: &mut BytesMut, left: ChunkLeft) -> bool {
        let (length, left) = stretch(input, left);
        self.position = left.map_or(Position::Boundary, Position::Skipping);
        input.advance(length);
        left.is_none()
    }
}

/// How many leading bytes belong to the request, and what is left of the chunk in which they end;
/// `None` if the request ends there.
fn stretch(input: &[u8], mut left: ChunkLeft) -> (usize, Option<ChunkLeft>) {
    let mut at = 0;
    loop {
        let taken = left.min(input.len() - at);
        at += taken;
        left -= taken;
        if left > 0 {
            return (at, Some(left));
        }
        let Some(header) = input[at..].first_chunk::<HEADER>() else { return (at, Some(0)) };
        at += HEADER;
        left = usize::from(u16::from_be_bytes(*header));
        if left == 0 {
            return (at, None);
        }
    }
}

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
                let what = match &piece {
                    Piece::Message { tag, .. } => format!("{tag:02X}"),
                    Piece::Begun { .. } => "begun".into(),
                    Piece::More { ended: true, .. } => "ended".into(),
                    Piece::More { ended: false, .. } => "more".into(),
                    Piece::TooLarge { tag } => format!("{tag:02X} too large"),
                };
                bytes.extend_from_slice(piece.wire());
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
    fn nothing_but_run_may_be_long_and_the_rest_goes_on_at_every_split_point() {
        let long_begin = [&[0xB1, tag::BEGIN][..], &[0; 70]].concat();
        let tiny_chunks = [[0, 1, 0xB1], [0, 1, tag::BEGIN]].concat().repeat(20);
        let reset = message(&[0xB0, tag::RESET]);
        let wire = [&message(&long_begin)[..], &reset, &tiny_chunks, &[0, 0], &reset].concat();
        for split in 0..=wire.len() {
            let (seen, bytes) = read(&mut Requests::new(50, 50), &[&wire[..split], &wire[split..]]);
            assert_eq!(seen, ["11 too large", "0F", "11 too large", "0F"], "split at {split}");
            assert_eq!(bytes, reset.repeat(2), "split at {split}");
        }
    }

    #[test]
    fn what_is_skipped_is_not_kept() {
        let (mut requests, mut input) = (Requests::new(50, 1 << 20), BytesMut::new());
        let chunk = [&[0x80, 0x00][..], &[tag::BEGIN; 0x8000]].concat();
        let mut too_large = 0;
        for _ in 0..100 {
            input.extend_from_slice(&chunk);
            too_large += usize::from(requests.next(&mut input).unwrap().is_some());
            assert!(too_large == 0 || (input.is_empty() && input.capacity() <= 2 * chunk.len()));
        }
        assert_eq!(too_large, 1);
        assert!(requests.is_inside_request(&input));
    }

    #[test]
    fn a_stranger_may_not_even_send_a_long_run() {
        let refused = Err(ChunkError::TooLarge { size: 74, limit: 50 });
        let long_run = message(&[&[0xB3, tag::RUN][..], &[0; 70]].concat());
        for arrived in [&long_run[..], &long_run[..2]] {
            let mut input = BytesMut::from(arrived);
            assert_eq!(Requests::unauthenticated(50).next(&mut input), refused);
        }
    }

    #[test]
    fn a_request_in_tiny_chunks_is_looked_through_once() {
        let wire = [[0, 1, 0xB1], [0, 1, tag::BEGIN]].concat().repeat(2_500);
        let (mut requests, mut input) = (Requests::new(50, 1 << 20), BytesMut::new());
        for byte in wire {
            input.put_u8(byte);
            assert_eq!(requests.next(&mut input), Ok(None));
        }
        assert_eq!(requests.walk.steps, 5_000);
    }

    #[test]
    fn what_is_no_short_structure_has_no_tag() {
        let wire = message(&[0xDC, 0x11, tag::RUN]);
        let (seen, _) = read(&mut Requests::new(50, 50), &[&wire]);
        assert_eq!(seen, ["00"]);
    }
}
