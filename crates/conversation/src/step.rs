//! What one line of a script asks for, and how it is written.

use std::fmt;
use std::time::Duration;

use crate::login::Login;
use crate::message::{Heard, Said};
use crate::mistake::{Mistake, read, split_verb};
use crate::who::Who;

/// One line of a script. Its `Display` is the line.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// `A> BEGIN ; RUN RETURN 1`: said in one write.
    Say { who: Who, messages: Vec<Said> },
    /// `A< SUCCESS ; RECORD 1`: must be heard, in this order.
    Hear { who: Who, messages: Vec<Heard> },
    /// `WAIT 5`
    Wait(Duration),
    /// `DIAL A`
    Dial(char),
    /// `AGREED A`
    Agreed(char),
    /// `CONNECT A`
    Connect(char),
    /// `LOGIN A user=eve => FAILURE Security.Unauthorized`
    Login { client: char, login: Login, answer: String },
    /// A line that only the setup understands.
    Own { verb: String, rest: String },
}

impl Step {
    /// Reads a line. `own` are the verbs that the setup has besides those that every script has.
    pub fn parse(text: &str, own: &[&'static str]) -> Result<Self, Mistake> {
        let (verb, rest) = split_verb(text);
        if let Some((who, is_heard)) = speaker(verb) {
            let messages = rest.split(" ; ");
            return Ok(if is_heard {
                let messages = messages.map(|text| Heard::parse(who, text));
                Self::Hear { who, messages: messages.collect::<Result<_, _>>()? }
            } else {
                let messages = messages.map(|text| Said::parse(who, text));
                Self::Say { who, messages: messages.collect::<Result<_, _>>()? }
            });
        }
        match verb {
            "WAIT" => seconds(rest).map(Self::Wait),
            "DIAL" => client(rest).map(Self::Dial),
            "AGREED" => client(rest).map(Self::Agreed),
            "CONNECT" => client(rest).map(Self::Connect),
            "LOGIN" => Self::login(rest),
            _ if own.contains(&verb) => Ok(Self::Own { verb: verb.into(), rest: rest.into() }),
            _ => Err(Mistake::unknown("verb", verb, &[STEPS, own, SPEAKERS])),
        }
    }

    fn login(rest: &str) -> Result<Self, Mistake> {
        let (step, answer) = rest.split_once(" => ").unwrap_or((rest, "SUCCESS"));
        let (name, options) = split_verb(step);
        let client = client(name)?;
        Heard::parse(Who::Client(client), answer)?;
        Ok(Self::Login { client, login: Login::parse(options)?, answer: answer.into() })
    }

    /// Whether a mistake of the other side would be noticed by this step.
    pub(crate) fn checks_something(&self) -> bool {
        !matches!(self, Self::Say { .. } | Self::Wait(_) | Self::Dial(_))
    }
}

/// `A>`, `1<`: who, and whether something is heard.
fn speaker(verb: &str) -> Option<(Who, bool)> {
    let mut characters = verb.chars();
    let who = match characters.next()? {
        name @ 'A'..='Z' => Who::Client(name),
        number @ '1'..='9' => Who::Upstream(number.to_digit(10)? as usize),
        _ => return None,
    };
    let is_heard = match characters.next()? {
        '<' => true,
        '>' => false,
        _ => return None,
    };
    characters.next().is_none().then_some((who, is_heard))
}

fn client(text: &str) -> Result<char, Mistake> {
    match *text.chars().collect::<Vec<_>>() {
        [name @ 'A'..='Z'] => Ok(name),
        _ => Err(Mistake::not(text, "a client, A to Z")),
    }
}

fn seconds(text: &str) -> Result<Duration, Mistake> {
    let wanted = "a number of seconds";
    Duration::try_from_secs_f64(read(text, wanted)?).map_err(|_| Mistake::not(text, wanted))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Say { who, messages } => write!(f, "{who}> {}", joined(messages)),
            Self::Hear { who, messages } => write!(f, "{who}< {}", joined(messages)),
            Self::Wait(time) => write!(f, "WAIT {}", time.as_secs_f64()),
            Self::Dial(client) => write!(f, "DIAL {client}"),
            Self::Agreed(client) => write!(f, "AGREED {client}"),
            Self::Connect(client) => write!(f, "CONNECT {client}"),
            Self::Login { client, login, answer } => {
                write!(f, "LOGIN {client}{login}")?;
                if answer == "SUCCESS" { Ok(()) } else { write!(f, " => {answer}") }
            }
            Self::Own { verb, rest } if rest.is_empty() => f.write_str(verb),
            Self::Own { verb, rest } => write!(f, "{verb} {rest}"),
        }
    }
}

