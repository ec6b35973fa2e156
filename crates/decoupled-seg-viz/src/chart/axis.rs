//! Round numbers on axes.

/// The span of an axis, and the distance between its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

/// Numbers farther out are drawn here, so that differences stay finite.
const FARTHEST: f64 = 1e300;

/// Smaller differences count as zero.
const SMALLEST: f64 = 1e-300;

impl Axis {
    /// An axis over the finite numbers in `values`, with at most about `most` labels. The labels are whole numbers if
    /// all values are.
    pub fn over(values: impl Iterator<Item = f64>, most: usize) -> Self {
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
        // The values are equal, or so close that no number fits between them after rounding.
        let largest = low.abs().max(high.abs());
        if high - low <= 1e-9 * largest + SMALLEST {
            let room = if largest > SMALLEST {
                0.1 * largest
            } else {
                0.5
            };
            (low, high) = (low - room, high + room);
        }
        let step = round_step((high - low) / most as f64);
        Self {
            low,
            high,
            step: if whole { step.max(1.0) } else { step },
        }
    }

    /// The axis, extended to round numbers at both ends.
    pub fn rounded(self) -> Self {
        // A small tolerance: an end may be a round number already, up to a rounding error.
        let below = (self.low / self.step + 1e-6).floor() * self.step;
        let above = (self.high / self.step - 1e-6).ceil() * self.step;
        Self {
            low: self.low.min(below),
            high: self.high.max(above),
            ..self
        }
    }

    /// The round numbers on the axis.
    pub fn ticks(self) -> impl Iterator<Item = f64> {
        let first = (self.low / self.step - 1e-6).ceil();
        let last = (self.high / self.step + 1e-6).floor();
        // Adding 0.0 turns -0 into 0.
        (0..=(last - first) as usize).map(move |i| (first + i as f64 + 0.0) * self.step)
    }

    /// Where `value` lies between the ends, `0..=1`.
    pub fn share(self, value: f64) -> f64 {
        (value.clamp(-FARTHEST, FARTHEST) - self.low) / (self.high - self.low)
    }

    /// A round number of the axis as text, with as many places as the step needs.
    pub fn label(self, tick: f64) -> String {
        let largest = self.low.abs().max(self.high.abs());
        if !(1e-3..1e6).contains(&largest) && tick != 0.0 {
            return format!("{tick:.1e}");
        }
        let places = (-self.step.log10().floor()).clamp(0.0, 9.0) as usize;
        format!("{tick:.places$}")
    }
}

/// The smallest number of the form 1, 2 or 5 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let least = step * (1.0 - 1e-9);
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * power >= least)
        .unwrap_or(10.0);
    // 10 to a negative power is not exact, but its reciprocal is.
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

    fn labels(axis: Axis) -> Vec<String> {
        axis.ticks().map(|tick| axis.label(tick)).collect()
    }

    #[rstest]
    #[case(&[0.13, 2.31], &["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"])]
    #[case(&[-1.1, 1.0], &["-1.5", "-1.0", "-0.5", "0.0", "0.5", "1.0"])]
    #[case(&[0.0, 100.0], &["0", "20", "40", "60", "80", "100"])]
    #[case(&[0.05, 0.1], &["0.05", "0.06", "0.07", "0.08", "0.09", "0.10"])]
    #[case(&[0.0, 1e-5], &["0.000000", "2.0e-6", "4.0e-6", "6.0e-6", "8.0e-6", "1.0e-5"])]
    fn round_ends(#[case] values: &[f64], #[case] expected: &[&str]) {
        let axis = Axis::over(values.iter().copied(), 6).rounded();

        assert_eq!(labels(axis), expected);
        assert!(axis.low <= values[0] && axis.high >= values[1]);
    }

    #[rstest]
    #[case(&[1.0], &["1"])]
    #[case(&[0.0, 3.0], &["0", "1", "2", "3"])]
    #[case(&[1.0, 40.0], &["10", "20", "30", "40"])]
    #[case(&[0.0, 80_000.0], &["0", "20000", "40000", "60000", "80000"])]
    #[case(&[0.5, 1.4], &["0.6", "0.8", "1.0", "1.2", "1.4"])]
    fn tight_ends(#[case] values: &[f64], #[case] expected: &[&str]) {
        assert_eq!(labels(Axis::over(values.iter().copied(), 6)), expected);
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
    fn any_values_span_an_axis(#[case] values: &[f64]) {
        let axis = Axis::over(values.iter().copied(), 6);

        for axis in [axis, axis.rounded()] {
            let span = axis.high - axis.low;
            assert!(span > 0.0 && span.is_finite(), "{axis:?}");
            let labels = labels(axis);
            assert!((1..=8).contains(&labels.len()), "{axis:?}");
            assert!(labels.iter().all(|label| label.len() < 12), "{labels:?}");
        }
    }
}
