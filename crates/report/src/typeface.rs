//! The letters of pictures, from a font that the program has inside: what a machine has installed must
//! not change a picture.

use tiny_skia::{Path, PathBuilder};
use ttf_parser::gpos::{PairAdjustment, PositioningSubtable};
use ttf_parser::{Face, GlyphId, OutlineBuilder, Tag};

use crate::drawing::{Anchor, Point};

/// Ubuntu Light, with the distances that it wants between pairs of letters.
pub(crate) struct Typeface {
    face: Face<'static>,
    pairs: Vec<PairAdjustment<'static>>,
}

impl Typeface {
    pub fn new() -> Self {
        let face = Face::parse(epaint_default_fonts::UBUNTU_LIGHT, 0);
        let face = face.expect("the font is a part of the program");
        Self { pairs: pairs(&face), face }
    }

    /// The outlines of a line of text; nothing if there is nothing to see.
    pub fn outline(&self, text: &str, at: Point, anchor: Anchor, size: f64) -> Option<Path> {
        let scale = size / f64::from(self.face.units_per_em());
        let (glyphs, width) = self.set(text);
        let start = at.0
            - scale
                * match anchor {
                    Anchor::Start => 0.0,
                    Anchor::Middle => width / 2.0,
                    Anchor::End => width,
                };
        let mut outline =
            Outline { path: PathBuilder::new(), scale, origin: (start, at.1), pen: 0.0 };
        for (glyph, pen) in glyphs {
            outline.pen = pen;
            // A space has no outline.
            let _ = self.face.outline_glyph(glyph, &mut outline);
        }
        outline.path.finish()
    }

    /// Each letter with its place, and the width of all, in the font's units. For a letter that the font
    /// lacks stands its sign for that, an empty box.
    fn set(&self, text: &str) -> (Vec<(GlyphId, f64)>, f64) {
        let mut glyphs: Vec<(GlyphId, f64)> = Vec::new();
        let mut pen = 0.0;
        for letter in text.chars() {
            let glyph = self.face.glyph_index(letter).unwrap_or_default();
            if let Some((last, _)) = glyphs.last() {
                pen += f64::from(self.between(*last, glyph));
            }
            glyphs.push((glyph, pen));
            pen += f64::from(self.face.glyph_hor_advance(glyph).unwrap_or_default());
        }
        (glyphs, pen)
    }

    /// By how much two letters stand further apart than others, or closer if it is negative. The first
    /// table that says something about the pair decides.
    fn between(&self, left: GlyphId, right: GlyphId) -> i16 {
        let adjustments = self.pairs.iter().filter_map(|pairs| match pairs {
            PairAdjustment::Format1 { coverage, sets } => sets.get(coverage.get(left)?)?.get(right),
            PairAdjustment::Format2 { coverage, classes, matrix } => {
                coverage.get(left)?;
                matrix.get((classes.0.get(left), classes.1.get(right)))
            }
        });
        adjustments.map(|(first, _)| first.x_advance).next().unwrap_or_default()
    }
}

/// The tables of the feature `kern`.
fn pairs(face: &Face<'static>) -> Vec<PairAdjustment<'static>> {
    let Some(positions) = face.tables().gpos else { return Vec::new() };
    let features = positions.features.into_iter();
    let kerning = features.filter(|feature| feature.tag == Tag::from_bytes(b"kern"));
    // Each script has the feature, mostly with the same tables.
    let mut indices: Vec<u16> = kerning.flat_map(|feature| feature.lookup_indices).collect();
    indices.sort_unstable();
    indices.dedup();
    let lookups = indices.into_iter().filter_map(|index| positions.lookups.get(index));
    let tables = lookups.flat_map(|lookup| lookup.subtables.into_iter::<PositioningSubtable<'_>>());
    let pairs = tables.filter_map(|table| match table {
        PositioningSubtable::Pair(pairs) => Some(pairs),
        _ => None,
    });
    pairs.collect()
}

/// Brings the font's units, which count upwards, to the drawing's.
struct Outline {
    path: PathBuilder,
    scale: f64,
    /// Where the line of text begins.
    origin: Point,
    /// Where the letter begins, in the font's units.
    pen: f64,
}

impl Outline {
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        let x = self.origin.0 + (self.pen + f64::from(x)) * self.scale;
        let y = self.origin.1 - f64::from(y) * self.scale;
        (x as f32, y as f32)
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.place(x1, y1), self.place(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2)) = (self.place(x1, y1), self.place(x2, y2));
        let (x, y) = self.place(x, y);
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_letters_stand_as_the_font_wants() {
        let typeface = Typeface::new();
        let width = |text: &str| typeface.set(text).1;
        assert!(width("AV") < width("A") + width("V"), "{}", width("AV"));
        assert_eq!(width("HH"), 2.0 * width("H"));
    }

    #[test]
    fn a_text_ends_or_has_its_middle_where_it_shall() {
        let typeface = Typeface::new();
        let bounds = |anchor| {
            let path = typeface.outline("connections", (300.0, 20.0), anchor, 12.0).unwrap();
            (path.bounds().left(), path.bounds().right())
        };
        let (start, middle, end) =
            (bounds(Anchor::Start), bounds(Anchor::Middle), bounds(Anchor::End));
        assert!(start.0 >= 300.0 && start.0 < 302.0, "{start:?}");
        assert!((middle.0 + middle.1 - 600.0).abs() < 2.0, "{middle:?}");
        assert!(end.1 <= 300.0 && end.1 > 298.0, "{end:?}");
    }

    #[test]
    fn what_the_font_lacks_is_a_box_and_a_space_is_nothing() {
        let typeface = Typeface::new();
        let outline = |text| typeface.outline(text, (0.0, 0.0), Anchor::Start, 12.0);
        assert!(outline("日").is_some());
        assert!(outline(" ").is_none() && outline("").is_none());
    }
}