fn joined(messages: &[impl ToString]) -> String {
    messages.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ; ")
}

pub(crate) const STEPS: &[&str] = &["WAIT", "DIAL", "AGREED", "CONNECT", "LOGIN"];
const SPEAKERS: &[&str] = &["A> to Z>", "A< to Z<", "1> to 9>", "1< to 9<"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_displayed_as_it_was_written() {
        for text in [
            "A> BEGIN db=neo4j ; RUN RETURN 1 ; PULL n=2",
            "Z> RUN-HALF 600",
            "A> RAW 00 FF",
            "A< SUCCESS type=r ; RECORD 1,2 ; NOOP ; nothing ; EOF",
            "1> SUCCESS has_more=true ; IGNORED ; NOOP ; FLOOD ; EOF",
            "9< RESET ; nothing",
            "WAIT 0.5",
            "DIAL A",
            "AGREED A",
            "CONNECT A",
            "LOGIN A",
            "LOGIN B scheme=basic user=eve password=x notifications=OFF routing=a:1 => FAILURE",
            "DOWN",
            "LOGINS 2",
        ] {
            let step = Step::parse(text, &["DOWN", "LOGINS"]);
            assert_eq!(step.map(|step| step.to_string()), Ok(text.into()));
        }
    }

    fn mistake(text: &str) -> String {
        Step::parse(text, &["DOWN"]).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_verb_is_named_with_those_that_exist() {
        let known =
            "WAIT, DIAL, AGREED, CONNECT, LOGIN, DOWN, A> to Z>, A< to Z<, 1> to 9>, 1< to 9<";
        for verb in ["WIAT", "A:", "AB>", "a>", "0<", "A", ">"] {
            let wanted = format!("there is no verb `{verb}`; there are: {known}");
            assert_eq!(mistake(&format!("{verb} SUCCESS")), wanted);
        }
    }

    #[test]
    fn each_side_has_messages_of_its_own() {
        assert!(
            mistake("A> SUCCESS").starts_with("there is no request `SUCCESS`; there are: HELLO")
        );
        assert!(mistake("A> FLOOD").ends_with("TELEMETRY, RUN-HALF, NOOP, RAW, EOF"));
        let known = "SUCCESS, RECORD, IGNORED, FAILURE, TABLE, FLOOD, NOOP, RAW, EOF";
        assert_eq!(mistake("1> BEGIN"), format!("there is no answer `BEGIN`; there are: {known}"));
        let known = "SUCCESS, RECORD, IGNORED, FAILURE, RECORDS, NOOP, nothing, EOF";
        assert_eq!(
            mistake("A< Nothing"),
            format!("there is no answer `Nothing`; there are: {known}")
        );
        assert!(
            mistake("1< BEGIN ; EOFF").starts_with("there is no request `EOFF`; there are: HELLO")
        );
    }

    #[test]
    fn what_follows_a_verb_is_checked() {
        assert_eq!(mistake("WAIT long"), "`long` is not a number of seconds");
        assert_eq!(mistake("WAIT -1"), "`-1` is not a number of seconds");
        assert_eq!(mistake("DIAL a"), "`a` is not a client, A to Z");
        assert_eq!(mistake("A> RAW 0G"), "`0G` is not a byte in hexadecimal");
        assert_eq!(
            mistake("LOGIN A name=eve"),
            "there is no option `name`; there are: scheme, user, password, notifications, routing"
        );
        assert!(
            mistake("LOGIN A => FALIURE").starts_with("there is no answer `FALIURE`; there are: ")
        );
    }
}
