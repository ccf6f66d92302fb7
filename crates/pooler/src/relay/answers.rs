//! From upstream to client: records unseen, summaries as far as a decision depends on them.

use bolt::chunk::payload;
use bolt::failure::code;
use bolt::message::tag;
use bolt::packstream::{Kind, PackError, Reader};
use bolt::{Failure, RequestTag, Response, Scanned};
use bytes::BytesMut;
use tracing::info;

use super::Pump;
use crate::reason::Reason;
use crate::routing;
use crate::unit::{Answer, At, Event, Success, Updates};

impl Pump<'_> {
    /// Shows the unit what the server has said, until the unit is over.
    pub(super) fn take_answers(&mut self) {
        while let Some(lease) = &mut self.lease {
            if lease.wire.input.is_empty() {
                return;
            }
            let upstream = &mut **lease;
            let at = match upstream.scanner.is_at_boundary() {
                true => At::Boundary,
                false => At::MidRecord,
            };
            match upstream.scanner.next(&mut upstream.wire.input) {
                Ok(None) => return,
                Ok(Some(Scanned::Records { mut wire, .. })) => {
                    self.warnings.records();
                    self.has_records = true;
                    self.feed_with(Event::Records(at), &mut wire);
                }
                Ok(Some(Scanned::Message { tag, wire })) => self.take_summary(tag, wire),
                Err(_) => self.lose(Reason::UpstreamMessageTooLarge),
            }
        }
    }

    fn take_summary(&mut self, tag: u8, mut wire: BytesMut) {
        self.has_records = false;
        let request = self.with_tracker(|_, tracker, _| tracker.unanswered().next());
        let (mut updates, mut failure) = (Updates::None, None);
        let answer = match tag {
            tag::SUCCESS => self.read_success(request, &mut wire, &mut updates),
            tag::FAILURE => {
                failure = failure_in(&wire);
                match &failure {
                    Some(failure) if failure.code == code::DATABASE_UNAVAILABLE => {
                        Answer::Unavailable
                    }
                    _ => Answer::Failure,
                }
            }
            tag::IGNORED => Answer::Ignored,
            _ => Answer::Unreadable,
        };
        let effects = self.feed_with(Event::Answer(answer), &mut wire);
        if effects.give_up() {
            // It was not believed.
            return;
        }
        if let (Answer::Success(success), Some(request)) = (answer, request) {
            self.passwords.succeeded(request, updates, success == Success::HasMore);
        }
        failure.into_iter().for_each(|failure| self.heed(&failure));
    }

    /// Reads a SUCCESS, and puts our address into a routing table.
    fn read_success(
        &mut self,
        request: Option<RequestTag>,
        wire: &mut BytesMut,
        updates: &mut Updates,
    ) -> Answer {
        let Ok(read) = read_success(&payload(wire)) else { return Answer::Unreadable };
        let success;
        (success, *updates) = read;
        if request == Some(RequestTag::Route) {
            let dialled = self.address.take();
            let dialled = dialled.as_deref().or(self.identity.dialled.as_deref());
            let address = self.shared.advertised(dialled);
            match routing::rewritten(wire, &address) {
                Some(table) => *wire = table,
                None => return Answer::Unreadable,
            }
        }
        Answer::Success(success)
    }

    /// What a failure says about more than this unit of work.
    fn heed(&mut self, failure: &Failure) {
        let (Some(member), Some(lease)) = (&self.identity.member, &self.lease) else { return };
        match failure.code.as_str() {
            code::AUTHORIZATION_EXPIRED => lease.authorization_expired(),
            code::TOKEN_EXPIRED | code::CREDENTIALS_EXPIRED if !member.pool.is_single_use => {
                info!(user = %member.pool.shown_name(), code = %failure.code, "the upstream no longer accepts a login");
                let credential = lease.credential_expired(failure);
                self.shared.directory().distrust(&member.pool, &credential);
            }
            _ => {}
        }
    }
}

fn failure_in(wire: &BytesMut) -> Option<Failure> {
    match Response::decode(&payload(wire)) {
        Ok(Response::Failure(failure)) => Some(failure),
        _ => None,
    }
}

fn read_success(payload: &[u8]) -> Result<(Success, Updates), PackError> {
    let mut reader = Reader::new(payload);
    reader.structure()?;
    let entries = reader.dictionary_header()?;
    let mut success = if entries == 0 { Success::Empty } else { Success::Done };
    let mut updates = Updates::None;
    for _ in 0..entries {
        match (reader.str()?, reader.peek()?) {
            ("has_more", Kind::Boolean) => {
                if reader.value()? == bolt::Value::Boolean(true) {
                    success = Success::HasMore;
                }
            }
            ("stats", Kind::Dictionary) => updates = read_stats(&mut reader)?,
            _ => reader.skip()?,
        }
    }
    Ok((success, updates))
}

fn read_stats(reader: &mut Reader<'_>) -> Result<Updates, PackError> {
    let mut updates = Updates::None;
    for _ in 0..reader.dictionary_header()? {
        // Their values are `true` and a number above zero where they are there at all.
        if matches!(reader.str()?, "contains-system-updates" | "system-updates") {
            updates = Updates::System;
        }
        reader.skip()?;
    }
    Ok(updates)
}
