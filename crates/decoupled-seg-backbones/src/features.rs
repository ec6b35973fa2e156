use burn::tensor::Tensor;

/// The outputs of the four stages of a backbone, from fine to coarse.
///
/// Shapes are `[batch, channels, height, width]`. Sizes are rounded up where the stride does not divide the image.
#[derive(Debug, Clone)]
pub struct Features {
    /// First stage, the low-level features of a decoder: stride 4 (2 in a WideResNet-38).
    pub c1: Tensor<4>,
    /// Second stage: stride 8.
    pub c2: Tensor<4>,
    /// Third stage: stride 16, or the output stride if that is smaller. Auxiliary heads read this stage.
    pub c3: Tensor<4>,
    /// Last stage: the output stride. Context heads read this stage.
    pub c4: Tensor<4>,
}
