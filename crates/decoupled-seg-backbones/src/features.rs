use burn::tensor::Tensor;

/// The outputs of the four stages of a backbone, from fine to coarse.
///
/// Shapes are `[batch, channels, height, width]`; sizes are rounded up where the image is no multiple of the stride.
#[derive(Debug, Clone)]
pub struct Features {
    /// First stage, the low-level features of a decoder: stride 4 (2 in a WideResNet-38).
    pub c1: Tensor<4>,
    /// Second stage: stride 8.
    pub c2: Tensor<4>,
    /// Third stage: stride 16, or the output stride if that is less. Auxiliary heads read it.
    pub c3: Tensor<4>,
    /// Last stage, what a context head reads: the output stride.
    pub c4: Tensor<4>,
}
