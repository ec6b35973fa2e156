use statrs::distribution::{ContinuousCDF, StudentsT};

/// Mean and spread of a few values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Number of values.
    pub count: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation with `count - 1`; `None` for a single value.
    pub deviation: Option<f64>,
}

impl Summary {
    /// The summary of `values`; `None` where there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            count: values.len(),
            mean,
            deviation: (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
        })
    }

    /// Standard error of the mean.
    pub fn standard_error(&self) -> Option<f64> {
        Some(self.deviation? / (self.count as f64).sqrt())
    }
}

/// The mean difference between two variants trained with the same seeds on the same folds, with its t-interval.
///
/// ```text
/// d_i = other_i - baseline_i,  n of them
/// mean(d) -+ t(1 - (1 - confidence) / 2; n - 1) * deviation(d) / sqrt(n)
/// ```
///
/// The interval holds for differences that are independent and about normal. Seeds on one fold share the pictures that
/// judge them: what such an interval says, it says of these pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedDifference {
    /// Mean and deviation of the differences.
    pub summary: Summary,
    /// Ends of the interval; `None` for a single pair.
    pub interval: Option<[f64; 2]>,
    /// Two-sided p-value of the paired t-test; `None` for a single pair or where all differences are equal.
    pub p_value: Option<f64>,
}

impl PairedDifference {
    /// Compares pairs of `[baseline, other]`; `None` where there are none.
    ///
    /// # Panics
    ///
    /// Panics unless `confidence` lies between 0 and 1.
    pub fn of(pairs: &[[f64; 2]], confidence: f64) -> Option<Self> {
        assert!(
            confidence > 0.0 && confidence < 1.0,
            "confidence must lie between 0 and 1, got {confidence}"
        );
        let differences: Vec<f64> = pairs
            .iter()
            .map(|[baseline, other]| other - baseline)
            .collect();
        let summary = Summary::of(&differences)?;
        let mut difference = Self {
            summary,
            interval: None,
            p_value: None,
        };
        if let Some(error) = summary.standard_error() {
            let t = StudentsT::new(0.0, 1.0, (summary.count - 1) as f64)
                .expect("two pairs leave a degree of freedom");
            let half = t.inverse_cdf(0.5 + confidence / 2.0) * error;
            difference.interval = Some([summary.mean - half, summary.mean + half]);
            difference.p_value = (error > 0.0).then(|| 2.0 * t.cdf(-(summary.mean / error).abs()));
        }
        Some(difference)
    }

    /// What the difference allows to say.
    pub fn verdict(&self) -> Verdict {
        match self.interval {
            Some([low, _]) if low > 0.0 => Verdict::Higher,
            Some([_, high]) if high < 0.0 => Verdict::Lower,
            _ => Verdict::WithinSpread,
        }
    }
}

/// What a [`PairedDifference`] allows to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The interval lies above 0.
    Higher,
    /// The interval lies below 0.
    Lower,
    /// The interval holds 0, or there is a single pair: no difference is shown.
    WithinSpread,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// statrs' quantile of Student's t is good to about 1e-9 in these ranges.
    const TOLERANCE: f64 = 1e-8;

    fn assert_close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < TOLERANCE,
            "{found}, expected {expected}"
        );
    }

    #[test]
    fn mean_and_deviation_are_numpys() {
        // numpy 2.4: a.mean(), a.std(ddof=1) of [57.2, 55.1, 58.3]
        let summary = Summary::of(&[57.2, 55.1, 58.3]).expect("three values");
        assert_close(summary.mean, 56.866666666666674);
        assert_close(summary.deviation.expect("three values"), 1.6258331197676248);
        assert_eq!(Summary::of(&[]), None);
        let one = Summary::of(&[3.0]).expect("a value");
        assert_eq!(
            (one.mean, one.deviation, one.standard_error()),
            (3.0, None, None)
        );
    }

    #[test]
    fn quantiles_are_scipys() {
        // scipy 1.17: stats.t.ppf(p, df)
        for (freedom, [p90, p95, p99]) in [
            (
                1,
                [6.313751514675037, 12.706204736174694, 63.656741162871526],
            ),
            (
                2,
                [2.9199855803537242, 4.302652729749462, 9.924843200918287],
            ),
            (
                4,
                [2.1318467863266495, 2.7764451051977934, 4.604094871349992],
            ),
            (9, [1.833112932656237, 2.262157162798205, 3.249835541592126]),
            (
                30,
                [1.697260886593957, 2.0422724563012378, 2.7499956535672254],
            ),
        ] {
            // Differences of mean 0 and standard error 1.
            let n = freedom + 1;
            let mut pairs = vec![[0.0, 1.0], [0.0, -1.0]];
            pairs.resize(n, [0.0, 0.0]);
            for (confidence, expected) in [(0.9, p90), (0.95, p95), (0.99, p99)] {
                let found = PairedDifference::of(&pairs, confidence).expect("pairs");
                let error = found.summary.standard_error().expect("two pairs");
                let [low, high] = found.interval.expect("two pairs");
                assert_close(high / error, expected);
                assert_close(low / error, -expected);
            }
        }
    }

    #[test]
    fn intervals_and_p_values_are_scipys() {
        // scipy 1.17: r = stats.ttest_rel(other, baseline); r.confidence_interval(0.95), r.pvalue
        let three = [[57.2, 58.9], [55.1, 57.4], [58.3, 58.8]];
        let found = PairedDifference::of(&three, 0.95).expect("pairs");
        assert_close(found.summary.mean, 1.4999999999999976);
        let [low, high] = found.interval.expect("three pairs");
        assert_close(low, -0.7767498201580538);
        assert_close(high, 3.7767498201580487);
        assert_close(found.p_value.expect("they differ"), 0.10517502059215957);
        assert_eq!(found.verdict(), Verdict::WithinSpread);

        let five = [
            [40.4, 40.2],
            [41.0, 43.0],
            [39.2, 40.9],
            [43.3, 43.1],
            [42.1, 44.0],
        ];
        let found = PairedDifference::of(&five, 0.95).expect("pairs");
        let [low, high] = found.interval.expect("five pairs");
        assert_close(low, -0.3718980924184663);
        assert_close(high, 2.4518980924184675);
        assert_close(found.p_value.expect("they differ"), 0.11029979492216652);
    }

    #[test]
    fn one_pair_says_nothing_and_equal_differences_say_all() {
        let one = PairedDifference::of(&[[1.0, 9.0]], 0.95).expect("a pair");
        assert_eq!(
            (one.interval, one.p_value, one.verdict()),
            (None, None, Verdict::WithinSpread)
        );
        let equal = PairedDifference::of(&[[1.0, 2.0], [3.0, 4.0]], 0.95).expect("pairs");
        assert_eq!((equal.interval, equal.p_value), (Some([1.0, 1.0]), None));
        assert_eq!(equal.verdict(), Verdict::Higher);
        let lower = PairedDifference::of(&[[2.0, 1.0], [4.0, 3.5]], 0.95).expect("pairs");
        assert_eq!(lower.verdict(), Verdict::WithinSpread);
        let lower = PairedDifference::of(&[[2.0, 1.0], [4.0, 3.1]], 0.95).expect("pairs");
        assert_eq!(lower.verdict(), Verdict::Lower);
        assert_eq!(PairedDifference::of(&[], 0.95), None);
    }
}
