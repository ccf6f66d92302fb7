//! Arbitrary names through every kind of output, read back by somebody who knows nothing of how they
//! were written.

use harmless::{Colours, html, json, label, line, log_line, markdown_cell, short, text};
use proptest::prelude::*;

/// Names as they are not expected: much of what has a meaning somewhere, among all else.
fn names() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => any::<char>(),
        2 => proptest::sample::select(TROUBLE),
        1 => proptest::char::range('\0', '\u{9f}'),
    ];
    proptest::collection::vec(character, 0..40).prop_map(|chars| chars.into_iter().collect())
}

const TROUBLE: &[char] = &[
    '"', '\\', '\n', '\r', '\t', '\0', '\u{1b}', '\u{7f}', '\u{9b}', '\u{85}', '\u{2028}',
    '\u{202e}', '\u{2066}', '<', '>', '&', '\'', '|', '{', '}', ',', '=', '#', ' ', 'a', '…',
];

/// What a terminal obeys, or what makes a line another one.
fn acts(c: char) -> bool {
    c.is_control() || BREAKS_AND_TURNS.contains(&c)
}

const BREAKS_AND_TURNS: &[char] = &[
    '\u{2028}', '\u{2029}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}',
    '\u{2067}', '\u{2068}', '\u{2069}',
];

/// What a reader of a page sees: what acts, or can't be in a page, has become a picture.
fn seen(text: &str) -> String {
    let is_picture = |c| {
        matches!(c, '\u{2400}'..='\u{2421}' | '\u{FFFD}'..='\u{FFFF}')
            || (acts(c) && c != '\n' && c != '\t')
    };
    text.chars().map(|c| if is_picture(c) { '?' } else { c }).collect()
}

/// A reader of the text between two quotes of an exposition.
fn label_read_back(exposition: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), exposition.chars());
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\n' | '\0' => return None,
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
}

fn html_read_back(html: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(html.to_owned(), |html, (entity, c)| html.replace(entity, c))
}

proptest! {
    #[test]
    fn a_label_is_read_back_and_ends_where_it_ends(name in names()) {
        let exposition = format!("{}\"}} 1\n", label(&name));
        let (read, rest) = label_read_back(&exposition).unwrap();
        prop_assert_eq!(read, name.replace('\0', "␀"));
        prop_assert_eq!(rest, "} 1\n");
    }

    #[test]
    fn json_is_read_back_and_shows_nothing_that_acts(name in names()) {
        let document = serde_json::to_string(&name).unwrap();
        let document = json(&document);
        prop_assert_eq!(serde_json::from_str::<String>(&document).unwrap(), name);
        prop_assert!(!document.contains(acts), "{:?}", document);
    }

    #[test]
    fn html_is_read_back_and_begins_no_element(name in names()) {
        let escaped = html(&name);
        prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
        prop_assert!(!escaped.contains(|c| acts(c) && c != '\n' && c != '\t'));
        for part in escaped.split('&').skip(1) {
            prop_assert!(["lt;", "gt;", "quot;", "#39;", "amp;"].iter().any(|e| part.starts_with(e)));
        }
        prop_assert_eq!(seen(&html_read_back(&escaped)), seen(&name));
    }

    #[test]
    fn a_log_has_one_line_for_one_event(name in names()) {
        let event = format!("12:00 INFO login refused user={name}\n");
        let logged = log_line(&event, Colours::None);
        prop_assert_eq!(logged.matches(acts).count(), 1);
        prop_assert!(logged.ends_with('\n'));
    }

    #[test]
    fn colours_of_the_logger_stay(name in names()) {
        let event = format!("\u{1b}[32mINFO\u{1b}[0m {}\n", name.replace('\u{1b}', ""));
        let logged = log_line(&event, Colours::Own);
        let begins = logged.starts_with("\u{1b}[32mINFO\u{1b}[0m ");
        prop_assert!(begins, "{:?}", logged);
        prop_assert_eq!(logged.matches(acts).count(), 3);
    }

    #[test]
    fn a_terminal_is_told_nothing(name in names()) {
        prop_assert!(!line(&name).contains(acts));
        prop_assert!(!text(&name).contains(|c| acts(c) && c != '\n' && c != '\t'));
    }

    #[test]
    fn a_cell_of_markdown_ends_where_it_ends(name in names()) {
        let cell = markdown_cell(&name);
        prop_assert!(!cell.contains(acts) && !cell.contains('<'));
        prop_assert_eq!(cell.matches('|').count(), cell.matches(r"\|").count());
    }

    #[test]
    fn a_short_name_is_the_beginning_of_the_long_one(name in names()) {
        let cut = short(&name, 8);
        prop_assert!(cut.chars().count() <= 9);
        prop_assert!(name.starts_with(cut.strip_suffix('…').unwrap_or(&cut)) || *cut == *name);
    }
}

#[test]
fn what_is_harmless_already_is_left_alone() {
    for name in ["neo4j", "Zoë", "名前", "a b-c_d.e@f"] {
        for shown in [html(name), json(name), label(name), line(name), markdown_cell(name)] {
            assert_eq!(shown, name);
        }
        assert_eq!(short(name, 64), name);
    }
}
