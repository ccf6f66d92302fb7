//! Requests that have arrived at a server and wait for their turn. A RESET among them is noticed as
//! soon as it is here, whatever stands before it.

use std::collections::VecDeque;

use bolt::{ChunkError, Piece, RequestTag, Requests};
use bytes::BytesMut;

/// What a server takes from a client that has logged in.
#[derive(Clone, Copy, Debug)]
pub struct InboxLimits {
    /// The longest request in bytes.
    pub message_max: usize,
    /// A RUN longer than this comes in pieces, and may have any length. Without this limit RUN is
    /// a request as any other, and comes whole.
    pub gathered_max: Option<usize>,
    /// When requests of so many bytes wait, the socket waits, too.
    pub bytes_max: usize,
}

#[derive(Debug)]
pub struct Inbox {
    limits: &'static InboxLimits,
    requests: Requests,
    pieces: VecDeque<Piece>,
    /// So many pieces may wait.
    pieces_max: usize,
    bytes: usize,
    /// RESETs among the pieces. While there is one, nothing before it is carried out.
    pub resets: usize,
}

impl Inbox {
    /// For a client that has not logged in. `limits` hold as soon as it has.
    pub fn unauthenticated(limits: &'static InboxLimits) -> Self {
        Self {
            limits,
            requests: Requests::unauthenticated(UNAUTHENTICATED_MESSAGE_MAX),
            pieces: VecDeque::new(),
            pieces_max: UNAUTHENTICATED_PIECES_MAX,
            bytes: 0,
            resets: 0,
        }
    }

    /// The client has logged in.
    pub fn log_in(&mut self) {
        let limit = self.limits.message_max;
        self.requests = match self.limits.gathered_max {
            Some(gathered_max) => Requests::new(gathered_max, limit),
            None => Requests::unauthenticated(limit),
        };
        self.pieces_max = PIECES_MAX;
    }

    /// The client has logged off, and may log in again.
    pub fn log_off(&mut self) {
        self.requests = Requests::unauthenticated(UNAUTHENTICATED_MESSAGE_MAX);
        self.pieces_max = UNAUTHENTICATED_PIECES_MAX;
    }

    /// Moves requests out of `input`, as far as there is room.
    pub fn take_in(&mut self, input: &mut BytesMut) -> Result<(), ChunkError> {
        while !self.is_full() && self.take_one(input)? {}
        Ok(())
    }

    /// Moves one request or piece; `false` if there is none.
    pub fn take_one(&mut self, input: &mut BytesMut) -> Result<bool, ChunkError> {
        if input.is_empty() {
            return Ok(false);
        }
        let Some(piece) = self.requests.next(input)? else { return Ok(false) };
        self.bytes += piece.wire().len();
        self.resets += usize::from(piece.request() == Some(RequestTag::Reset));
        self.pieces.push_back(piece);
        Ok(true)
    }

    pub fn front(&self) -> Option<&Piece> {
        self.pieces.front()
    }

    pub fn pop(&mut self) -> Option<Piece> {
        let piece = self.pieces.pop_front()?;
        self.bytes -= piece.wire().len();
        self.resets -= usize::from(piece.request() == Some(RequestTag::Reset));
        Some(piece)
    }

    /// Whether a request has begun of which the end is not here yet.
    pub fn is_inside_request(&self, input: &[u8]) -> bool {
        self.pieces.is_empty() && self.requests.is_inside_request(input)
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Past these limits the socket has to wait, as in Neo4j. What follows a LOGOFF is read only
    /// after it was carried out, under the limits that hold then.
    pub fn is_full(&self) -> bool {
        self.pieces.len() >= self.pieces_max
            // While a long request waits for its turn, a RESET after it has to be noticed.
            || (self.pieces.len() > 1 && self.bytes >= self.limits.bytes_max)
            || self.pieces.back().and_then(Piece::request) == Some(RequestTag::Logoff)
    }

    /// Gives memory back if nothing is waiting.
    pub fn release(&mut self) {
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
    }
}

/// Neo4j's limit before login.
const UNAUTHENTICATED_MESSAGE_MAX: usize = 8 * 1024;
/// The next request may come from somebody who has logged in, under other limits.
const UNAUTHENTICATED_PIECES_MAX: usize = 1;
/// As Neo4j.
const PIECES_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use bolt::Request;
    use bolt::message::{Auth, Stream};

