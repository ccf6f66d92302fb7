//! How two targets compare: a ratio for each round, their median and their spread.

use serde::{Deserialize, Serialize};

/// One target's number divided by another's, for each round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    pub median: f64,
    /// Half of the rounds lie between the quartiles.
    pub lower_quartile: f64,
    pub upper_quartile: f64,
    /// One for each round; `None` for a round in which one of the two has no number.
    pub rounds: Vec<Option<f64>>,
}

impl Ratio {
    /// `None` if there is no round in which both targets have a number.
    pub(crate) fn new(rounds: Vec<Option<f64>>) -> Option<Self> {
        let known = rounds.iter().copied().flatten();
        let mut sorted: Vec<f64> = known.filter(|ratio| ratio.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&sorted, 0.5)?,
            lower_quartile: quantile(&sorted, 0.25)?,
            upper_quartile: quantile(&sorted, 0.75)?,
            rounds,
        })
    }
}

/// A quantile that falls between two values is taken in proportion, as spreadsheets do.
fn quantile(sorted: &[f64], quantile: f64) -> Option<f64> {
    let place = quantile * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_that_of_the_rounds() {
        let ratio = Ratio::new([1.4, 1.1, 1.2, 1.3, 9.0].map(Some).into()).unwrap();
        assert_eq!((ratio.lower_quartile, ratio.median, ratio.upper_quartile), (1.2, 1.3, 1.4));
        let even = Ratio::new(vec![Some(1.0), Some(2.0), None, Some(4.0), Some(3.0)]).unwrap();
        assert_eq!((even.lower_quartile, even.median, even.upper_quartile), (1.75, 2.5, 3.25));
        assert_eq!(Ratio::new(Vec::new()), None);
        assert_eq!(Ratio::new(vec![Some(f64::INFINITY), None]), None);
    }
}
