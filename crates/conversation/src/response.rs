//! Responses as text, both ways: `SUCCESS has_more=true`, `RECORD 1,2`, `FAILURE
//! ClientError.Statement.SyntaxError`.

use std::fmt::Write as _;

use bolt::failure::Failure;
use bolt::{Dictionary, Response};

use crate::mistake::{Mistake, split_verb};
use crate::value::{describe_all, entries, entry, values};

/// What can be heard of a server.
pub(crate) const RESPONSES: &[&str] = &["SUCCESS", "RECORD", "IGNORED", "FAILURE"];

/// The response that a text stands for, as a server says it.
pub fn response(text: &str) -> Result<Response, Mistake> {
    let (verb, rest) = split_verb(text);
    Ok(match verb {
        "SUCCESS" => Response::Success(entries(rest.split(' '))),
        "TABLE" => Response::Success(Dictionary::new().with("rt", table(rest))),
        "RECORD" => Response::Record(values(rest)),
        "IGNORED" => Response::Ignored,
        "FAILURE" => Response::Failure(Failure::new(&format!("Neo.{rest}"), "as the script says")),
        _ => return Err(Mistake::unknown("answer", verb, &[RESPONSES, &["TABLE"]])),
    })
}

/// A routing table of a cluster, with the entries that `text` names.
fn table(text: &str) -> Dictionary {
    let server = |role: &str, addresses: Vec<&str>| {
        Dictionary::new().with("addresses", addresses).with("role", role)
    };
    let servers = vec![
        server("WRITE", vec!["a:1"]),
        server("READ", vec!["b:1", "c:1"]),
        server("ROUTE", vec!["a:1", "b:1"]),
    ];
    entries(text.split(' ')).with("servers", servers)
}

/// A response as a script has it, the inverse of [`response`]. A failure's message is left out.
pub fn describe_response(response: &Response) -> String {
    match response {
        Response::Success(metadata) => {
            metadata.iter().fold("SUCCESS".into(), |mut line, (key, value)| {
                let _ = write!(line, " {}", entry(key, value));
                line
            })
        }
        Response::Record(values) => format!("RECORD {}", describe_all(values)),
        Response::Ignored => "IGNORED".into(),
        Response::Failure(failure) => {
            format!("FAILURE {}", failure.code.strip_prefix("Neo.").unwrap_or(&failure.code))
        }
    }
}

/// Whether a response is what a script wants to hear: a SUCCESS with these entries among others, a
/// FAILURE whose code ends like this, or exactly this.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_response_is_described_as_it_was_written() {
        for text in [
            "SUCCESS",
            "SUCCESS fields=[x,y] qid=0 has_more=true",
            "RECORD 1,[2,3],text",
            "IGNORED",
            "FAILURE ClientError.Statement.SyntaxError",
        ] {
            assert_eq!(
                response(text).map(|response| describe_response(&response)),
                Ok(text.into())
            );
        }
    }

    #[test]
    fn a_table_can_be_written_out_as_well() {
        let table = response("TABLE ttl=300").unwrap();
        assert_eq!(response(&describe_response(&table)), Ok(table));
    }

    #[test]
    fn what_is_heard_may_say_more_than_is_wanted() {
        for (wanted, found) in [
            ("SUCCESS", "SUCCESS type=r"),
            ("SUCCESS type=r", "SUCCESS db=neo4j type=r"),
            ("FAILURE", "FAILURE ClientError.Request.Invalid"),
            ("FAILURE Request.Invalid", "FAILURE ClientError.Request.Invalid"),
            ("RECORD 1", "RECORD 1"),
        ] {
            assert!(fits(wanted, found), "{wanted}, {found}");
        }
        for (wanted, found) in [
            ("SUCCESS", "IGNORED"),
            ("SUCCESS type=r", "SUCCESS type=rw"),
            ("FAILURE Request.Invalid", "FAILURE ClientError.Request.InvalidFormat"),
            ("FAILURE Request.Invalid", "SUCCESS"),
            ("RECORD 1", "RECORD 1,2"),
            ("IGNORED", "EOF"),
        ] {
            assert!(!fits(wanted, found), "{wanted}, {found}");
        }
    }

    #[test]
    fn an_answer_that_does_not_exist_is_named() {
        let mistake = response("SUCESS type=r").unwrap_err().to_string();
        let known = "SUCCESS, RECORD, IGNORED, FAILURE, TABLE";
        assert_eq!(mistake, format!("there is no answer `SUCESS`; there are: {known}"));
    }
}
