use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::RecipeError;
use super::values::refused;

/// How the learning rate falls over a run.
///
/// All forms are factors on the base rate, so one schedule serves several parameter groups.
///
/// ```text
/// per iteration   (1 - step / total_steps)^power
/// cosine          floor + (1 - floor) * (1 + cos(pi * step / total_steps)) / 2
/// per epoch       (1 - k / epochs)^power                             k = epoch + epoch_offset
/// rescaled        as per epoch for k < switch_epoch, from there on
///                 rescale * (1 - (k - switch_epoch) / (epochs - switch_epoch))^repower
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// The base rate throughout.
    Constant,
    /// Polynomial decay with every optimizer step: the paper's, with power 0.9.
    Poly {
        /// Exponent of the decay.
        power: f64,
    },
    /// Half a cosine with every optimizer step. Source: Loshchilov and Hutter, ICLR 2017,
    /// [arXiv:1608.03983](https://arxiv.org/abs/1608.03983), without restarts.
    Cosine {
        /// Factor at the end.
        #[serde(default)]
        floor: f64,
    },
    /// Polynomial decay once per epoch: the authors' code, with power 1.
    PolyPerEpoch {
        /// Exponent of the decay.
        power: f64,
        /// Added to the epoch (from 0). The authors' code steps its scheduler before each epoch, which is an offset
        /// of 1: the last epoch then trains with rate 0. 0 is what that code means.
        #[serde(default)]
        epoch_offset: usize,
    },
    /// The authors' `scl-poly`: polynomial per epoch, started anew at `switch_epoch` (where the label relaxation
    /// ends).
    PolyPerEpochRescaled {
        /// Exponent before the switch.
        power: f64,
        /// The first epoch of the second part.
        switch_epoch: usize,
        /// Factor on the base rate in the second part.
        rescale: f64,
        /// Exponent of the second part.
        repower: f64,
        /// As in [`PolyPerEpoch`](Schedule::PolyPerEpoch).
        #[serde(default)]
        epoch_offset: usize,
    },
}

impl Default for Schedule {
    /// The paper's: polynomial per iteration, power 0.9 (section 4.1).
    fn default() -> Self {
        Self::Poly { power: 0.9 }
    }
}

/// Where a run is, as far as the schedule needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchedulePoint {
    /// Optimizer steps taken before this one.
    pub step: usize,
    /// Optimizer steps of the whole run.
    pub total_steps: usize,
    /// The epoch, from 0.
    pub epoch: usize,
    /// Epochs of the whole run.
    pub epochs: usize,
}

impl Schedule {
    /// Checks that the rate falls, or stays.
    ///
    /// # Errors
    ///
    /// Returns an error that names the field.
    pub(super) fn validate(&self) -> Result<(), RecipeError> {
        let not_negative = |field, value: f64| match value >= 0.0 && value.is_finite() {
            true => Ok(()),
            false => Err(refused(field, value, "at least 0")),
        };
        match *self {
            Self::Constant => Ok(()),
            Self::Poly { power } | Self::PolyPerEpoch { power, .. } => {
                not_negative("schedule.power", power)
            }
            Self::Cosine { floor } if (0.0..=1.0).contains(&floor) => Ok(()),
            Self::Cosine { floor } => {
                Err(refused("schedule.floor", floor, "at least 0 and at most 1"))
            }
            Self::PolyPerEpochRescaled {
                power,
                rescale,
                repower,
                ..
            } => {
                not_negative("schedule.power", power)?;
                not_negative("schedule.rescale", rescale)?;
                not_negative("schedule.repower", repower)
            }
        }
    }

    /// The factor on the base rate at a point of the run. Of all but the constant and the cosine it is 0 at and after the
    /// end.
    pub fn factor(&self, point: SchedulePoint) -> f64 {
        match *self {
            Self::Constant => 1.0,
            Self::Poly { power } => decay(point.step, point.total_steps, power),
            Self::Cosine { floor } => {
                let done = point.step.min(point.total_steps) as f64 / point.total_steps as f64;
                floor + (1.0 - floor) * (1.0 + (PI * done).cos()) / 2.0
            }
            Self::PolyPerEpoch {
                power,
                epoch_offset,
            } => decay(
                point.epoch.saturating_add(epoch_offset),
                point.epochs,
                power,
            ),
            Self::PolyPerEpochRescaled {
                power,
                switch_epoch,
                rescale,
                repower,
                epoch_offset,
            } => {
                let epoch = point.epoch.saturating_add(epoch_offset);
                if epoch < switch_epoch {
                    decay(epoch, point.epochs, power)
                } else {
                    let rest = point.epochs.saturating_sub(switch_epoch);
                    rescale * decay(epoch - switch_epoch, rest, repower)
                }
            }
        }
    }
}

/// `(1 - done / total)^power`, 0 once `done` reaches `total`.
fn decay(done: usize, total: usize, power: f64) -> f64 {
    if done >= total {
        return 0.0;
    }
    (1.0 - done as f64 / total as f64).powf(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(step: usize, epoch: usize) -> SchedulePoint {
        SchedulePoint {
            step,
            total_steps: 20,
            epoch,
            epochs: 5,
        }
    }

    #[test]
    fn the_paper_decays_with_every_step() {
        let schedule = Schedule::default();
        assert_eq!(schedule.factor(point(0, 0)), 1.0);
        assert_eq!(schedule.factor(point(10, 2)), 0.5_f64.powf(0.9));
        assert_eq!(schedule.factor(point(20, 5)), 0.0);
    }

    #[test]
    fn the_authors_code_runs_one_epoch_ahead() {
        // behaviour of the published code with 5 epochs at 0.01: 0.008, 0.006, 0.004, 0.002, 0.
        let schedule = Schedule::PolyPerEpoch {
            power: 1.0,
            epoch_offset: 1,
        };
        let rates: Vec<f64> = (0..5)
            .map(|epoch| 0.01 * schedule.factor(point(0, epoch)))
            .collect();
        for (rate, expected) in rates.iter().zip([0.008, 0.006, 0.004, 0.002, 0.0]) {
            assert!((rate - expected).abs() < 1e-15, "{rates:?}");
        }
    }

    #[test]
    fn half_a_cosine_ends_at_its_floor() {
        let schedule = Schedule::Cosine { floor: 0.1 };
        for (step, expected) in [(0, 1.0), (10, 0.55), (20, 0.1), (25, 0.1)] {
            let found = schedule.factor(point(step, 0));
            assert!((found - expected).abs() < 1e-15, "{step}: {found}");
        }
    }

    #[test]
    fn an_empty_rest_after_the_switch_is_rate_zero() {
        let schedule = Schedule::PolyPerEpochRescaled {
            power: 1.0,
            switch_epoch: 5,
            rescale: 1.0,
            repower: 1.5,
            epoch_offset: 1,
        };
        assert_eq!(schedule.factor(point(0, 4)), 0.0);
    }
}
