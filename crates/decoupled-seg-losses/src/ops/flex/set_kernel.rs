//! The loss of sets over plain slices: the loss and its gradient in one pass over the logits.
//!
//! ```text
//! e_c = exp(x_c - max x),  all = sum_c e_c,  inside = sum_(c in S) e_c
//! nll = log(all / inside),  d nll / d x_c = e_c / all - [c in S] * e_c / inside
//! ```

use std::mem::MaybeUninit;

use decoupled_seg_types::{multiversion, written};
use rayon::prelude::*;

use super::blocks::{BLOCK, Sizes};
use super::functions::{exp, ln};
use super::label_kernel::raise;
use crate::label_sets::CLASSES_PER_WORD;

/// Sums that are kept side by side, so that vectors can hold them.
const LANES: usize = 16;

/// Where a set has less than this beside the likeliest class, its sum is made again with a maximum of its own: `exp` is 0
/// below `exp(-87)`, and what that leaves out of a sum of this size has no digit in it.
const LEAST: f32 = 1e-28;

/// What the loss is made from.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    /// `[batch, classes, pixels]`
    pub logits: &'a [f32],
    /// `[batch, planes, pixels]`
    pub words: &'a [i32],
    /// How much each pixel counts, `[batch, pixels]`; 1 where not given.
    pub weights: Option<&'a [f32]>,
    pub sizes: Sizes,
}

