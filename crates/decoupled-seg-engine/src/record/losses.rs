use decoupled_seg_losses::{LossValues, Terms};
use serde::{Deserialize, Serialize};

/// Means of the terms over steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossMeans {
    steps: usize,
    sums: Option<Terms<f64>>,
}

impl LossMeans {
    /// Adds the values of a step.
    pub fn add(&mut self, values: &LossValues) {
        self.steps += 1;
        let values = values.map(f64::from);
        self.sums = Some(match self.sums {
            Some(sums) => sums.zip_with(values, |sum, value| sum + value),
            None => values,
        });
    }

    /// The means; `None` before the first step.
    pub fn means(&self) -> Option<LossValues> {
        let steps = self.steps as f64;
        self.sums.map(|sums| sums.map(|sum| (sum / steps) as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_the_steps_added() {
        let mut means = LossMeans::default();
        assert_eq!(means.means(), None);
        for total in [1.0, 3.0] {
            means.add(&LossValues {
                total,
                body: Some(total / 2.0),
                ..LossValues::default()
            });
        }
        let mean = means.means().expect("two steps");
        assert_eq!((mean.total, mean.body, mean.edge), (2.0, Some(1.0), None));
    }
}
