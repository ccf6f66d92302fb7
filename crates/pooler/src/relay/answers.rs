//! From upstream to client: records unseen, summaries as far as the next state depends on them.

use bolt::chunk::payload;
use bolt::failure::code;
use bolt::message::tag;
use bolt::packstream::{Kind, PackError, Reader};
use bolt::{Response, Scanned, Summary};
use bytes::BytesMut;
use tracing::info;

use super::{Lost, Relay, Stop};
use crate::routing;

/// What of a SUCCESS matters here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Success {
    has_more: bool,
    is_empty: bool,
    on_system: bool,
    /// `contains-system-updates`, or `type` is `s`.
    updates_system: bool,
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
            match scanned.map_err(|_| Lost::Upstream("upstream_message_too_large"))? {
                None => return Ok(()),
                Some(Scanned::Records { wire, .. }) => {
                    if upstream.tracker.unanswered().len() == 0 {
                        return Err(Lost::Upstream("upstream_unsolicited").into());
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
            tag::SUCCESS => {
                read_success(&payload(&wire)).map_err(|_| Lost::Upstream("upstream_protocol"))?
            }
            _ => Success::default(),
        };
        let summary = match answer {
            tag::SUCCESS => Summary::Success { has_more: success.has_more },
            tag::FAILURE => Summary::Failure,
            tag::IGNORED => Summary::Ignored,
            _ => return Err(Lost::Upstream("upstream_protocol").into()),
        };
        let wire = self.checked(answer, &success, wire)?;
        let tracker = &mut self.upstream().tracker;
        let request =
            tracker.answered(summary).map_err(|_| Lost::Upstream("upstream_unsolicited"))?;
        let state = tracker.state();
        if matches!(request, tag::COMMIT | tag::ROLLBACK) {
            self.unit.ending = None;
        }
        if request != tag::RESET {
            self.unit.state = state;
        }
        if request == tag::RESET {
            // It was ours, or stands for the client's, which is answered when its turn comes.
            return match answer {
                tag::SUCCESS => Ok(()),
                _ => Err(Lost::Upstream("upstream_reset_failed").into()),
            };
        }
        match answer {
            tag::SUCCESS => self.succeeded(request, &success, wire),
            tag::FAILURE => self.failed(wire),
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
                Err(Lost::Upstream("upstream_killed"))
            }
            Some(tag::ROUTE) => self.table(&wire),
            _ => Ok(wire),
        }
    }

    fn succeeded(&mut self, request: u8, success: &Success, wire: BytesMut) {
        let may_write = !success.only_read && !self.unit.reads_only;
        let is_suspicious = match request {
            tag::BEGIN => success.on_system,
            // Administration is carried out on `system` whatever database it was sent to.
            tag::PULL | tag::DISCARD => success.on_system || success.updates_system,
            _ => false,
        };
        self.unit.touches_system |= is_suspicious && may_write;
        match request {
            // What a result that nobody read would have said about itself is not known.
            tag::COMMIT => {
                self.unit.touches_system |= self.unit.open_results > 0 && !self.unit.reads_only
            }
            tag::PULL | tag::DISCARD if !success.has_more => {
                self.unit.open_results = self.unit.open_results.saturating_sub(1);
            }
            _ => {}
        }
        self.pass_on(wire);
    }

    fn failed(&mut self, wire: BytesMut) {
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
            code::TOKEN_EXPIRED | code::CREDENTIALS_EXPIRED if !member.pool.is_single_use => {
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
        routing::rewritten(wire, &address).ok_or(Lost::Upstream("upstream_protocol"))
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
            ("type", Kind::String) => {
                let kind = reader.str()?;
                success.only_read = kind == "r";
                success.updates_system |= kind == "s";
            }
            ("stats", Kind::Dictionary) => success.updates_system |= updates_system(&mut reader)?,
            _ => reader.skip()?,
        }
    }
    Ok(success)
}

fn updates_system(reader: &mut Reader<'_>) -> Result<bool, PackError> {
    let mut updates = false;
    for _ in 0..reader.dictionary_header()? {
        let key = reader.str()?;
        updates |= key == "contains-system-updates" && reader.peek()? == Kind::Boolean;
        reader.skip()?;
    }
    Ok(updates)
}
