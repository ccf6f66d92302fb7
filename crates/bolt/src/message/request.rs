//! What clients send.

use bytes::BytesMut;

use super::extra::{Auth, Hello, Route, Stream, TransactionExtra, strings};
use super::{MessageError, RequestTag, tag};
use crate::chunk::put_message;
use crate::packstream::{Dictionary, Put, Reader, Value, put_structure_header};
use crate::version::Version;

/// A request. Auto-commit RUN carries the transaction's settings itself; inside a transaction its
/// extra is empty.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    Hello(Hello),
    Logon(Auth),
    Logoff,
    Goodbye,
    Reset,
    Run {
        query: String,
        parameters: Dictionary,
        extra: TransactionExtra,
    },
    Begin(TransactionExtra),
    Commit,
    Rollback,
    Pull(Stream),
    Discard(Stream),
    Route(Route),
    /// Which kind of driver API began the work: 0 managed, 1 explicit, 2 auto-commit, 3 driver.
    Telemetry {
        api: i64,
    },
}

impl Request {
    /// Decodes the payload of one message.
    pub fn decode(payload: &[u8], version: Version) -> Result<Self, MessageError> {
        Self::read(Reader::new(payload), version)
    }

    /// Decodes a message from a client that has not logged in, under Neo4j's limits for that.
    pub fn decode_unauthenticated(payload: &[u8], version: Version) -> Result<Self, MessageError> {
        Self::read(Reader::unauthenticated(payload), version)
    }

    fn read(mut reader: Reader<'_>, version: Version) -> Result<Self, MessageError> {
        let (tag, fields) = reader.structure()?;
        let expected = match tag {
            tag::HELLO | tag::LOGON | tag::BEGIN | tag::PULL | tag::DISCARD | tag::TELEMETRY => 1,
            tag::RUN | tag::ROUTE => 3,
            tag::LOGOFF | tag::GOODBYE | tag::RESET | tag::COMMIT | tag::ROLLBACK => 0,
            unknown => return Err(MessageError::UnknownTag(unknown)),
        };
        let newer = (tag == tag::TELEMETRY && !version.has_telemetry())
            || (matches!(tag, tag::LOGON | tag::LOGOFF) && !version.has_logon());
        if newer {
            return Err(MessageError::UnknownTag(tag));
        }
        if fields != expected {
            return Err(MessageError::Field("the message has the wrong number of fields"));
        }
        let request = Self::read_fields(tag, &mut reader, version)?;
        reader.finish()?;
        Ok(request)
    }

    fn read_fields(
        tag: u8,
        reader: &mut Reader<'_>,
        version: Version,
    ) -> Result<Self, MessageError> {
        Ok(match tag {
            tag::HELLO => Self::Hello(Hello::from_entries(reader.dictionary()?, version)),
            tag::LOGON => Self::Logon(Auth(reader.dictionary()?)),
            tag::LOGOFF => Self::Logoff,
            tag::GOODBYE => Self::Goodbye,
            tag::RESET => Self::Reset,
            tag::COMMIT => Self::Commit,
            tag::ROLLBACK => Self::Rollback,
            tag::RUN => Self::Run {
                query: reader.str()?.to_owned(),
                parameters: reader.dictionary()?,
                extra: TransactionExtra::from_entries(reader.dictionary()?)?,
            },
            tag::BEGIN => Self::Begin(TransactionExtra::from_entries(reader.dictionary()?)?),
            tag::PULL => Self::Pull(Stream::from_entries(&reader.dictionary()?)?),
            tag::DISCARD => Self::Discard(Stream::from_entries(&reader.dictionary()?)?),
            tag::TELEMETRY => Self::Telemetry { api: reader.integer()? },
            _ => Self::Route(read_route(reader)?),
        })
    }

    pub fn tag(&self) -> RequestTag {
        match self {
            Self::Hello(_) => RequestTag::Hello,
            Self::Logon(_) => RequestTag::Logon,
            Self::Logoff => RequestTag::Logoff,
            Self::Goodbye => RequestTag::Goodbye,
            Self::Reset => RequestTag::Reset,
            Self::Run { .. } => RequestTag::Run,
            Self::Begin(_) => RequestTag::Begin,
            Self::Commit => RequestTag::Commit,
            Self::Rollback => RequestTag::Rollback,
            Self::Pull(_) => RequestTag::Pull,
            Self::Discard(_) => RequestTag::Discard,
            Self::Route(_) => RequestTag::Route,
            Self::Telemetry { .. } => RequestTag::Telemetry,
        }
    }

