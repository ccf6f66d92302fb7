//! The forwarding path: finds where messages end and what they are, and hands on the bytes as they
//! came, chunk headers included. It never decodes a value and never copies a RECORD.

use bytes::BytesMut;

use crate::chunk::{ChunkError, END, HEADER};
use crate::message::tag;
use crate::walk::Walk;

/// What [`Scanner::next`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scanned {
    /// A stretch of the record stream, to be forwarded unseen. It may begin or end inside a
    /// RECORD, so that records of any size pass without being buffered; `ended` counts those
    /// whose last byte is here.
    Records { ended: usize, wire: BytesMut },
    /// Any other message, whole, as it stood on the wire. What does not begin as a Bolt message
    /// does has tag 0.
    Message { tag: u8, wire: BytesMut },
}

/// Splits a stream of chunks into RECORD stretches and other messages. NOOPs are dropped.
#[derive(Debug)]
pub struct Scanner {
    limit: usize,
    position: Position,
    walk: Walk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Boundary,
    /// Inside a RECORD with this many bytes of the current chunk to come; 0: a header comes next.
    Record {
        chunk_left: usize,
    },
}

impl Scanner {
    /// `limit` bounds messages other than RECORDs, in bytes on the wire.
    pub fn new(limit: usize) -> Self {
        Self { limit, position: Position::Boundary, walk: Walk::default() }
    }

    /// Whether the stream stands between two messages: only here may something be put in.
    pub fn is_at_boundary(&self) -> bool {
        self.position == Position::Boundary
    }

    /// Returns the next stretch or message, or `None` until `input` holds more bytes.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Scanned>, ChunkError> {
        if self.position == Position::Boundary {
            drop_noops(input);
        }
        let (length, ended) = self.record_stretch(input);
        if length > 0 {
            self.walk.begin_anew();
            let wire = input.split_to(length);
            return Ok(Some(Scanned::Records { ended, wire }));
        }
        match self.walk.end(input, self.limit) {
            Ok(None) => Ok(None),
            Ok(Some(length)) => {
                let tag = tag_of(&input[..length]);
                Ok(Some(Scanned::Message { tag, wire: input.split_to(length) }))
            }
            // It may be a RECORD, which has no limit.
            Err(_) if !is_tag_here(input) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How many leading bytes belong to RECORDs, and how many RECORDs end there.
    fn record_stretch(&mut self, input: &[u8]) -> (usize, usize) {
        let (mut at, mut ended) = (0, 0);
        loop {
            let Position::Record { chunk_left } = &mut self.position else {
                match whole_record(&input[at..]) {
                    Some(length) => {
                        at += length;
                        ended += 1;
                    }
                    None if is_record(&input[at..]) => {
                        self.position = Position::Record { chunk_left: 0 };
                    }
                    None => return (at, ended),
                }
                continue;
            };
            if *chunk_left > 0 {
                let taken = (*chunk_left).min(input.len() - at);
                *chunk_left -= taken;
                at += taken;
            }
            if *chunk_left > 0 {
                return (at, ended);
            }
            let Some(header) = input[at..].first_chunk::<HEADER>() else { return (at, ended) };
            at += HEADER;
            *chunk_left = usize::from(u16::from_be_bytes(*header));
            if *chunk_left == 0 {
                ended += 1;
                self.position = Position::Boundary;
            }
        }
    }
}

/// The length of a RECORD in one chunk that is all here: what nearly every RECORD is.
fn whole_record(input: &[u8]) -> Option<usize> {
    let length = usize::from(u16::from_be_bytes(*input.first_chunk::<HEADER>()?));
    let end = HEADER + length;
    let is_whole = *input.get(TAG)? == tag::RECORD && *input.get(end..end + HEADER)? == END;
    (is_whole && length >= HEADER).then_some(end + HEADER)
}

fn is_record(input: &[u8]) -> bool {
    is_tag_here(input) && tag_of(input) == tag::RECORD
}

/// Whether enough has arrived to tell what the message is, if it goes on for as long as its tag.
pub(crate) fn is_tag_here(input: &[u8]) -> bool {
    match input {
        [0, 1, _, 0, 0, ..] => true,
        [0, 1, ..] => input.len() > TAG_OF_SPLIT,
        _ => input.len() > TAG,
    }
}

/// The second byte of the payload, in the second chunk if the first holds one byte only. 0 if the
/// payload does not begin as every Bolt message does, with the marker of a short structure.
pub(crate) fn tag_of(message: &[u8]) -> u8 {
    let tag = match message {
        // A message of one byte: what follows is another one's.
        [0, 1, _, 0, 0, ..] => return 0,
        [0, 1, ..] => TAG_OF_SPLIT,
        _ => TAG,
    };
    match message.get(HEADER) {
        Some(0xB0..=0xBF) => message.get(tag).copied().unwrap_or(0),
        _ => 0,
    }
}

pub(crate) fn drop_noops(input: &mut BytesMut) {
    while input.starts_with(&END) {
        let _noop = input.split_to(HEADER);
    }
}

/// Chunk header, then the structure's marker, then its tag.
const TAG: usize = HEADER + 1;
/// The same if the first chunk has the marker alone: the second chunk's header comes between.
const TAG_OF_SPLIT: usize = HEADER + 1 + HEADER;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut;

