//! Means, deviations and intervals.

/// Mean and spread of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub mean: f64,
    /// Standard deviation over `n - 1`; `None` for one value.
    pub deviation: Option<f64>,
}

/// The mean difference of two variants, seed by seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    pub mean: f64,
    /// Half-width of the 95 % interval; `None` for one common seed.
    pub margin: Option<f64>,
}

/// What a [`Difference`] allows to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The interval is above 0.
    Higher,
    /// The interval is below 0.
    Lower,
    /// The interval holds 0.
    NotShown,
    /// There is no interval.
    TooFewSeeds,
}

/// The 97.5 % quantile of Student's t distribution for 1 to 30 degrees of freedom.
#[rustfmt::skip]
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

impl Summary {
    /// `None` without values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
        Some(Self { mean, deviation })
    }
}

impl Difference {
    /// `values - baseline` over the seeds that both have; `None` without a common seed.
    pub fn paired(values: &[(u64, f64)], baseline: &[(u64, f64)]) -> Option<Self> {
        let other = |seed: u64| baseline.iter().find(|(other, _)| *other == seed);
        let differences: Vec<f64> = values
            .iter()
            .filter_map(|&(seed, value)| Some(value - other(seed)?.1))
            .collect();
        let Summary { mean, deviation } = Summary::of(&differences)?;
        let margin = deviation.map(|deviation| {
            // Beyond the table the quantile falls; its last entry makes the interval a little too wide.
            let t = T[(differences.len() - 2).min(T.len() - 1)];
            t * deviation / (differences.len() as f64).sqrt()
        });
        Some(Self { mean, margin })
    }

    pub fn verdict(self) -> Verdict {
        match self.margin {
            None => Verdict::TooFewSeeds,
            Some(margin) if self.mean > margin => Verdict::Higher,
            Some(margin) if self.mean < -margin => Verdict::Lower,
            Some(_) => Verdict::NotShown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn summaries_by_hand() {
        assert_eq!(Summary::of(&[]), None);
        let one = Summary::of(&[3.0]).expect("a value");
        assert_eq!((one.mean, one.deviation), (3.0, None));
        let three = Summary::of(&[1.0, 2.0, 3.0]).expect("values");
        assert_eq!((three.mean, three.deviation), (2.0, Some(1.0)));
    }

    #[test]
    fn only_common_seeds_are_compared() {
        let baseline = [(1, 10.0), (2, 20.0), (3, 30.0), (9, 0.0)];
        let values = [(3, 33.0), (1, 11.0), (2, 22.0), (5, 99.0)];

        let difference = Difference::paired(&values, &baseline).expect("common seeds");

        assert_eq!(difference.mean, 2.0);
        // Differences 3, 1 and 2: deviation 1, t of 2 degrees of freedom.
        let margin = difference.margin.expect("three seeds");
        assert!((margin - 4.303 / 3.0_f64.sqrt()).abs() < 1e-12, "{margin}");
        assert_eq!(difference.verdict(), Verdict::NotShown);
        assert_eq!(Difference::paired(&values, &[(7, 1.0)]), None);
    }

    #[rstest]
    #[case(&[2.0, 2.1, 1.9], Verdict::Higher)]
    #[case(&[-2.0, -2.1, -1.9], Verdict::Lower)]
    #[case(&[2.0, -1.0, 0.5], Verdict::NotShown)]
    #[case(&[0.0, 0.0], Verdict::NotShown)]
    #[case(&[5.0], Verdict::TooFewSeeds)]
    fn verdicts(#[case] differences: &[f64], #[case] expected: Verdict) {
        let values: Vec<(u64, f64)> = (0..).zip(differences.iter().copied()).collect();
        let zeros: Vec<(u64, f64)> = values.iter().map(|&(seed, _)| (seed, 0.0)).collect();

        let difference = Difference::paired(&values, &zeros).expect("common seeds");

        assert_eq!(difference.verdict(), expected);
    }
}
