//! Matched boundary pixels of one class, and the scores that follow from them.

use serde::{Deserialize, Serialize};

/// Boundary pixels of one class in both maps, and how many of them have a match in the other map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BoundaryCounts {
    /// Boundary pixels of the prediction.
    pub predicted: u64,
    /// Predicted boundary pixels with a labelled one within the radius.
    pub predicted_matched: u64,
    /// Boundary pixels of the labels.
    pub labelled: u64,
    /// Labelled boundary pixels with a predicted one within the radius.
    pub labelled_matched: u64,
}

/// The score of a class without a boundary in either map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbsentClass {
    /// The class has no score and is left out of means.
    #[default]
    Skip,
    /// The class scores 1, as in the authors' evaluation. Rare classes then score near 1, because most images do not
    /// show them.
    Perfect,
}

/// Precision, recall and their harmonic mean, each `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BoundaryScore {
    /// Share of the predicted boundary that is near a labelled one.
    pub precision: f64,
    /// Share of the labelled boundary that is near a predicted one.
    pub recall: f64,
    /// `2 * precision * recall / (precision + recall)`, or 0 if both are 0. A mean over images or classes is the mean
    /// of their `f`s. It does not follow from the mean precision and the mean recall.
    pub f: f64,
}

impl BoundaryCounts {
    /// Adds the pixels of another image.
    pub(crate) fn add(&mut self, other: &Self) {
        self.predicted += other.predicted;
        self.predicted_matched += other.predicted_matched;
        self.labelled += other.labelled;
        self.labelled_matched += other.labelled_matched;
    }

    /// The score of these pixels; `None` if neither map has a boundary and `absent` is [`AbsentClass::Skip`].
    ///
    /// Without a predicted boundary the precision is 1; without a labelled boundary the recall is 1. If only one of the
    /// maps has a boundary, the other of the two numbers and `f` are 0.
    pub fn score(&self, absent: AbsentClass) -> Option<BoundaryScore> {
        if self.predicted == 0 && self.labelled == 0 && absent == AbsentClass::Skip {
            return None;
        }
        let share = |matched: u64, all: u64| {
            if all == 0 {
                1.0
            } else {
                matched as f64 / all as f64
            }
        };
        let precision = share(self.predicted_matched, self.predicted);
        let recall = share(self.labelled_matched, self.labelled);
        let f = if precision + recall == 0.0 {
            0.0
        } else {
            2.0 * precision * recall / (precision + recall)
        };
        Some(BoundaryScore {
            precision,
            recall,
            f,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const fn counts(
        predicted: u64,
        predicted_matched: u64,
        labelled: u64,
        labelled_matched: u64,
    ) -> BoundaryCounts {
        BoundaryCounts {
            predicted,
            predicted_matched,
            labelled,
            labelled_matched,
        }
    }

    #[rstest]
    #[case(counts(4, 2, 4, 4), 0.5, 1.0, 2.0 / 3.0)]
    #[case(counts(4, 0, 4, 0), 0.0, 0.0, 0.0)]
    #[case(counts(0, 0, 4, 0), 1.0, 0.0, 0.0)]
    #[case(counts(4, 0, 0, 0), 0.0, 1.0, 0.0)]
    #[case(counts(0, 0, 0, 0), 1.0, 1.0, 1.0)]
    fn scores(
        #[case] counts: BoundaryCounts,
        #[case] precision: f64,
        #[case] recall: f64,
        #[case] f: f64,
    ) {
        let expected = BoundaryScore {
            precision,
            recall,
            f,
        };
        assert_eq!(counts.score(AbsentClass::Perfect), Some(expected));
    }

    #[test]
    fn skips_what_is_absent_from_both_maps() {
        assert_eq!(counts(0, 0, 0, 0).score(AbsentClass::Skip), None);
        assert!(counts(0, 0, 1, 0).score(AbsentClass::Skip).is_some());
    }
}
