//! The likelihood of sets and of single labels over plain slices: one pass over the logits forward, one backward.

use decoupled_seg_types::multiversion;
use rayon::prelude::*;

use super::functions::{exp, ln};
use crate::label_sets::CLASSES_PER_WORD;

/// Pixels that are worked on together: 19 rows of logits are 19 KiB, within the first cache.
const BLOCK: usize = 256;

/// Sizes of the tensors: logits `[batch, classes, pixels]`, words `[batch, planes, pixels]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub batch: usize,
    pub classes: usize,
    pub planes: usize,
    pub pixels: usize,
}

impl Sizes {
    /// `length` values of one channel of one image.
    fn row<'a, T>(
        &self,
        values: &'a [T],
        channels: usize,
        at: [usize; 3],
        length: usize,
    ) -> &'a [T] {
        let [image, channel, pixel] = at;
        let start = (image * channels + channel) * self.pixels + pixel;
        &values[start..start + length]
    }
}

/// What the forward pass leaves, all `[batch, pixels]`.
///
/// The maxima are kept apart from the logarithms of the sums: added up, logits of some thousands would leave the
/// logarithm no digits.
#[derive(Clone, Debug)]
pub(super) struct Likelihood {
    /// `-log sum_(c in set) softmax_c`, 0 for an empty set.
    pub nll: Vec<f32>,
    /// `max_c x_c` and `log sum_c exp(x_c - max)`.
    top: Vec<f32>,
    log_sum: Vec<f32>,
    /// The same over the set.
    set_top: Vec<f32>,
    set_log_sum: Vec<f32>,
}

pub(super) fn forward(logits: &[f32], words: &[i32], sizes: Sizes) -> Likelihood {
    let length = sizes.batch * sizes.pixels;
    let [mut nll, mut top, mut log_sum, mut set_top, mut set_log_sum] =
        std::array::from_fn(|_| vec![0.0; length]);
    let images = |values| <[f32]>::par_chunks_mut(values, sizes.pixels.max(1));
    let blocks = |values| <[f32]>::par_chunks_mut(values, BLOCK);
    (
        images(&mut nll),
        images(&mut top),
        images(&mut log_sum),
        images(&mut set_top),
        images(&mut set_log_sum),
    )
        .into_par_iter()
        .enumerate()
        .for_each(|(image, (nll, top, log_sum, set_top, set_log_sum))| {
            (
                blocks(nll),
                blocks(top),
                blocks(log_sum),
                blocks(set_top),
                blocks(set_log_sum),
            )
                .into_par_iter()
                .enumerate()
                .for_each(|(block, (nll, top, log_sum, set_top, set_log_sum))| {
                    let start = block * BLOCK;
                    let length = nll.len();
                    let row =
                        |class| sizes.row(logits, sizes.classes, [image, class, start], length);
                    let set = |plane| sizes.row(words, sizes.planes, [image, plane, start], length);
                    over_all(top, log_sum, sizes.classes, row);
                    for pixel in 0..length {
                        // Most sets are single classes.
                        if sizes.planes == 1 {
                            let word = set(0)[pixel];
                            if word == 0 {
                                continue;
                            }
                            if word & (word - 1) == 0 {
                                let own = row(word.trailing_zeros() as usize)[pixel];
                                set_top[pixel] = own;
                                nll[pixel] = (top[pixel] - own) + log_sum[pixel];
                                continue;
                            }
                        }
                        let words = (0..sizes.planes).map(|plane| set(plane)[pixel]);
                        let Some((highest, sum)) = over_set(words, |class| row(class)[pixel])
                        else {
                            continue;
                        };
                        set_top[pixel] = highest;
                        set_log_sum[pixel] = sum;
                        nll[pixel] = (top[pixel] - highest) + (log_sum[pixel] - sum);
                    }
                });
        });
    Likelihood {
        nll,
        top,
        log_sum,
        set_top,
        set_log_sum,
    }
}