    fn message(chunks: &[&[u8]]) -> Vec<u8> {
        let mut wire = Vec::new();
        for chunk in chunks {
            wire.put_u16(chunk.len() as u16);
            wire.put_slice(chunk);
        }
        wire.put_slice(&END);
        wire
    }

    /// Everything that came out, and the RECORDs that ended between other messages.
    fn scan(parts: &[&[u8]]) -> (Vec<u8>, Vec<String>) {
        let (mut scanner, mut input) = (Scanner::new(1 << 20), BytesMut::new());
        let (mut forwarded, mut seen, mut records) = (Vec::new(), Vec::new(), 0);
        for part in parts {
            input.extend_from_slice(part);
            while let Some(scanned) = scanner.next(&mut input).unwrap() {
                match scanned {
                    Scanned::Records { ended, wire } => {
                        records += ended;
                        forwarded.extend_from_slice(&wire);
                    }
                    Scanned::Message { tag, wire } => {
                        seen.push(format!("{records} records, then {tag:02X}"));
                        records = 0;
                        forwarded.extend_from_slice(&wire);
                    }
                }
            }
        }
        (forwarded, seen)
    }

    #[test]
    fn every_byte_is_forwarded_and_every_summary_seen_at_every_split_point() {
        let record = message(&[&[0xB1, tag::RECORD, 0x91, 1]]);
        let long_record = message(&[&[0xB1, tag::RECORD, 0x91], &[0xC9, 1], &[2]]);
        let success = message(&[&[0xB1, tag::SUCCESS, 0xA0]]);
        let failure = message(&[&[0xB1, tag::FAILURE], &[0xA0]]);
        let wire = [&record[..], &long_record, &record, &success, &END, &record, &failure].concat();
        let without_noop =
            [&record[..], &long_record, &record, &success, &record, &failure].concat();
        for split in 0..=wire.len() {
            let (forwarded, seen) = scan(&[&wire[..split], &wire[split..]]);
            assert_eq!(forwarded, without_noop, "split at {split}");
            assert_eq!(seen, ["3 records, then 70", "1 records, then 7F"], "split at {split}");
        }
    }

    #[test]
    fn a_long_record_is_forwarded_before_it_has_ended() {
        let mut scanner = Scanner::new(16);
        let mut input = BytesMut::from(&[0xFF, 0xFF, 0xB1, tag::RECORD, 0x91, 0xCE][..]);
        let scanned = scanner.next(&mut input).unwrap();
        assert!(
            matches!(scanned, Some(Scanned::Records { ended: 0, ref wire }) if wire.len() == 6)
        );
        assert!(!scanner.is_at_boundary());
        assert_eq!(scanner.next(&mut input), Ok(None));
    }

    #[test]
    fn a_record_is_one_wherever_its_first_chunk_ends() {
        let split = [
            message(&[&[0xB1], &[tag::RECORD, 0x91, 1]]),
            message(&[&[0xB1], &[tag::RECORD], &[0x91], &[1]]),
            message(&[&[0xB1, tag::RECORD, 0x91, 1]]),
        ];
        let success = message(&[&[0xB1], &[tag::SUCCESS, 0xA0]]);
        // No Bolt message, but its length must not be taken for a tag.
        let short = message(&[&[0xB1]]);
        let wire = [&split.concat()[..], &success, &short, &split[0], &success].concat();
        let expected = ["3 records, then 70", "0 records, then 00", "1 records, then 70"];
        for first in 0..=wire.len() {
            for second in first..=wire.len() {
                let parts = [&wire[..first], &wire[first..second], &wire[second..]];
                let (forwarded, seen) = scan(&parts);
                assert_eq!(forwarded, wire, "split at {first} and {second}");
                assert_eq!(seen, expected, "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_long_record_is_not_refused_before_its_tag_is_here() {
        for begin in [&[0xFF, 0xFF][..], &[0xFF, 0xFF, 0xB1], &[0, 1, 0xB1, 0xFF, 0xFF]] {
            let mut input = BytesMut::from(begin);
            assert_eq!(Scanner::new(16).next(&mut input), Ok(None), "{begin:?}");
        }
    }

    #[test]
    fn a_summary_in_tiny_chunks_is_looked_through_once() {
        let wire = [[0, 1, 0xB1].repeat(5_000), vec![0, 0]].concat();
        let (mut scanner, mut input) = (Scanner::new(1 << 20), BytesMut::new());
        for byte in &wire[..wire.len() - 1] {
            input.put_u8(*byte);
            assert_eq!(scanner.next(&mut input), Ok(None));
        }
        input.put_u8(0);
        assert!(matches!(scanner.next(&mut input), Ok(Some(Scanned::Message { .. }))));
        assert_eq!(scanner.walk.steps, 5_001);
    }

    #[test]
    fn other_messages_are_bounded() {
        let mut input = BytesMut::from(&[0, 200, 0xB1, tag::SUCCESS][..]);
        let refused = Scanner::new(100).next(&mut input);
        assert_eq!(refused, Err(ChunkError::TooLarge { size: 202, limit: 100 }));
    }
}
