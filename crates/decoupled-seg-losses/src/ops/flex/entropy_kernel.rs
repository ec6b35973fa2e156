//! The binary cross entropy over plain slices.
//!
//! ```text
//! loss = softplus(t) = max(t, 0) + log(1 + exp(-|t|)),   t = -z for an edge, z for another pixel
//! ```

use decoupled_seg_types::multiversion;
use rayon::prelude::*;

use super::functions::{exp, ln_1p};

/// Pixels whose losses are added up in `f32`.
const BLOCK: usize = 4 << 10;
/// Sums that are kept side by side, so that vectors can hold them and their latency is hidden.
const LANES: usize = 32;

/// Losses and pixels: of others, of edges.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) losses: [f64; 2],
    counts: [u64; 2],
}

/// What the loss of a pixel is multiplied by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights {
    pub(super) of_edges: f64,
    pub(super) of_others: f64,
}

impl Weights {
    /// For a loss over `all` pixels or over those that have a label.
    pub(super) fn new(sums: &Sums, balanced: bool, over_all: bool, all: usize) -> Self {
        let [others, edges] = sums.counts.map(|count| count as f64);
        let labelled = (others + edges).max(1.0);
        let pixels = if over_all { all as f64 } else { labelled };
        let share = |count: f64| match balanced {
            true => count / labelled / pixels,
            false => 1.0 / pixels,
        };
        Self {
            of_edges: share(others),
            of_others: share(edges),
        }
    }

    pub(super) fn times(self, factor: f32) -> Self {
        Self {
            of_edges: self.of_edges * f64::from(factor),
            of_others: self.of_others * f64::from(factor),
        }
    }
}

pub(super) fn forward(scores: &[f32], labels: &[i32]) -> Sums {
    let blocks = scores.par_chunks(BLOCK).zip(labels.par_chunks(BLOCK));
    let of_blocks: Vec<Sums> = blocks
        .map(|(scores, labels)| {
            let mut sums = Sums::default();
            add_up(scores, labels, &mut sums);
            sums
        })
        .collect();
    // In their order, whatever the threads were.
    of_blocks.into_iter().fold(Sums::default(), |sums, block| {
        let both = [0, 1];
        Sums {
            losses: both.map(|index| sums.losses[index] + block.losses[index]),
            counts: both.map(|index| sums.counts[index] + block.counts[index]),
        }
    })
}

/// The gradient of the scores.
pub(super) fn backward(scores: &[f32], labels: &[i32], weights: Weights) -> Vec<f32> {
    let mut result = vec![0.0; scores.len()];
    let (of_edges, of_others) = (weights.of_edges as f32, weights.of_others as f32);
    result
        .par_chunks_mut(BLOCK)
        .zip(scores.par_chunks(BLOCK).zip(labels.par_chunks(BLOCK)))
        .for_each(|(result, (scores, labels))| {
            slopes(result, scores, labels, of_edges, of_others);
        });
    result
}

multiversion! {
    /// Sums of at most [`BLOCK`] pixels.
    fn add_up[](scores: &[f32], labels: &[i32], sums: &mut Sums) {
        let mut losses = [[0.0_f32; LANES]; 2];
        let mut counts = [[0_i32; LANES]; 2];
        let (score_blocks, scores) = scores.as_chunks::<LANES>();
        let (label_blocks, labels) = labels.as_chunks::<LANES>();
        for (scores, labels) in score_blocks.iter().zip(label_blocks) {
            for lane in 0..LANES {
                let [other, edge] = [labels[lane] == 0, labels[lane] == 1];
                let loss = loss(scores[lane], edge);
                losses[0][lane] += if other { loss } else { 0.0 };
                losses[1][lane] += if edge { loss } else { 0.0 };
                counts[0][lane] += i32::from(other);
                counts[1][lane] += i32::from(edge);
            }
        }
        for (&score, &label) in scores.iter().zip(labels) {
            if label == 0 || label == 1 {
                losses[label as usize][0] += loss(score, label == 1);
                counts[label as usize][0] += 1;
            }
        }
        sums.losses = losses.map(|lanes| lanes.into_iter().map(f64::from).sum());
        sums.counts = counts.map(|lanes| lanes.into_iter().map(|count| count as u64).sum());
    }
}

multiversion! {
    /// The gradient of every score.
    fn slopes[](
        result: &mut [f32],
        scores: &[f32],
        labels: &[i32],
        of_edges: f32,
        of_others: f32,
    ) {
        for ((result, &score), &label) in result.iter_mut().zip(scores).zip(labels) {
            let edge = label == 1;
            let turned = if edge { -score } else { score };
            let small = exp(-turned.abs());
            // sigmoid(t)
            let slope = if turned < 0.0 { small } else { 1.0 } / (1.0 + small);
            let weight = if edge { -of_edges } else { of_others };
            *result = if edge || label == 0 { weight * slope } else { 0.0 };
        }
    }
}

#[inline(always)]
fn loss(score: f32, edge: bool) -> f32 {
    let turned = if edge { -score } else { score };
    // A comparison that NaN passes through.
    let positive = if turned < 0.0 { 0.0 } else { turned };
    positive + ln_1p(exp(-turned.abs()))
}
