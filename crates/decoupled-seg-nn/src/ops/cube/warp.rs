//! The warp and the split on GPUs: one unit a pixel and group of channels.

use burn::backend::cubecl::dtype_to_storage_type;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::options::WarpOptions;
use super::empty_like;
use super::place::{CHANNELS, at, cubes, groups, image_at, place};
use super::position::{Axes, axes, blend, cell, read, stops, taps};

#[cube(launch_unchecked)]
fn warp_kernel<F: Float>(
    features: &Tensor<F>,
    flow: &Tensor<F>,
    body: &mut Tensor<F>,
    mut edge: ComptimeOption<&mut Tensor<F>>,
    axes: &Axes,
    groups: usize,
    #[comptime] border: bool,
    #[define(F)] _dtype: ElemType,
) {
    let channels = features.shape(1);
    let (height, width) = (features.shape(2), features.shape(3));
    if ABSOLUTE_POS >= features.shape(0) * groups * height * width {
        terminate!();
    }
    let place = place(ABSOLUTE_POS, groups, height, width);
    let cell = cell::<F>(flow, &place, axes, border);
    let taps = taps(&cell, features.stride(2), features.stride(3));
    #[unroll]
    for step in 0..CHANNELS {
        let channel = place.channel + step;
        if channel < channels {
            let corners = read::<F>(features, image_at(features, &place, channel), &taps);
            let value = F::cast_from(blend(&corners, &taps));
            let to = at(&*body, &place, channel);
            body[to] = value;
            #[comptime]
            if let ComptimeOption::Some(edge) = &mut edge {
                // Both outputs are laid out alike. From the stored body, so that the two add up to the features in
                // half precision too.
                let feature = f32::cast_from(features[at(features, &place, channel)]);
                edge[to] = F::cast_from(feature - f32::cast_from(value));
            }
        }
    }
}

/// The warped features and, where `split` asks for it, the features less them.
pub(super) fn warp(
    features: CubeTensor,
    flow: CubeTensor,
    options: WarpOptions,
    split: bool,
) -> (CubeTensor, Option<CubeTensor>) {
    let [batch, channels, height, width] = features.meta.shape().dims();
    let body = empty_like(&features);
    let edge = split.then(|| empty_like(&features));
    let groups = groups(channels);
    let units = batch * groups * height * width;
    if units == 0 {
        return (body, edge);
    }
    let client = features.client.clone();
    let dtype = dtype_to_storage_type(features.dtype);
    let (cube_count, cube_dim) = cubes(&client, units);
    // SAFETY: units past the last one stop at once, and the indices of the others are clamped to the tensor.
    unsafe {
        warp_kernel::launch_unchecked(
            &client,
            cube_count,
            cube_dim,
            features.into_tensor_arg(),
            flow.into_tensor_arg(),
            body.clone().into_tensor_arg(),
            edge.clone().map(CubeTensor::into_tensor_arg).into(),
            axes(height, width, options),
            groups,
            stops(options),
            dtype,
        );
    }
    (body, edge)
}
