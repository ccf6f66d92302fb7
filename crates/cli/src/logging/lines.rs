//! The last step of every log line: one event is one line, whatever names are in it, and tells a
//! terminal nothing but the logger's own colours.

use std::io::{self, Stderr, Write};

use harmless::{Colours, json, line, log_line};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::fmt::{FormatFields, MakeWriter};

/// Writes the fields of an event as text. An escape character in a value must not be taken for the
/// logger's own afterwards.
pub fn fields() -> impl for<'a> FormatFields<'a> + Send + Sync + 'static {
    let fields = debug_fn(|writer, field, value| {
        let value = format!("{value:?}");
        match field.name() {
            "message" => write!(writer, "{}", line(&value)),
            name => write!(writer, "{name}={}", line(&value)),
        }
    });
    fields.delimited(" ")
}

/// How the lines that arrive were written.
#[derive(Clone, Copy, Debug)]
pub enum Format {
    Text(Colours),
    Json,
}

/// Writes lines to standard error, or wherever a test looks.
#[derive(Clone, Debug)]
pub struct Lines<W = fn() -> Stderr> {
    format: Format,
    target: W,
}

impl Lines {
    pub fn new(format: Format) -> Self {
        Self { format, target: io::stderr }
    }
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Lines<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { format: self.format, target: self.target.make_writer() }
    }
}

/// Takes one event, which the logger writes as a whole.
#[derive(Debug)]
pub struct Line<W> {
    format: Format,
    target: W,
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = match self.format {
            Format::Text(colours) => log_line(&text, colours),
            Format::Json => json(&text),
        };
        self.target.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged of a name, as a field in both of its forms and in the message.
    fn logged(format: Format, name: &str) -> String {
        let kept = Kept::default();
        let target = kept.clone();
        let lines = Lines { format, target: move || target.clone() };
        let layer = fmt::layer().with_writer(lines);
        let log = || tracing::info!(user = name, shown = %name, "refused: {name}");
        match format {
            Format::Json => {
                let subscriber = tracing_subscriber::registry().with(layer.json());
                tracing::subscriber::with_default(subscriber, log);
            }
            Format::Text(colours) => {
                let layer = layer.fmt_fields(fields()).with_ansi(colours == Colours::Own);
                let subscriber = tracing_subscriber::registry().with(layer);
                tracing::subscriber::with_default(subscriber, log);
            }
        }
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn is_one_line(logged: &str) -> bool {
        logged.matches(char::is_control).count() == 1 && logged.ends_with('\n')
    }

    fn without_colours(mut logged: String) -> String {
        while let Some(from) = logged.find("\u{1b}[") {
            let length = logged[from..].find('m').unwrap();
            assert!(
                logged[from + 2..from + length].chars().all(|c| c.is_ascii_digit() || c == ';')
            );
            logged.replace_range(from..=from + length, "");
        }
        logged
    }

    proptest! {
        #[test]
        fn an_event_is_one_line_whatever_names_are_in_it(
            chars in proptest::collection::vec(
                prop_oneof![any::<char>(), proptest::char::range('\0', '\u{9f}')],
                0..20,
            )
        ) {
            let name: String = chars.into_iter().collect();
            let text = logged(Format::Text(Colours::None), &name);
            prop_assert!(is_one_line(&text), "{:?}", text);
            let coloured = without_colours(logged(Format::Text(Colours::Own), &name));
            prop_assert!(is_one_line(&coloured), "{:?}", coloured);
            let json = logged(Format::Json, &name);
            prop_assert!(is_one_line(&json), "{:?}", json);
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read["fields"]["user"].as_str(), Some(&*name));
        }
    }
}
