//! What a chart consists of on paper: lines, areas and words at their places. It is written as SVG or
//! filled in as pixels; both ways draw the same.

use crate::svg;

/// From the left and from the top, in units of which a PNG has two pixels.
pub(crate) type Point = (f64, f64);

#[derive(Debug)]
pub struct Drawing {
    pub(crate) title: String,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Later ones lie on top.
    pub(crate) shapes: Vec<Shape>,
}

/// What can be drawn at any width.
pub trait Draw {
    /// `width` in units of which a PNG has two pixels.
    #[doc(hidden)]
    fn drawing(&self, width: f64) -> Drawing;

    /// As SVG in a file of its own, on white.
    fn svg(&self) -> String {
        svg::alone(&self.drawing(STANDALONE_WIDTH))
    }
}

/// As wide as a drawing is that is a file of its own.
pub(crate) const STANDALONE_WIDTH: f64 = 900.0;

#[derive(Debug)]
pub(crate) enum Shape {
    Line {
        ink: Ink,
        from: Point,
        to: Point,
        stroke: Stroke,
    },
    /// Lines through points, with a gap after each stretch.
    Path {
        ink: Ink,
        stretches: Vec<Vec<Point>>,
        stroke: Stroke,
    },
    /// A rectangle of full colour.
    Bar {
        ink: Ink,
        corner: Point,
        width: f64,
        height: f64,
    },
    /// A point of the data, which tells its value to whoever points at it. Only a page shows it.
    Value {
        ink: Ink,
        at: Point,
        anchor: Anchor,
        text: String,
    },
    Text {
        ink: Ink,
        at: Point,
        anchor: Anchor,
        size: f64,
        weight: Weight,
        text: String,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Stroke {
    pub width: f64,
    pub dashed: bool,
}

/// Which part of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// The font of pictures has one weight; a page's fonts have more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Normal,
    Strong,
}

/// What something is drawn with. A page chooses other colours in the dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Text,
    Muted,
    Grid,
    Axis,
    /// What must not be overlooked.
    Alarm,
    Of(Colour),
}

impl Ink {
    /// On white.
    pub fn rgb(self) -> Rgb {
        match self {
            Self::Text => Rgb(0x1C_24_30),
            Self::Muted => Rgb(0x5A_66_75),
            Self::Grid => Rgb(0xD8_DD_E5),
            Self::Axis => Rgb(0x8A_94_A3),
            Self::Alarm => Rgb(0xC0_1C_28),
            Self::Of(colour) => colour.rgb(),
        }
    }

    /// The class that a page gives the colour to; plain text needs none.
    pub fn class(self) -> Option<&'static str> {
        match self {
            Self::Text => None,
            Self::Muted => Some("muted"),
            Self::Grid => Some("grid"),
            Self::Axis => Some("axis"),
            Self::Alarm => Some("alarm"),
            Self::Of(colour) => Some(colour.class()),
        }
    }
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
    pub const ALL: [Self; 5] =
        [Self::Vermilion, Self::Blue, Self::Green, Self::Purple, Self::Orange];

    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Vermilion => "c-vermilion",
            Self::Blue => "c-blue",
            Self::Green => "c-green",
            Self::Purple => "c-purple",
            Self::Orange => "c-orange",
        }
    }

    pub(crate) fn rgb(self) -> Rgb {
        match self {
            Self::Vermilion => Rgb(0xD5_5E_00),
            Self::Blue => Rgb(0x2B_7B_BA),
            Self::Green => Rgb(0x00_9E_73),
            Self::Purple => Rgb(0xB8_60_9A),
            Self::Orange => Rgb(0xC9_85_00),
        }
    }
}

/// Written as CSS has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rgb(pub u32);

impl std::fmt::Display for Rgb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:06x}", self.0)
    }
}

/// How long a dash is, and the gap after it.
pub(crate) const DASH: [f64; 2] = [5.0, 4.0];
