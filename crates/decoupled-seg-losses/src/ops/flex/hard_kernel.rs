//! The mean of hard pixels over plain slices.

use decoupled_seg_types::multiversion;
use rayon::prelude::*;

/// Pixels whose losses are added up in `f32`.
const BLOCK: usize = 4 << 10;
/// Sums that are kept side by side, so that vectors can hold them and their latency is hidden.
const LANES: usize = 32;

/// The pixels of a batch.
#[derive(Clone, Copy)]
pub(super) struct Pixels<'a> {
    pub losses: &'a [f32],
    /// Not 0 where a pixel may be kept.
    pub candidates: &'a [u8],
}

/// Pixels that are kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    pub sum: f64,
    pub count: u64,
    /// Those that are not NaN.
    numbers: u64,
}

impl Pixels<'_> {
    fn blocks(&self) -> impl IndexedParallelIterator<Item = (&[f32], &[u8])> {
        let losses = self.losses.par_chunks(BLOCK);
        losses.zip(self.candidates.par_chunks(BLOCK))
    }

    /// The limit, and what it keeps: the loss of the `min_kept`-th candidate from the hardest on, but `easiest` at most; -1,
    /// which keeps all candidates, if there are too few or `min_kept` is 0.
    pub(super) fn hardest(&self, min_kept: usize, easiest: f32) -> (f32, Kept) {
        if min_kept == 0 {
            return (-1.0, self.kept(-1.0));
        }
        let kept = self.kept(easiest);
        let certain = kept.numbers as usize;
        if certain >= min_kept {
            return (easiest, kept);
        }
        let mut below: Vec<f32> = self
            .losses
            .iter()
            .zip(self.candidates)
            .filter(|&(&loss, &candidate)| candidate != 0 && loss >= 0.0 && loss < easiest)
            .map(|(&loss, _)| loss)
            .collect();
        let place = min_kept - certain - 1;
        let limit = match place < below.len() {
            true => *below.select_nth_unstable_by(place, |a, b| b.total_cmp(a)).1,
            false => -1.0,
        };
        (limit, self.kept(limit))
    }

    /// The candidates whose loss is not below `limit`.
    fn kept(&self, limit: f32) -> Kept {
        let of_blocks: Vec<Kept> = self
            .blocks()
            .map(|(losses, candidates)| {
                let mut kept = Kept::default();
                add_up(losses, candidates, limit, &mut kept);
                kept
            })
            .collect();
        // In their order, whatever the threads were.
        of_blocks
            .into_iter()
            .fold(Kept::default(), |all, block| Kept {
                sum: all.sum + block.sum,
                count: all.count + block.count,
                numbers: all.numbers + block.numbers,
            })
    }

    /// `factor` where a pixel is kept, 0 elsewhere.
    pub(super) fn gradient(&self, limit: f32, factor: f32) -> Vec<f32> {
        let mut gradient = vec![0.0; self.losses.len()];
        gradient.par_chunks_mut(BLOCK).zip(self.blocks()).for_each(
            |(gradient, (losses, candidates))| {
                mark(losses, candidates, limit, factor, gradient);
            },
        );
        gradient
    }
}

/// NaN is kept, so that it is seen in the sum.
#[inline(always)]
fn is_kept(loss: f32, candidate: u8, limit: f32) -> bool {
    // Not lazily: both are there, and vectors know no branch.
    (candidate != 0) & ((loss >= limit) | loss.is_nan())
}

multiversion! {
    /// Of at most [`BLOCK`] pixels.
    fn add_up[](losses: &[f32], candidates: &[u8], limit: f32, kept: &mut Kept) {
        let mut sums = [0.0_f32; LANES];
        let mut counts = [[0_u32; LANES]; 2];
        let (loss_blocks, losses) = losses.as_chunks::<LANES>();
        let (candidate_blocks, candidates) = candidates.as_chunks::<LANES>();
        for (losses, candidates) in loss_blocks.iter().zip(candidate_blocks) {
            for lane in 0..LANES {
                let kept = is_kept(losses[lane], candidates[lane], limit);
                sums[lane] += if kept { losses[lane] } else { 0.0 };
                counts[0][lane] += u32::from(kept);
                counts[1][lane] += u32::from(kept & !losses[lane].is_nan());
            }
        }
        for (&loss, &candidate) in losses.iter().zip(candidates) {
            if is_kept(loss, candidate, limit) {
                sums[0] += loss;
                counts[0][0] += 1;
                counts[1][0] += u32::from(!loss.is_nan());
            }
        }
        kept.sum = sums.into_iter().map(f64::from).sum();
        [kept.count, kept.numbers] = counts.map(|lanes| lanes.into_iter().map(u64::from).sum());
    }
}

multiversion! {
    /// `factor` where a pixel is kept, 0 elsewhere; all of one length.
    fn mark[](losses: &[f32], candidates: &[u8], limit: f32, factor: f32, gradient: &mut [f32]) {
        for ((gradient, &loss), &candidate) in gradient.iter_mut().zip(losses).zip(candidates) {
            *gradient = if is_kept(loss, candidate, limit) { factor } else { 0.0 };
        }
    }
}
