//! Bolt conversations as lines of text, for tests: `RUN RETURN 1`, `PULL n=2`, `SUCCESS has_more=true`,
//! `FAILURE Statement.SyntaxError`. One line is one message.

use std::fmt::Write as _;

use bolt::failure::Failure;
use bolt::message::{AccessMode, Auth, Hello, Route, Stream, TransactionExtra};
use bolt::{Dictionary, Request, Response, Value};

/// A response as a line.
pub fn describe(response: &Response) -> String {
    match response {
        Response::Success(metadata) => {
            metadata.iter().fold("SUCCESS".into(), |mut line, (key, value)| {
                let _ = write!(line, " {key}={}", text(value));
                line
            })
        }
        Response::Record(values) => {
            format!("RECORD {}", values.iter().map(text).collect::<Vec<_>>().join(","))
        }
        Response::Ignored => "IGNORED".into(),
        Response::Failure(failure) => format!("FAILURE {}", failure.code),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Integer(integer) => integer.to_string(),
        Value::String(string) => string.clone(),
        Value::List(list) => format!("[{}]", list.iter().map(text).collect::<Vec<_>>().join(",")),
        Value::Dictionary(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("{key}={}", text(value))).collect();
            format!("{{{}}}", entries.join(","))
        }
        other => format!("{other:?}").replace(' ', ""),
    }
}

/// The request that a line stands for.
///
/// # Panics
/// If the line stands for none: a test is wrong then.
pub fn request(line: &str) -> Request {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let extra = || TransactionExtra {
        mode: if rest.contains("mode=r") { AccessMode::Read } else { AccessMode::Write },
        database: option(rest, "db").map(str::to_owned),
        bookmarks: option(rest, "bookmark").into_iter().map(str::to_owned).collect(),
        impersonated_user: option(rest, "imp_user").map(str::to_owned),
        timeout_ms: option(rest, "timeout_ms").map(|ms| ms.parse().expect("a number")),
        ..TransactionExtra::default()
    };
    let stream = || Stream {
        records: option(rest, "n").map(|n| n.parse().expect("a number")),
        qid: option(rest, "qid").map(|qid| qid.parse().expect("a number")),
    };
    match verb {
        "HELLO" => Request::Hello(Hello { user_agent: "script/1".into(), ..Hello::default() }),
        "LOGON" => Request::Logon(Auth::basic("neo4j", rest)),
        "LOGOFF" => Request::Logoff,
        "GOODBYE" => Request::Goodbye,
        "RESET" => Request::Reset,
        "BEGIN" => Request::Begin(extra()),
        "COMMIT" => Request::Commit,
        "ROLLBACK" => Request::Rollback,
        "PULL" => Request::Pull(stream()),
        "DISCARD" => Request::Discard(stream()),
        "TELEMETRY" => Request::Telemetry { api: 1 },
        "ROUTE" => Request::Route(Route {
            routing: Dictionary::new().with("address", "example:1"),
            database: option(rest, "db").map(str::to_owned),
            ..Route::default()
        }),
        "RUN" => Request::Run {
            query: rest.into(),
            parameters: Dictionary::new(),
            extra: TransactionExtra::default(),
        },
        "RUN-SIZED" => {
            let size = rest.parse().expect("a number");
            Request::Run {
                query: "RETURN $x".into(),
                parameters: Dictionary::new().with("x", "x".repeat(size)),
                extra: TransactionExtra::default(),
            }
        }
        "RUN-IN" => {
            let (options, query) = rest.split_once(" | ").expect("RUN-IN options | query");
            let extra = match request(&format!("BEGIN {options}")) {
                Request::Begin(extra) => extra,
                _ => unreachable!(),
            };
            Request::Run { query: query.into(), parameters: Dictionary::new(), extra }
        }
        other => panic!("unknown request {other}"),
    }
}

/// The value of `name=value` among words.
pub fn option<'a>(options: &'a str, name: &str) -> Option<&'a str> {
    options.split(' ').find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
}

/// Whether a response is what a script asks for.
pub fn fits(wanted: &str, found: &str) -> bool {
    match wanted.split_once(' ') {
        Some(("SUCCESS", entries)) => {
            found.starts_with("SUCCESS")
                && entries.split(' ').all(|entry| found.split(' ').any(|have| have == entry))
        }
        Some(("FAILURE", code)) => found.starts_with("FAILURE") && found.ends_with(code),
        None if matches!(wanted, "SUCCESS" | "FAILURE") => found.starts_with(wanted),
        _ => wanted == found,
    }
}

/// The response that a line stands for: entries are numbers, booleans, `[lists]` or strings.
///
/// # Panics
/// If the line stands for none.
pub fn response(line: &str) -> Response {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match verb {
        "SUCCESS" => Response::Success(
            rest.split(' ')
                .filter_map(|entry| entry.split_once('='))
                .map(|(key, text)| (key.to_owned(), value(text)))
                .collect(),
        ),
        "TABLE" => Response::Success(Dictionary::new().with("rt", table(rest))),
        "RECORD" => Response::Record(rest.split(',').map(value).collect()),
        "IGNORED" => Response::Ignored,
        "FAILURE" => Response::Failure(Failure::new(&format!("Neo.{rest}"), "as the script says")),
        other => panic!("unknown response {other}"),
    }
}

/// A routing table of a cluster, with the entries that `line` names.
fn table(line: &str) -> Dictionary {
    let server = |role: &str, addresses: Vec<&str>| {
        Dictionary::new().with("addresses", addresses).with("role", role)
    };
    let servers = vec![
        server("WRITE", vec!["a:1"]),
        server("READ", vec!["b:1", "c:1"]),
        server("ROUTE", vec!["a:1", "b:1"]),
    ];
    let entries = line.split(' ').filter_map(|entry| entry.split_once('='));
    let entries: Dictionary = entries.map(|(key, text)| (key.to_owned(), value(text))).collect();
    entries.with("servers", servers)
}

fn value(text: &str) -> Value {
    match text {
        "true" | "false" => Value::Boolean(text == "true"),
        _ => match (text.parse(), text.strip_prefix('[').and_then(|list| list.strip_suffix(']'))) {
            (Ok(number), _) => Value::Integer(number),
            (_, Some("")) => Value::List(Vec::new()),
            (_, Some(list)) => Value::List(list.split(',').map(value).collect()),
            _ => Value::from(text),
        },
    }
}

/// The conversations of a file: each begins with `== ` and its name. Empty lines and those that
/// begin with `#` don't count.
pub fn conversations(text: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    text.split("\n== ").skip(1).map(|script| {
        let (name, script) = script.split_once('\n').unwrap_or((script, ""));
        let lines = script.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        (name, lines.collect())
    })
}
