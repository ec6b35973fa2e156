//! The gradient of the weights: output gradients times shifted inputs, summed over all points. Here as dot products, for the
//! few channels that leave the vectors of [`outer`] half empty.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::geometry::{Conv, Lattice};
use super::outer;
use super::patch::{Block, Layout};
use super::scratch::with_scratch;
use super::tile::{DOT_COLUMNS, Dots, Isa};
use super::weights::share;

/// Points that are summed before the lanes of a sum are added up.
const POINTS: usize = 2 << 10;
/// Numbers in the patches of the input, and in those of the gradient.
const PATCH: usize = 64 << 10;
/// Tasks that there should be, if that is possible. The same for every number of threads, since the sums depend on it.
const TASKS: usize = 16;
/// Numbers in the sums of all tasks.
const SUMS: usize = 4 << 20;

/// The gradient of the weights, of `conv.weight_len()` numbers.
pub(super) fn weight_gradient(
    isa: Isa,
    conv: &Conv,
    input: &[f32],
    grad: &[f32],
    target: &mut [MaybeUninit<f32>],
) {
    if conv.output_len() == 0 || target.is_empty() {
        target.fill(MaybeUninit::new(0.0));
        return;
    }
    if let Some(plan) = outer::Plan::new(isa, conv) {
        plan.run(input, grad, target);
        return;
    }
    let lattice = conv.forward();
    let job = Job::new(isa, conv, &lattice, input, grad);
    let mut sums = vec![0.0; job.chunks * target.len()];
    let all = Sums(sums.as_mut_ptr());
    (0..job.tasks())
        .into_par_iter()
        .for_each(|task| job.run(task, all));
    const PIECE: usize = 1 << 12;
    target
        .par_chunks_mut(PIECE)
        .enumerate()
        .for_each(|(index, target)| {
            let len = target.len();
            let place = index * PIECE;
            let (first, rest) = sums.split_at(job.weights);
            let mut total = [0.0; PIECE];
            let total = &mut total[..len];
            total.copy_from_slice(&first[place..place + len]);
            for sums in rest.chunks_exact(job.weights) {
                for (total, sum) in total.iter_mut().zip(&sums[place..place + len]) {
                    *total += sum;
                }
            }
            for (target, total) in target.iter_mut().zip(total) {
                target.write(*total);
            }
        });
}

/// The sums, for threads that write different parts of them.
#[derive(Clone, Copy)]
struct Sums(*mut f32);

// SAFETY: every task adds to the sums of its own chunk, group, outputs and channels.
unsafe impl Send for Sums {}
// SAFETY: as above.
unsafe impl Sync for Sums {}

impl Sums {
    /// # Safety
    ///
    /// There is a sum at `place`.
    unsafe fn at(self, place: usize) -> *mut f32 {
        // SAFETY: as the caller vouches.
        unsafe { self.0.add(place) }
    }
}

struct Job<'a> {
    isa: Isa,
    conv: &'a Conv,
    input: &'a [f32],
    grad: &'a [f32],
    layout: Layout,
    /// Rows of a band at most, bands of an image, bands that are handled at a time.
    rows: usize,
    bands: usize,
    together: usize,
    chunks: usize,
    channel_blocks: usize,
    output_blocks: usize,
    weights: usize,
}

impl<'a> Job<'a> {
    fn new(isa: Isa, conv: &'a Conv, lattice: &Lattice, input: &'a [f32], grad: &'a [f32]) -> Self {
        let [height, width] = conv.output;
        let wide = Layout::new(lattice, [1, width]).width;
        let bands = height.div_ceil(POINTS.div_ceil(wide));
        let rows = height.div_ceil(bands);
        let layout = Layout::new(lattice, [rows, width]);
        let all_bands = conv.batch * bands;
        let together = (POINTS / layout.plane).clamp(1, all_bands);
        let plane = together * layout.plane;
        let blocks = |channels: usize, numbers: usize| {
            channels.div_ceil((PATCH / numbers).clamp(1, channels))
        };
        let channel_blocks = blocks(conv.in_channels, plane);
        let output_blocks = blocks(
            conv.out_channels,
            (rows * layout.width).min(plane) * together,
        );
        let weights = conv.weight_len();
        let others = conv.groups * channel_blocks * output_blocks;
        let chunks = TASKS
            .div_ceil(others)
            .min(SUMS.div_ceil(weights))
            .min(all_bands.div_ceil(together));
        Self {
            isa,
            conv,
            input,
            grad,
            layout,
            rows,
            bands,
            together,
            chunks,
            channel_blocks,
            output_blocks,
            weights,
        }
    }

    fn tasks(&self) -> usize {
        self.chunks * self.conv.groups * self.channel_blocks * self.output_blocks
    }

