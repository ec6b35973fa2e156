/// Gives a colour to a number in `0..=1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colormap {
    /// Black to white.
    Grey,
    /// White to dark blue: the colours of the confusion matrix.
    Blues,
}

/// The numbers at the two ends of a [`Colormap`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRange {
    /// The smallest and the largest finite number of the map. A constant map has the colour of the lower end.
    MinMax,
    /// These two numbers. Numbers outside get the colour of the nearer end.
    Fixed(f32, f32),
}

impl ValueRange {
    /// `0..=1`, for probabilities.
    pub const UNIT: Self = Self::Fixed(0.0, 1.0);

    /// The two ends for `values`.
    pub(crate) fn ends(self, values: &[f32]) -> [f32; 2] {
        match self {
            Self::MinMax => values
                .iter()
                .filter(|value| value.is_finite())
                .fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], &value| {
                    [low.min(value), high.max(value)]
                }),
            Self::Fixed(low, high) => {
                assert!(
                    low < high && (high - low).is_finite(),
                    "a range must rise, got {low}..={high}"
                );
                [low, high]
            }
        }
    }
}

/// Where `value` lies between the two ends, `0..=1`.
pub(crate) fn fraction(value: f32, [low, high]: [f32; 2]) -> f32 {
    if high > low {
        // In f64: the difference of two f32 may overflow.
        let (low, high) = (f64::from(low), f64::from(high));
        ((f64::from(value) - low) / (high - low)).clamp(0.0, 1.0) as f32
    } else {
        0.0
    }
}

impl Colormap {
    /// Equally spaced colours, from 0 to 1.
    const fn stops(self) -> &'static [[u8; 3]] {
        match self {
            Self::Grey => &[[0; 3], [255; 3]],
            Self::Blues => &[
                [255, 255, 255],
                [198, 219, 239],
                [66, 146, 198],
                [8, 48, 107],
            ],
        }
    }

    /// The colour of `t`, which is clipped to `0..=1`; black for NaN.
    pub fn color(self, t: f32) -> [u8; 3] {
        if t.is_nan() {
            return [0; 3];
        }
        let stops = self.stops();
        let position = t.clamp(0.0, 1.0) * (stops.len() - 1) as f32;
        let first = (position as usize).min(stops.len() - 2);
        let share = position - first as f32;
        std::array::from_fn(|channel| {
            let [a, b] = [first, first + 1].map(|stop| f32::from(stops[stop][channel]));
            // Truncated to 8 bits, as the authors' code does.
            (a + share * (b - a)) as u8
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Colormap::Grey, [[0, 0, 0], [127, 127, 127], [255, 255, 255]])]
    #[case(Colormap::Blues, [[255, 255, 255], [132, 182, 218], [8, 48, 107]])]
    fn ends_and_middle(#[case] map: Colormap, #[case] expected: [[u8; 3]; 3]) {
        assert_eq!([0.0, 0.5, 1.0].map(|t| map.color(t)), expected);
        assert_eq!(map.color(-3.0), expected[0]);
        assert_eq!(map.color(f32::INFINITY), expected[2]);
        assert_eq!(map.color(f32::NAN), [0; 3]);
    }

    #[test]
    fn fractions() {
        let ends = ValueRange::MinMax.ends(&[2.0, f32::NAN, 6.0, f32::INFINITY, 3.0]);

        assert_eq!(ends, [2.0, 6.0]);
        assert_eq!(fraction(3.0, ends), 0.25);
        assert_eq!(fraction(9.0, ends), 1.0);
        assert_eq!(fraction(4.0, [4.0, 4.0]), 0.0);
        assert_eq!(fraction(0.0, [-f32::MAX, f32::MAX]), 0.5);
    }

    #[test]
    #[should_panic(expected = "a range must rise, got 1..=1")]
    fn an_empty_range_panics() {
        ValueRange::Fixed(1.0, 1.0).ends(&[]);
    }
}
