use burn::nn::Initializer;
use serde::{Deserialize, Serialize};

/// How the weights of a convolution start.
///
/// Batch norms always start at weight 1, bias 0, mean 0, variance 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConvInit {
    /// Uniform in `±1 / sqrt(fan_in)`, weight and bias: the default of Burn and of PyTorch alike, and what the
    /// authors' decoupled heads start from.
    #[default]
    Uniform,
    /// Normal with standard deviation `sqrt(2 / fan_in)`, bias 0: the authors' plain decoders.
    HeNormal,
    /// Normal with standard deviation `sqrt(2 / fan_out)`, bias 0: ResNets trained from scratch.
    HeNormalFanOut,
}

impl ConvInit {
    /// Burn's initializer for the weight.
    pub fn weight(self) -> Initializer {
        match self {
            // burn-nn draws from ±gain * sqrt(3 / fan_in).
            Self::Uniform => Initializer::KaimingUniform {
                gain: 1.0 / 3.0_f64.sqrt(),
                fan_out_only: false,
            },
            Self::HeNormal => Initializer::KaimingNormal {
                gain: std::f64::consts::SQRT_2,
                fan_out_only: false,
            },
            Self::HeNormalFanOut => Initializer::KaimingNormal {
                gain: std::f64::consts::SQRT_2,
                fan_out_only: true,
            },
        }
    }

    /// Whether biases start at 0 rather than like the weight.
    pub fn zero_bias(self) -> bool {
        self != Self::Uniform
    }
}