    use super::*;
    use bolt::message::tag;

    const LIMITS: InboxLimits =
        InboxLimits { message_max: 1 << 20, gathered_max: None, bytes_max: 1 << 10 };

    fn input(requests: &[Request]) -> BytesMut {
        let mut input = BytesMut::new();
        requests.iter().for_each(|request| request.put(&mut input));
        input
    }

    fn tags(inbox: &mut Inbox) -> Vec<RequestTag> {
        std::iter::from_fn(|| inbox.pop()).filter_map(|piece| piece.request()).collect()
    }

    #[test]
    fn a_reset_is_counted_as_long_as_it_waits() {
        let mut inbox = Inbox::unauthenticated(&LIMITS);
        inbox.log_in();
        let pull = Request::Pull(Stream::ALL);
        let mut input = input(&[pull.clone(), Request::Reset, pull, Request::Reset]);
        inbox.take_in(&mut input).unwrap();
        let seen: Vec<_> = std::iter::from_fn(|| {
            inbox.pop()?;
            Some(inbox.resets)
        })
        .collect();
        assert_eq!(seen, [2, 1, 1, 0]);
    }

    #[test]
    fn a_strangers_requests_come_one_by_one_and_may_not_be_long() {
        let mut inbox = Inbox::unauthenticated(&LIMITS);
        let logon = Request::Logon(Auth::basic("neo4j", "secret"));
        let mut input = input(&[logon, Request::Reset]);
        inbox.take_in(&mut input).unwrap();
        assert!(inbox.is_full());
        assert_eq!(tags(&mut inbox), [RequestTag::Logon]);
        inbox.log_in();
        inbox.take_in(&mut input).unwrap();
        assert_eq!(tags(&mut inbox), [RequestTag::Reset]);
        inbox.log_off();
        let mut long = BytesMut::from(&[0xFF, 0xFF, 0xB1, tag::LOGON][..]);
        assert!(inbox.take_in(&mut long).is_err());
    }

    #[test]
    fn what_follows_a_logoff_waits_outside() {
        let mut inbox = Inbox::unauthenticated(&LIMITS);
        inbox.log_in();
        let mut input = input(&[Request::Logoff, Request::Reset]);
        inbox.take_in(&mut input).unwrap();
        assert_eq!((tags(&mut inbox), inbox.resets), (vec![RequestTag::Logoff], 0));
        assert!(!input.is_empty());
    }

    #[test]
    fn requests_past_the_limit_wait_outside() {
        let mut inbox = Inbox::unauthenticated(&LIMITS);
        inbox.log_in();
        let request = Request::Run {
            query: "x".repeat(600),
            parameters: Default::default(),
            extra: Default::default(),
        };
        let mut input = input(&[request.clone(), request.clone(), request]);
        inbox.take_in(&mut input).unwrap();
        assert!(inbox.is_full());
        assert_eq!(tags(&mut inbox), [RequestTag::Run, RequestTag::Run]);
    }

    #[test]
    fn a_reset_after_one_long_request_is_noticed() {
        let mut inbox = Inbox::unauthenticated(&LIMITS);
        inbox.log_in();
        let query = "x".repeat(5_000);
        let long =
            Request::Run { query, parameters: Default::default(), extra: Default::default() };
        inbox.take_in(&mut input(&[long, Request::Reset])).unwrap();
        assert_eq!(inbox.resets, 1);
    }

    #[test]
    fn a_long_run_comes_in_pieces_if_there_is_a_limit_to_what_is_gathered() {
        static GATHERED: InboxLimits = InboxLimits { gathered_max: Some(8), ..LIMITS };
        let mut inbox = Inbox::unauthenticated(&GATHERED);
        inbox.log_in();
        let mut input = BytesMut::from(&[0, 200, 0xB3, tag::RUN, 0x80, 0xA0][..]);
        inbox.take_in(&mut input).unwrap();
        assert!(matches!(inbox.pop(), Some(Piece::Begun { .. })));
    }
}
