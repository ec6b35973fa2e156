use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent as the paper trains: `v = momentum * v + (g + weight_decay * w)`, `w -= lr * v`.
///
/// Weight decay acts on every parameter, those of norms and biases too, as in the authors' code (one parameter
/// group).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SgdRecipe {
    /// Learning rate at the start. Paper, section 4.1: 0.01.
    pub learning_rate: f64,
    /// Momentum. Paper: 0.9.
    pub momentum: f64,
    /// What is held back of each new gradient. PyTorch's default and the authors' code: 0. (Burn's own default is
    /// 0.1, which trains at nine tenths of the rate.)
    pub dampening: f64,
    /// Whether the step looks ahead along the momentum. Paper and authors' code: no.
    pub nesterov: bool,
    /// Weight decay. Paper: 5e-4; the authors' scripts leave their default, 1e-4.
    pub weight_decay: f64,
}

impl Default for SgdRecipe {
    /// The paper's values.
    fn default() -> Self {
        Self {
            learning_rate: 0.01,
            momentum: 0.9,
            dampening: 0.0,
            nesterov: false,
            weight_decay: 5e-4,
        }
    }
}

impl SgdRecipe {
    /// The optimizer, with no state yet.
    pub fn init(&self) -> ModuleOptimizer {
        let momentum = (self.momentum != 0.0).then(|| {
            MomentumConfig::new()
                .with_momentum(self.momentum)
                .with_dampening(self.dampening)
                .with_nesterov(self.nesterov)
        });
        let decay =
            (self.weight_decay != 0.0).then(|| WeightDecayConfig::new(self.weight_decay as f32));
        SgdConfig::new()
            .with_momentum(momentum)
            .with_weight_decay(decay)
            .init()
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, Param};
    use burn::optim::GradientsParams;
    use burn::tensor::{Device, Tensor};

    use super::*;

    #[derive(Module, Debug)]
    struct Weight {
        weight: Param<Tensor<1>>,
    }

    #[test]
    fn two_steps_match_the_formula_by_hand() {
        let device = Device::default().autodiff();
        let sgd = SgdRecipe {
            learning_rate: 0.1,
            weight_decay: 0.5,
            ..SgdRecipe::default()
        };
        let mut optimizer = sgd.init();
        let mut module = Weight {
            weight: Param::from_tensor(Tensor::from_floats([2.0], &device)),
        };
        // The loss 3 * w has gradient 3.
        let (mut w, mut v) = (2.0_f64, 0.0_f64);
        for _ in 0..2 {
            let loss = module.weight.val().mul_scalar(3.0).sum();
            let gradients = GradientsParams::from_grads(loss.backward(), &module);
            module = optimizer.step(sgd.learning_rate, module, gradients);
            v = 0.9 * v + (3.0 + 0.5 * w);
            w -= 0.1 * v;
        }
        let found = f64::from(module.weight.val().into_scalar::<f32>());
        assert!((found - w).abs() < 1e-6, "{found}, expected {w}");
    }
}
