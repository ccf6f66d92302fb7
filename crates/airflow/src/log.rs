//! Finds the lines of a log that tell why something failed. It only reads what it is given.

/// The last errors of a log, oldest first: lines of the level error or worse, and the exceptions at the end of
/// tracebacks. The log's very last line is among them, unless it is mere information. Without any of these it
/// is the last line alone, and of an empty log it is nothing.
pub fn telling(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().map(plain).collect();
    let mut found: Vec<&str> = Vec::new();
    let mut in_traceback = false;
    for line in lines.iter().map(|line| line.trim_end()) {
        if line.contains("Traceback (most recent call last)") {
            in_traceback = true;
        } else if in_traceback && is_exception(line) {
            in_traceback = false;
            found.push(line);
        } else if is_error(line) {
            found.push(line);
        }
    }
    if let Some(last) = lines.iter().map(|line| line.trim_end()).rfind(|line| !line.is_empty())
        && found.last() != Some(&last)
        && (found.is_empty() || !is_information(last))
    {
        found.push(last);
    }
    found.dedup();
    let from = found.len().saturating_sub(LINES_MAX);
    found[from..].iter().map(|line| short(line.trim())).collect()
}

/// The line without what colours it on a terminal.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        let end = after.find(|letter: char| letter.is_ascii_alphabetic());
        rest = end.map_or("", |end| &after[end + 1..]);
    }
    text.push_str(rest);
    text
}

/// A traceback ends with the first line that neither is indented nor belongs to a frame drawn around it.
fn is_exception(line: &str) -> bool {
    line.starts_with(|first: char| first.is_alphanumeric() || first == '_')
}

fn is_error(line: &str) -> bool {
    let marks = [
        "[error",
        "[critical",
        " ERROR ",
        " ERROR:",
        "ERROR - ",
        " CRITICAL ",
        "FATAL:",
        "PANIC:",
        "\"level\":\"error\"",
        "\"level\":\"critical\"",
    ];
    marks.iter().any(|mark| line.contains(mark))
        || ["ERROR:", "error:", "Error:"].iter().any(|mark| line.starts_with(mark))
}

fn is_information(line: &str) -> bool {
    let marks = ["[info", "[debug", " INFO ", "INFO:", " LOG:", "\"level\":\"info\""];
    marks.iter().any(|mark| line.contains(mark))
}

fn short(line: &str) -> String {
    match line.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// More lines would hide what they tell.
const LINES_MAX: usize = 4;
const CHARS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_told_without_its_traceback() {
        let log = "\
2026-11-26T19:24:20.2Z [info     ] Context impl PostgresqlImpl.
Traceback (most recent call last):
  File \"base.py\", line 145, in __init__
    self._dbapi_connection = engine.raw_connection()

sqlalchemy.exc.OperationalError: connection to server on socket failed
";
        assert_eq!(
            telling(log),
            ["sqlalchemy.exc.OperationalError: connection to server on socket failed"]
        );
    }

    #[test]
    fn a_traceback_in_a_frame_is_read_too() {
        let log = "\
2026-11-26T19:24:20.2Z [error    ] Task execute_workload failed [supervisor]
╭──────────── Traceback (most recent call last) ────────────╮
│ client.py:261 in start                                    │
╰───────────────────────────────────────────────────────────╯
ReadTimeout: The read operation timed out
2026-11-26T19:24:21.2Z [info     ] Exited execute loop
";
        assert_eq!(
            telling(log),
            [
                "2026-11-26T19:24:20.2Z [error    ] Task execute_workload failed [supervisor]",
                "ReadTimeout: The read operation timed out",
            ]
        );
    }

    #[test]
    fn errors_of_both_versions_and_of_the_databases_are_seen_through_their_colours() {
        for line in [
            "[2026-11-26T19:24:42.3+0000] {scheduler_job_runner.py:771} ERROR - Executor reports it",
            "2026-11-26 19:24:51.102 UTC [795] FATAL:  could not create lock file",
            "ERROR: No matching distribution found for apache-airflow==3.3.2",
            "error: No solution found",
        ] {
            let coloured = format!("\u{1b}[31m{line}\u{1b}[0m\n12:00 [info ] later\n");
            assert_eq!(telling(&coloured), [line]);
        }
    }

    #[test]
    fn last_words_count_if_there_is_no_error_or_if_they_are_no_mere_information() {
        assert_eq!(telling("one\nAlready running on PID 12\n\n"), ["Already running on PID 12"]);
        assert_eq!(telling("12:00 [info ] all well\n"), ["12:00 [info ] all well"]);
        assert_eq!(telling("error: no\nkilled\n"), ["error: no", "killed"]);
        assert!(telling("\n\n").is_empty());
    }

    #[test]
    fn the_last_errors_are_kept_and_cut_short() {
        let log: String = (0..9).map(|n| format!("ERROR: {n} {}\n", "é".repeat(500))).collect();
        let told = telling(&log);
        assert_eq!(told.len(), LINES_MAX);
        assert!(told[0].starts_with("ERROR: 5 ") && told[0].ends_with("é…"), "{}", told[0]);
        assert_eq!(told[0].chars().count(), CHARS_MAX + 1);
        assert_eq!(telling("ERROR: same\nERROR: same\n"), ["ERROR: same"]);
    }
}
