//! SVG to PNG, with a font of its own: what a machine has installed must not change a picture.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum PictureError {
    #[error("the chart is not valid SVG: {0}")]
    Svg(String),
    #[error("the picture cannot be drawn: {0}")]
    Draw(String),
}

/// Draws at twice the size, for sharp text on dense screens.
pub fn png(svg: &str) -> Result<Vec<u8>, PictureError> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    fonts.set_sans_serif_family(FAMILY);
    let options =
        Options { fontdb: Arc::new(fonts), font_family: FAMILY.into(), ..Options::default() };
    let tree =
        Tree::from_str(svg, &options).map_err(|error| PictureError::Svg(error.to_string()))?;
    let size = tree
        .size()
        .to_int_size()
        .scale_by(SCALE)
        .ok_or_else(|| PictureError::Draw("no size".into()))?;
    let mut pixels = Pixmap::new(size.width(), size.height())
        .ok_or_else(|| PictureError::Draw("too large".into()))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| PictureError::Draw(error.to_string()))
}

const FAMILY: &str = "Ubuntu";
const SCALE: f32 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Chart, Colour, Series};

    #[test]
    fn lines_have_their_colour() {
        let points = vec![(0.0, 1.0), (1.0, 5.0), (2.0, 2.0)];
        let line = Series { name: "line".into(), colour: Colour::Blue, dashed: false, points };
        let chart = Chart { series: vec![line], ..Chart::default() };
        let picture = Pixmap::decode_png(&png(&chart.svg()).unwrap()).unwrap();
        let is_blue = |pixel: &&resvg::tiny_skia::PremultipliedColorU8| {
            (pixel.red(), pixel.green(), pixel.blue()) == (0x2B, 0x7B, 0xBA)
        };
        assert!(picture.pixels().iter().filter(is_blue).count() > 500, "the line is not there");
    }

    #[test]
    fn a_chart_becomes_a_png_with_text_in_it() {
        let drawn = png(&Chart { title: "Title".into(), ..Chart::default() }.svg()).unwrap();
        let without = png(&Chart::default().svg()).unwrap();
        assert!(drawn.starts_with(b"\x89PNG\r\n"));
        assert_ne!(drawn, without, "the title left no trace");
    }
}
