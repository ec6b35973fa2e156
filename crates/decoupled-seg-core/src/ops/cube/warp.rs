//! The warp and the split on GPUs: one unit a pixel and group of channels.

use burn::backend::cubecl::dtype_to_storage_type;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::super::options::WarpOptions;
use super::position::{Axis, axis, blend, locate, read, stops, taps};
use super::{CHANNELS, empty_like};

#[cube(launch_unchecked)]
fn warp_kernel<F: Float>(
    features: &Tensor<F>,
    flow: &Tensor<F>,
    body: &mut Tensor<F>,
    mut edge: ComptimeOption<&mut Tensor<F>>,
    axis_x: &Axis,
    axis_y: &Axis,
    groups: usize,
    #[comptime] border: bool,
    #[define(F)] _dtype: ElemType,
) {
    let channels = features.shape(1);
    let (height, width) = (features.shape(2), features.shape(3));
    let plane = height * width;
    if ABSOLUTE_POS >= features.shape(0) * groups * plane {
        terminate!();
    }
    let pixel = ABSOLUTE_POS % plane;
    let block = ABSOLUTE_POS / plane;
    let (batch, group) = (block / groups, block % groups);
    let (y, x) = (pixel / width, pixel % width);

    let flow_at = batch * flow.stride(0) + y * flow.stride(2) + x * flow.stride(3);
    let flow_x = f32::cast_from(flow[flow_at]);
    let flow_y = f32::cast_from(flow[flow_at + flow.stride(1)]);
    let (last_x, last_y) = (width as i32 - 1, height as i32 - 1);
    let cell_x = locate(x as i32, last_x, flow_x, axis_x, border);
    let cell_y = locate(y as i32, last_y, flow_y, axis_y, border);
    let (stride_x, stride_y) = (features.stride(3), features.stride(2));
    let taps = taps(&cell_x, &cell_y, last_x, last_y, stride_x, stride_y);

    let features_at = batch * features.stride(0);
    let here = y * features.stride(2) + x * features.stride(3);
    let body_at = batch * body.stride(0) + y * body.stride(2) + x * body.stride(3);
    #[unroll]
    for step in 0..CHANNELS {
        let channel = group * CHANNELS + step;
        if channel < channels {
            let features_plane = features_at + channel * features.stride(1);
            let corners = read::<F>(features, features_plane, &taps);
            let value = F::cast_from(blend(&corners, &taps));
            let at = body_at + channel * body.stride(1);
            body[at] = value;
            #[comptime]
            if let ComptimeOption::Some(edge) = &mut edge {
                // From the stored body, so that the two add up to the features in half precision too.
                let feature = f32::cast_from(features[features_plane + here]);
                let edge_at = batch * edge.stride(0)
                    + channel * edge.stride(1)
                    + y * edge.stride(2)
                    + x * edge.stride(3);
                edge[edge_at] = F::cast_from(feature - f32::cast_from(value));
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
    let groups = channels.div_ceil(CHANNELS);
    let units = batch * groups * height * width;
    if units == 0 {
        return (body, edge);
    }
    let client = features.client.clone();
    let dtype = dtype_to_storage_type(features.dtype);
    let cube_dim = CubeDim::new(&client, units);
    let cube_count = calculate_cube_count_elemwise(&client, units, cube_dim);
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
            axis(width, options),
            axis(height, options),
            groups,
            stops(options),
            dtype,
        );
    }
    (body, edge)
}
