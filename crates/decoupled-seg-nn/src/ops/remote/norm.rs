//! Batch norms in training.

use burn::backend::ir::BackendIr;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Remote, TensorMetadata};
use burn::tensor::Shape;

use super::super::norm::{NormBackend, NormGradients};
use super::call::{Operations, Primitive, call, like};

const NORMALIZE: &str = "decoupled_seg.normalize";
const NORMALIZE_SUM: &str = "decoupled_seg.normalize_sum";
const NORMALIZE_BACKWARD: &str = "decoupled_seg.normalize_backward";

impl NormBackend for Remote {
    fn normalize(
        x: Primitive,
        gamma: Primitive,
        beta: Primitive,
        epsilon: f64,
        relu: bool,
    ) -> (Primitive, Primitive, Primitive) {
        let outputs = [like(&x), like(&gamma), like(&gamma)];
        call(NORMALIZE, [x, gamma, beta], outputs, (epsilon, relu)).into()
    }

    fn normalize_sum(
        x: Primitive,
        gamma: Primitive,
        beta: Primitive,
        addend: Primitive,
        epsilon: f64,
        relu: bool,
    ) -> (Primitive, Primitive, Primitive) {
        let outputs = [like(&x), like(&gamma), like(&gamma)];
        let inputs = [x, gamma, beta, addend];
        call(NORMALIZE_SUM, inputs, outputs, (epsilon, relu)).into()
    }
}

impl NormGradients for Remote {
    fn normalize_backward(
        x: Primitive,
        gamma: Primitive,
        beta: Primitive,
        mean: Primitive,
        variance: Primitive,
        output: Primitive,
        grad: Primitive,
        epsilon: f64,
        relu: bool,
        addend: bool,
    ) -> (Primitive, Primitive, Primitive, Primitive) {
        let outputs = [like(&x), like(&gamma), like(&gamma), like(&grad)];
        let inputs = [x, gamma, beta, mean, variance, output, grad];
        let arguments = (epsilon, relu, addend);
        call(NORMALIZE_BACKWARD, inputs, outputs, arguments).into()
    }
}

/// Maps of one shape, and a number for each of their channels.
fn check<B: NormBackend, const MAPS: usize, const VECTORS: usize>(
    maps: [&FloatTensor<B>; MAPS],
    vectors: [&FloatTensor<B>; VECTORS],
) {
    let shape = maps[0].shape();
    assert!(
        shape.rank() >= 2 && shape.num_elements() > 0,
        "cannot normalise {shape:?}"
    );
    for map in maps {
        assert_eq!(map.shape(), shape, "all maps of a norm are of one shape");
    }
    for vector in vectors {
        assert_eq!(
            vector.shape(),
            Shape::new([shape[1]]),
            "a number for each channel of {shape:?}"
        );
    }
}

pub(super) fn add<B: BackendIr + NormBackend + NormGradients>(ops: &mut Operations<B>) {
    ops.add(NORMALIZE, |[x, gamma, beta], (epsilon, relu)| {
        check::<B, 1, 2>([&x], [&gamma, &beta]);
        B::normalize(x, gamma, beta, epsilon, relu).into()
    });
    ops.add(
        NORMALIZE_SUM,
        |[x, gamma, beta, addend], (epsilon, relu)| {
            check::<B, 2, 2>([&x, &addend], [&gamma, &beta]);
            B::normalize_sum(x, gamma, beta, addend, epsilon, relu).into()
        },
    );
    ops.add(
        NORMALIZE_BACKWARD,
        |[x, gamma, beta, mean, variance, output, grad], (epsilon, relu, addend)| {
            let vectors = [&gamma, &beta, &mean, &variance];
            check::<B, 3, 4>([&x, &output, &grad], vectors);
            B::normalize_backward(
                x, gamma, beta, mean, variance, output, grad, epsilon, relu, addend,
            )
            .into()
        },
    );
}
