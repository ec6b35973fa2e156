use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;

use crate::recipe::{Recipe, SchedulePoint};

/// A recipe's [`Schedule`](crate::Schedule) as burn-optim steps it.
#[derive(Debug, Clone)]
pub struct RecipeScheduler {
    recipe: Recipe,
    steps_per_epoch: usize,
    step: usize,
}

impl RecipeScheduler {
    /// The schedule of a run with so many optimizer steps an epoch.
    ///
    /// # Panics
    ///
    /// Panics if there are none.
    pub fn new(recipe: Recipe, steps_per_epoch: usize) -> Self {
        assert!(steps_per_epoch > 0, "an epoch has at least one step");
        Self {
            recipe,
            steps_per_epoch,
            step: 0,
        }
    }
}

impl LrScheduler for RecipeScheduler {
    fn step(&mut self) -> LearningRate {
        let factor = self.recipe.schedule.factor(SchedulePoint {
            step: self.step,
            total_steps: self.recipe.epochs * self.steps_per_epoch,
            epoch: self.step / self.steps_per_epoch,
            epochs: self.recipe.epochs,
        });
        self.step += 1;
        self.recipe.optimizer.learning_rate * factor
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar("step", self.step)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(step) = record.scalar("step") {
            self.step = step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_schedule_goes_on() {
        let mut scheduler = RecipeScheduler::new(
            Recipe {
                epochs: 2,
                ..Recipe::default()
            },
            5,
        );
        let rates: Vec<f64> = (0..10).map(|_| scheduler.step()).collect();
        assert_eq!(rates[0], 0.01);
        assert!((rates[5] - 0.01 * 0.5_f64.powf(0.9)).abs() < 1e-15);
        assert!(rates.is_sorted_by(|a, b| a > b));

        let mut other = RecipeScheduler::new(scheduler.recipe.clone(), 5);
        for _ in 0..7 {
            other.step();
        }
        let mut restored = RecipeScheduler::new(scheduler.recipe.clone(), 5);
        restored.load_record(other.to_record());
        assert_eq!(restored.step(), rates[7]);
    }
}