impl Operands<'_> {
    /// Number of pixels whose set is not empty.
    pub(super) fn count(&self) -> usize {
        let sizes = self.sizes;
        let of_blocks = sizes.blocks().map(|(image, start, length)| {
            let mut any = [0; BLOCK];
            for plane in 0..sizes.planes {
                let at = [image, plane, start];
                unite(
                    sizes.row(self.words, sizes.planes, at, length),
                    &mut any[..length],
                );
            }
            any.iter()
                .map(|&word| usize::from(word != 0))
                .sum::<usize>()
        });
        of_blocks.sum()
    }

    /// The sum over all pixels of the loss, by weight.
    pub(super) fn loss(&self) -> f64 {
        let blocks = self.sizes.blocks();
        let of_blocks: Vec<f64> = blocks
            .map_init(
                || self.scratch(),
                |exps, place| self.block(place, 1.0, exps, &mut []),
            )
            .collect();
        // In their order, whatever the threads were.
        of_blocks.into_iter().sum()
    }

    /// The same sum, and the gradient of `scale` times it, of the shape of the logits.
    pub(super) fn loss_and_gradient(&self, scale: f32) -> (f64, Vec<f32>) {
        let mut loss = 0.0;
        let write = |gradient: &mut [MaybeUninit<f32>]| {
            let of_blocks: Vec<f64> = self
                .sizes
                .blocks()
                .zip(self.sizes.rows_of_blocks(gradient))
                .map_init(
                    || self.scratch(),
                    |exps, (place, mut rows)| self.block(place, scale, exps, &mut rows),
                )
                .collect();
            loss = of_blocks.into_iter().sum();
        };
        // SAFETY: the rows of all blocks are the whole gradient, and `block` writes every number of them.
        let gradient = unsafe { written(self.logits.len(), write) };
        (loss, gradient)
    }

    fn scratch(&self) -> Vec<f32> {
        vec![0.0; self.sizes.classes * BLOCK]
    }

    /// The loss of a block of pixels; writes the gradient to its rows if there are any.
    fn block(
        &self,
        (image, start, length): (usize, usize, usize),
        scale: f32,
        exps: &mut [f32],
        gradient: &mut [&mut [MaybeUninit<f32>]],
    ) -> f64 {
        let sizes = self.sizes;
        let row = |class| sizes.row(self.logits, sizes.classes, [image, class, start], length);
        let words = |class| {
            let plane = class / CLASSES_PER_WORD;
            sizes.row(self.words, sizes.planes, [image, plane, start], length)
        };

        let mut numbers = [[0.0; BLOCK]; 5];
        let [top, all, inside, losses, factors] = numbers.each_mut().map(|row| &mut row[..length]);
        let mut any = [0; BLOCK];
        let any = &mut any[..length];
        top.copy_from_slice(row(0));
        for class in 1..sizes.classes {
            raise(top, row(class));
        }
        for (class, exps) in exps.chunks_exact_mut(BLOCK).enumerate() {
            let exps = &mut exps[..length];
            let (words, bit) = (words(class), bit(class));
            add_exps(row(class), top, words, bit, exps, all, inside);
        }
        for plane in 0..sizes.planes {
            unite(words(plane * CLASSES_PER_WORD), any);
        }
        let far = self.far_sets(inside, any, &row, &words);
        finish(all, inside, any, losses);
        for set in &far {
            losses[set.pixel] = (top[set.pixel] - set.highest) - (ln(all[set.pixel]) + set.log_sum);
        }

        match self.weights {
            Some(weights) => {
                let weights = sizes.row(weights, 1, [image, 0, start], length);
                for (pixel, &weight) in weights.iter().enumerate() {
                    losses[pixel] *= weight;
                    factors[pixel] = weight * scale;
                }
            }
            None => factors.fill(scale),
        }
        for (class, gradient) in gradient.iter_mut().enumerate() {
            let exps = &exps[class * BLOCK..][..length];
            let (words, bit) = (words(class), bit(class));
            slopes(exps, all, inside, factors, words, bit, any, gradient);
            for set in &far {
                let share = match words[set.pixel] & bit {
                    0 => 0.0,
                    _ => exp((row(class)[set.pixel] - set.highest) - set.log_sum),
                };
                let slope = exps[set.pixel] * all[set.pixel] - share;
                gradient[set.pixel].write(factors[set.pixel] * slope);
            }
        }
        total(losses)
    }

    /// The sets far below the likeliest class.
    fn far_sets<'a>(
        &self,
        inside: &[f32],
        any: &[i32],
        row: &impl Fn(usize) -> &'a [f32],
        words: &impl Fn(usize) -> &'a [i32],
    ) -> Vec<FarSet> {
        let mut lowest = [f32::INFINITY; LANES];
        for (inside, any) in inside.chunks(LANES).zip(any.chunks(LANES)) {
            for ((lowest, &inside), &any) in lowest.iter_mut().zip(inside).zip(any) {
                let inside = if any == 0 { f32::INFINITY } else { inside };
                *lowest = if inside < *lowest { inside } else { *lowest };
            }
        }
        if lowest.iter().all(|&lowest| lowest >= LEAST) {
            return Vec::new();
        }
        let far = |&pixel: &usize| any[pixel] != 0 && inside[pixel] < LEAST;
        let set = |pixel: usize| {
            let members = (0..self.sizes.classes)
                .filter(|&class| words(class)[pixel] & bit(class) != 0)
                .map(|class| row(class)[pixel]);
            let highest = members.clone().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = members.map(|value| exp(value - highest)).sum();
            FarSet {
                pixel,
                highest,
                log_sum: ln(sum),
            }
        };
        (0..inside.len()).filter(far).map(set).collect()
    }
}

/// A set far below the likeliest class of its pixel.
struct FarSet {
    pixel: usize,
    highest: f32,
    /// `log sum_(c in S) exp(x_c - highest)`
    log_sum: f32,
}

fn bit(class: usize) -> i32 {
    1 << (class % CLASSES_PER_WORD)
}

multiversion! {
    /// The union of each pair.
    fn unite[](words: &[i32], any: &mut [i32]) {
        for (any, &word) in any.iter_mut().zip(words) {
            *any |= word;
        }
    }
}

multiversion! {
    /// `exp(value - top)`, also added to `all` and, where `words` have `bit`, to `inside`; all of one length.
    fn add_exps[](
        values: &[f32],
        top: &[f32],
        words: &[i32],
        bit: i32,
        exps: &mut [f32],
        all: &mut [f32],
        inside: &mut [f32],
    ) {
        let sums = exps.iter_mut().zip(all).zip(inside);
        for (((exps, all), inside), ((&value, &top), &word)) in sums.zip(values.iter().zip(top).zip(words)) {
            let power = exp(value - top);
            *exps = power;
            *all += power;
            *inside += if word & bit == 0 { 0.0 } else { power };
        }
    }
}

