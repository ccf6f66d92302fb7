//! The scripts of a file. Every line is read before the first script is played, so that a mistyped
//! one is found at once and by its number.

use bolt::Version;

use crate::mistake::{LineMistake, Mistake, read};
use crate::step::Step;

#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    pub name: String,
    pub head: Head,
    pub lines: Vec<Line>,
}

/// `BOLT 5.8 max_connection_pool_size=1`: the version that everybody speaks, and options for the
/// setup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub version: Version,
    pub options: Vec<(String, String)>,
}

/// A line with its number in the file, counted from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub number: usize,
    pub text: String,
    pub step: Step,
}

/// The scripts of a file. Each begins with `== ` and its name; empty lines and those that begin
/// with `#` don't count.
///
/// # Errors
/// Every mistake of the file, not just the first one.
pub fn scripts(text: &str, own: &[&'static str]) -> Result<Vec<Script>, Vec<LineMistake>> {
    let lines = text.lines().map(str::trim_end).zip(1..);
    let mut sections: Vec<Vec<(&str, usize)>> = Vec::new();
    for line in lines.filter(|(text, _)| !text.is_empty() && !text.starts_with('#')) {
        if line.0.starts_with(NAME) || sections.is_empty() {
            sections.push(Vec::new());
        }
        sections.last_mut().expect("one was pushed at least").push(line);
    }
    let (mut scripts, mut mistakes) = (Vec::new(), Vec::new());
    for section in sections {
        match Script::parse(&section, own) {
            Ok(script) => scripts.push(script),
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() { Ok(scripts) } else { Err(mistakes) }
}

impl Script {
    fn parse(section: &[(&str, usize)], own: &[&'static str]) -> Result<Self, Vec<LineMistake>> {
        let [first, rest @ ..] = section else { return Err(Vec::new()) };
        let at = |(text, number): (&str, usize), mistake| LineMistake {
            number,
            text: text.to_owned(),
            mistake,
        };
        let name = first.0.strip_prefix(NAME);
        let name =
            name.ok_or_else(|| vec![at(*first, Mistake::not(first.0, "`== ` and a name"))])?;
        let [head, rest @ ..] = rest else { return Err(vec![at(*first, Mistake::Unnoticed)]) };
        let mut mistakes = Vec::new();
        let mut lines = Vec::new();
        for (text, number) in rest {
            match Step::parse(text, own) {
                Ok(step) => lines.push(Line { number: *number, text: (*text).to_owned(), step }),
                Err(mistake) => mistakes.push(at((text, *number), mistake)),
            }
        }
        let last = rest.last().unwrap_or(head);
        if mistakes.is_empty() && !lines.last().is_some_and(|line| line.step.checks_something()) {
            mistakes.push(at(*last, Mistake::Unnoticed));
        }
        match Head::parse(head.0) {
            Ok(head) if mistakes.is_empty() => Ok(Self { name: name.to_owned(), head, lines }),
            Ok(_) => Err(mistakes),
            Err(mistake) => Err([vec![at(*head, mistake)], mistakes].concat()),
        }
    }
}

impl Head {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let form = || Mistake::not(text, "a head such as `BOLT 5.8`");
        let mut words = text.strip_prefix("BOLT ").ok_or_else(form)?.split_whitespace();
        let version = read(words.next().ok_or_else(form)?, "a version such as 5.8")?;
        let option = |word: &str| {
            let (name, value) =
                word.split_once('=').ok_or_else(|| Mistake::not(word, "name=value"))?;
            Ok((name.to_owned(), value.to_owned()))
        };
        Ok(Self { version, options: words.map(option).collect::<Result<_, _>>()? })
    }
}

const NAME: &str = "== ";

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        scripts(text, &["DOWN"]).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_has_scripts_with_numbered_lines() {
        let text = "# About logins.\n\n== one\nBOLT 5.8 a=1 b=x=y\n# Now.\nLOGIN A\n\n\
                    == two\nBOLT 4.4\nDOWN\n";
        let scripts = scripts(text, &["DOWN"]).unwrap();
        let names: Vec<_> = scripts.iter().map(|script| script.name.as_str()).collect();
        assert_eq!(names, ["one", "two"]);
        assert_eq!(scripts[0].head.version, Version::V5_8);
        let options = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "x=y".to_owned())];
        assert_eq!(scripts[0].head.options, options);
        let lines: Vec<_> =
            scripts[0].lines.iter().map(|line| (line.number, line.text.as_str())).collect();
        assert_eq!(lines, [(6, "LOGIN A")]);
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = "== one\nBOLT five\nLOGIN A\nWIAT 1\n== two\nBOLT 5.8\nA> BEGNI\nA< nothing\n";
        let found = mistakes(text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0], "line 2, `BOLT five`: `five` is not a version such as 5.8");
        assert!(found[1].starts_with("line 4, `WIAT 1`: there is no verb `WIAT`; there are: WAIT"));
        assert!(
            found[2].starts_with("line 7, `A> BEGNI`: there is no request `BEGNI`; there are: ")
        );
    }

    #[test]
    fn a_script_has_a_name_a_head_and_an_end() {
        assert_eq!(mistakes("LOGIN A"), ["line 1, `LOGIN A`: `LOGIN A` is not `== ` and a name"]);
        let headless = mistakes("== one\nLOGIN A");
        assert!(headless[0].starts_with("line 2, `LOGIN A`: `LOGIN A` is not a head such as"));
        let option = mistakes("== one\nBOLT 5.8 LOGIN\nLOGIN A");
        assert_eq!(option, ["line 2, `BOLT 5.8 LOGIN`: `LOGIN` is not name=value"]);
        for end in ["A> BEGIN", "WAIT 5", "DIAL A"] {
            let found = mistakes(&format!("== one\nBOLT 5.8\nLOGIN A\n{end}"));
            assert!(
                found[0].starts_with(&format!("line 4, `{end}`: a script ends with")),
                "{found:?}"
            );
        }
        assert!(mistakes("== one\nBOLT 5.8")[0].starts_with("line 2, `BOLT 5.8`: a script ends"));
        assert!(mistakes("== one")[0].starts_with("line 1, `== one`: a script ends"));
    }
}
