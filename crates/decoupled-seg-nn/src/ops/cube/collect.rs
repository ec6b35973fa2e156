//! The gradient of the warp with respect to the features without float atomics: every feature pixel collects from the
//! output pixels that read it.
//!
//! Three kernels: `link` chains the output pixels that sample the same cell of four feature pixels, `arrange` turns
//! each chain into a list, sorted where the sum has to have one order, and `collect` walks the lists of the four cells
//! around each feature pixel, once for a group of channels. Only integers are exchanged atomically, and where a list
//! lies does not change the sum. It sums in `f32` registers, whatever the tensors store.

use burn::backend::cubecl::dtype_to_storage_type;
use burn::tensor::{DType, Shape};
use burn_cubecl::ops::numeric::{empty_device_contiguous_dtype, zeros_client};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::options::{WarpGradient, WarpOptions};
use super::place::{CHANNELS, Place, at, cubes, groups, no_sums, place, store_sums, warp_grad};
use super::position::{Axes, axes, cell, stops};
use super::{Grads, empty_like};

/// Chains the pixels of each cell. The cells of an image are `(height + 1) x (width + 1)`, from one pixel above and
/// left of it. In `heads` and `next` a pixel counts from 1, and 0 ends a chain.
#[cube(launch_unchecked)]
fn link_kernel<F: Float>(
    flow: &Tensor<F>,
    heads: &mut Tensor<Atomic<u32>>,
    next: &mut Tensor<u32>,
    fractions: &mut Tensor<f32>,
    axes: &Axes,
    #[comptime] border: bool,
    #[define(F)] _dtype: ElemType,
) {
    let (height, width) = (flow.shape(2), flow.shape(3));
    let plane = height * width;
    if ABSOLUTE_POS >= flow.shape(0) * plane {
        terminate!();
    }
    let place = place(ABSOLUTE_POS, 1, height, width);
    let sampled = cell::<F>(flow, &place, axes, border);
    if sampled.inside {
        let row = (sampled.y.index + 1i32) as usize;
        let column = (sampled.x.index + 1i32) as usize;
        let cell = (place.batch * (height + 1) + row) * (width + 1) + column;
        let pixel = ABSOLUTE_POS % plane;
        next[ABSOLUTE_POS] = heads[cell].exchange(pixel as u32 + 1u32);
        fractions[2 * ABSOLUTE_POS] = sampled.x.fraction;
        fractions[2 * ABSOLUTE_POS + 1] = sampled.y.fraction;
    }
}

/// Turns chains into lists: `lists[image * plane + starts[cell]..][..counts[cell]]`.
#[cube(launch_unchecked)]
fn arrange_kernel(
    heads: &Tensor<u32>,
    next: &Tensor<u32>,
    used: &mut Tensor<Atomic<u32>>,
    starts: &mut Tensor<u32>,
    counts: &mut Tensor<u32>,
    lists: &mut Tensor<u32>,
    images: usize,
    cells: usize,
    plane: usize,
    #[comptime] sorted: bool,
) {
    if ABSOLUTE_POS >= images * cells {
        terminate!();
    }
    let batch = ABSOLUTE_POS / cells;
    let pixels = batch * plane;
    let mut count = 0u32;
    let mut pixel = heads[ABSOLUTE_POS];
    while pixel != 0u32 {
        count += 1u32;
        pixel = next[pixels + pixel as usize - 1];
    }
    counts[ABSOLUTE_POS] = count;
    if count > 0u32 {
        let start = used[batch].fetch_add(count);
        starts[ABSOLUTE_POS] = start;
        let list = pixels + start as usize;
        let mut slot = count as usize;
        let mut pixel = heads[ABSOLUTE_POS];
        // The last one linked comes first, so filling from the end leaves little to sort.
        while slot > 0 {
            slot -= 1;
            lists[list + slot] = pixel - 1u32;
            pixel = next[pixels + pixel as usize - 1];
        }
        if comptime!(sorted) {
            shell_sort(lists, list, count as usize);
        }
    }
}

/// Sorts `values[start..start + count]`. Lists are a few long; a border that a far flow is stopped at can gather a
/// whole image in one, which this still takes in its stride.
#[cube]
fn shell_sort(values: &mut Tensor<u32>, start: usize, count: usize) {
    let mut gap = 1usize;
    while gap < count / 3 {
        gap = 3 * gap + 1;
    }
    while gap > 0 {
        let mut next = gap;
        while next < count {
            let value = values[start + next];
            let mut hole = next;
            let mut searching = true;
            while searching {
                // One condition at a time: the second reads in front of the list where the first fails.
                searching = hole >= gap;
                if searching {
                    let before = values[start + hole - gap];
                    searching = before > value;
                    if searching {
                        values[start + hole] = before;
                        hole -= gap;
                    }
                }
            }
            values[start + hole] = value;
            next += 1;
        }
        gap /= 3;
    }
}

