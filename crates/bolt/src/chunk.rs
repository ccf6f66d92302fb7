//! Chunked framing. A message is a sequence of chunks, each a big-endian `u16` length and that many
//! bytes; a chunk of length 0 ends it. This module joins and cuts messages and never looks inside.

use std::borrow::Cow;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

/// Takes whole messages out of a stream of chunks. Chunks may be cut anywhere; a `00 00` outside a
/// message is a NOOP and is dropped.
#[derive(Debug)]
pub struct Dechunker {
    limit: usize,
    /// What has arrived so far of a message in more than one chunk, without the headers.
    partial: BytesMut,
}

impl Dechunker {
    /// `limit` is the largest message in bytes, headers not counted.
    pub fn new(limit: usize) -> Self {
        Self { limit, partial: BytesMut::new() }
    }

    /// Changes the limit, as a server does once a client has logged in.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Returns the next whole message, or `None` until `input` holds more bytes.
    ///
    /// # Errors
    /// [`ChunkError::TooLarge`] as soon as a chunk's header says that the message passes the
    /// limit, before that chunk is buffered. The stream can't be used after that.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, ChunkError> {
        loop {
            let Some(length) = chunk_length(input) else { return Ok(None) };
            if length == 0 {
                input.advance(HEADER);
                if self.partial.is_empty() {
                    continue;
                }
                // The whole buffer is taken: a slice of it would keep all of its memory alive.
                return Ok(Some(std::mem::take(&mut self.partial).freeze()));
            }
            let size = self.partial.len() + length;
            if size > self.limit {
                return Err(ChunkError::TooLarge { size, limit: self.limit });
            }
            if self.partial.is_empty()
                && input.get(HEADER + length..2 * HEADER + length) == Some(&END)
            {
                return Ok(Some(take_single_chunk(input, length)));
            }
            if input.len() < HEADER + length {
                return Ok(None);
            }
            input.advance(HEADER);
            self.partial.extend_from_slice(&input[..length]);
            input.advance(length);
        }
    }

    /// Whether a message has begun that is not yet whole.
    pub fn is_inside_message(&self) -> bool {
        !self.partial.is_empty()
    }
}

/// A message in one chunk needs no copy: its payload is a slice of what was read.
fn take_single_chunk(input: &mut BytesMut, length: usize) -> Bytes {
    input.advance(HEADER);
    let message = input.split_to(length).freeze();
    input.advance(HEADER);
    message
}

fn chunk_length(input: &[u8]) -> Option<usize> {
    let header = input.first_chunk::<HEADER>()?;
    Some(usize::from(u16::from_be_bytes(*header)))
}

/// Appends one message whose payload `fill` writes. A payload that fits one chunk is written in
/// place; a longer one is cut into chunks of 65,535 bytes.
pub fn put_message(output: &mut BytesMut, fill: impl FnOnce(&mut BytesMut)) {
    let start = output.len();
    output.put_u16(0);
    fill(output);
    let length = output.len() - start - HEADER;
    if let Ok(short) = u16::try_from(length) {
        output[start..start + HEADER].copy_from_slice(&short.to_be_bytes());
        // An empty payload would be a NOOP: its header alone says so.
        if length > 0 {
            output.put_u16(0);
        }
        return;
    }
    let payload = output.split_off(start + HEADER);
    output.truncate(start);
    output.reserve(payload.len() + HEADER * (payload.len() / CHUNK_MAX + 2));
    for chunk in payload.chunks(CHUNK_MAX) {
        output.put_u16(chunk.len() as u16);
        output.put_slice(chunk);
    }
    output.put_u16(0);
}

/// The payload of one whole message, given as its bytes on the wire. It is copied only if the message
/// came in more than one chunk.
pub fn payload(wire: &[u8]) -> Cow<'_, [u8]> {
    let mut chunks = chunks(wire);
    let first = chunks.next().unwrap_or_default();
    match chunks.next() {
        None => Cow::Borrowed(first),
        Some(second) => {
            let mut whole = Vec::with_capacity(wire.len());
            [first, second].into_iter().chain(chunks).for_each(|chunk| {
                whole.extend_from_slice(chunk);
            });
            Cow::Owned(whole)
        }
    }
}