/// As [`forward`], of one class a pixel: `labels` is `[batch, pixels]`. The set's own maxima are the logits themselves, and
/// left out.
pub(super) fn forward_labels(logits: &[f32], labels: &[i32], sizes: Sizes) -> Likelihood {
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
                    over_all(top, log_sum, sizes.classes, row);
                    for (pixel, &label) in labels.iter().enumerate() {
                        let own = row(label as usize)[pixel];
                        nll[pixel] = (top[pixel] - own) + log_sum[pixel];
                    }
                });
        });
    Likelihood {
        nll,
        top,
        log_sum,
        set_top: Vec::new(),
        set_log_sum: Vec::new(),
    }
}

/// The gradient of the logits of [`forward_labels`]: `gradient * (softmax_c - [c is the label])`.
pub(super) fn backward_labels(
    gradient: &[f32],
    logits: &[f32],
    labels: &[i32],
    saved: &Likelihood,
    sizes: Sizes,
) -> Vec<f32> {
    in_blocks(sizes, |image, start, rows| {
        let length = rows[0].len();
        let of_image = |values| sizes.row(values, 1, [image, 0, start], length);
        let gradient = of_image(gradient);
        if gradient.iter().all(|&value| value == 0.0) {
            return;
        }
        let (top, log_sum) = (of_image(&saved.top), of_image(&saved.log_sum));
        for (class, result) in rows.iter_mut().enumerate() {
            let row = sizes.row(logits, sizes.classes, [image, class, start], length);
            times_softmax(result, gradient, row, top, log_sum);
        }
        let labels = sizes.row(labels, 1, [image, 0, start], length);
        for (pixel, (&label, gradient)) in labels.iter().zip(gradient).enumerate() {
            rows[label as usize][pixel] -= gradient;
        }
    })
}

/// The gradient of the logits: `gradient * (softmax_c - [c in set] * softmax_c / sum_(set) softmax)`.
pub(super) fn backward(
    gradient: &[f32],
    logits: &[f32],
    words: &[i32],
    saved: &Likelihood,
    sizes: Sizes,
) -> Vec<f32> {
    in_blocks(sizes, |image, start, rows| {
        let length = rows[0].len();
        let of_image = |values| sizes.row(values, 1, [image, 0, start], length);
        let set = |plane| sizes.row(words, sizes.planes, [image, plane, start], length);
        // A pixel without a set is a constant.
        let mut gradient = of_image(gradient).to_vec();
        for (pixel, gradient) in gradient.iter_mut().enumerate() {
            if (0..sizes.planes).all(|plane| set(plane)[pixel] == 0) {
                *gradient = 0.0;
            }
        }
        if gradient.iter().all(|&value| value == 0.0) {
            return;
        }
        let [top, log_sum] = [&saved.top, &saved.log_sum].map(|values| of_image(values));
        let [set_top, set_log_sum] =
            [&saved.set_top, &saved.set_log_sum].map(|values| of_image(values));
        for (class, result) in rows.iter_mut().enumerate() {
            let row = sizes.row(logits, sizes.classes, [image, class, start], length);
            times_softmax(result, &gradient, row, top, log_sum);
            let bit = 1 << (class % CLASSES_PER_WORD);
            let set = set(class / CLASSES_PER_WORD);
            // Most blocks hold one or two of the classes.
            if set.iter().fold(0, |all, word| all | word) & bit != 0 {
                take_members(result, &gradient, row, set_top, set_log_sum, set, bit);
            }
        }
    })
}

