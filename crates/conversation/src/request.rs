//! Requests as text, both ways: `BEGIN db=neo4j`, `RUN RETURN 1`, `PULL n=2`.

use bolt::message::{AccessMode, Auth, Hello, Route, Stream, TransactionExtra};
use bolt::{Dictionary, Request};

use crate::mistake::{Mistake, read, split_verb};
use crate::options::{Options, words};

pub(crate) const REQUESTS: &[&str] = &[
    "HELLO",
    "LOGON",
    "LOGOFF",
    "GOODBYE",
    "RESET",
    "RUN",
    "RUN-IN",
    "RUN-SIZED",
    "BEGIN",
    "BEGIN-SIZED",
    "COMMIT",
    "ROLLBACK",
    "PULL",
    "DISCARD",
    "ROUTE",
    "TELEMETRY",
];

/// The request that a text stands for.
pub fn request(text: &str) -> Result<Request, Mistake> {
    let (verb, rest) = split_verb(text);
    Ok(match verb {
        "LOGON" => Request::Logon(Auth::basic("neo4j", rest)),
        "BEGIN" => Request::Begin(extra(rest)?),
        "PULL" => Request::Pull(stream(rest)?),
        "DISCARD" => Request::Discard(stream(rest)?),
        "ROUTE" => Request::Route(Route {
            routing: Dictionary::new().with("address", "example:1"),
            database: Options::read(rest, &["db"])?.text("db"),
            ..Route::default()
        }),
        "RUN" => run(rest, TransactionExtra::default()),
        "RUN-IN" => {
            let parts = rest.split_once(" | ");
            let (options, query) = parts.ok_or_else(|| Mistake::not(rest, "options | query"))?;
            run(query, extra(options)?)
        }
        "BEGIN-SIZED" => sized_begin(read(rest, "a number of bytes")?),
        "RUN-SIZED" => sized_run(read(rest, "a number of bytes")?),
        _ => return lone_request(verb, rest),
    })
}

/// A request that says everything by its name.
fn lone_request(verb: &str, rest: &str) -> Result<Request, Mistake> {
    let request = match verb {
        "HELLO" => Request::Hello(Hello {
            user_agent: "script/1".into(),
            bolt_agent: Some(Dictionary::new().with("product", "script/1")),
            ..Hello::default()
        }),
        "LOGOFF" => Request::Logoff,
        "GOODBYE" => Request::Goodbye,
        "RESET" => Request::Reset,
        "COMMIT" => Request::Commit,
        "ROLLBACK" => Request::Rollback,
        "TELEMETRY" => Request::Telemetry { api: 1 },
        _ => return Err(Mistake::unknown("request", verb, &[REQUESTS])),
    };
    match rest {
        "" => Ok(request),
        _ => Err(Mistake::Superfluous { verb: verb.to_owned(), rest: rest.to_owned() }),
    }
}

fn run(query: &str, extra: TransactionExtra) -> Request {
    Request::Run { query: query.into(), parameters: Dictionary::new(), extra }
}

/// A RUN whose only parameter has so many bytes.
pub(crate) fn sized_run(size: usize) -> Request {
    let parameters = Dictionary::new().with("x", "x".repeat(size));
    Request::Run { query: SIZED_QUERY.into(), parameters, extra: TransactionExtra::default() }
}

/// A BEGIN with metadata of so many bytes.
fn sized_begin(size: usize) -> Request {
    let metadata = Dictionary::new().with("x", "x".repeat(size));
    Request::Begin(TransactionExtra { metadata, ..TransactionExtra::default() })
}

fn extra(text: &str) -> Result<TransactionExtra, Mistake> {
    let options = Options::read(text, &["mode", "db", "bookmark", "imp_user", "timeout_ms"])?;
    let mode = match options.get("mode") {
        None | Some("w") => AccessMode::Write,
        Some("r") => AccessMode::Read,
        Some(other) => return Err(Mistake::not(other, "a mode: r or w")),
    };
    Ok(TransactionExtra {
        mode,
        database: options.text("db"),
        bookmarks: options.text("bookmark").into_iter().collect(),
        impersonated_user: options.text("imp_user"),
        timeout_ms: options.number("timeout_ms")?,
        ..TransactionExtra::default()
    })
}

