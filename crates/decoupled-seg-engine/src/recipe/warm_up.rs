use serde::{Deserialize, Serialize};

/// A start at a low rate: the rate of the schedule, times a factor that grows with every optimizer step.
///
/// ```text
/// factor = start + (1 - start) * step / steps    for step < steps, then 1
/// ```
///
/// `torch.optim.lr_scheduler.LinearLR` chained with the schedule. Networks that start from nothing with Adam need it most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUpRecipe {
    /// Optimizer steps until the full rate.
    pub steps: usize,
    /// Factor of the first step, above 0.
    #[serde(default = "default_start")]
    pub start: f64,
}

fn default_start() -> f64 {
    1e-3
}

impl WarmUpRecipe {
    /// From a thousandth to the full rate in so many steps.
    pub fn new(steps: usize) -> Self {
        Self {
            steps,
            start: default_start(),
        }
    }

    /// The factor after `done` optimizer steps.
    pub fn factor(&self, done: usize) -> f64 {
        if done >= self.steps {
            return 1.0;
        }
        self.start + (1.0 - self.start) * done as f64 / self.steps as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_grows_to_the_full_one() {
        let warm_up = WarmUpRecipe {
            steps: 4,
            start: 0.2,
        };
        let factors: Vec<f64> = (0..6).map(|step| warm_up.factor(step)).collect();
        for (found, expected) in factors.iter().zip([0.2, 0.4, 0.6, 0.8, 1.0, 1.0]) {
            assert!((found - expected).abs() < 1e-15, "{factors:?}");
        }
    }
}
