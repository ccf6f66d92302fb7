//! Lines over time, or over named places, as SVG. A page's chart takes its colours from the page, so that it follows light
//! and dark; one that stands alone brings its own.

use std::fmt::Write;

use crate::axis::Axis;
use crate::escape::escape;

/// A line chart whose x axis is seconds, or has names at 0, 1, 2 and so on.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    pub title: String,
    /// What the y axis counts, for example `connections`.
    pub unit: String,
    pub series: Vec<Series>,
    pub bands: Vec<Band>,
    /// Names of places on the x axis; seconds if there are none.
    pub labels: Vec<String>,
    /// Whether the y axis is, for values of very different size.
    pub is_logarithmic: bool,
}

#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub colour: Colour,
    pub dashed: bool,
    /// Seconds and value, in order of time. A new stretch begins where the gap to the last point
    /// is longer than [`GAP_S`].
    pub points: Vec<(f64, f64)>,
}

/// A span of time in which one thing ran.
#[derive(Clone, Debug)]
pub struct Band {
    pub label: String,
    pub colour: Colour,
    pub from: f64,
    pub to: f64,
}

/// Five colours that are told apart by people with colour blindness too (Okabe and Ito).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Vermilion,
    Blue,
    Green,
    Purple,
    Orange,
}

impl Colour {
    /// The class that a page gives the colour to.
    pub fn class(self) -> &'static str {
        match self {
            Self::Vermilion => "c-vermilion",
            Self::Blue => "c-blue",
            Self::Green => "c-green",
            Self::Purple => "c-purple",
            Self::Orange => "c-orange",
        }
    }

    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Vermilion, "#d55e00"),
        (Self::Blue, "#2b7bba"),
        (Self::Green, "#009e73"),
        (Self::Purple, "#b8609a"),
        (Self::Orange, "#c98500"),
    ];
}

impl Chart {
    /// For a page, `width` units wide; a phone gets a narrower drawing instead of a smaller one.
    pub fn svg_for_page(&self, width: u32) -> String {
        self.draw(f64::from(width), "")
    }

    /// A file of its own, on white.
    pub fn svg(&self) -> String {
        let mut style = String::from(
            "text{fill:#1c2430;font-family:Ubuntu,system-ui,sans-serif}.grid{stroke:#d8dde5}.axis{stroke:#8a94a3}\
             .muted{fill:#5a6675}.ground{fill:#ffffff}",
        );
        for (colour, hex) in Colour::ALL {
            let _ = write!(
                style,
                ".{0}{{stroke:{hex}}}.{0}.fill{{fill:{hex};stroke:none}}",
                colour.class()
            );
        }
        self.draw(
            STANDALONE_WIDTH,
            &format!(
                "<style>{style}</style><rect class=\"ground\" width=\"100%\" height=\"100%\"/>"
            ),
        )
    }

