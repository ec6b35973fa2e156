use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor};
use decoupled_seg_nn::{Cost, CostCounter, KeyMap, MapShape};

use super::body_edge_module::{BodyEdgeDetail, BodyEdgeModuleConfig};

/// Left to right, right to left, top to bottom, bottom to top.
const DIRECTIONS: usize = 4;
/// Neighbours in the line before: one back, level, one ahead.
const NEIGHBOURS: usize = 3;

/// The body by three-way spatial propagation, the rival "SPN" of the paper's Table 1(f).
///
/// ```text
/// w        = conv3x3(F)                          3 weights a pixel for each of 4 directions
/// w        = w / max(1, sum |w|)                 stable
/// h_t      = (1 - sum w) * F_t + sum_k w_k * h_(t-1, neighbour k)      line by line
/// F_body   = max over the 4 directions of h
/// F_edge   = F - F_body
/// ```
///
/// All channels share `w`; neighbours outside the map have weight 0. A scan takes one step for each line, one after the
/// other, so a large map means many small steps: slow on a GPU. The paper gives only the name of this rival; the layout
/// is our reading of it.
///
/// Source: Liu et al., NeurIPS 2017, [arXiv:1710.01020](https://arxiv.org/abs/1710.01020), sections 3.1 and 3.2.
#[derive(Module, Debug)]
pub struct PropagationGenerator {
    /// 3x3 convolution from `channels` to the 12 weights.
    pub weights: Conv2d,
}

impl PropagationGenerator {
    pub(super) fn new(config: &BodyEdgeModuleConfig, device: &Device) -> Self {
        Self {
            weights: weights(config).init(device),
        }
    }

    pub(super) fn cost(
        config: &BodyEdgeModuleConfig,
        features: MapShape,
        counter: &mut CostCounter,
    ) {
        weights(config).cost(features, counter);
        // A scan in each direction, and the largest of them.
        for _ in 0..DIRECTIONS + 1 {
            counter.other(features);
        }
    }

    pub(super) fn forward(&self, features: Tensor<4>) -> BodyEdgeDetail {
        let weights = self.weights.forward(features.clone());
        let mut lines = weights.chunk(DIRECTIONS, 1).into_iter();
        let mut next = || lines.next().expect("one for each direction");

        let rightward = scan(features.clone(), next());
        let leftward = flipped(features.clone(), next());
        // A vertical scan is a horizontal scan of the transposed map.
        let (upright, weights) = (features.clone().swap_dims(2, 3), next().swap_dims(2, 3));
        let downward = scan(upright.clone(), weights).swap_dims(2, 3);
        let upward = flipped(upright, next().swap_dims(2, 3)).swap_dims(2, 3);

        let body = rightward
            .max_pair(leftward)
            .max_pair(downward)
            .max_pair(upward);
        BodyEdgeDetail::without_flow(features, body)
    }

    pub(super) fn official_keys() -> KeyMap {
        // The authors' code has no such generator.
        KeyMap::new().conv("weights", "weights", true)
    }
}

