//! Text in lines.

/// Lines of at most so many letters. A longer word has a line of its own.
pub fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_full_as_it_can_be() {
        assert_eq!(
            wrapped("one two  three\nunbelievable", 9),
            ["one two", "three", "unbelievable"]
        );
        assert!(wrapped(" ", 9).is_empty());
    }
}
