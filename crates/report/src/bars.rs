//! A few numbers of a few things beside each other, as bars: a result that is seen at a glance.

use crate::drawing::{Anchor, Colour, Draw, Drawing, Ink, Shape, Weight};
use crate::wrap::wrapped;

/// Groups of bars. Within a group, bars are as long as their values.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    pub title: String,
    pub groups: Vec<Group>,
}

/// One number of several things.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: String,
    pub bars: Vec<Bar>,
}

#[derive(Clone, Debug)]
pub struct Bar {
    pub name: String,
    pub value: f64,
    /// The value as it is written.
    pub text: String,
    pub tone: Tone,
}

/// How a bar is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// In the colour of what it is about.
    Of(Colour),
    /// A harm: in the colour of an alarm, unless it is zero.
    Harm,
}

impl Draw for Bars {
    fn drawing(&self, width: f64) -> Drawing {
        let mut shapes = Vec::new();
        let mut y = MARGIN;
        for line in wrapped(&self.title, ((width - 2.0 * MARGIN) / TITLE_LETTER) as usize) {
            y += TITLE;
            shapes.push(text(Ink::Text, (MARGIN, y), Anchor::Start, TITLE - 6.0, line));
        }
        for group in &self.groups {
            y += GROUP_GAP;
            shapes.push(text(Ink::Text, (MARGIN, y), Anchor::Start, 14.0, group.name.clone()));
            y += 8.0;
            let longest = group.bars.iter().map(|bar| bar.text.chars().count()).max().unwrap_or(0);
            let room = width - NAMES - MARGIN - (12.0 + LETTER * longest as f64).max(TEXTS);
            let largest = group.bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
            for bar in &group.bars {
                let length = if largest > 0.0 { bar.value / largest * room } else { 0.0 };
                draw_bar(&mut shapes, bar, y, length.max(0.0));
                y += ROW;
            }
        }
        Drawing { title: self.title.clone(), width, height: y + MARGIN, shapes }
    }
}

fn draw_bar(shapes: &mut Vec<Shape>, bar: &Bar, y: f64, length: f64) {
    let line = y + ROW / 2.0 + 4.0;
    shapes.push(Shape::Text {
        ink: Ink::Muted,
        at: (MARGIN, line),
        anchor: Anchor::Start,
        size: 13.0,
        weight: Weight::Normal,
        text: bar.name.clone(),
    });
    let ink = match bar.tone {
        Tone::Of(colour) => Ink::Of(colour),
        Tone::Harm => Ink::Alarm,
    };
    // What is not quite nothing is seen.
    let length = if bar.value > 0.0 { length.max(2.0) } else { 0.0 };
    shapes.push(Shape::Bar { ink, corner: (NAMES, y + 3.0), width: length, height: ROW - 6.0 });
    let is_harm = bar.tone == Tone::Harm && bar.value > 0.0;
    let ink = if is_harm { Ink::Alarm } else { Ink::Text };
    shapes.push(text(ink, (NAMES + length + 6.0, line), Anchor::Start, 13.0, bar.text.clone()));
}

fn text(ink: Ink, at: (f64, f64), anchor: Anchor, size: f64, text: String) -> Shape {
    Shape::Text { ink, at, anchor, size, weight: Weight::Strong, text }
}

const MARGIN: f64 = 16.0;
const TITLE: f64 = 26.0;
/// How wide a letter of the title is, about.
const TITLE_LETTER: f64 = 10.5;
const GROUP_GAP: f64 = 32.0;
const ROW: f64 = 24.0;
/// Where the bars begin, after their names.
const NAMES: f64 = 112.0;
/// How wide a letter is that stands after a bar, about.
const LETTER: f64 = 7.6;
/// Room for what is written after the longest bar, at least.
const TEXTS: f64 = 76.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(values: &[f64]) -> Bars {
        let bar = |value: &f64| Bar {
            name: "a & b".into(),
            value: *value,
            text: value.to_string(),
            tone: Tone::Harm,
        };
        let bars = values.iter().map(bar).collect();
        Bars { title: "A title".into(), groups: vec![Group { name: "failed".into(), bars }] }
    }

    fn lengths(bars: &Bars) -> Vec<f64> {
        let drawing = bars.drawing(900.0);
        let length = |shape: &Shape| match shape {
            Shape::Bar { width, .. } => Some(*width),
            _ => None,
        };
        drawing.shapes.iter().filter_map(length).collect()
    }

    #[test]
    fn bars_are_as_long_as_their_values_and_nothing_has_no_bar() {
        let found = lengths(&bars(&[50.0, 25.0, 0.0, 0.001]));
        assert!((found[0] - 2.0 * found[1]).abs() < 1e-9, "{found:?}");
        assert_eq!((found[2], found[3]), (0.0, 2.0));
        assert_eq!(lengths(&bars(&[0.0])), [0.0]);
    }

    #[test]
    fn a_long_title_takes_several_lines() {
        let title = "The same 100 tasks: 43 failed without a pool, none with one";
        let long = Bars { title: title.into(), ..bars(&[1.0]) };
        let (wide, narrow) = (long.drawing(900.0), long.drawing(380.0));
        assert!(narrow.height > wide.height);
        assert!(long.svg().contains("a &amp; b"));
    }
}