fn weights(config: &BodyEdgeModuleConfig) -> Conv2dConfig {
    Conv2dConfig::new([config.channels, DIRECTIONS * NEIGHBOURS], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
}

/// [`scan`] from right to left.
fn flipped(features: Tensor<4>, weights: Tensor<4>) -> Tensor<4> {
    scan(features.flip([3]), weights.flip([3])).flip([3])
}

/// Propagates from left to right.
fn scan(features: Tensor<4>, weights: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = features.dims();
    let weights = stable(weights, height);
    let rest: Tensor<4> = 1.0 - weights.clone().sum_dim(1);

    let mut columns = Vec::with_capacity(width);
    let mut hidden = features.clone().narrow(3, 0, 1);
    columns.push(hidden.clone());
    for x in 1..width {
        let column = features.clone().narrow(3, x, 1);
        let weight = |neighbour| weights.clone().narrow(1, neighbour, 1).narrow(3, x, 1);
        hidden = column * rest.clone().narrow(3, x, 1)
            + shifted(&hidden, 1) * weight(0)
            + hidden.clone() * weight(1)
            + shifted(&hidden, -1) * weight(2);
        columns.push(hidden.clone());
    }
    Tensor::cat(columns, 3)
}

/// Scales the weights so that their absolute values sum to at most 1, and sets the weights of neighbours outside the
/// map to 0.
fn stable(weights: Tensor<4>, height: usize) -> Tensor<4> {
    let device = weights.device();
    let dtype = weights.dtype();
    let mut inside = vec![1.0_f32; NEIGHBOURS * height];
    inside[0] = 0.0;
    inside[NEIGHBOURS * height - 1] = 0.0;
    let inside = Tensor::<1>::from_floats(inside.as_slice(), &device)
        .cast(dtype)
        .reshape([1, NEIGHBOURS, height, 1]);
    let weights = weights * inside;
    let sum = weights.clone().abs().sum_dim(1);
    weights / sum.clamp_min(1.0)
}

/// A column moved down (1) or up (-1) by a pixel. The value that fills the free end has weight 0.
fn shifted(column: &Tensor<4>, by: i64) -> Tensor<4> {
    let height = column.dims()[2];
    let column = column.clone();
    if height == 1 {
        column
    } else if by > 0 {
        let filler = column.clone().narrow(2, 0, 1);
        Tensor::cat(vec![filler, column.narrow(2, 0, height - 1)], 2)
    } else {
        let filler = column.clone().narrow(2, height - 1, 1);
        Tensor::cat(vec![column.narrow(2, 1, height - 1), filler], 2)
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::tensor::{Distribution, TensorData, Tolerance};

    use super::*;

    #[test]
    fn a_constant_map_is_all_body() {
        let device = Device::default();
        let generator = PropagationGenerator::new(&BodyEdgeModuleConfig::new(2), &device);
        let detail = generator.forward(Tensor::full([1, 2, 5, 7], 3.0, &device));
        let largest: f32 = detail.edge.abs().max().into_scalar();
        assert!(largest < 1e-5, "{largest}");
    }

    #[test]
    fn without_weights_nothing_moves() {
        let device = Device::default();
        let features = Tensor::random([2, 3, 4, 5], Distribution::Default, &device);
        let moved = scan(features.clone(), Tensor::zeros([2, 3, 4, 5], &device));
        assert_eq!(moved.into_data(), features.into_data());
    }

    /// With all weight on the level neighbour, a line is its first value.
    #[test]
    fn full_weight_carries_the_first_column() {
        let device = Device::default();
        let features = Tensor::<4>::from_floats([[[[1.0, 5.0, 9.0], [2.0, 6.0, 4.0]]]], &device);
        let weights = Tensor::<1>::from_floats([0.0, 7.0, 0.0], &device)
            .reshape([1, 3, 1, 1])
            .expand([1, 3, 2, 3]);
        scan(features, weights).into_data().assert_approx_eq::<f32>(
            &TensorData::from([[[[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]]]),
            Tolerance::absolute(1e-6),
        );
    }

    /// Half of the weight on the pixel one row up: (1 - 0.5) * own + 0.5 * upper left.
    #[test]
    fn neighbours_are_diagonal() {
        let device = Device::default();
        let features = Tensor::<4>::from_floats([[[[1.0, 5.0], [2.0, 6.0]]]], &device);
        let weights = Tensor::<1>::from_floats([0.5, 0.0, 0.0], &device)
            .reshape([1, 3, 1, 1])
            .expand([1, 3, 2, 2]);
        scan(features, weights).into_data().assert_approx_eq::<f32>(
            &TensorData::from([[[[1.0, 5.0], [2.0, 3.5]]]]),
            Tolerance::absolute(1e-6),
        );
    }

    #[test]
    fn turning_the_map_turns_the_body() {
        let device = Device::default();
        let mut generator = PropagationGenerator::new(&BodyEdgeModuleConfig::new(1), &device);
        // The same weights everywhere and for every direction.
        generator.weights.weight = Param::from_tensor(Tensor::zeros([12, 1, 3, 3], &device));
        let bias = [0.2, 0.3, 0.1].repeat(4);
        generator.weights.bias = Some(Param::from_tensor(Tensor::from_floats(
            bias.as_slice(),
            &device,
        )));
        let features = Tensor::random([1, 1, 4, 6], Distribution::Default, &device);

        let body = generator.forward(features.clone()).body;
        let turned = generator.forward(features.swap_dims(2, 3)).body;

        turned
            .swap_dims(2, 3)
            .into_data()
            .assert_approx_eq::<f32>(&body.into_data(), Tolerance::absolute(1e-6));
    }

    #[test]
    fn a_single_row_and_a_single_column_pass() {
        let device = Device::default();
        let generator = PropagationGenerator::new(&BodyEdgeModuleConfig::new(2), &device);
        for shape in [[1, 2, 1, 6], [1, 2, 6, 1], [1, 2, 1, 1]] {
            let detail = generator.forward(Tensor::ones(shape, &device));
            assert_eq!(detail.body.dims(), shape);
        }
    }
}