/// Sums the gradient of a feature pixel for a group of channels.
#[cube(launch_unchecked)]
fn collect_kernel<F: Float>(
    body: &Tensor<F>,
    edge: ComptimeOption<&Tensor<F>>,
    starts: &Tensor<u32>,
    counts: &Tensor<u32>,
    lists: &Tensor<u32>,
    fractions: &Tensor<f32>,
    features_grad: &mut Tensor<F>,
    groups: usize,
    #[define(F)] _dtype: ElemType,
) {
    let channels = body.shape(1);
    let (height, width) = (body.shape(2), body.shape(3));
    let plane = height * width;
    if ABSOLUTE_POS >= body.shape(0) * groups * plane {
        terminate!();
    }
    let place = place(ABSOLUTE_POS, groups, height, width);
    let mut sums = no_sums();
    // The pixel is the lower right one of the cell above and left of it, and so on.
    #[unroll]
    for corner in 0..4usize {
        let (down, right) = comptime!((corner / 2, corner % 2));
        let cell = (place.batch * (height + 1) + place.y + down) * (width + 1) + place.x + right;
        let count = counts[cell] as usize;
        if count > 0 {
            let list = place.batch * plane + starts[cell] as usize;
            for slot in 0..count {
                let pixel = lists[list + slot] as usize;
                let fraction_x = fractions[2 * (place.batch * plane + pixel)];
                let fraction_y = fractions[2 * (place.batch * plane + pixel) + 1];
                let share_x = if comptime!(right == 0) {
                    fraction_x
                } else {
                    1.0f32 - fraction_x
                };
                let share_y = if comptime!(down == 0) {
                    fraction_y
                } else {
                    1.0f32 - fraction_y
                };
                let share = share_x * share_y;
                let from = Place {
                    batch: place.batch,
                    channel: place.channel,
                    y: pixel / width,
                    x: pixel % width,
                };
                #[unroll]
                for step in 0..CHANNELS {
                    let channel = from.channel + step;
                    if channel < channels {
                        sums[step] += warp_grad::<F>(body, edge, &from, channel) * share;
                    }
                }
            }
        }
    }
    #[comptime]
    if let ComptimeOption::Some(edge) = edge {
        #[unroll]
        for step in 0..CHANNELS {
            let channel = place.channel + step;
            if channel < channels {
                sums[step] += f32::cast_from(edge[at(edge, &place, channel)]);
            }
        }
    }
    store_sums::<F>(&sums, features_grad, &place);
}

/// The gradient of the features.
pub(super) fn collect(flow: CubeTensor, grads: Grads, options: WarpOptions) -> CubeTensor {
    let [batch, channels, height, width] = grads.body.meta.shape().dims();
    let features_grad = empty_like(&grads.body);
    let groups = groups(channels);
    let plane = height * width;
    if batch * groups * plane == 0 {
        return features_grad;
    }
    let client = flow.client.clone();
    let device = flow.device.clone();
    let dtype = dtype_to_storage_type(flow.dtype);
    let cells = (height + 1) * (width + 1);
    let zeros = |len: usize| {
        zeros_client(
            client.clone(),
            device.clone(),
            Shape::new([len]),
            DType::U32,
        )
    };
    let empty = |len: usize, dtype: DType| {
        empty_device_contiguous_dtype(client.clone(), device.clone(), Shape::new([len]), dtype)
    };
    let heads = zeros(batch * cells);
    let used = zeros(batch);
    let next = empty(batch * plane, DType::U32);
    let fractions = empty(2 * batch * plane, DType::F32);
    let starts = empty(batch * cells, DType::U32);
    let counts = empty(batch * cells, DType::U32);
    let lists = empty(batch * plane, DType::U32);

    // SAFETY: units past the last one stop at once. Cells are bounded by `locate`, chains hold pixels of their image
    // only, and the lists of an image together are as long as it has linked pixels, at most `plane`.
    unsafe {
        let (cube_count, cube_dim) = cubes(&client, batch * plane);
        link_kernel::launch_unchecked(
            &client,
            cube_count,
            cube_dim,
            flow.into_tensor_arg(),
            heads.clone().into_tensor_arg(),
            next.clone().into_tensor_arg(),
            fractions.clone().into_tensor_arg(),
            axes(height, width, options),
            stops(options),
            dtype,
        );
        let (cube_count, cube_dim) = cubes(&client, batch * cells);
        arrange_kernel::launch_unchecked(
            &client,
            cube_count,
            cube_dim,
            heads.into_tensor_arg(),
            next.into_tensor_arg(),
            used.into_tensor_arg(),
            starts.clone().into_tensor_arg(),
            counts.clone().into_tensor_arg(),
            lists.clone().into_tensor_arg(),
            batch,
            cells,
            plane,
            options.gradient == WarpGradient::Deterministic,
        );
        let (cube_count, cube_dim) = cubes(&client, batch * groups * plane);
        collect_kernel::launch_unchecked(
            &client,
            cube_count,
            cube_dim,
            grads.body.into_tensor_arg(),
            grads.edge.map(CubeTensor::into_tensor_arg).into(),
            starts.into_tensor_arg(),
            counts.into_tensor_arg(),
            lists.into_tensor_arg(),
            fractions.into_tensor_arg(),
            features_grad.clone().into_tensor_arg(),
            groups,
            dtype,
        );
    }
    features_grad
}