    fn run(&self, task: usize, sums: Sums) {
        let conv = self.conv;
        let (task, output_block) = (task / self.output_blocks, task % self.output_blocks);
        let (task, channel_block) = (task / self.channel_blocks, task % self.channel_blocks);
        let (chunk, group) = (task / conv.groups, task % conv.groups);
        let outputs = share(conv.out_channels, self.output_blocks, output_block);
        let channels = share(conv.in_channels, self.channel_blocks, channel_block);
        let batches = (conv.batch * self.bands).div_ceil(self.together);

        let lanes = self.isa.lanes;
        // Both patches of a channel: `together` planes, of which the last is cut off behind its points.
        let plane = self.layout.plane;
        let points = (self.rows - 1) * self.layout.width + conv.output[1];
        let grad_row = ((self.together - 1) * plane + points).next_multiple_of(lanes);
        let input_row = self.together * plane;
        // A tap reads as many numbers as there are in `grad_row`, from its offset on.
        let input_len = (channels.len() * input_row + grad_row).next_multiple_of(16);
        let grads_len = outputs.len() * grad_row;
        with_scratch(input_len + grads_len, |scratch| {
            let (patch, rest) = scratch.split_at_mut(input_len);
            let grads = &mut rest[..grads_len];
            // What is multiplied with zero must be a number.
            patch.fill(0.0);
            for batch in share(batches, self.chunks, chunk) {
                let bands = batch * self.together
                    ..((batch + 1) * self.together).min(conv.batch * self.bands);
                self.fill(
                    bands,
                    group,
                    channels.clone(),
                    outputs.clone(),
                    patch,
                    grads,
                );
                let place = chunk * self.weights;
                self.multiply(
                    group,
                    channels.clone(),
                    outputs.clone(),
                    patch,
                    grads,
                    place,
                    sums,
                );
            }
        });
    }

    /// Copies inputs and gradients of a few bands.
    fn fill(
        &self,
        bands: Range<usize>,
        group: usize,
        channels: Range<usize>,
        outputs: Range<usize>,
        patch: &mut [f32],
        grads: &mut [f32],
    ) {
        let conv = self.conv;
        let plane = self.layout.plane;
        let input_plane = conv.input[0] * conv.input[1];
        let output_plane = conv.output[0] * conv.output[1];
        let width = conv.output[1];
        let grad_row = grads.len() / outputs.len();
        grads.fill(0.0);
        for (index, band) in bands.enumerate() {
            let (image, band) = (band / self.bands, band % self.bands);
            let rows = share(conv.output[0], self.bands, band);
            let block = Block {
                start: [rows.start, 0],
                size: [rows.len(), width],
            };
            for (place, channel) in channels.clone().enumerate() {
                let from = (image * conv.groups + group) * conv.in_channels + channel;
                let to = (place * self.together + index) * plane;
                self.layout.fill(
                    block,
                    &self.input[from * input_plane..][..input_plane],
                    &mut patch[to..to + plane],
                );
            }
            for (place, output) in outputs.clone().enumerate() {
                let from = (image * conv.groups + group) * conv.out_channels + output;
                let from = &self.grad[from * output_plane + rows.start * width..];
                let to = &mut grads[place * grad_row + index * plane..(place + 1) * grad_row];
                for (from, to) in from[..rows.len() * width]
                    .chunks_exact(width)
                    .zip(to.chunks_mut(self.layout.width))
                {
                    to[..width].copy_from_slice(from);
                }
            }
        }
    }

    // Where the block lies, what it is made from, and where it goes.
    #[allow(clippy::too_many_arguments)]
    fn multiply(
        &self,
        group: usize,
        channels: Range<usize>,
        outputs: Range<usize>,
        patch: &[f32],
        grads: &[f32],
        place: usize,
        sums: Sums,
    ) {
        let conv = self.conv;
        let taps = self.layout.offsets.len();
        let grad_row = grads.len() / outputs.len();
        let columns = channels.len() * taps;
        let [most_rows, most_columns] = self.isa.dot_tile;
        let column_tiles = columns.div_ceil(most_columns);
        let row_tiles = outputs.len().div_ceil(most_rows);
        let input_row = self.together * self.layout.plane;
        for column_tile in 0..column_tiles {
            let tile = share(columns, column_tiles, column_tile);
            let mut starts = [patch.as_ptr(); DOT_COLUMNS];
            for (start, column) in starts.iter_mut().zip(tile.clone()) {
                let offset = column / taps * input_row + self.layout.offsets[column % taps];
                *start = patch[offset..].as_ptr();
            }
            for row_tile in 0..row_tiles {
                let rows = share(outputs.len(), row_tiles, row_tile);
                let output = group * conv.out_channels + outputs.start + rows.start;
                let row_len = conv.in_channels * taps;
                let place = place + output * row_len + channels.start * taps + tile.start;
                let job = Dots {
                    grads: grads[rows.start * grad_row..].as_ptr(),
                    grads_row: grad_row,
                    columns: starts,
                    vectors: grad_row / self.isa.lanes,
                    // SAFETY: it is the sum of an output and a column of this task.
                    sums: unsafe { sums.at(place) },
                    sums_row: row_len,
                };
                // SAFETY: the rows of `grads` are whole vectors, and `patch` has as many numbers behind the last
                // channel. The sums of the tile belong to this task.
                unsafe { self.isa.dots(rows.len(), tile.len(), &job) };
            }
        }
    }
}
