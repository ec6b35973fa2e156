//! The likelihood of labels over plain slices: one pass over the logits forward, one backward.

use std::mem::MaybeUninit;

use decoupled_seg_types::{multiversion, written};
use rayon::prelude::*;

use super::blocks::{BLOCK, Sizes};
use super::functions::{exp, ln};

/// What the forward pass leaves, all `[batch, pixels]`.
///
/// The maxima are kept apart from the logarithms of the sums: added up, logits of some thousands would leave the
/// logarithm no digits.
#[derive(Clone, Debug)]
pub(super) struct Likelihood {
    /// `-log softmax_label`
    pub nll: Vec<f32>,
    /// `max_c x_c` and `log sum_c exp(x_c - max)`.
    top: Vec<f32>,
    log_sum: Vec<f32>,
}

/// `labels` is `[batch, pixels]`, classes all of them.
pub(super) fn forward(logits: &[f32], labels: &[i32], sizes: Sizes) -> Likelihood {
    let length = sizes.batch * sizes.pixels;
    let [mut nll, mut top, mut log_sum] = std::array::from_fn(|_| vec![0.0; length]);
    let images = |values| <[f32]>::par_chunks_mut(values, sizes.pixels.max(1));
    let blocks = |values| <[f32]>::par_chunks_mut(values, BLOCK);
    (images(&mut nll), images(&mut top), images(&mut log_sum))
        .into_par_iter()
        .enumerate()
        .for_each(|(image, (nll, top, log_sum))| {
            (blocks(nll), blocks(top), blocks(log_sum))
                .into_par_iter()
                .enumerate()
                .for_each(|(block, (nll, top, log_sum))| {
                    let (start, length) = (block * BLOCK, nll.len());
                    let row =
                        |class| sizes.row(logits, sizes.classes, [image, class, start], length);
                    let labels = sizes.row(labels, 1, [image, 0, start], length);
                    top.copy_from_slice(row(0));
                    for class in 1..sizes.classes {
                        raise(top, row(class));
                    }
                    // The logits of the labels, at first.
                    for class in 0..sizes.classes {
                        add_exp(log_sum, row(class), top, labels, class as i32, nll);
                    }
                    finish(nll, top, log_sum);
                });
        });
    Likelihood { nll, top, log_sum }
}

/// The gradient of the logits: `gradient * (softmax_c - [c is the label])`.
pub(super) fn backward(
    gradient: &[f32],
    logits: &[f32],
    labels: &[i32],
    saved: &Likelihood,
    sizes: Sizes,
) -> Vec<f32> {
    let write = |result: &mut [MaybeUninit<f32>]| {
        let blocks = sizes.blocks().zip(sizes.rows_of_blocks(result));
        blocks.for_each(|((image, start, length), mut rows)| {
            let of_image = |values| sizes.row(values, 1, [image, 0, start], length);
            let gradient = of_image(gradient);
            if gradient.iter().all(|&value| value == 0.0) {
                for row in rows {
                    row.fill(MaybeUninit::new(0.0));
                }
                return;
            }
            let (top, log_sum) = (of_image(&saved.top), of_image(&saved.log_sum));
            let labels = sizes.row(labels, 1, [image, 0, start], length);
            for (class, result) in rows.iter_mut().enumerate() {
                let row = sizes.row(logits, sizes.classes, [image, class, start], length);
                slopes(result, gradient, row, top, log_sum, labels, class as i32);
            }
        });
    };
    // SAFETY: the rows of all blocks are the whole result, and each is filled or written by `slopes`.
    unsafe { written(logits.len(), write) }
}

multiversion! {
    /// The larger of each pair.
    pub(super) fn raise[](top: &mut [f32], values: &[f32]) {
        for (top, &value) in top.iter_mut().zip(values) {
            *top = if value > *top { value } else { *top };
        }
    }
}

multiversion! {
    /// Adds `exp(value - top)`, and keeps the value in `own` where the label is `class`; all of one length.
    fn add_exp[](
        sums: &mut [f32],
        values: &[f32],
        top: &[f32],
        labels: &[i32],
        class: i32,
        own: &mut [f32],
    ) {
        let sums = sums.iter_mut().zip(own);
        for (((sum, own), (&value, &top)), &label) in sums.zip(values.iter().zip(top)).zip(labels) {
            *sum += exp(value - top);
            *own = if label == class { value } else { *own };
        }
    }
}

multiversion! {
    /// Turns sums into their logarithms, and the logits of the labels into the likelihoods; all of one length.
    fn finish[](own: &mut [f32], top: &[f32], sums: &mut [f32]) {
        for ((own, &top), sum) in own.iter_mut().zip(top).zip(sums) {
            *sum = ln(*sum);
            *own = (top - *own) + *sum;
        }
    }
}

multiversion! {
    /// `gradient * (exp((value - top) - log_sum) - [the label is class])`, all of one length.
    // Slices of one length each: a struct of them would hide from the compiler that they do not overlap.
    #[allow(clippy::too_many_arguments)]
    fn slopes[](
        result: &mut [MaybeUninit<f32>],
        gradient: &[f32],
        values: &[f32],
        top: &[f32],
        log_sum: &[f32],
        labels: &[i32],
        class: i32,
    ) {
        let sums = top.iter().zip(log_sum).zip(labels);
        let rows = result.iter_mut().zip(gradient).zip(values);
        for (((result, &gradient), &value), ((&top, &sum), &label)) in rows.zip(sums) {
            let own = if label == class { gradient } else { 0.0 };
            result.write(gradient * exp((value - top) - sum) - own);
        }
    }
}
