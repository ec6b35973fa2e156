use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer};
use serde::{Deserialize, Serialize};

/// Adam: steps of about the learning rate, whatever the size of the gradients.
///
/// ```text
/// g  = gradient + weight_decay * w
/// m  = b1 * m + (1 - b1) * g,   v = b2 * v + (1 - b2) * g^2
/// w -= rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
/// ```
///
/// Source: Kingma and Ba, ICLR 2015, [arXiv:1412.6980](https://arxiv.org/abs/1412.6980). Values unless told otherwise are
/// PyTorch's; Burn's own epsilon is 1e-5.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamRecipe {
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// Share of the old mean of the gradients, and of the old mean of their squares, that stays.
    pub betas: [f64; 2],
    /// Added to the root of the mean square.
    pub epsilon: f64,
    /// Weight decay, on every parameter.
    pub weight_decay: f64,
}

impl Default for AdamRecipe {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

impl AdamRecipe {
    /// The optimizer, with no state yet.
    pub fn init(&self) -> ModuleOptimizer {
        let [beta_1, beta_2] = self.betas.map(|beta| beta as f32);
        let decay =
            (self.weight_decay != 0.0).then(|| WeightDecayConfig::new(self.weight_decay as f32));
        AdamConfig::new()
            .with_beta_1(beta_1)
            .with_beta_2(beta_2)
            .with_epsilon(self.epsilon as f32)
            .with_weight_decay(decay)
            .init()
    }
}

/// Adam whose weight decay does not pass through the means of the gradients: `w -= rate * weight_decay * w` beside the step
/// of [`AdamRecipe`].
///
/// Source: Loshchilov and Hutter, ICLR 2019, [arXiv:1711.05101](https://arxiv.org/abs/1711.05101). Values unless told
/// otherwise are PyTorch's. Weight decay acts on every parameter, those of norms and biases too, as in PyTorch with one
/// parameter group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamWRecipe {
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// Share of the old mean of the gradients, and of the old mean of their squares, that stays.
    pub betas: [f64; 2],
    /// Added to the root of the mean square.
    pub epsilon: f64,
    /// Weight decay, a share of the learning rate.
    pub weight_decay: f64,
}

impl Default for AdamWRecipe {
    fn default() -> Self {
        let AdamRecipe {
            learning_rate,
            betas,
            epsilon,
            ..
        } = AdamRecipe::default();
        Self {
            learning_rate,
            betas,
            epsilon,
            weight_decay: 0.01,
        }
    }
}

impl AdamWRecipe {
    /// The optimizer, with no state yet.
    pub fn init(&self) -> ModuleOptimizer {
        let [beta_1, beta_2] = self.betas.map(|beta| beta as f32);
        AdamWConfig::new()
            .with_beta_1(beta_1)
            .with_beta_2(beta_2)
            .with_epsilon(self.epsilon as f32)
            .with_weight_decay(self.weight_decay as f32)
            .init()
    }
}
