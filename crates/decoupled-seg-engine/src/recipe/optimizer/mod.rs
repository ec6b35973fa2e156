//! How gradients become steps.

mod adam;
mod sgd;

use burn::optim::ModuleOptimizer;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

pub use adam::{AdamRecipe, AdamWRecipe};
pub use sgd::SgdRecipe;

use super::RecipeError;
use super::values::{refuse_unless_above_zero, refuse_unless_share};

/// The optimizer. In files `kind` says which; without it, as in files of before there was a choice, it is SGD.
///
/// ```
/// use decoupled_seg_engine::{OptimizerRecipe, Recipe};
///
/// let recipe = Recipe::from_toml(r#"
///     [optimizer]
///     kind = "adam_w"
///     learning_rate = 0.002
/// "#)?;
/// let OptimizerRecipe::AdamW(adam) = recipe.optimizer else { panic!("another kind") };
/// assert_eq!((adam.learning_rate, adam.weight_decay), (0.002, 0.01));
/// # Ok::<(), decoupled_seg_engine::RecipeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OptimizerRecipe {
    /// Stochastic gradient descent with momentum: the paper's.
    Sgd(SgdRecipe),
    /// Adam; weight decay is part of the gradient.
    Adam(AdamRecipe),
    /// Adam with decoupled weight decay: what small networks are usually trained with.
    AdamW(AdamWRecipe),
}

impl Default for OptimizerRecipe {
    /// The paper's.
    fn default() -> Self {
        Self::Sgd(SgdRecipe::default())
    }
}

impl OptimizerRecipe {
    /// The learning rate before schedule and warm-up.
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::Sgd(sgd) => sgd.learning_rate,
            Self::Adam(adam) => adam.learning_rate,
            Self::AdamW(adam) => adam.learning_rate,
        }
    }

    /// The same optimizer at another learning rate.
    #[must_use]
    pub fn with_learning_rate(mut self, learning_rate: f64) -> Self {
        let rate = match &mut self {
            Self::Sgd(sgd) => &mut sgd.learning_rate,
            Self::Adam(adam) => &mut adam.learning_rate,
            Self::AdamW(adam) => &mut adam.learning_rate,
        };
        *rate = learning_rate;
        self
    }

    /// The optimizer, with no state yet.
    pub fn init(&self) -> ModuleOptimizer {
        match self {
            Self::Sgd(sgd) => sgd.init(),
            Self::Adam(adam) => adam.init(),
            Self::AdamW(adam) => adam.init(),
        }
    }

    pub(super) fn validate(&self) -> Result<(), RecipeError> {
        refuse_unless_above_zero("optimizer.learning_rate", self.learning_rate())?;
        let weight_decay = match self {
            Self::Sgd(sgd) => {
                refuse_unless_share("optimizer.momentum", sgd.momentum)?;
                refuse_unless_share("optimizer.dampening", sgd.dampening)?;
                sgd.weight_decay
            }
            Self::Adam(AdamRecipe {
                betas,
                epsilon,
                weight_decay,
                ..
            })
            | Self::AdamW(AdamWRecipe {
                betas,
                epsilon,
                weight_decay,
                ..
            }) => {
                for beta in betas {
                    refuse_unless_share("optimizer.betas", *beta)?;
                }
                refuse_unless_above_zero("optimizer.epsilon", *epsilon)?;
                *weight_decay
            }
        };
        if weight_decay.is_nan() || weight_decay < 0.0 {
            return Err(RecipeError::Value {
                field: "optimizer.weight_decay",
                found: weight_decay.to_string(),
                expected: "at least 0",
            });
        }
        Ok(())
    }
}

impl From<SgdRecipe> for OptimizerRecipe {
    fn from(sgd: SgdRecipe) -> Self {
        Self::Sgd(sgd)
    }
}

impl From<AdamRecipe> for OptimizerRecipe {
    fn from(adam: AdamRecipe) -> Self {
        Self::Adam(adam)
    }
}

impl From<AdamWRecipe> for OptimizerRecipe {
    fn from(adam: AdamWRecipe) -> Self {
        Self::AdamW(adam)
    }
}

