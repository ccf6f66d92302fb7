//! The axes of a chart, and where its values lie between them.

use super::{Chart, LEFT, muted};
use crate::axis::Axis;
use crate::drawing::{Anchor, Ink, Point, Shape, Stroke};

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

    /// A new one begins where the gap to the last point is longer than `gap`.
    pub fn stretches(&self, points: &[(f64, f64)], gap: f64) -> Vec<Vec<Point>> {
        let joins = |before: &(f64, f64), after: &(f64, f64)| after.0 - before.0 <= gap;
        let place = |stretch: &[(f64, f64)]| -> Vec<Point> {
            stretch.iter().map(|(seconds, value)| (self.x(*seconds), self.y(*value))).collect()
        };
        points.chunk_by(joins).map(place).collect()
    }
}
