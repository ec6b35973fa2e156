//! Round numbers on axes.

/// What an axis spans, and where its numbers stand.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<f64>,
    step: f64,
}

/// Numbers farther out are drawn here, so that differences stay finite.
const FARTHEST: f64 = 1e300;

/// Differences below this are none.
const SMALLEST: f64 = 1e-300;

impl Axis {
    /// An axis over the finite ones of `values` with at most `most` numbers; all of them are whole if the values are.
    /// `round` extends the axis to round numbers at both ends.
    pub fn over(values: impl Iterator<Item = f64>, most: usize, round: bool) -> Self {
        let (mut low, mut high, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
        for value in values.filter(|value| value.is_finite()) {
            let value = value.clamp(-FARTHEST, FARTHEST);
            low = low.min(value);
            high = high.max(value);
            whole &= value.fract() == 0.0;
        }
        if low > high {
            (low, high, whole) = (0.0, 1.0, false);
        }
        // Equal values, or so close that rounding would eat the ticks.
        let largest = low.abs().max(high.abs());
        if high - low <= 1e-9 * largest + SMALLEST {
            let room = if largest > SMALLEST {
                0.1 * largest
            } else {
                0.5
            };
            let room = if whole { room.max(1.0) } else { room };
            (low, high) = (low - room, high + room);
        }

        let mut step = round_step((high - low) / most as f64);
        if whole && !round {
            step = step.max(1.0);
        }
        // A hair of tolerance: an end may be a round number already, but for rounding.
        let below = |step: f64| (low / step + 1e-6).floor();
        let above = |step: f64| (high / step - 1e-6).ceil();
        if round {
            // Rounding outwards adds up to two steps.
            while above(step) - below(step) > most as f64 {
                step = round_step(step * 1.5);
            }
            let ends = [below(step) * step, above(step) * step];
            (low, high) = (low.min(ends[0]), high.max(ends[1]));
        }
        let first = (low / step - 1e-6).ceil();
        let last = (high / step + 1e-6).floor();
        let count = ((last - first).max(0.0) as usize).min(2 * most);
        let ticks = (0..=count).map(|i| (first + i as f64) * step).collect();
        Self {
            low,
            high,
            ticks,
            step,
        }
    }

    /// Where `value` lies between the ends, `0..=1`.
    pub fn share(&self, value: f64) -> f64 {
        (value.clamp(-FARTHEST, FARTHEST) - self.low) / (self.high - self.low)
    }

    /// A tick as text, with as many places as the step needs; thousands and millions are shortened.
    pub fn label(&self, tick: f64) -> String {
        let largest = self.low.abs().max(self.high.abs());
        let (unit, suffix) = match largest {
            l if l >= 1e9 => (1.0, ""),
            l if l >= 2e6 => (1e6, "M"),
            l if l >= 2e4 => (1e3, "k"),
            _ => (1.0, ""),
        };
        // Zero is never written as -0.
        let value = if tick.abs() < 1e-6 * self.step {
            0.0
        } else {
            tick / unit
        };
        if !(1e-3..1e9).contains(&largest) {
            return if value == 0.0 {
                "0".to_owned()
            } else {
                format!("{value:.1e}")
            };
        }
        let step = self.step / unit;
        let places = (0..9)
            .find(|&places| {
                let shifted = step * 10_f64.powi(places);
                (shifted - shifted.round()).abs() < 1e-6 * shifted
            })
            .unwrap_or(9) as usize;
        format!("{value:.places$}{suffix}")
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let factor = factors
        .into_iter()
        .find(|factor| factor * power >= step * (1.0 - 1e-9))
        .unwrap_or(10.0);
    // A power below zero is not exact; one over it is.
    if power < 1.0 {
        factor / (1.0 / power).round()
    } else {
        factor * power
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|tick| axis.label(*tick)).collect()
    }

    #[rstest]
    #[case(&[0.0, 1.0], true, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"])]
    #[case(&[0.13, 2.31], true, &["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"])]
    #[case(&[-1.0, 1.0], true, &["-1.0", "-0.5", "0.0", "0.5", "1.0"])]
    #[case(&[0.0, 3.0], false, &["0", "1", "2", "3"])]
    #[case(&[1.0, 40.0], false, &["10", "20", "30", "40"])]
    #[case(&[0.0, 80_000.0], false, &["0k", "20k", "40k", "60k", "80k"])]
    #[case(&[0.0, 1e-5], true, &["0", "2.0e-6", "4.0e-6", "6.0e-6", "8.0e-6", "1.0e-5"])]
    fn round_numbers(#[case] values: &[f64], #[case] round: bool, #[case] expected: &[&str]) {
        let axis = Axis::over(values.iter().copied(), 6, round);

        assert_eq!(labels(&axis), expected);
        assert!(axis.low <= values[0] && axis.high >= values[values.len() - 1]);
    }

    #[rstest]
    #[case(&[])]
    #[case(&[f64::NAN])]
    #[case(&[0.0])]
    #[case(&[7.25, 7.25])]
    #[case(&[-3.0])]
    #[case(&[1e18, 1e18])]
    #[case(&[f64::MIN, f64::MAX])]
    #[case(&[f64::MIN_POSITIVE, 2.0 * f64::MIN_POSITIVE])]
    fn any_values_span_an_axis(#[case] values: &[f64], #[values(false, true)] round: bool) {
        let axis = Axis::over(values.iter().copied(), 6, round);

        assert!(
            axis.low < axis.high && (axis.high - axis.low).is_finite(),
            "{axis:?}"
        );
        assert!((1..=13).contains(&axis.ticks.len()), "{axis:?}");
        assert!(labels(&axis).iter().all(|label| label.len() < 12));
    }
}
