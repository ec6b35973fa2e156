use serde::{Deserialize, Serialize};

/// A moving average of the weights, which is what is validated and shipped.
///
/// ```text
/// average = decay * average + (1 - decay) * weights     after every optimizer step
/// decay   = min(decay, (1 + step) / (10 + step))        so that the first steps are forgotten soon
/// ```
///
/// Running statistics of norms are averaged likewise. Source: Tarvainen and Valpola, NeurIPS 2017; the ramp as in
/// TensorFlow's `ExponentialMovingAverage`. Not in the paper.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmaRecipe {
    /// Share of the old average that stays; 0.999 to 0.9999 are usual.
    pub decay: f64,
}

impl EmaRecipe {
    pub(crate) fn decay_at(&self, step: usize) -> f64 {
        let step = step as f64;
        self.decay.min((1.0 + step) / (10.0 + step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decay_is_ramped_up() {
        let ema = EmaRecipe { decay: 0.999 };
        assert_eq!(ema.decay_at(0), 0.1);
        assert_eq!(ema.decay_at(90), 0.91);
        assert_eq!(ema.decay_at(1_000_000), 0.999);
    }
}
