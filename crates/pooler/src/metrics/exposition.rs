//! The exposition as somebody else reads it: arbitrary names of users come out as they went in.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Label values by label, and the number, of one line that is no comment.
fn sample(line: &str) -> Option<(BTreeMap<String, String>, f64)> {
    let Some((_, mut rest)) = line.split_once('{') else {
        return Some((BTreeMap::new(), line.split_once(' ')?.1.parse().ok()?));
    };
    let mut labels = BTreeMap::new();
    loop {
        let (name, quoted) = rest.split_once("=\"")?;
        let end = end_of_value(quoted)?;
        labels.insert(name.to_owned(), unescaped(&quoted[..end]));
        match quoted[end + 1..].split_at_checked(1)? {
            (",", more) => rest = more,
            ("}", number) => return Some((labels, number.trim().parse().ok()?)),
            _ => return None,
        }
    }
}

/// Where the quote stands that no backslash takes its meaning from.
fn end_of_value(quoted: &str) -> Option<usize> {
    let mut is_escaped = false;
    quoted.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends.then_some(at)
    })
}

fn unescaped(value: &str) -> String {
    let mut chars = value.chars();
    let mut next = || match chars.next()? {
        '\\' => chars.next().map(|c| if c == 'n' { '\n' } else { c }),
        c => Some(c),
    };
    std::iter::from_fn(&mut next).collect()
}

fn users_read_back(users: &[&str]) -> Vec<String> {
    let (metrics, registry) = Metrics::new();
    let pool = |user: &&str| ((*user).to_owned(), PoolNumbers::default(), BTreeMap::default());
    metrics.refresh(&Seen { pools: users.iter().map(pool).collect(), ..Seen::default() });
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = text.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#'));
    let samples = samples.map(|line| sample(line).unwrap_or_else(|| panic!("{line:?}")));
    let waits = samples.filter(|(labels, _)| labels.contains_key("user"));
    let waits = waits.filter(|(labels, _)| !labels.contains_key("state"));
    waits.map(|(labels, _)| labels["user"].clone()).collect()
}

#[test]
fn a_quote_in_a_name_does_not_end_it() {
    for name in ["a\"x", "a\\", "a\nb 1", "a\\\"} 1\n# EOF"] {
        assert_eq!(users_read_back(&[name]), [name]);
    }
}

proptest! {
    #[test]
    fn every_name_comes_out_as_it_went_in(
        chars in proptest::collection::vec(
            prop_oneof![
                any::<char>(),
                proptest::char::range('\0', '\u{9f}'),
                proptest::sample::select(&['"', '\\', '\n', 'n', '}'][..]),
            ],
            0..20,
        )
    ) {
        let name: String = chars.into_iter().collect();
        prop_assert_eq!(users_read_back(&[&name]), [name.replace('\0', "␀")]);
    }
}
