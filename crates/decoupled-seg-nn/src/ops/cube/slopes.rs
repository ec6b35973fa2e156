//! The gradient of the warp with respect to the flow, and with atomics that of the features in the same pass.

use burn::backend::cubecl::dtype_to_storage_type;
use burn_cubecl::ops::numeric::zeros_client;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::options::WarpOptions;
use super::place::{Place, at, image_at, warp_grad};
use super::position::{Axes, axes, cell, read, slope_x, slope_y, stops, taps};
use super::{Grads, empty_like};

/// Pixels of a cube: neighbours read neighbours.
const PIXELS: u32 = 32;
/// Units of a cube that share the channels of one pixel.
const SHARERS: u32 = 8;

#[cube(launch_unchecked)]
fn slopes_kernel<F: Float>(
    features: &Tensor<F>,
    flow: &Tensor<F>,
    body: &Tensor<F>,
    edge: ComptimeOption<&Tensor<F>>,
    flow_grad: &mut Tensor<F>,
    mut features_grad: ComptimeOption<&mut Tensor<Atomic<f32>>>,
    axes: &Axes,
    #[comptime] border: bool,
    #[define(F)] _dtype: ElemType,
) {
    let channels = features.shape(1);
    let (height, width) = (features.shape(2), features.shape(3));
    let pixel = (CUBE_POS_X * PIXELS + UNIT_POS_X) as usize;
    let place = Place {
        batch: CUBE_POS_Y as usize,
        channel: 0,
        y: pixel / width,
        x: pixel % width,
    };
    // Units behind the last pixel go along, as all must meet at the barrier.
    let inside = pixel < height * width;

    let mut along_x = 0.0f32;
    let mut along_y = 0.0f32;
    if inside {
        let cell = cell::<F>(flow, &place, axes, border);
        let feature_taps = taps(&cell, features.stride(2), features.stride(3));
        let mut channel = UNIT_POS_Y as usize;
        while channel < channels {
            let value = warp_grad::<F>(body, edge, &place, channel);
            let plane = image_at(features, &place, channel);
            let corners = read::<F>(features, plane, &feature_taps);
            along_x += value * slope_x(&corners, &feature_taps);
            along_y += value * slope_y(&corners, &feature_taps);
            #[comptime]
            if let ComptimeOption::Some(features_grad) = &mut features_grad {
                // Its strides need not be those of the features.
                let taps = taps(&cell, features_grad.stride(2), features_grad.stride(3));
                let plane =
                    place.batch * features_grad.stride(0) + channel * features_grad.stride(1);
                let (left, upper) = (1.0f32 - taps.x, 1.0f32 - taps.y);
                if taps.has_upper_left {
                    features_grad[plane + taps.upper_left].fetch_add(value * (left * upper));
                }
                if taps.has_upper_right {
                    features_grad[plane + taps.upper_right].fetch_add(value * (taps.x * upper));
                }
                if taps.has_lower_left {
                    features_grad[plane + taps.lower_left].fetch_add(value * (left * taps.y));
                }
                if taps.has_lower_right {
                    features_grad[plane + taps.lower_right].fetch_add(value * (taps.x * taps.y));
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
        let (to_x, to_y) = (at(&*flow_grad, &place, 0), at(&*flow_grad, &place, 1));
        flow_grad[to_x] = F::cast_from(sum_x * axes.x.scale);
        flow_grad[to_y] = F::cast_from(sum_y * axes.y.scale);
    }
}

/// The gradient of the flow; with `atomics` that of the features too, which then must be `f32`.
pub(super) fn slopes(
    features: CubeTensor,
    flow: CubeTensor,
    grads: Grads,
    options: WarpOptions,
    atomics: bool,
) -> (CubeTensor, Option<CubeTensor>) {
    let [batch, _, height, width] = features.meta.shape().dims();
    let client = features.client.clone();
    let flow_grad = empty_like(&flow);
    // Whatever the edge takes from the features it takes where it stands, so the sums may start there.
    let features_grad = atomics.then(|| match &grads.edge {
        Some(edge) => edge.copy(),
        None => zeros_client(
            client.clone(),
            features.device.clone(),
            features.meta.shape().clone(),
            features.dtype,
        ),
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
            grads.body.into_tensor_arg(),
            grads.edge.map(CubeTensor::into_tensor_arg).into(),
            flow_grad.clone().into_tensor_arg(),
            features_grad
                .clone()
                .map(CubeTensor::into_tensor_arg)
                .into(),
            axes(height, width, options),
            stops(options),
            dtype,
        );
    }
    (flow_grad, features_grad)
}
