//! A drawing as SVG. Inside a page it takes its colours from the page, so that it follows light and
//! dark; one that stands alone brings its own.

use std::fmt::Write;

use crate::drawing::{Anchor, Colour, DASH, Drawing, Ink, Point, Rgb, Shape, Stroke, Weight};
use harmless::html as escape;

/// For a page, which must have [`series_style`] and colours for the other classes.
pub(crate) fn for_page(drawing: &Drawing) -> String {
    write(drawing, "")
}

/// A file of its own, on white.
pub(crate) fn alone(drawing: &Drawing) -> String {
    let head = format!(
        "<style>text{{fill:{};font-family:Ubuntu,system-ui,sans-serif}}.grid{{stroke:{}}}\
         .axis{{stroke:{}}}.muted{{fill:{}}}.ground{{fill:{}}}.value{{display:none}}{}{}</style>\
         <rect class=\"ground\" width=\"100%\" height=\"100%\"/>",
        Ink::Text.rgb(),
        Ink::Grid.rgb(),
        Ink::Axis.rgb(),
        Ink::Muted.rgb(),
        GROUND,
        alarm_style(),
        series_style(),
    );
    write(drawing, &head)
}

fn alarm_style() -> String {
    let rgb = Ink::Alarm.rgb();
    format!("line.alarm{{stroke:{rgb}}}text.alarm{{fill:{rgb}}}rect.alarm{{fill:{rgb}}}")
}

/// CSS for the colours of series, which are the same in the dark.
pub(crate) fn series_style() -> String {
    let style = |colour: Colour| {
        let (class, rgb) = (colour.class(), colour.rgb());
        format!(".{class}{{stroke:{rgb}}}.{class}.fill{{fill:{rgb};stroke:none}}")
    };
    Colour::ALL.into_iter().map(style).collect()
}

fn write(drawing: &Drawing, head: &str) -> String {
    let (width, height) = (Length(drawing.width), Length(drawing.height));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{}\">{head}",
        escape(&drawing.title),
    );
    for shape in &drawing.shapes {
        write_shape(&mut svg, shape);
    }
    svg.push_str("</svg>");
    svg
}

fn write_shape(svg: &mut String, shape: &Shape) {
    let _ = match shape {
        Shape::Line { ink, from, to, stroke } => write!(
            svg,
            "<line{} x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"{}/>",
            class(*ink),
            Length(from.0),
            Length(to.0),
            Length(from.1),
            Length(to.1),
            stroke_attributes(*stroke),
        ),
        Shape::Path { ink, stretches, stroke } => write!(
            svg,
            "<path{} fill=\"none\"{} stroke-linejoin=\"round\" d=\"{}\"/>",
            class(*ink),
            stroke_attributes(*stroke),
            stretches.iter().map(|points| path(points)).collect::<String>(),
        ),
        Shape::Bar { ink, corner: (x, y), width, height } => write!(
            svg,
            "<rect class=\"{} fill\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"2\"/>",
            ink.class().unwrap_or_default(),
            Length(*x),
            Length(*y),
            Length(*width),
            Length(*height),
        ),
        Shape::Value { ink, at, anchor, text } => write_value(svg, *ink, *at, *anchor, text),
        Shape::Text { ink, at: (x, y), anchor, size, weight, text } => write!(
            svg,
            "<text{} x=\"{}\" y=\"{}\" font-size=\"{size}\"{}{}>{}</text>",
            class(*ink),
            Length(*x),
            Length(*y),
            match weight {
                Weight::Normal => "",
                Weight::Strong => " font-weight=\"600\"",
            },
            anchor_attribute(*anchor),
            escape(text),
        ),
    };
}

/// A point that shows its value when it is pointed at or has the keyboard's focus.
fn write_value(
    svg: &mut String,
    ink: Ink,
    (x, y): Point,
    anchor: Anchor,
    text: &str,
) -> std::fmt::Result {
    let (x, y, text) = (Length(x), Length(y), escape(text));
    let (class, place) = (ink.class().unwrap_or_default(), anchor_attribute(anchor));
    write!(
        svg,
        "<g class=\"value\" tabindex=\"0\" role=\"img\" aria-label=\"{text}\">\
         <circle cx=\"{x}\" cy=\"{y}\" r=\"11\" fill-opacity=\"0\"/>\
         <circle class=\"{class} fill\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>\
         <text x=\"{x}\" y=\"{}\" font-size=\"13\"{place}>{text}</text></g>",
        Length(y.0 - 10.0),
    )
}

fn anchor_attribute(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    }
}

fn class(ink: Ink) -> String {
    ink.class().map(|class| format!(" class=\"{class}\"")).unwrap_or_default()
}

fn stroke_attributes(stroke: Stroke) -> String {
    let [dash, gap] = DASH;
    let dashes =
        if stroke.dashed { format!(" stroke-dasharray=\"{dash} {gap}\"") } else { String::new() };
    format!(" stroke-width=\"{}\"{dashes}", stroke.width)
}

fn path(points: &[Point]) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{} {}", Length(*x), Length(*y));
    }
    path
}

/// To a tenth, which is less than anybody sees.
struct Length(f64);

impl std::fmt::Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", (self.0 * 10.0).round() / 10.0)
    }
}

pub(crate) const GROUND: Rgb = Rgb(0xFF_FF_FF);