/// The payload of a message's first chunk, or as much of it as there is.
pub fn first_chunk(wire: &[u8]) -> &[u8] {
    let length = chunk_length(wire).unwrap_or(0);
    let payload = wire.get(HEADER..).unwrap_or_default();
    payload.get(..length).unwrap_or(payload)
}

/// The payloads of the chunks, up to the end of the message or of the bytes.
fn chunks(mut wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = chunk_length(wire).filter(|length| *length > 0)?;
        let chunk = wire.get(HEADER..HEADER + length)?;
        wire = &wire[HEADER + length..];
        Some(chunk)
    })
}

/// A NOOP keeps a connection alive between messages (Bolt 4.1 and later).
pub const NOOP: [u8; 2] = END;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum ChunkError {
    #[error("message of at least {size} bytes passes the limit of {limit}")]
    TooLarge { size: usize, limit: usize },
}

pub(crate) const HEADER: usize = 2;
pub(crate) const END: [u8; HEADER] = [0, 0];
const CHUNK_MAX: usize = u16::MAX as usize;

#[cfg(test)]
mod tests {
    use super::*;

    fn chunked(chunks: &[&[u8]]) -> Vec<u8> {
        let mut wire = Vec::new();
        for chunk in chunks {
            wire.put_u16(chunk.len() as u16);
            wire.put_slice(chunk);
        }
        wire.put_u16(0);
        wire
    }

    fn all(wire: &[u8]) -> Vec<Bytes> {
        let (mut dechunker, mut input) = (Dechunker::new(1 << 20), BytesMut::from(wire));
        std::iter::from_fn(|| dechunker.next(&mut input).unwrap()).collect()
    }

    #[test]
    fn messages_are_the_same_at_every_split_point() {
        let wire = [
            chunked(&[b"abc"]),
            NOOP.to_vec(),
            chunked(&[b"d", b"ef", b"g"]),
            NOOP.to_vec(),
            NOOP.to_vec(),
            chunked(&[b"h"]),
        ]
        .concat();
        let expected = all(&wire);
        assert_eq!(expected, [&b"abc"[..], b"defg", b"h"]);
        for split in 0..=wire.len() {
            let mut dechunker = Dechunker::new(1 << 20);
            let mut input = BytesMut::from(&wire[..split]);
            let mut messages = Vec::new();
            for rest in [&[][..], &wire[split..]] {
                input.extend_from_slice(rest);
                while let Some(message) = dechunker.next(&mut input).unwrap() {
                    messages.push(message);
                }
            }
            assert_eq!(messages, expected, "split at {split}");
        }
    }

    #[test]
    fn an_oversized_message_is_refused_from_its_header() {
        let mut dechunker = Dechunker::new(4);
        let header_only = &mut BytesMut::from(&[0, 5][..]);
        assert_eq!(dechunker.next(header_only), Err(ChunkError::TooLarge { size: 5, limit: 4 }));

        let mut dechunker = Dechunker::new(4);
        let two_chunks = &mut BytesMut::from(&[0, 3, 1, 2, 3, 0, 2][..]);
        assert_eq!(dechunker.next(two_chunks), Err(ChunkError::TooLarge { size: 5, limit: 4 }));
    }

    #[test]
    fn long_payloads_are_cut_and_come_back_whole() {
        for length in [1, 65_534, 65_535, 65_536, 131_070, 200_000] {
            let payload = vec![7; length];
            let mut wire = BytesMut::from(&b"before"[..]);
            put_message(&mut wire, |output| output.put_slice(&payload));
            assert_eq!(&wire[..6], b"before");
            assert_eq!(all(&wire[6..]), [payload], "{length} bytes");
        }
    }

    #[test]
    fn an_empty_payload_is_a_noop() {
        let mut wire = BytesMut::new();
        put_message(&mut wire, |_| ());
        assert_eq!(&wire[..], NOOP);
    }
}
