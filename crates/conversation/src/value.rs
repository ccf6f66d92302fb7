//! Values as text: `1`, `true`, `null`, `[a,b]`, `{key=value}`, and everything else a string
//! without quotes. A string that looks like one of the others can't be written.

use bolt::{Dictionary, Value};

pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Integer(integer) => integer.to_string(),
        Value::String(string) => string.clone(),
        Value::List(list) => format!("[{}]", describe_all(list)),
        Value::Dictionary(entries) => {
            let entries: Vec<_> = entries.iter().map(|(key, value)| entry(key, value)).collect();
            format!("{{{}}}", entries.join(","))
        }
        other => format!("{other:?}").replace(' ', ""),
    }
}

pub(crate) fn describe_all(values: &[Value]) -> String {
    values.iter().map(describe).collect::<Vec<_>>().join(",")
}

pub(crate) fn entry(key: &str, value: &Value) -> String {
    format!("{key}={}", describe(value))
}

pub(crate) fn value(text: &str) -> Value {
    match text {
        "null" => return Value::Null,
        "true" | "false" => return Value::Boolean(text == "true"),
        _ => {}
    }
    if let Ok(number) = text.parse() {
        return Value::Integer(number);
    }
    if let Some(list) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return Value::List(values(list));
    }
    if let Some(list) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return Value::Dictionary(entries(parts(list)));
    }
    Value::from(text)
}

/// Values with commas between them.
pub(crate) fn values(text: &str) -> Vec<Value> {
    parts(text).into_iter().map(value).collect()
}

/// The entries among words; a word that is none is left out.
pub(crate) fn entries<'a>(words: impl IntoIterator<Item = &'a str>) -> Dictionary {
    let entries = words.into_iter().filter_map(|word| word.split_once('='));
    entries.map(|(key, text)| (key.to_owned(), value(text))).collect()
}

/// What stands between commas that are inside no bracket.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (index, character) in text.char_indices() {
        match character {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    if !text.is_empty() {
        parts.push(&text[start..]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_are_each_others_inverse() {
        for text in
            ["null", "true", "-7", "neo4j", "[]", "[1,[2,3],x]", "{}", "{a=1,b=[{c=d}]}", "FB:1"]
        {
            assert_eq!(describe(&value(text)), text);
        }
        let nested = value("{servers=[{addresses=[a:1,b:1],role=READ}]}");
        let server = Dictionary::new().with("addresses", vec!["a:1", "b:1"]).with("role", "READ");
        let servers = Dictionary::new().with("servers", vec![server]);
        assert_eq!(nested, Value::Dictionary(servers));
    }
}
