/// Why a loss cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LossConfigError {
    /// A share or probability lies outside `0..=1`.
    #[error("{name} must be in 0..=1, got {value}")]
    Share {
        /// The value's name.
        name: &'static str,
        /// The value.
        value: f64,
    },
    /// The probability that bounds an edge leaves nothing inside or nothing outside.
    #[error("edge_threshold must be between 0 and 1, got {value}")]
    EdgeThreshold {
        /// The value.
        value: f64,
    },
    /// The temperature of a softmax is not above 0.
    #[error("gated.duality.temperature must be finite and above 0, got {value}")]
    Temperature {
        /// The value.
        value: f64,
    },
    /// A factor is negative or not finite.
    #[error("{name} must be finite and not below 0, got {value}")]
    Factor {
        /// The value's name.
        name: &'static str,
        /// The value.
        value: f64,
    },
    /// A class weight is negative or not finite, or the list is empty.
    #[error("class weights must be finite and not below 0, one a class, got {weights:?}")]
    ClassWeights {
        /// The weights.
        weights: Vec<f32>,
    },
    /// All class weights are 0, so that nothing would be learnt.
    #[error("all class weights are 0, so that nothing is learnt; give a class a weight above 0")]
    NoClassWeight,
    /// There is not one class weight a class.
    #[error(
        "{weights} class weights, but there are {num_classes} classes; give one a class, in their order"
    )]
    NumClassWeights {
        /// Class weights.
        weights: usize,
        /// Classes of the labels.
        num_classes: usize,
    },
}

/// Checks a share.
pub(crate) fn share(name: &'static str, value: f64) -> Result<(), LossConfigError> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(LossConfigError::Share { name, value })
    }
}

/// Checks a factor.
pub(crate) fn factor(name: &'static str, value: f64) -> Result<(), LossConfigError> {
    if value >= 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(LossConfigError::Factor { name, value })
    }
}

/// Panics with what is wrong: who builds a loss in code made the mistake there.
#[track_caller]
pub(crate) fn required<E: std::fmt::Display>(valid: Result<(), E>) {
    if let Err(error) = valid {
        panic!("{error}");
    }
}
