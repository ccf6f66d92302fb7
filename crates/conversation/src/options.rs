//! `name=value` words at the end of a line. A name that nobody asks for is a mistake, not a wish.

use std::str::FromStr;

use crate::mistake::{Mistake, read};

#[derive(Debug)]
pub(crate) struct Options<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Options<'a> {
    pub fn read(text: &'a str, known: &[&'static str]) -> Result<Self, Mistake> {
        let mut options = Vec::new();
        for word in text.split_whitespace() {
            let option = word.split_once('=').ok_or_else(|| Mistake::not(word, "name=value"))?;
            if !known.contains(&option.0) {
                return Err(Mistake::unknown("option", option.0, &[known]));
            }
            options.push(option);
        }
        Ok(Self(options))
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    pub fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Mistake> {
        self.get(name).map(|text| read(text, "a number")).transpose()
    }
}

/// The words of those options that are there.
pub(crate) fn words(options: &[(&str, Option<&str>)]) -> String {
    let words = options.iter().filter_map(|(name, value)| Some(format!("{name}={}", (*value)?)));
    words.collect::<Vec<_>>().join(" ")
}
