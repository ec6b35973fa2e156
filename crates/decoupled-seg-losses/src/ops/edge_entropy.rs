use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Int, Tensor};

/// Binary cross entropy of edge scores, weighed and averaged: see [`EdgeLoss`](crate::EdgeLoss) for the formula.
///
/// `labels` is 1 for an edge, 0 for none; any other value is ignored. `balanced`: edges count by the share of the others, and the
/// other way round. `over_all`: the sum is divided by the number of all pixels, not of those that have a label.
pub(crate) fn edge_entropy(
    score: Tensor<3>,
    labels: Tensor<3, Int>,
    balanced: bool,
    over_all: bool,
) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if super::flex::serves(&score.device()) {
        return super::flex::edge_entropy(score, labels, balanced, over_all);
    }
    edge_entropy_composed(score, labels, balanced, over_all)
}

fn edge_entropy_composed(
    score: Tensor<3>,
    labels: Tensor<3, Int>,
    balanced: bool,
    over_all: bool,
) -> Tensor<1> {
    let edge = labels.clone().equal_elem(1);
    let other = labels.equal_elem(0);
    let ignored = edge.clone().bool_or(other.clone()).bool_not();
    let edges = edge.clone().int().sum();
    let others = other.int().sum();
    let labelled = (edges.clone() + others.clone()).clamp_min(1).float();

    // BCE is softplus(-z) for an edge and softplus(z) elsewhere: -log sigmoid(z), with z turned over.
    let turned = score.ones_like().inner().neg().mask_fill(edge.clone(), 1.0);
    let mut losses = log_sigmoid(score * turned.clone())
        .neg()
        .mask_fill(ignored, 0.0);
    if balanced {
        let share = |count: Tensor<1, Int>| (count.float() / labelled.clone()).reshape([1, 1, 1]);
        let weight_of_edges = share(others).expand(turned.dims());
        let weights = share(edges)
            .expand(turned.dims())
            .mask_where(edge, weight_of_edges);
        losses = losses * weights;
    }
    match over_all {
        true => losses.mean(),
        false => losses.sum() / labelled,
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use rstest::rstest;

    use super::*;

    /// The path in use on this device against the composed one, value and gradient.
    #[rstest]
    fn the_path_in_use_is_the_composed_one(
        #[values(true, false)] balanced: bool,
        #[values(true, false)] over_all: bool,
        #[values([0, 1, 255], [0, 0, 255], [1, 1, 1], [255, 7, -1])] labels: [i32; 3],
    ) {
        let device = Device::default().autodiff();
        let shape = [2, 61, 97];
        let len = shape.iter().product::<usize>();
        let label = |n: usize| labels[n * n / 5 % 3];
        let labels: Vec<i32> = (0..len).map(label).collect();
        let labels = Tensor::<3, Int>::from_data(TensorData::new(labels, shape), &device).inner();
        let score = |n: usize| ((n * 7919) % 2003) as f32 / 2003.0 * 60.0 - 30.0;
        let scores: Vec<f32> = (0..len).map(score).collect();
        let scores = Tensor::<3>::from_data(TensorData::new(scores, shape), &device);
        let run = |entropy: fn(_, _, _, _) -> Tensor<1>| {
            let leaf = scores.clone().require_grad();
            let loss = entropy(leaf.clone(), labels.clone(), balanced, over_all);
            let gradients = (loss.clone() * 3.0).backward();
            let gradient = leaf.grad(&gradients).expect("a gradient");
            let gradient: Vec<f32> = gradient.try_into_vec_as().expect("floats");
            (loss.into_scalar::<f32>(), gradient)
        };
        let (used, used_gradient) = run(edge_entropy);
        let (composed, composed_gradient) = run(edge_entropy_composed);
        assert!(
            (used - composed).abs() <= 1e-6 * composed,
            "{used}, composed {composed}"
        );
        let largest = composed_gradient
            .iter()
            .fold(0.0, |most: f32, value| most.max(value.abs()));
        for (used, composed) in used_gradient.into_iter().zip(composed_gradient) {
            assert!(
                (used - composed).abs() <= 1e-6 * largest,
                "{used} and {composed}, of up to {largest}"
            );
        }
    }
}
