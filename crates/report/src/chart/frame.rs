//! The axes of a chart, and where its values lie between them.

use super::{Chart, LEFT, Limit, Series, muted};
use crate::axis::Axis;
use crate::drawing::{Anchor, Ink, Point, Shape, Stroke, Weight};

/// Where the data's corner points lie in the drawing.
pub(super) struct Frame {
    pub top: f64,
    pub bottom: f64,
    pub right: f64,
    pub height: f64,
    seconds: Axis,
    pub values: Axis,
}

impl Frame {
    pub fn new(chart: &Chart, width: f64, above: f64) -> Self {
        let points = || chart.series.iter().flat_map(|series| &series.points);
        let last = points().map(|(x, _)| *x).fold(1.0, f64::max);
        let most = if width < 600.0 { 4.0 } else { 8.0 };
        let seconds = match chart.labels.len() {
            0 => Axis::exact(last, most, 1.0),
            places => Axis::named(places, most),
        };
        let limits = chart.limits.iter().map(|limit| limit.value);
        let largest = points().map(|(_, y)| *y).chain(limits).fold(1.0, f64::max);
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
                // A peak's number stands above it.
                false if chart.labels.is_empty() => Axis::exact(largest * HEADROOM, 5.0, 1.0),
                false => Axis::linear(largest, 5.0, 0.0),
            },
        }
    }

    pub fn x(&self, seconds: f64) -> f64 {
        LEFT + self.seconds.place(seconds) * (self.right - LEFT)
    }

    pub fn y(&self, value: f64) -> f64 {
        self.bottom - self.values.place(value) * (self.bottom - self.top)
    }

    pub fn draw_axes(&self, shapes: &mut Vec<Shape>, unit: &str, labels: &[String]) {
        for tick in self.values.ticks() {
            let y = self.y(tick);
            shapes.push(self.horizontal(Ink::Grid, y));
            let value = (tick * 1000.0).round() / 1000.0;
            shapes.push(muted((LEFT - 6.0, y + 4.0), Anchor::End, value.to_string()));
        }
        for tick in self.seconds.ticks() {
            let name = match labels.get(tick as usize) {
                Some(label) => label.clone(),
                None => format!("{tick} s"),
            };
            shapes.push(muted((self.x(tick), self.bottom + 18.0), Anchor::Middle, name));
        }
        shapes.push(self.horizontal(Ink::Axis, self.bottom));
        shapes.push(muted((self.right, self.bottom + 36.0), Anchor::End, unit.to_owned()));
    }

    fn horizontal(&self, ink: Ink, y: f64) -> Shape {
        let stroke = Stroke { width: 1.0, dashed: false };
        Shape::Line { ink, from: (LEFT, y), to: (self.right, y), stroke }
    }

    pub fn draw_limit(&self, shapes: &mut Vec<Shape>, limit: &Limit) {
        let y = self.y(limit.value);
        let stroke = Stroke { width: 1.5, dashed: true };
        shapes.push(Shape::Line { ink: Ink::Alarm, from: (LEFT, y), to: (self.right, y), stroke });
        shapes.push(Shape::Text {
            ink: Ink::Alarm,
            at: (self.right, y - 5.0),
            anchor: Anchor::End,
            size: 12.0,
            weight: Weight::Strong,
            text: limit.label.clone(),
        });
    }

    /// The largest value, written above where it is first reached.
    pub fn draw_peak(&self, shapes: &mut Vec<Shape>, series: &Series) {
        let higher = |a: &(f64, f64), b: &(f64, f64)| if b.1 > a.1 { *b } else { *a };
        let Some(peak) = series.points.iter().copied().reduce(|a, b| higher(&a, &b)) else {
            return;
        };
        let at = (self.x(peak.0), self.y(peak.1) - 6.0);
        shapes.push(Shape::Text {
            ink: Ink::Text,
            at,
            anchor: self.towards_the_middle(at.0),
            size: 12.0,
            weight: Weight::Strong,
            text: peak.1.to_string(),
        });
    }

    /// Some of the points, so that one can ask them.
    pub fn draw_values(&self, shapes: &mut Vec<Shape>, series: &Series) {
        let every = series.points.len().div_ceil(VALUES_MAX).max(1);
        for (seconds, value) in series.points.iter().step_by(every) {
            let at = (self.x(*seconds), self.y(*value));
            shapes.push(Shape::Value {
                ink: Ink::Of(series.colour),
                at,
                anchor: self.towards_the_middle(at.0),
                text: format!("{}, {} s: {value}", series.name, (seconds * 10.0).round() / 10.0),
            });
        }
    }

    /// So that a text beside the edge stays inside.
    fn towards_the_middle(&self, x: f64) -> Anchor {
        if x < f64::midpoint(LEFT, self.right) { Anchor::Start } else { Anchor::End }
    }

    /// A new one begins where the gap to the last point is longer than `gap`.
    pub fn stretches(&self, points: &[(f64, f64)], gap: f64) -> Vec<Vec<Point>> {
        let joins = |before: &(f64, f64), after: &(f64, f64)| after.0 - before.0 <= gap;
        let place = |stretch: &[(f64, f64)]| -> Vec<Point> {
            stretch.iter().map(|(seconds, value)| (self.x(*seconds), self.y(*value))).collect()
        };
        points.chunk_by(joins).map(place).collect()
    }
}

/// How much higher the chart is than its highest value.
const HEADROOM: f64 = 1.08;
/// More of them would make the keyboard's way through a page long.
const VALUES_MAX: usize = 12;