impl<'de> Deserialize<'de> for OptimizerRecipe {
    // By hand: serde's own tagged enums have no default for the tag.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn of<T: DeserializeOwned, E: Error>(fields: Map<String, Value>) -> Result<T, E> {
            serde_json::from_value(Value::Object(fields)).map_err(E::custom)
        }

        let mut fields = match Value::deserialize(deserializer)? {
            Value::Object(fields) => fields,
            other => {
                return Err(D::Error::custom(format!(
                    "{other}, expected a table with `kind`"
                )));
            }
        };
        let kind = fields.remove("kind");
        match kind.as_ref().map(|kind| kind.as_str().unwrap_or_default()) {
            None | Some("sgd") => of(fields).map(Self::Sgd),
            Some("adam") => of(fields).map(Self::Adam),
            Some("adam_w") => of(fields).map(Self::AdamW),
            Some(_) => Err(D::Error::custom(format!(
                "unknown kind of optimizer {}, expected one of \"sgd\", \"adam\", \"adam_w\"",
                kind.unwrap_or_default()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, Param};
    use burn::optim::GradientsParams;
    use burn::tensor::{Device, Tensor};
    use decoupled_seg_fixtures::{Group, default_folder};

    use super::*;
    use crate::{Recipe, Schedule, SchedulePoint, WarmUpRecipe};

    #[derive(Module, Debug)]
    struct Weight {
        weight: Param<Tensor<2>>,
    }

    /// Of weights of up to 2 after 20 steps in f32. Burn takes 1 - beta in f32, PyTorch in f64.
    const TOLERANCE: f64 = 1e-6;

    #[test]
    fn weights_and_rates_are_pytorchs_over_20_steps() {
        let group = Group::open(&default_folder(), "training").expect("part of the repository");
        let device = Device::default().autodiff();
        let start = group.tensor::<2>("optimizer/start", &device);
        let gradients = group.tensor::<3>("optimizer/gradients", &device.clone().inner());
        let [steps, rows, columns] = gradients.dims();
        let warm_up = WarmUpRecipe {
            steps: 5,
            start: 0.1,
        };
        let poly = Schedule::Poly { power: 0.9 };
        let sgd = SgdRecipe {
            learning_rate: 1e-3,
            ..SgdRecipe::default()
        };
        let adam = AdamRecipe {
            weight_decay: 1e-2,
            ..AdamRecipe::default()
        };
        let adam_w = AdamWRecipe {
            weight_decay: 5e-2,
            ..AdamWRecipe::default()
        };
        let other = AdamWRecipe {
            betas: [0.8, 0.99],
            epsilon: 1e-6,
            ..adam_w
        };
        let cases: [(&str, OptimizerRecipe, Schedule, Option<WarmUpRecipe>); 4] = [
            ("sgd", sgd.into(), poly, None),
            ("adam", adam.into(), poly, Some(warm_up)),
            (
                "adam_w",
                adam_w.into(),
                Schedule::Cosine { floor: 0.0 },
                Some(warm_up),
            ),
            (
                "adam_w_floor",
                other.into(),
                Schedule::Cosine { floor: 0.1 },
                None,
            ),
        ];
        for (name, optimizer, schedule, warm_up) in cases {
            let recipe = Recipe {
                optimizer,
                schedule,
                warm_up,
                ..Recipe::default()
            };
            let rates = group.f64(&format!("optimizer/{name}/rates"));
            let weights = group.f64(&format!("optimizer/{name}/weights"));
            let mut optimizer = recipe.optimizer.init();
            let mut module = Weight {
                weight: Param::from_tensor(start.clone()),
            };
            for step in 0..steps {
                let rate = recipe.learning_rate(SchedulePoint {
                    step,
                    total_steps: steps,
                    epoch: 0,
                    epochs: 1,
                });
                assert!(
                    (rate - rates[step]).abs() < 1e-12,
                    "{name}, step {step}: rate {rate}, expected {}",
                    rates[step]
                );
                // The loss whose gradient is the one that PyTorch was given.
                let gradient = gradients
                    .clone()
                    .narrow(0, step, 1)
                    .reshape([rows, columns]);
                let loss = (module.weight.val() * Tensor::from_inner(gradient)).sum();
                let gradients = GradientsParams::from_grads(loss.backward(), &module);
                module = optimizer.step(rate, module, gradients);
                let found: Vec<f32> = module.weight.val().try_into_vec_as().expect("floats");
                let expected = &weights[step * rows * columns..][..rows * columns];
                for (found, expected) in found.iter().zip(expected) {
                    let difference = (f64::from(*found) - expected).abs();
                    assert!(
                        difference <= TOLERANCE,
                        "{name}, step {step}: {found}, expected {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn files_without_a_kind_are_sgd() {
        let old = r#"{"learning_rate":0.02,"momentum":0.5,"dampening":0.0,"nesterov":true,"weight_decay":0.0}"#;
        let expected = SgdRecipe {
            learning_rate: 0.02,
            momentum: 0.5,
            dampening: 0.0,
            nesterov: true,
            weight_decay: 0.0,
        };
        let found: OptimizerRecipe = serde_json::from_str(old).expect("an old file");
        assert_eq!(found, expected.into());
        let recipe = Recipe::from_toml("[optimizer]\nmomentum = 0.5").expect("valid");
        let expected = SgdRecipe {
            momentum: 0.5,
            ..SgdRecipe::default()
        };
        assert_eq!(recipe.optimizer, expected.into());
    }

    #[test]
    fn kinds_are_written_and_read() {
        for optimizer in [
            OptimizerRecipe::default(),
            AdamRecipe::default().into(),
            AdamWRecipe::default().into(),
        ] {
            let recipe = Recipe {
                optimizer: optimizer.with_learning_rate(0.125),
                ..Recipe::default()
            };
            assert_eq!(recipe.optimizer.learning_rate(), 0.125);
            assert_eq!(
                Recipe::from_toml(&recipe.to_toml()).expect("its own"),
                recipe
            );
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            (
                "kind = \"adamw\"",
                "unknown kind of optimizer \"adamw\", expected one of \"sgd\"",
            ),
            ("kind = 3", "unknown kind of optimizer 3"),
            (
                "kind = \"adam\"\nmomentum = 0.9",
                "unknown field `momentum`, expected one of",
            ),
            (
                "kind = \"adam_w\"\nbetas = [0.9, 1.0]",
                "optimizer.betas: 1, expected at least 0 and below 1",
            ),
            (
                "kind = \"adam_w\"\nepsilon = 0.0",
                "optimizer.epsilon: 0, expected above 0",
            ),
            (
                "kind = \"adam\"\nweight_decay = -1.0",
                "optimizer.weight_decay: -1, expected at least 0",
            ),
        ] {
            let error = Recipe::from_toml(&format!("[optimizer]\n{text}")).expect_err(text);
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }
}
