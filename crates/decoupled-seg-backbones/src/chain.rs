use burn::tensor::Tensor;

/// Runs layers one after the other: each reads the output of the layer before it, the first one reads `input`.
pub(crate) fn chain<L>(
    layers: &[L],
    input: Tensor<4>,
    forward: impl Fn(&L, Tensor<4>) -> Tensor<4>,
) -> Tensor<4> {
    layers
        .iter()
        .fold(input, |features, layer| forward(layer, features))
}
