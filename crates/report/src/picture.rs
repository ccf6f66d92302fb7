//! A chart as PNG, the same on every machine.

use thiserror::Error;
use tiny_skia::{
    Color, FillRule, LineJoin, Paint, PathBuilder, Pixmap, Rect, StrokeDash, Transform,
};

use crate::drawing::{DASH, Draw, Drawing, Point, Rgb, STANDALONE_WIDTH, Shape, Stroke};
use crate::svg::GROUND;
use crate::typeface::Typeface;

#[derive(Debug, Error)]
#[error("the picture cannot be drawn: {0}")]
pub struct PictureError(String);

/// Draws at twice the size, for sharp text on dense screens.
pub fn png(picture: &impl Draw) -> Result<Vec<u8>, PictureError> {
    let pixels = Canvas::draw(&picture.drawing(STANDALONE_WIDTH))?;
    pixels.encode_png().map_err(|error| PictureError(error.to_string()))
}

struct Canvas {
    pixels: Pixmap,
    typeface: Typeface,
}

impl Canvas {
    fn draw(drawing: &Drawing) -> Result<Pixmap, PictureError> {
        let pixels = |length: f64| (length * f64::from(SCALE)).ceil() as u32;
        let pixels = Pixmap::new(pixels(drawing.width), pixels(drawing.height));
        let pixels =
            pixels.ok_or_else(|| PictureError("it has no size, or is too large".into()))?;
        let mut canvas = Self { pixels, typeface: Typeface::new() };
        canvas.pixels.fill(opaque(GROUND));
        for shape in &drawing.shapes {
            canvas.shape(shape);
        }
        Ok(canvas.pixels)
    }

    fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Line { ink, from, to, stroke } => {
                self.stroke(&[vec![*from, *to]], opaque(ink.rgb()), *stroke);
            }
            Shape::Path { ink, stretches, stroke } => {
                self.stroke(stretches, opaque(ink.rgb()), *stroke);
            }
            Shape::Bar { ink, corner, width, height } => {
                self.fill(*corner, (*width, *height), opaque(ink.rgb()));
            }
            // Nobody can point at it.
            Shape::Value { .. } => {}
            Shape::Text { ink, at, anchor, size, text, .. } => {
                if let Some(path) = self.typeface.outline(text, *at, *anchor, *size) {
                    let paint = paint(opaque(ink.rgb()));
                    self.pixels.fill_path(&path, &paint, FillRule::Winding, TO_PIXELS, None);
                }
            }
        }
    }

    fn fill(&mut self, (x, y): Point, (width, height): (f64, f64), colour: Color) {
        if let Some(area) = Rect::from_xywh(x as f32, y as f32, width as f32, height as f32) {
            self.pixels.fill_rect(area, &paint(colour), TO_PIXELS, None);
        }
    }

    fn stroke(&mut self, stretches: &[Vec<Point>], colour: Color, stroke: Stroke) {
        let mut path = PathBuilder::new();
        for points in stretches {
            for (index, (x, y)) in points.iter().enumerate() {
                match index {
                    0 => path.move_to(*x as f32, *y as f32),
                    _ => path.line_to(*x as f32, *y as f32),
                }
            }
        }
        // A path without a line is none.
        let Some(path) = path.finish() else { return };
        let dashes = DASH.map(|length| length as f32).to_vec();
        let stroke = tiny_skia::Stroke {
            width: stroke.width as f32,
            line_join: LineJoin::Round,
            dash: stroke.dashed.then(|| StrokeDash::new(dashes, 0.0)).flatten(),
            ..tiny_skia::Stroke::default()
        };
        self.pixels.stroke_path(&path, &paint(colour), &stroke, TO_PIXELS, None);
    }
}

fn opaque(Rgb(rgb): Rgb) -> Color {
    let [_, red, green, blue] = rgb.to_be_bytes();
    Color::from_rgba8(red, green, blue, 0xFF)
}

fn paint(colour: Color) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(colour);
    paint
}

const SCALE: f32 = 2.0;
const TO_PIXELS: Transform = Transform { sx: SCALE, kx: 0.0, ky: 0.0, sy: SCALE, tx: 0.0, ty: 0.0 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Chart, Colour, Series};

    #[test]
    fn lines_have_their_colour() {
        let points = vec![(0.0, 1.0), (1.0, 5.0), (2.0, 2.0)];
        let line = Series { name: "line".into(), colour: Colour::Blue, dashed: false, points };
        let chart = Chart { series: vec![line], ..Chart::default() };
        let picture = Pixmap::decode_png(&png(&chart).unwrap()).unwrap();
        let is_blue = |pixel: &&tiny_skia::PremultipliedColorU8| {
            (pixel.red(), pixel.green(), pixel.blue()) == (0x2B, 0x7B, 0xBA)
        };
        assert!(picture.pixels().iter().filter(is_blue).count() > 500, "the line is not there");
    }

    #[test]
    fn a_chart_becomes_a_png_with_text_in_it() {
        let drawn = png(&Chart { title: "Title".into(), ..Chart::default() }).unwrap();
        let without = png(&Chart::default()).unwrap();
        assert!(drawn.starts_with(b"\x89PNG\r\n"));
        assert_ne!(drawn, without, "the title left no trace");
    }
}