    fn draw(&self, width: f64, head: &str) -> String {
        let legend = self.legend(width);
        let legend_rows = legend.last().map_or(1.0, |(_, row)| row + 1.0);
        let frame = Frame::new(self, width, TOP + legend_rows * ROW);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">{head}",
            height = frame.height,
            title = escape(&self.title),
        );
        let _ = write!(
            svg,
            "<text x=\"{LEFT}\" y=\"22\" font-size=\"16\" font-weight=\"600\">{}</text>",
            escape(&self.title)
        );
        self.draw_legend(&mut svg, &legend);
        self.draw_bands(&mut svg, &frame);
        frame.draw_axes(&mut svg, &self.unit, &self.labels);
        for series in &self.series {
            let _ = write!(
                svg,
                "<path class=\"{}\" fill=\"none\" stroke-width=\"2\" stroke-linejoin=\"round\"{} d=\"{}\"/>",
                series.colour.class(),
                if series.dashed { " stroke-dasharray=\"5 4\"" } else { "" },
                frame.line(
                    &series.points,
                    if self.labels.is_empty() { GAP_S } else { f64::INFINITY }
                ),
            );
        }
        svg.push_str("</svg>");
        svg
    }

    /// Where each series stands in the legend: its x and its row. Columns are as wide as the longest
    /// name needs.
    fn legend(&self, width: f64) -> Vec<(f64, f64)> {
        let longest = self.series.iter().map(|series| series.name.chars().count()).max();
        let column = 46.0 + 7.2 * longest.unwrap_or(0) as f64;
        let columns = (((width - LEFT) / column) as usize).max(1);
        let place = |index| {
            let (row, place) = (index / columns, index % columns);
            (LEFT + place as f64 * column, row as f64)
        };
        (0..self.series.len()).map(place).collect()
    }

    fn draw_legend(&self, svg: &mut String, legend: &[(f64, f64)]) {
        for (series, (x, row)) in self.series.iter().zip(legend) {
            let y = TOP + 6.0 + row * ROW;
            let dash = if series.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
            let _ = write!(
                svg,
                "<line class=\"{}\" x1=\"{x}\" x2=\"{}\" y1=\"{}\" y2=\"{}\" stroke-width=\"3\"{dash}/><text x=\"{}\" y=\"{y}\" font-size=\"13\">{}</text>",
                series.colour.class(),
                x + 22.0,
                y - 4.0,
                y - 4.0,
                x + 28.0,
                escape(&series.name),
            );
        }
    }

    fn draw_bands(&self, svg: &mut String, frame: &Frame) {
        for band in &self.bands {
            let (from, to) = (frame.x(band.from), frame.x(band.to));
            let _ = write!(
                svg,
                "<rect class=\"{} fill\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" opacity=\"0.10\"/>\
                 <text class=\"muted\" x=\"{:.1}\" y=\"{:.1}\" font-size=\"12\" text-anchor=\"middle\">{}</text>",
                band.colour.class(),
                frame.top,
                (to - from).max(1.0),
                frame.bottom - frame.top,
                f64::midpoint(from, to),
                frame.top - 6.0,
                escape(&band.label),
            );
        }
    }
}

/// Where the data's corner points lie in the drawing.
struct Frame {
    top: f64,
    bottom: f64,
    right: f64,
    height: f64,
    seconds: Axis,
    values: Axis,
}

impl Frame {
    fn new(chart: &Chart, width: f64, above: f64) -> Self {
        let points = || chart.series.iter().flat_map(|series| &series.points);
        let last = points()
            .map(|(x, _)| *x)
            .chain(chart.bands.iter().map(|band| band.to))
            .fold(1.0, f64::max);
        let most = if width < 600.0 { 4.0 } else { 8.0 };
        let seconds = match chart.labels.len() {
            0 => Axis::linear(last, most, 1.0),
            places => Axis::named(places, most),
        };
        let largest = points().map(|(_, y)| *y).fold(1.0, f64::max);
        let plot = if width < 600.0 { 200.0 } else { 260.0 };
        let top = above + 18.0;
        Self {
            top,
            bottom: top + plot,
            // Half of the last label stands beyond.
            right: width - 26.0,
            height: top + plot + 44.0,
            seconds,
            // Over time things are counted, and there is no half connection.
            values: match chart.is_logarithmic {
                true => Axis::logarithmic(points().map(|(_, y)| *y)),
                false if chart.labels.is_empty() => Axis::linear(largest, 5.0, 1.0),
                false => Axis::linear(largest, 5.0, 0.0),
            },
        }
    }