/// Calculates a gradient of logits in blocks of pixels, which are zero at first: `work` gets the image, the first pixel and the
/// row of every class.
fn in_blocks(sizes: Sizes, work: impl Fn(usize, usize, &mut [&mut [f32]]) + Sync) -> Vec<f32> {
    let mut result = vec![0.0; sizes.batch * sizes.classes * sizes.pixels];
    if result.is_empty() {
        return result;
    }
    let mut tasks = Vec::new();
    for (image, planes) in result
        .chunks_exact_mut(sizes.classes * sizes.pixels)
        .enumerate()
    {
        let mut rows: Vec<_> = planes
            .chunks_exact_mut(sizes.pixels)
            .map(|plane| plane.chunks_mut(BLOCK))
            .collect();
        for start in (0..sizes.pixels).step_by(BLOCK) {
            let rows: Vec<&mut [f32]> = rows.iter_mut().filter_map(Iterator::next).collect();
            tasks.push((image, start, rows));
        }
    }
    tasks
        .into_par_iter()
        .for_each(|(image, start, mut rows)| work(image, start, &mut rows));
    result
}

multiversion! {
    /// The larger of each pair.
    fn raise[](top: &mut [f32], values: &[f32]) {
        for (top, &value) in top.iter_mut().zip(values) {
            *top = if value > *top { value } else { *top };
        }
    }
}

multiversion! {
    /// Adds `exp(value - top)`.
    fn add_exp[](sums: &mut [f32], values: &[f32], top: &[f32]) {
        for ((sum, &top), &value) in sums.iter_mut().zip(top).zip(values) {
            *sum += exp(value - top);
        }
    }
}

multiversion! {
    /// `gradient * exp((value - top) - log_sum)`, all of one length.
    fn times_softmax[](
        result: &mut [f32],
        gradient: &[f32],
        values: &[f32],
        top: &[f32],
        log_sum: &[f32],
    ) {
        let rows = result.iter_mut().zip(gradient).zip(values);
        for (((result, &gradient), &value), (&top, &sum)) in rows.zip(top.iter().zip(log_sum)) {
            *result = gradient * exp((value - top) - sum);
        }
    }
}

multiversion! {
    /// Takes `gradient * exp((value - top) - log_sum)` off where `words` have `bit`, all of one length.
    fn take_members[](
        result: &mut [f32],
        gradient: &[f32],
        values: &[f32],
        top: &[f32],
        log_sum: &[f32],
        words: &[i32],
        bit: i32,
    ) {
        let rows = result.iter_mut().zip(gradient).zip(values).zip(words);
        for ((((result, &gradient), &value), &word), (&top, &sum)) in rows.zip(top.iter().zip(log_sum)) {
            let share = gradient * exp((value - top) - sum);
            *result -= if word & bit == 0 { 0.0 } else { share };
        }
    }
}

multiversion! {
    /// The logarithm of each.
    fn logarithms[](values: &mut [f32]) {
        for value in values {
            *value = ln(*value);
        }
    }
}

/// Maximum and logarithm of the sum over all classes.
fn over_all<'a>(
    top: &mut [f32],
    log_sum: &mut [f32],
    classes: usize,
    row: impl Fn(usize) -> &'a [f32],
) {
    top.copy_from_slice(row(0));
    for class in 1..classes {
        raise(top, row(class));
    }
    log_sum.fill(0.0);
    for class in 0..classes {
        add_exp(log_sum, row(class), top);
    }
    logarithms(log_sum);
}

/// Maximum and logarithm of the sum over a set, `None` if it is empty.
fn over_set(
    words: impl Iterator<Item = i32> + Clone,
    value: impl Fn(usize) -> f32,
) -> Option<(f32, f32)> {
    let members = || {
        words.clone().enumerate().flat_map(|(plane, word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    plane * CLASSES_PER_WORD + bit
                })
            })
        })
    };
    let mut rest = members();
    let first = value(rest.next()?);
    let mut more = rest.peekable();
    if more.peek().is_none() {
        return Some((first, 0.0));
    }
    let highest = more.fold(first, |top, class| {
        if value(class) > top {
            value(class)
        } else {
            top
        }
    });
    let sum: f32 = members().map(|class| exp(value(class) - highest)).sum();
    Some((highest, sum.ln()))
}
