//! The gradient of the warp with respect to the flow, and with atomics that of the features in the same pass.

use burn::backend::cubecl::dtype_to_storage_type;
use burn_cubecl::ops::numeric::zeros_client;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::options::WarpOptions;
use super::empty_like;
use super::position::{Axis, axis, locate, read, slope_x, slope_y, stops, taps};

/// Pixels of a cube: neighbours read neighbours.
const PIXELS: u32 = 32;
/// Units of a cube that share the channels of one pixel.
const SHARERS: u32 = 8;

#[cube(launch_unchecked)]
fn slopes_kernel<F: Float>(
    features: &Tensor<F>,
    flow: &Tensor<F>,
    grad: &Tensor<F>,
    flow_grad: &mut Tensor<F>,
    mut features_grad: ComptimeOption<&mut Tensor<Atomic<f32>>>,
    axis_x: &Axis,
    axis_y: &Axis,
    #[comptime] border: bool,
    #[define(F)] _dtype: ElemType,
) {
    let channels = features.shape(1);
    let (height, width) = (features.shape(2), features.shape(3));
    let plane = height * width;
    let pixel = (CUBE_POS_X * PIXELS + UNIT_POS_X) as usize;
    let batch = CUBE_POS_Y as usize;
    // Units behind the last pixel go along, as all must meet at the barrier.
    let inside = pixel < plane;
    let (y, x) = (pixel / width, pixel % width);

    let mut along_x = 0.0f32;
    let mut along_y = 0.0f32;
    if inside {
        let flow_at = batch * flow.stride(0) + y * flow.stride(2) + x * flow.stride(3);
        let flow_x = f32::cast_from(flow[flow_at]);
        let flow_y = f32::cast_from(flow[flow_at + flow.stride(1)]);
        let (last_x, last_y) = (width as i32 - 1, height as i32 - 1);
        let cell_x = locate(x as i32, last_x, flow_x, axis_x, border);
        let cell_y = locate(y as i32, last_y, flow_y, axis_y, border);
        let (stride_x, stride_y) = (features.stride(3), features.stride(2));
        let feature_taps = taps(&cell_x, &cell_y, last_x, last_y, stride_x, stride_y);
        let grad_at = batch * grad.stride(0) + y * grad.stride(2) + x * grad.stride(3);

        let mut channel = UNIT_POS_Y as usize;
        while channel < channels {
            let value = f32::cast_from(grad[grad_at + channel * grad.stride(1)]);
            let features_plane = batch * features.stride(0) + channel * features.stride(1);
            let corners = read::<F>(features, features_plane, &feature_taps);
            along_x += value * slope_x(&corners, &feature_taps);
            along_y += value * slope_y(&corners, &feature_taps);
            #[comptime]
            if let ComptimeOption::Some(features_grad) = &mut features_grad {
                // Its strides need not be those of the features.
                let (stride_x, stride_y) = (features_grad.stride(3), features_grad.stride(2));
                let sum_taps = taps(&cell_x, &cell_y, last_x, last_y, stride_x, stride_y);
                let sum_plane = batch * features_grad.stride(0) + channel * features_grad.stride(1);
                let (left, upper) = (1.0f32 - sum_taps.x, 1.0f32 - sum_taps.y);
                if sum_taps.has_upper_left {
                    let at = sum_plane + sum_taps.upper_left;
                    features_grad[at].fetch_add(value * (left * upper));
                }
                if sum_taps.has_upper_right {
                    let at = sum_plane + sum_taps.upper_right;
                    features_grad[at].fetch_add(value * (sum_taps.x * upper));
                }
                if sum_taps.has_lower_left {
                    let at = sum_plane + sum_taps.lower_left;
                    features_grad[at].fetch_add(value * (left * sum_taps.y));
                }
                if sum_taps.has_lower_right {
                    let at = sum_plane + sum_taps.lower_right;
                    features_grad[at].fetch_add(value * (sum_taps.x * sum_taps.y));
                }
            }
            channel += SHARERS as usize;
        }
    }

    let mut sums_x = Shared::<[f32]>::new_slice((PIXELS * SHARERS) as usize);
    let mut sums_y = Shared::<[f32]>::new_slice((PIXELS * SHARERS) as usize);
    let slot = (UNIT_POS_Y * PIXELS + UNIT_POS_X) as usize;
    sums_x[slot] = along_x;
    sums_y[slot] = along_y;
    sync_cube();
    if inside && UNIT_POS_Y == 0 {
        let mut sum_x = 0.0f32;
        let mut sum_y = 0.0f32;
        #[unroll]
        for sharer in 0..SHARERS {
            let slot = (sharer * PIXELS + UNIT_POS_X) as usize;
            sum_x += sums_x[slot];
            sum_y += sums_y[slot];
        }
        let at = batch * flow_grad.stride(0) + y * flow_grad.stride(2) + x * flow_grad.stride(3);
        let next = at + flow_grad.stride(1);
        flow_grad[at] = F::cast_from(sum_x * axis_x.scale);
        flow_grad[next] = F::cast_from(sum_y * axis_y.scale);
    }
}

/// The gradient of the flow; with `atomics` that of the features too, which then must be `f32`.
pub(super) fn slopes(
    features: CubeTensor,
    flow: CubeTensor,
    grad: CubeTensor,
    options: WarpOptions,
    atomics: bool,
) -> (CubeTensor, Option<CubeTensor>) {
    let [batch, _, height, width] = features.meta.shape().dims();
    let client = features.client.clone();
    let flow_grad = empty_like(&flow);
    let features_grad = atomics.then(|| {
        zeros_client(
            client.clone(),
            features.device.clone(),
            features.meta.shape().clone(),
            features.dtype,
        )
    });
    if batch * height * width == 0 {
        return (flow_grad, features_grad);
    }
    let dtype = dtype_to_storage_type(features.dtype);
    let cubes = (height * width).div_ceil(PIXELS as usize) as u32;
    // SAFETY: only pixels of the map are read and written, and taps are clamped to it.
    unsafe {
        slopes_kernel::launch_unchecked(
            &client,
            CubeCount::Static(cubes, batch as u32, 1),
            CubeDim::new_2d(PIXELS, SHARERS),
            features.into_tensor_arg(),
            flow.into_tensor_arg(),
            grad.into_tensor_arg(),
            flow_grad.clone().into_tensor_arg(),
            features_grad
                .clone()
                .map(CubeTensor::into_tensor_arg)
                .into(),
            axis(width, options),
            axis(height, options),
            stops(options),
            dtype,
        );
    }
    (flow_grad, features_grad)
}
