//! Blocks of pixels, small enough that the logits of all their classes stay in the cache.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// Pixels that are worked on together: 19 rows of logits are 19 KiB, within the first cache.
pub(super) const BLOCK: usize = 256;

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
    pub(super) fn row<'a, T>(
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

    /// Image, first pixel and length of every block.
    pub(super) fn blocks(self) -> impl IndexedParallelIterator<Item = (usize, usize, usize)> {
        let of_image = self.pixels.div_ceil(BLOCK);
        (0..self.batch * of_image)
            .into_par_iter()
            .map(move |block| {
                let start = block % of_image * BLOCK;
                (block / of_image, start, BLOCK.min(self.pixels - start))
            })
    }

    /// The rows of every class, block by block in the order of [`blocks`](Self::blocks), of numbers of the logits' shape.
    pub(super) fn rows_of_blocks(
        self,
        numbers: &mut [MaybeUninit<f32>],
    ) -> Vec<Vec<&mut [MaybeUninit<f32>]>> {
        let mut blocks = Vec::new();
        if numbers.is_empty() {
            return blocks;
        }
        for planes in numbers.chunks_exact_mut(self.classes * self.pixels) {
            let mut rows: Vec<_> = planes
                .chunks_exact_mut(self.pixels)
                .map(|plane| plane.chunks_mut(BLOCK))
                .collect();
            for _ in (0..self.pixels).step_by(BLOCK) {
                blocks.push(rows.iter_mut().filter_map(Iterator::next).collect());
            }
        }
        blocks
    }
}
