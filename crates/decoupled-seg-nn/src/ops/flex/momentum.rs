//! Steps with momentum on the CPU: one pass over weights, gradient and velocity, by all threads.

use burn::backend::Flex;
use decoupled_seg_types::multiversion;
use rayon::prelude::*;

use super::super::momentum::{MomentumBackend, MomentumStep};
use super::Primitive;

/// Numbers of a task.
const BLOCK: usize = 16 << 10;

impl MomentumBackend for Flex {
    fn momentum_step(
        weights: Primitive,
        gradient: Primitive,
        velocity: Primitive,
        step: MomentumStep,
    ) -> (Primitive, Primitive) {
        let [mut weights, gradient, mut velocity] = [weights, gradient, velocity].map(compact);
        let of_gradient: &[f32] = gradient
            .as_slice()
            .expect("the tensor was made contiguous, and is of f32");
        let factors = Factors {
            decay: step.weight_decay as f32,
            fresh: (1.0 - step.dampening) as f32,
            momentum: step.momentum as f32,
            learning_rate: step.learning_rate as f32,
        };
        // Both are copied first if somebody else has them, too.
        let blocks = weights.storage_mut::<f32>().par_chunks_mut(BLOCK);
        blocks
            .zip(velocity.storage_mut::<f32>().par_chunks_mut(BLOCK))
            .zip(of_gradient.par_chunks(BLOCK))
            .for_each(|((weights, velocity), gradient)| match step.nesterov {
                true => nesterov(weights, velocity, gradient, factors),
                false => plain(weights, velocity, gradient, factors),
            });
        (weights, velocity)
    }
}

/// The same tensor, its memory no larger than itself and in the order of its elements; nobody else's if it was nobody else's.
fn compact(tensor: Primitive) -> Primitive {
    let len = tensor.layout().num_elements();
    let whole = tensor.layout().contiguous_offsets() == Some((0, len))
        && tensor.storage::<f32>().len() == len;
    if whole {
        return tensor;
    }
    Primitive::from_data(tensor.into_data())
}

#[derive(Debug, Clone, Copy)]
struct Factors {
    decay: f32,
    /// Of the gradient.
    fresh: f32,
    momentum: f32,
    learning_rate: f32,
}

multiversion! {
    /// All of one length.
    fn plain[](weights: &mut [f32], velocity: &mut [f32], gradient: &[f32], factors: Factors) {
        for ((weight, velocity), &gradient) in weights.iter_mut().zip(velocity).zip(gradient) {
            let gradient = *weight * factors.decay + gradient;
            *velocity = gradient * factors.fresh + *velocity * factors.momentum;
            *weight -= *velocity * factors.learning_rate;
        }
    }
}

multiversion! {
    /// As [`plain`], with a look ahead.
    fn nesterov[](weights: &mut [f32], velocity: &mut [f32], gradient: &[f32], factors: Factors) {
        for ((weight, velocity), &gradient) in weights.iter_mut().zip(velocity).zip(gradient) {
            let gradient = *weight * factors.decay + gradient;
            *velocity = gradient * factors.fresh + *velocity * factors.momentum;
            let ahead = *velocity * factors.momentum + gradient;
            *weight -= ahead * factors.learning_rate;
        }
    }
}
