//! Where values lie along an axis of a chart, and which of them are written beside it.

/// An axis, which goes from one round number to another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Axis {
    /// From zero, in even steps.
    Linear { end: f64, step: f64 },
    /// Both ends are one of 1, 2, 5, 10, 20 and so on.
    Logarithmic { start: f64, end: f64 },
}

impl Axis {
    /// From zero to `largest` or more, in about `steps` steps, each at least `least` long.
    pub fn linear(largest: f64, steps: f64, least: f64) -> Self {
        let step = round_up((largest / steps).max(f64::MIN_POSITIVE)).max(least);
        Self::Linear { end: (largest / step).ceil().max(1.0) * step, step }
    }

    /// From zero to just this value, with about `steps` steps, each at least `least` long.
    pub fn exact(end: f64, steps: f64, least: f64) -> Self {
        let step = round_up((end / steps).max(f64::MIN_POSITIVE)).max(least);
        Self::Linear { end: end.max(f64::MIN_POSITIVE), step }
    }

    /// A logarithmic axis that holds all values above zero.
    pub fn logarithmic(values: impl Iterator<Item = f64> + Clone) -> Self {
        let above_zero = || values.clone().filter(|value| *value > 0.0);
        let smallest = above_zero().fold(f64::INFINITY, f64::min);
        let largest = above_zero().fold(0.0, f64::max);
        if largest == 0.0 {
            return Self::Logarithmic { start: 1.0, end: 10.0 };
        }
        let start = round_down(smallest);
        Self::Logarithmic { start, end: round_up(largest).max(2.0 * start) }
    }

    /// An axis of `places` named places, at most about `most` of which are written.
    pub fn named(places: usize, most: f64) -> Self {
        let end = places.saturating_sub(1).max(1) as f64;
        Self::Linear { end, step: (end / most).ceil().max(1.0) }
    }

    /// Where a value lies: 0 is the axis's start and 1 its end.
    pub fn place(&self, value: f64) -> f64 {
        match self {
            Self::Linear { end, .. } => value / end,
            Self::Logarithmic { start, end } => {
                (value.max(*start).ln() - start.ln()) / (end.ln() - start.ln())
            }
        }
    }

    pub fn ticks(&self) -> Vec<f64> {
        match *self {
            Self::Linear { end, step } => {
                let count = (end / step + ROUNDING).floor() as usize;
                (0..=count).map(|tick| tick as f64 * step).collect()
            }
            Self::Logarithmic { start, end } => {
                let next = |tick: &f64| Some(round_up(tick * (1.0 + BEYOND)));
                let is_inside = |tick: &f64| *tick <= end * (1.0 + ROUNDING);
                let all = std::iter::successors(Some(start), next).take_while(is_inside);
                let all: Vec<f64> = all.collect();
                // Three are written for each decade as long as there is room, else only one.
                let is_written = |tick: &f64| all.len() <= TICKS_MAX || is_power_of_ten(*tick);
                all.iter().copied().filter(is_written).collect()
            }
        }
    }
}

/// The next larger number among 1, 2, 5, 10, 20 and so on, or among 0.5, 0.2, 0.1 and so on.
fn round_up(value: f64) -> f64 {
    let magnitude = 10_f64.powf(value.log10().floor());
    let fits = |round: &f64| *round >= value * (1.0 - ROUNDING);
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * magnitude).find(fits).unwrap_or(value)
}

fn round_down(value: f64) -> f64 {
    let magnitude = 10_f64.powf(value.log10().floor());
    let fits = |round: &f64| *round <= value * (1.0 + ROUNDING);
    [5.0, 2.0, 1.0].into_iter().map(|m| m * magnitude).find(fits).unwrap_or(value)
}

fn is_power_of_ten(value: f64) -> bool {
    let exponent = value.log10();
    (exponent - exponent.round()).abs() < ROUNDING
}

const ROUNDING: f64 = 1e-9;
/// A step past a tick that is larger than rounding and does not reach the next tick.
const BEYOND: f64 = 0.01;
const TICKS_MAX: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_ends_at_a_round_number() {
        assert_eq!(Axis::linear(160.0, 5.0, 1.0), Axis::Linear { end: 200.0, step: 50.0 });
        assert_eq!(Axis::linear(0.4, 5.0, 1.0), Axis::Linear { end: 1.0, step: 1.0 });
        assert_eq!(Axis::linear(1.3, 5.0, 0.0).ticks(), [0.0, 0.5, 1.0, 1.5]);
    }

    #[test]
    fn an_exact_axis_ends_with_its_data_and_has_round_ticks() {
        let axis = Axis::exact(4.3, 8.0, 1.0);
        assert_eq!((axis.ticks(), axis.place(4.3)), (vec![0.0, 1.0, 2.0, 3.0, 4.0], 1.0));
    }

    #[test]
    fn a_logarithmic_axis_holds_all_values_and_has_round_ticks() {
        let axis = Axis::logarithmic([28.0, 0.0, 2662.0].into_iter());
        assert_eq!(axis, Axis::Logarithmic { start: 20.0, end: 5000.0 });
        let ticks: Vec<f64> = axis.ticks().iter().map(|tick| tick.round()).collect();
        assert_eq!(ticks, [20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0]);
        assert!((axis.place(20.0), axis.place(5000.0)) == (0.0, 1.0));
        assert!((axis.place(316.227_766) - 0.5).abs() < 1e-6);
        let wide = Axis::logarithmic([1.0, 90_000.0].into_iter()).ticks();
        assert_eq!(wide.len(), 6, "{wide:?}");
        assert_eq!(Axis::logarithmic(std::iter::empty()).ticks().len(), 4);
        assert_eq!(Axis::logarithmic([7.0].into_iter()).ticks().len(), 2);
    }

    #[test]
    fn names_are_left_out_where_there_is_no_room() {
        assert_eq!(Axis::named(10, 8.0).ticks(), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(Axis::named(1, 8.0).ticks(), [0.0, 1.0]);
    }
}