    /// Appends the message with its chunk headers.
    pub fn put(&self, output: &mut BytesMut) {
        put_message(output, |output| {
            let mut message = |fields: &[&dyn Put]| {
                put_structure_header(output, self.tag().into(), fields.len());
                fields.iter().for_each(|field| field.put(output));
            };
            match self {
                Self::Hello(hello) => message(&[&hello.to_entries()]),
                Self::Logon(auth) => message(&[&auth.0]),
                Self::Run { query, parameters, extra } => {
                    message(&[&query.as_str(), parameters, &extra.to_entries()]);
                }
                Self::Begin(extra) => message(&[&extra.to_entries()]),
                Self::Pull(stream) | Self::Discard(stream) => message(&[&stream.to_entries()]),
                Self::Route(route) => message(&[
                    &route.routing,
                    &Value::from(route.bookmarks.clone()),
                    &route.extra_entries(),
                ]),
                Self::Telemetry { api } => message(&[api]),
                _ => message(&[]),
            }
        });
    }
}

fn read_route(reader: &mut Reader<'_>) -> Result<Route, MessageError> {
    let routing = reader.dictionary()?;
    let Value::List(bookmarks) = reader.value()? else {
        return Err(MessageError::Field("ROUTE's bookmarks must be a list"));
    };
    // This is a dictionary from 4.4 on. In 4.3, which is not served, it was the database's name.
    let extra = reader.dictionary()?;
    let text = |key| extra.str(key).map(str::to_owned);
    Ok(Route {
        routing,
        bookmarks: strings(bookmarks)?,
        database: text("db"),
        impersonated_user: text("imp_user"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dechunker;
    use crate::message::AccessMode;

    fn round_trip(request: &Request, version: Version) -> Result<Request, MessageError> {
        let mut wire = BytesMut::new();
        request.put(&mut wire);
        let payload = Dechunker::new(1 << 20).next(&mut wire).unwrap().unwrap();
        Request::decode(&payload, version)
    }

    fn requests() -> Vec<Request> {
        let extra = TransactionExtra {
            mode: AccessMode::Read,
            database: Some("neo4j".into()),
            impersonated_user: Some("eve".into()),
            bookmarks: vec!["FB:1".into()],
            timeout_ms: Some(5_000),
            metadata: Dictionary::new().with("dag", "etl"),
        };
        let route = Route {
            routing: Dictionary::new().with("address", "localhost:7687"),
            bookmarks: vec!["FB:2".into()],
            database: Some("neo4j".into()),
            impersonated_user: None,
        };
        let parameters = Dictionary::new().with("x", vec![1_i64, 2]);
        vec![
            Request::Logon(Auth::basic("neo4j", "secret")),
            Request::Logoff,
            Request::Goodbye,
            Request::Reset,
            Request::Run { query: "RETURN $x".into(), parameters, extra: extra.clone() },
            Request::Begin(extra),
            Request::Commit,
            Request::Rollback,
            Request::Pull(Stream { records: Some(1000), qid: Some(3) }),
            Request::Discard(Stream::ALL),
            Request::Route(route),
            Request::Telemetry { api: 2 },
        ]
    }

    #[test]
    fn every_request_survives_a_round_trip() {
        for request in requests() {
            assert_eq!(round_trip(&request, Version::V6_1).as_ref(), Ok(&request));
        }
    }

    #[test]
    fn hello_holds_the_credentials_only_before_5_1() {
        let hello = Hello {
            user_agent: "test/1".into(),
            routing: Some(Dictionary::new()),
            patch_bolt: vec!["utc".into()],
            auth: Some(Auth::basic("neo4j", "secret")),
            ..Hello::default()
        };
        let request = Request::Hello(hello);
        assert_eq!(round_trip(&request, Version::V5_0).as_ref(), Ok(&request));
        let Ok(Request::Hello(newer)) = round_trip(&request, Version::V5_1) else { panic!() };
        assert_eq!(newer.auth, None);
    }

    #[test]
    fn messages_that_a_version_lacks_are_unknown_tags() {
        let logon = Request::Logon(Auth::none());
        assert_eq!(round_trip(&logon, Version::V5_0), Err(MessageError::UnknownTag(tag::LOGON)));
        let telemetry = Request::Telemetry { api: 0 };
        let refused = Err(MessageError::UnknownTag(tag::TELEMETRY));
        assert_eq!(round_trip(&telemetry, Version::new(5, 3)), refused);
    }

    #[test]
    fn credentials_are_never_printed() {
        let auth = Auth::basic("alice", "hunter2");
        // A client that sends credentials where the version has no place for them.
        let misplaced = Request::Hello(Hello { auth: Some(auth.clone()), ..Hello::default() });
        let misplaced = round_trip(&misplaced, Version::V5_8).unwrap();
        let hello = Hello { auth: Some(auth.clone()), ..Hello::default() };
        let printed =
            format!("{auth:?} {:?} {:?}", Request::Logon(auth.clone()), Request::Hello(hello))
                + &format!("{misplaced:?}");
        assert!(!printed.contains("hunter2") && !printed.contains("alice"), "{printed}");
    }

    #[test]
    fn a_pull_of_nothing_is_refused() {
        for n in [0_i64, -2] {
            let mut wire = BytesMut::new();
            put_structure_header(&mut wire, tag::PULL, 1);
            Dictionary::new().with("n", n).put(&mut wire);
            assert!(matches!(Request::decode(&wire, Version::V5_8), Err(MessageError::Field(_))));
        }
    }
}