multiversion! {
    /// The losses, 0 for empty sets; both sums become their inverses. All of one length.
    fn finish[](all: &mut [f32], inside: &mut [f32], any: &[i32], losses: &mut [f32]) {
        let sums = all.iter_mut().zip(inside).zip(losses);
        for (((all, inside), loss), &any) in sums.zip(any) {
            let found = ln(*all / *inside);
            *loss = if any == 0 { 0.0 } else { found };
            *all = 1.0 / *all;
            *inside = 1.0 / *inside;
        }
    }
}

multiversion! {
    /// `factor * power * (all - [in the set] * inside)`, 0 for empty sets; all of one length.
    // Slices of one length each: a struct of them would hide from the compiler that they do not overlap.
    #[allow(clippy::too_many_arguments)]
    fn slopes[](
        exps: &[f32],
        all: &[f32],
        inside: &[f32],
        factors: &[f32],
        words: &[i32],
        bit: i32,
        any: &[i32],
        gradient: &mut [MaybeUninit<f32>],
    ) {
        let sums = exps.iter().zip(all).zip(inside).zip(factors);
        let sets = words.iter().zip(any);
        for ((gradient, (((&power, &all), &inside), &factor)), (&word, &any)) in gradient.iter_mut().zip(sums).zip(sets) {
            let share = if word & bit == 0 { 0.0 } else { inside };
            let slope = factor * (power * (all - share));
            gradient.write(if any == 0 { 0.0 } else { slope });
        }
    }
}

/// The sum of a block, in an order that vectors can keep.
fn total(losses: &[f32]) -> f64 {
    let mut lanes = [0.0_f32; LANES];
    for losses in losses.chunks(LANES) {
        for (lane, &loss) in lanes.iter_mut().zip(losses) {
            *lane += loss;
        }
    }
    lanes.into_iter().map(f64::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_without_a_set_are_not_looked_at() {
        let sizes = Sizes {
            batch: 1,
            classes: 2,
            planes: 1,
            pixels: 2,
        };
        let operands = Operands {
            logits: &[0.0, f32::NAN, 0.0, f32::INFINITY],
            words: &[1, 0],
            weights: None,
            sizes,
        };
        let (loss, gradient) = operands.loss_and_gradient(2.0);
        assert!((loss - std::f64::consts::LN_2).abs() < 1e-6, "{loss}");
        assert_eq!(gradient, [-1.0, 0.0, 1.0, 0.0]);
        assert_eq!(operands.count(), 1);
    }

    #[test]
    fn what_is_not_a_number_is_seen() {
        let sizes = Sizes {
            batch: 1,
            classes: 2,
            planes: 1,
            pixels: 1,
        };
        for logits in [[f32::NAN, 0.0], [0.0, f32::NAN], [0.0, f32::INFINITY]] {
            let operands = Operands {
                logits: &logits,
                words: &[1],
                weights: None,
                sizes,
            };
            assert!(!operands.loss().is_finite(), "{logits:?}");
        }
    }

    #[test]
    fn threads_change_no_bit() {
        let sizes = Sizes {
            batch: 3,
            classes: 33,
            planes: 2,
            pixels: 1100,
        };
        let len = sizes.batch * sizes.classes * sizes.pixels;
        let logits: Vec<f32> = (0..len).map(|n| (n * 7919 % 2003) as f32 / 50.0).collect();
        let words: Vec<i32> = (0..sizes.batch * sizes.planes * sizes.pixels)
            .map(|n| (n * 613 % 7 % 4) as i32)
            .collect();
        let operands = Operands {
            logits: &logits,
            words: &words,
            weights: None,
            sizes,
        };
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads")
                .install(|| operands.loss_and_gradient(1.0))
        };
        let one = on(1);
        assert!(one.0 > 0.0 && [2, 4].into_iter().all(|threads| on(threads) == one));
    }
}
