//! Lines over time, or over named places: where everything of a chart stands.

mod frame;

use crate::drawing::{Anchor, Draw, Drawing, Ink, Point, Shape, Stroke, Weight};
use frame::Frame;

pub use crate::drawing::Colour;

/// A line chart whose x axis is seconds, or has names at 0, 1, 2 and so on.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    pub title: String,
    /// What the y axis counts, for example `connections`.
    pub unit: String,
    pub series: Vec<Series>,
    /// Values that can't be passed.
    pub limits: Vec<Limit>,
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

/// A line across the chart, with its name.
#[derive(Clone, Debug)]
pub struct Limit {
    pub label: String,
    pub value: f64,
}

impl Draw for Chart {
    fn drawing(&self, width: f64) -> Drawing {
        let legend = self.legend(width);
        let legend_rows = legend.last().map_or(1.0, |(_, row)| row + 1.0);
        let frame = Frame::new(self, width, TOP + legend_rows * ROW);
        let mut shapes = vec![Shape::Text {
            ink: Ink::Text,
            at: (LEFT, 22.0),
            anchor: Anchor::Start,
            size: 16.0,
            weight: Weight::Strong,
            text: self.title.clone(),
        }];
        self.draw_legend(&mut shapes, &legend);
        frame.draw_axes(&mut shapes, &self.unit, &self.labels);
        for limit in &self.limits {
            frame.draw_limit(&mut shapes, limit);
        }
        let gap = if self.labels.is_empty() { GAP_S } else { f64::INFINITY };
        for series in &self.series {
            shapes.push(Shape::Path {
                ink: Ink::Of(series.colour),
                stretches: frame.stretches(&series.points, gap),
                stroke: Stroke { width: 2.0, dashed: series.dashed },
            });
        }
        let is_over_time = self.labels.is_empty();
        let solid = self.series.iter().filter(|series| is_over_time && !series.dashed);
        solid.clone().for_each(|series| frame.draw_peak(&mut shapes, series));
        solid.for_each(|series| frame.draw_values(&mut shapes, series));
        Drawing { title: self.title.clone(), width, height: frame.height, shapes }
    }
}

impl Chart {
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

    fn draw_legend(&self, shapes: &mut Vec<Shape>, legend: &[(f64, f64)]) {
        for (series, (x, row)) in self.series.iter().zip(legend) {
            let y = TOP + 6.0 + row * ROW;
            shapes.push(Shape::Line {
                ink: Ink::Of(series.colour),
                from: (*x, y - 4.0),
                to: (x + 22.0, y - 4.0),
                stroke: Stroke { width: 3.0, dashed: series.dashed },
            });
            shapes.push(Shape::Text {
                ink: Ink::Text,
                at: (x + 28.0, y),
                anchor: Anchor::Start,
                size: 13.0,
                weight: Weight::Normal,
                text: series.name.clone(),
            });
        }
    }
}

/// What is written beside the data.
fn muted(at: Point, anchor: Anchor, text: String) -> Shape {
    Shape::Text { ink: Ink::Muted, at, anchor, size: 12.0, weight: Weight::Normal, text }
}

/// Points further apart than this, in seconds, are not joined.
pub const GAP_S: f64 = 2.0;
const LEFT: f64 = 48.0;
const TOP: f64 = 40.0;
const ROW: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::Axis;

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
            limits: Vec::new(),
            labels: Vec::new(),
            is_logarithmic: false,
        }
    }

    #[test]
    fn peaks_limits_and_values_are_written() {
        let limits = vec![Limit { label: "limit: 120".into(), value: 120.0 }];
        let limited = Chart { limits, ..chart() };
        let alone = limited.svg();
        assert!(alone.contains(">limit: 120</text>") && alone.contains(">160</text>"), "{alone}");
        let values = crate::svg::for_page(&limited.drawing(860.0));
        assert_eq!(values.matches("tabindex=\"0\"").count(), 3, "{values}");
        assert!(values.contains("aria-label=\"idle &amp; more, 1 s: 160\""), "{values}");
    }

    #[test]
    fn the_axis_is_as_long_as_the_data() {
        let frame = Frame::new(&chart(), 900.0, 60.0);
        assert!((frame.x(9.0) - frame.right).abs() < 1e-6);
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
        assert!(matches!(frame.values, Axis::Linear { step: 50.0, .. }), "{:?}", frame.values);
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
