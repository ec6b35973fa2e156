use burn::optim::decay::WeightDecayConfig;
use burn::optim::{
    LearningRate, ModuleOptimizer, Optimizer, RecordState, SgdConfig, StateSink, StateSource,
    join_path,
};
use burn::tensor::{Device, Tensor};
use decoupled_seg_nn::{MomentumStep, momentum_step};
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
        if self.momentum != 0.0 {
            return Sgd(*self).into();
        }
        let decay =
            (self.weight_decay != 0.0).then(|| WeightDecayConfig::new(self.weight_decay as f32));
        SgdConfig::new().with_weight_decay(decay).init()
    }
}

/// Descent with momentum, whose steps take one pass on a CPU. What it records is named as in Burn's own optimizer.
#[derive(Clone)]
struct Sgd(SgdRecipe);

/// The velocity of a parameter.
#[derive(Clone)]
struct Velocity<const D: usize>(Tensor<D>);

/// As the record of Burn's optimizer names it.
const NAME: [&str; 2] = ["momentum", "velocity"];

// By hand: Burn's derive names paths of its own crate.
impl<const D: usize> RecordState for Velocity<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        let [field, leaf] = NAME;
        out.push_tensor(&join_path(prefix, field), leaf, self.0.clone().into_data());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let [field, leaf] = NAME;
        let data = src.take_tensor(&join_path(prefix, field), leaf)?;
        Some(Self(Tensor::from_data(data, device)))
    }
}

impl Optimizer for Sgd {
    type State<const D: usize> = Velocity<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Option<Velocity<D>>,
    ) -> (Tensor<D>, Option<Velocity<D>>) {
        let step = MomentumStep {
            learning_rate,
            momentum: self.0.momentum,
            dampening: self.0.dampening,
            nesterov: self.0.nesterov,
            weight_decay: self.0.weight_decay,
        };
        let velocity = velocity.map(|Velocity(velocity)| velocity);
        let (weights, velocity) = momentum_step(weights, gradient, velocity, step);
        (weights, Some(Velocity(velocity)))
    }

    fn to_device<const D: usize>(Velocity(velocity): Velocity<D>, device: &Device) -> Velocity<D> {
        Velocity(velocity.to_device(device))
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, Param};
    use burn::optim::GradientsParams;
    use burn::optim::momentum::MomentumConfig;
    use rstest::rstest;

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

    /// Steps as Burn's own optimizer takes them, from its record, too.
    #[rstest]
    fn burns_optimizer_takes_the_same_steps(#[values(false, true)] nesterov: bool) {
        let device = Device::default().autodiff();
        let sgd = SgdRecipe {
            dampening: 0.2,
            nesterov,
            ..SgdRecipe::default()
        };
        let momentum = MomentumConfig::new()
            .with_momentum(sgd.momentum)
            .with_dampening(sgd.dampening)
            .with_nesterov(sgd.nesterov);
        let mut theirs = SgdConfig::new()
            .with_momentum(Some(momentum))
            .with_weight_decay(Some(WeightDecayConfig::new(sgd.weight_decay as f32)))
            .init();
        let mut ours = sgd.init();
        let step = |optimizer: &mut ModuleOptimizer, module: Weight| {
            let weight = module.weight.val();
            let loss = (weight.clone() * weight.clone() * weight).sum();
            let gradients = GradientsParams::from_grads(loss.backward(), &module);
            optimizer.step(0.1, module, gradients)
        };
        let weight = Tensor::from_floats([2.0, -0.3, 0.7], &device);
        let mut expected = Weight {
            weight: Param::from_tensor(weight),
        };
        let mut found = expected.clone();
        for turn in 0..4 {
            if turn == 2 {
                let record = theirs.to_record();
                ours = sgd.init().load_record(record);
            }
            expected = step(&mut theirs, expected);
            found = step(&mut ours, found);
            let expected = expected.weight.val().into_data();
            found.weight.val().into_data().assert_eq(&expected, true);
        }
    }
}
