//! Batch norms of Burn's tensors in training: in `f32` through the kernels of [`channel`], in other types through Burn's.

mod channel;

use std::mem::MaybeUninit;

use burn::backend::ops::{ActivationOps, ModuleOps};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, Shape};
use decoupled_seg_types::written;
use rayon::prelude::*;

pub(super) use self::channel::with_wide_vectors;
use self::channel::{Backward, Forward, Gate, Places, Statistics, inverse_deviation};
use super::super::conv2d::finish;
use super::super::norm::{NormBackend, NormGradients};
use super::target::Target;
use super::{Primitive, tensor};

impl NormBackend for Flex {
    fn normalize(
        x: Primitive,
        gamma: Primitive,
        beta: Primitive,
        epsilon: f64,
        relu: bool,
    ) -> (Primitive, Primitive, Primitive) {
        normalize(x, gamma, beta, None, epsilon, relu)
    }

    fn normalize_sum(
        x: Primitive,
        gamma: Primitive,
        beta: Primitive,
        addend: Primitive,
        epsilon: f64,
        relu: bool,
    ) -> (Primitive, Primitive, Primitive) {
        normalize(x, gamma, beta, Some(addend), epsilon, relu)
    }
}

fn all_f32(tensors: &[&Primitive]) -> bool {
    tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
}

/// The numbers of a tensor of `f32` that is contiguous.
fn numbers(tensor: &Primitive) -> &[f32] {
    tensor
        .as_slice()
        .expect("the tensor was made contiguous, and is of f32")
}

/// Channels of `[batch, channels, ..]`, a picture after the other.
#[derive(Clone, Copy)]
struct Planes {
    batch: usize,
    channels: usize,
    /// Numbers of a channel of a picture.
    plane: usize,
}

impl Planes {
    fn of(tensor: &Primitive) -> Self {
        let shape = tensor.shape();
        let (batch, channels) = (shape[0], shape[1]);
        Self {
            batch,
            channels,
            plane: shape.num_elements() / (batch * channels).max(1),
        }
    }

    fn len(self) -> usize {
        self.batch * self.channels * self.plane
    }

    /// Where the parts of a channel lie.
    fn parts(self, channel: usize) -> impl Iterator<Item = std::ops::Range<usize>> + Clone {
        (0..self.batch).map(move |image| {
            let start = (image * self.channels + channel) * self.plane;
            start..start + self.plane
        })
    }
}

/// What a deviation of a channel is multiplied by.
#[inline(always)]
fn scale(gamma: f32, variance: f32, epsilon: f64) -> f32 {
    (f64::from(gamma) * inverse_deviation(variance, epsilon)) as f32
}

fn normalize(
    x: Primitive,
    gamma: Primitive,
    beta: Primitive,
    addend: Option<Primitive>,
    epsilon: f64,
    relu: bool,
) -> (Primitive, Primitive, Primitive) {
    let ours = all_f32(&[&x, &gamma, &beta, addend.as_ref().unwrap_or(&x)]);
    if !ours || x.shape().num_elements() == 0 {
        let batch = Flex::batch_norm_train(x, gamma, beta, epsilon);
        let output = finish::<Flex>(batch.output, addend, relu);
        return (output, batch.mean, batch.variance);
    }
    let (planes, shape) = (Planes::of(&x), x.shape());
    let [x, gamma, beta] = [x, gamma, beta].map(|tensor| tensor.to_contiguous());
    let addend = addend.map(|addend| addend.to_contiguous());
    let (x, gamma, beta) = (numbers(&x), numbers(&gamma), numbers(&beta));
    let addend = addend.as_ref().map(numbers);
    let mut statistics = vec![Statistics::default(); planes.channels];
    let write = |output: &mut [MaybeUninit<f32>]| {
        let output = Target::of(output);
        let channels = statistics.par_iter_mut().enumerate();
        channels.for_each(|(channel, statistics)| {
            with_wide_vectors(
                #[inline(always)]
                || {
                    *statistics = Statistics::of(planes.parts(channel).map(|part| &x[part]));
                    let map = Forward {
                        mean: statistics.mean as f32,
                        scale: scale(gamma[channel], statistics.variance() as f32, epsilon),
                        shift: beta[channel],
                        relu,
                    };
                    for part in planes.parts(channel) {
                        // SAFETY: the part is of this task's channel, and it is only written.
                        let to = unsafe { output.part(part.clone()) };
                        map.apply(
                            &x[part.clone()],
                            addend.map(|addend| &addend[part.clone()]),
                            to,
                        );
                    }
                },
            );
        });
    };
    // SAFETY: the parts of all channels together are the whole tensor.
    let output = unsafe { written(planes.len(), write) };
    let vector = |of: fn(&Statistics) -> f64| {
        let values = statistics.iter().map(|statistics| of(statistics) as f32);
        tensor(values.collect(), Shape::new([planes.channels]))
    };
    let mean = vector(|statistics| statistics.mean);
    let variance = vector(Statistics::variance);
    (tensor(output, shape), mean, variance)
}

impl NormGradients for Flex {
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
        if !all_f32(&[&x, &gamma, &grad]) || x.shape().num_elements() == 0 {
            let grad = match relu {
                true => Flex::relu_backward(output, grad),
                false => grad,
            };
            let found =
                Flex::batch_norm_train_backward(x, gamma, mean, variance, epsilon, grad.clone());
            return (found.x_grad, found.gamma_grad, found.beta_grad, grad);
        }
        let (planes, shape) = (Planes::of(&x), x.shape());
        let [x, gamma, beta, mean, variance, output] =
            [x, gamma, beta, mean, variance, output].map(|tensor| tensor.to_contiguous());
        let mut grad = contiguous(grad);
        let (x, gamma, beta) = (numbers(&x), numbers(&gamma), numbers(&beta));
        let (mean, variance) = (numbers(&mean), numbers(&variance));
        let output = numbers(&output);