    fn x(&self, seconds: f64) -> f64 {
        LEFT + self.seconds.place(seconds) * (self.right - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - self.values.place(value) * (self.bottom - self.top)
    }

    fn draw_axes(&self, svg: &mut String, unit: &str, labels: &[String]) {
        for tick in self.values.ticks() {
            let y = self.y(tick);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"muted\" x=\"{}\" y=\"{:.1}\" font-size=\"12\" text-anchor=\"end\">{}</text>",
                self.right,
                LEFT - 6.0,
                y + 4.0,
                (tick * 1000.0).round() / 1000.0,
            );
        }
        for tick in self.seconds.ticks() {
            let name = match labels.get(tick as usize) {
                Some(label) => escape(label),
                None => format!("{tick} s"),
            };
            let _ = write!(
                svg,
                "<text class=\"muted\" x=\"{:.1}\" y=\"{:.1}\" font-size=\"12\" text-anchor=\"middle\">{name}</text>",
                self.x(tick),
                self.bottom + 18.0,
            );
        }
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{b}\" y2=\"{b}\"/><text class=\"muted\" x=\"{}\" y=\"{}\" font-size=\"12\" text-anchor=\"end\">{}</text>",
            self.right,
            self.right,
            self.bottom + 36.0,
            escape(unit),
            b = self.bottom,
        );
    }

    fn line(&self, points: &[(f64, f64)], gap: f64) -> String {
        let mut path = String::new();
        let mut last = None;
        for (seconds, value) in points {
            let joins = last.is_some_and(|last| seconds - last <= gap);
            let command = if joins { 'L' } else { 'M' };
            let _ = write!(path, "{command}{:.1} {:.1}", self.x(*seconds), self.y(*value));
            last = Some(*seconds);
        }
        path
    }
}

/// Points further apart than this, in seconds, are not joined.
pub const GAP_S: f64 = 2.0;
const STANDALONE_WIDTH: f64 = 900.0;
const LEFT: f64 = 48.0;
const TOP: f64 = 40.0;
const ROW: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        Chart {
            title: "Idle <connections>".into(),
            unit: "connections".into(),
            series: vec![Series {
                name: "idle & more".into(),
                colour: Colour::Blue,
                dashed: false,
                points: vec![(0.0, 0.0), (1.0, 160.0), (9.0, 3.0)],
            }],
            bands: vec![Band {
                label: "problematic".into(),
                colour: Colour::Vermilion,
                from: 0.0,
                to: 5.0,
            }],
            labels: Vec::new(),
            is_logarithmic: false,
        }
    }

    #[test]
    fn text_is_escaped_and_gaps_are_not_bridged() {
        let svg = chart().svg();
        assert!(svg.contains("Idle &lt;connections&gt;") && svg.contains("idle &amp; more"));
        let path = svg.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
    }

    #[test]
    fn the_highest_point_is_inside_the_frame() {
        let chart = chart();
        let frame = Frame::new(&chart, 900.0, 60.0);
        assert!(frame.y(160.0) >= frame.top && frame.y(0.0) == frame.bottom);
        assert_eq!(frame.values, Axis::Linear { end: 200.0, step: 50.0 });
    }

    #[test]
    fn a_legend_takes_another_row_before_it_leaves_the_drawing() {
        let series = |name: &&str| Series { name: (*name).into(), ..chart().series[0].clone() };
        let names = ["problematic: opened", "problematic: closed", "improved: opened"];
        let few = Chart { series: names.iter().map(series).collect(), ..chart() };
        let many = Chart { series: [&few.series[..], &few.series[..]].concat(), ..chart() };
        let rows = |chart: &Chart, width| -> Vec<f64> {
            chart.legend(width).iter().map(|(_, row)| *row).collect()
        };
        assert_eq!(rows(&few, 900.0), [0.0, 0.0, 0.0]);
        assert_eq!(rows(&many, 900.0), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        assert_eq!(rows(&few, 380.0), [0.0, 1.0, 2.0]);
        assert_eq!(many.legend(900.0)[4].0, LEFT);
    }

    #[test]
    fn named_places_take_the_place_of_seconds() {
        let named = Chart {
            labels: ["p50", "p99", "max"].map(String::from).into(),
            bands: Vec::new(),
            series: vec![Series {
                points: vec![(0.0, 1.1), (2.0, 1.25)],
                ..chart().series[0].clone()
            }],
            ..chart()
        };
        let svg = named.svg();
        assert!(svg.contains(">p50</text>") && svg.contains(">max</text>"), "{svg}");
        assert!(!svg.contains(" s</text>") && svg.contains(">0.5</text>"), "{svg}");
        let path = svg.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 1, "{path}");
    }

    #[test]
    fn a_chart_of_nothing_is_still_a_chart() {
        assert!(Chart::default().svg().ends_with("</svg>"));
    }
}
