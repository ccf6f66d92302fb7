//! From upstream to client: records unseen, summaries as far as the next state depends on them.

use bolt::chunk::payload;
use bolt::failure::code;
use bolt::message::tag;
use bolt::packstream::{Kind, PackError, Reader};
use bolt::{Response, Scanned, Summary};
use bytes::BytesMut;
use tracing::info;

use super::{Lost, Relay, Stop};
use crate::metrics::UnitKind;
use crate::routing;

/// What of a SUCCESS matters here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Success {
    has_more: bool,
    is_empty: bool,
    on_system: bool,
    /// `type` is `r`: nothing was written.
    only_read: bool,
}

impl Relay<'_> {
    pub(super) fn forward_answers(&mut self) -> Result<(), Stop> {
        loop {
            let upstream = self.upstream();
            if upstream.wire.input.is_empty() {
                return Ok(());
            }
            let scanned = upstream.scanner.next(&mut upstream.wire.input);
            match scanned.map_err(|_| Lost("upstream_message_too_large"))? {
                None => return Ok(()),
                Some(Scanned::Records { wire, .. }) => {
                    if upstream.tracker.unanswered().len() == 0 {
                        return Err(Lost("upstream_unsolicited").into());
                    }
                    self.unit.has_records = true;
                    self.pass_on(wire);
                }
                Some(Scanned::Message { tag, wire }) => self.summary(tag, wire)?,
            }
        }
    }

    fn summary(&mut self, answer: u8, wire: BytesMut) -> Result<(), Stop> {
        let success = match answer {
            tag::SUCCESS => read_success(&payload(&wire)).map_err(|_| Lost("upstream_protocol"))?,
            _ => Success::default(),
        };
        let summary = match answer {
            tag::SUCCESS => Summary::Success { has_more: success.has_more },
            tag::FAILURE => Summary::Failure,
            tag::IGNORED => Summary::Ignored,
            _ => return Err(Lost("upstream_protocol").into()),
        };
        let wire = self.checked(answer, &success, wire)?;
        let tracker = &mut self.upstream().tracker;
        let request = tracker.answered(summary).map_err(|_| Lost("upstream_unsolicited"))?;
        let state = tracker.state();
        self.unit.state = state;
        if request == tag::RESET {
            // It was ours, or stands for the client's, which is answered when its turn comes.
            return match answer {
                tag::SUCCESS => Ok(()),
                _ => Err(Lost("upstream_reset_failed").into()),
            };
        }
        match answer {
            tag::SUCCESS => self.succeeded(request, &success, wire),
            tag::FAILURE => self.failed(request, wire),
            _ => self.refused(wire),
        }
        Ok(())
    }

    /// What the client is to be told, as long as its request still counts as unanswered: an answer
    /// that can't be believed is none.
    fn checked(&mut self, answer: u8, success: &Success, wire: BytesMut) -> Result<BytesMut, Lost> {
        if answer != tag::SUCCESS {
            return Ok(wire);
        }
        let request = self.upstream().tracker.unanswered().next();
        match request {
            // The victim of `dbms.killConnection` is told SUCCESS, with nothing in it, before the
            // end. No server answers these requests so; to take it for an answer could turn a
            // transaction that was rolled back into one that was committed.
            Some(tag::RUN | tag::PULL | tag::DISCARD | tag::COMMIT) if success.is_empty => {
                Err(Lost("upstream_killed"))
            }
            Some(tag::ROUTE) => self.table(&wire),
            _ => Ok(wire),
        }
    }

    fn succeeded(&mut self, request: u8, success: &Success, wire: BytesMut) {
        let is_summary = matches!(request, tag::BEGIN | tag::PULL | tag::DISCARD);
        if is_summary && success.on_system && !success.only_read && !self.unit.reads_only {
            self.unit.touches_system = true;
        }
        match request {
            tag::COMMIT | tag::ROLLBACK => {
                self.unit.ending = None;
                self.unit.is_complete = true;
            }
            tag::PULL | tag::DISCARD if self.unit.kind == UnitKind::AutoCommit => {
                self.unit.is_complete = !success.has_more;
            }
            _ => {}
        }
        self.pass_on(wire);
    }

    fn failed(&mut self, request: u8, wire: BytesMut) {
        if matches!(request, tag::COMMIT | tag::ROLLBACK) {
            self.unit.ending = None;
        }
        self.unit.is_recovering = true;
        self.heed(&wire);
        self.refused(wire);
    }

    /// Passes a FAILURE or IGNORED on, or our own failure in its place.
    fn refused(&mut self, wire: BytesMut) {
        let own = self.unit.failure.take().filter(|_| !self.unit.client_gone);
        match own {
            Some(failure) => self.session.fail(&failure),
            None => self.pass_on(wire),
        }
        self.unit.has_failed |= self.unit.is_recovering;
    }

    /// What a failure says about more than this unit of work.
    fn heed(&mut self, wire: &BytesMut) {
        let Ok(Response::Failure(failure)) = Response::decode(&payload(wire)) else { return };
        let Some(member) = &self.session.member else { return };
        match failure.code.as_str() {
            code::AUTHORIZATION_EXPIRED => member.pool.retire(),
            code::TOKEN_EXPIRED | code::CREDENTIALS_EXPIRED | code::UNAUTHORIZED => {
                info!(user = %member.pool.name, code = %failure.code, "the upstream no longer accepts a login");
                member.pool.retire();
                self.session.shared.directory().distrust(&member.pool, &failure);
            }
            _ => {}
        }
    }

    fn table(&mut self, wire: &BytesMut) -> Result<BytesMut, Lost> {
        let dialled = self.unit.address.take();
        let dialled = dialled.as_deref().or(self.session.dialled.as_deref());
        let address = self.session.shared.advertised(dialled);
        routing::rewritten(wire, &address).ok_or(Lost("upstream_protocol"))
    }

    fn pass_on(&mut self, wire: BytesMut) {
        if !self.unit.client_gone {
            self.session.client.forward(wire);
        }
    }
}

fn read_success(payload: &[u8]) -> Result<Success, PackError> {
    let mut reader = Reader::new(payload);
    reader.structure()?;
    let entries = reader.dictionary_header()?;
    let mut success = Success { is_empty: entries == 0, ..Success::default() };
    for _ in 0..entries {
        match (reader.str()?, reader.peek()?) {
            ("has_more", Kind::Boolean) => {
                success.has_more = reader.value()? == bolt::Value::Boolean(true);
            }
            ("db", Kind::String) => {
                success.on_system = reader.str()?.eq_ignore_ascii_case("system");
            }
            ("type", Kind::String) => success.only_read = reader.str()? == "r",
            _ => reader.skip()?,
        }
    }
    Ok(success)
}