        let count = (planes.batch * planes.plane) as f64;
        let mut sums = vec![[0.0_f64; 2]; planes.channels];
        let masked = relu && addend;
        // The gradient is read for the last time: its memory takes a result, if nobody else has it.
        let own = match grad.try_storage_mut::<f32>() {
            Some(numbers) if numbers.len() == planes.len() && (relu || !addend) => {
                Some(Target(numbers.as_mut_ptr()))
            }
            _ => None,
        };
        let from = match own {
            Some(own) => Grad::Ours(own),
            None => Grad::Shared(numbers(&grad)),
        };
        // Without a place of its own, one of the two results takes the gradient's.
        let mut run = |x_grad: Option<Target>, masked_grad: Option<Target>| {
            sums.par_iter_mut().enumerate().for_each(|(channel, sums)| {
                with_wide_vectors(
                    #[inline(always)]
                    || {
                        let centre = mean[channel];
                        let scale = scale(gamma[channel], variance[channel], epsilon);
                        // Without an addend the output need not be read: it is made again.
                        let made = Forward {
                            mean: centre,
                            scale,
                            shift: beta[channel],
                            relu,
                        };
                        let gate = |part: &std::ops::Range<usize>| match (relu, addend) {
                            (false, _) => Gate::Open,
                            (true, false) => Gate::Made(made),
                            (true, true) => Gate::Output(&output[part.clone()]),
                        };
                        for part in planes.parts(channel) {
                            let grad = match &from {
                                // SAFETY: the part is of this task's channel, and all of it was written.
                                Grad::Ours(own) => unsafe { initialised(own.part(part.clone())) },
                                Grad::Shared(grad) => &grad[part.clone()],
                            };
                            let found = channel::sums(grad, &x[part.clone()], gate(&part), centre);
                            sums[0] += found[0];
                            sums[1] += found[1];
                        }
                        let inverse = inverse_deviation(variance[channel], epsilon);
                        let map = Backward {
                            mean: centre,
                            scale,
                            grad_mean: (sums[0] / count) as f32,
                            slope: (sums[1] / count * inverse * inverse) as f32,
                        };
                        sums[1] *= inverse;
                        for part in planes.parts(channel) {
                            let x_grad = x_grad.as_ref().map(|target| {
                                // SAFETY: the part is of this task's channel.
                                unsafe { target.part(part.clone()) }
                            });
                            let places = match (&from, x_grad) {
                                (Grad::Ours(own), x_grad) => {
                                    // SAFETY: as above, and all of it was written.
                                    let grad = unsafe { initialised_mut(own.part(part.clone())) };
                                    match x_grad {
                                        None => Places::Turned(grad),
                                        Some(x_grad) => Places::Masked { grad, x_grad },
                                    }
                                }
                                (Grad::Shared(grad), x_grad) => Places::Apart {
                                    grad: &grad[part.clone()],
                                    x_grad: x_grad.expect("a shared gradient is not written"),
                                    masked: masked_grad.as_ref().map(|target| {
                                        // SAFETY: as above.
                                        unsafe { target.part(part.clone()) }
                                    }),
                                },
                            };
                            map.apply(&x[part.clone()], gate(&part), places);
                        }
                    },
                );
            });
        };
        let fresh = |write: &mut dyn FnMut(Target)| {
            // SAFETY: the parts of all channels together are the whole tensor.
            unsafe { written::<f32>(planes.len(), |numbers| write(Target::of(numbers))) }
        };
        let (x_grad, addend_grad) = match (own, masked) {
            // The gradient's memory takes what the ReLU lets through, or else the gradient of the input.
            (Some(_), true) => {
                let x_grad = fresh(&mut |x_grad| run(Some(x_grad), None));
                (tensor(x_grad, shape), grad)
            }
            (Some(_), false) => {
                run(None, None);
                (grad.clone(), grad)
            }
            (None, true) => {
                let mut masked = Vec::new();
                let x_grad = fresh(&mut |x_grad| {
                    masked = fresh(&mut |masked| run(Some(x_grad), Some(masked)));
                });
                (tensor(x_grad, shape.clone()), tensor(masked, shape))
            }
            (None, false) => {
                let x_grad = fresh(&mut |x_grad| run(Some(x_grad), None));
                (tensor(x_grad, shape), grad)
            }
        };
        let vector = |index: usize| {
            let values = sums.iter().map(|sums| sums[index] as f32);
            tensor(values.collect(), Shape::new([planes.channels]))
        };
        (x_grad, vector(1), vector(0), addend_grad)
    }
}

/// The gradient of the output.
enum Grad<'a> {
    /// Nobody else has it: it may be overwritten.
    Ours(Target),
    Shared(&'a [f32]),
}

/// # Safety
///
/// Every number was written.
unsafe fn initialised(numbers: &[MaybeUninit<f32>]) -> &[f32] {
    // SAFETY: the layouts are the same, and the caller vouches for the contents.
    unsafe { &*(std::ptr::from_ref(numbers) as *const [f32]) }
}

/// # Safety
///
/// Every number was written.
unsafe fn initialised_mut(numbers: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    // SAFETY: the layouts are the same, and the caller vouches for the contents.
    unsafe { &mut *(std::ptr::from_mut(numbers) as *mut [f32]) }
}

/// The same tensor, contiguous; nobody else's if it was nobody else's.
fn contiguous(tensor: Primitive) -> Primitive {
    let contiguous = tensor.to_contiguous();
    drop(tensor);
    contiguous
}