fn stream(text: &str) -> Result<Stream, Mistake> {
    let options = Options::read(text, &["n", "qid"])?;
    Ok(Stream { records: options.number("n")?, qid: options.number("qid")? })
}

/// A request as a script has it, the inverse of [`request`]. What the dialect has no word for is
/// left out: the entries of HELLO, parameters, metadata, all bookmarks but the first.
pub fn describe_request(request: &Request) -> String {
    let with = |verb: &str, rest: String| match rest.is_empty() {
        true => verb.to_owned(),
        false => format!("{verb} {rest}"),
    };
    match request {
        Request::Hello(_) => "HELLO".into(),
        Request::Logon(auth) => with("LOGON", auth.credentials().to_owned()),
        Request::Logoff => "LOGOFF".into(),
        Request::Goodbye => "GOODBYE".into(),
        Request::Reset => "RESET".into(),
        Request::Begin(extra) => with("BEGIN", extra_words(extra)),
        Request::Commit => "COMMIT".into(),
        Request::Rollback => "ROLLBACK".into(),
        Request::Pull(stream) => with("PULL", stream_words(*stream)),
        Request::Discard(stream) => with("DISCARD", stream_words(*stream)),
        Request::Telemetry { .. } => "TELEMETRY".into(),
        Request::Route(route) => with("ROUTE", words(&[("db", route.database.as_deref())])),
        Request::Run { query, parameters, .. } if query == SIZED_QUERY => {
            format!("RUN-SIZED {}", parameters.str("x").map_or(0, str::len))
        }
        Request::Run { query, extra, .. } => match extra_words(extra) {
            options if options.is_empty() => format!("RUN {query}"),
            options => format!("RUN-IN {options} | {query}"),
        },
    }
}

fn extra_words(extra: &TransactionExtra) -> String {
    words(&[
        ("mode", (extra.mode == AccessMode::Read).then_some("r")),
        ("db", extra.database.as_deref()),
        ("bookmark", extra.bookmarks.first().map(String::as_str)),
        ("imp_user", extra.impersonated_user.as_deref()),
        ("timeout_ms", extra.timeout_ms.map(|ms| ms.to_string()).as_deref()),
    ])
}

fn stream_words(stream: Stream) -> String {
    words(&[
        ("n", stream.records.map(|n| n.to_string()).as_deref()),
        ("qid", stream.qid.map(|qid| qid.to_string()).as_deref()),
    ])
}

const SIZED_QUERY: &str = "RETURN $x";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_described_as_it_was_written() {
        for text in [
            "HELLO",
            "LOGON secret",
            "LOGOFF",
            "GOODBYE",
            "RESET",
            "RUN RETURN 1 AS x",
            "RUN-IN mode=r db=system timeout_ms=9 | SHOW USERS",
            "RUN-SIZED 300",
            "BEGIN",
            "BEGIN mode=r db=neo4j bookmark=FB:1 imp_user=eve timeout_ms=5",
            "COMMIT",
            "ROLLBACK",
            "PULL",
            "PULL n=2 qid=0",
            "DISCARD qid=1",
            "ROUTE",
            "ROUTE db=neo4j",
            "TELEMETRY",
        ] {
            assert_eq!(request(text).map(|request| describe_request(&request)), Ok(text.into()));
        }
    }

    fn mistake(text: &str) -> String {
        request(text).unwrap_err().to_string()
    }

    #[test]
    fn mistakes_are_named() {
        assert!(
            mistake("BEGNI").starts_with("there is no request `BEGNI`; there are: HELLO, LOGON, ")
        );
        assert_eq!(mistake("COMMIT now"), "nothing can follow COMMIT, but `now` does");
        assert_eq!(mistake("PULL 5"), "`5` is not name=value");
        assert_eq!(mistake("PULL n=five"), "`five` is not a number");
        assert_eq!(mistake("PULL m=5"), "there is no option `m`; there are: n, qid");
        assert_eq!(mistake("BEGIN mode=x"), "`x` is not a mode: r or w");
        assert_eq!(mistake("RUN-IN db=neo4j"), "`db=neo4j` is not options | query");
    }
}
