//! What a unit works on: one pixel and a group of channels.

use cubecl::calculate_cube_count_elemwise;
use cubecl::client::Client;
use cubecl::prelude::*;

/// Channels that one unit handles: positions and weights are found once for all of them.
pub(super) const CHANNELS: usize = 8;

/// The groups that many channels make.
pub(super) fn groups(channels: usize) -> usize {
    channels.div_ceil(CHANNELS)
}

/// Cubes for at least that many units.
pub(super) fn cubes(client: &Client, units: usize) -> (CubeCount, CubeDim) {
    let cube_dim = CubeDim::new(client, units);
    let cube_count = calculate_cube_count_elemwise(client, units, cube_dim);
    (cube_count, cube_dim)
}

/// A pixel of one image of the batch, and the first channel of a group.
#[derive(CubeType, Clone, Copy)]
pub(super) struct Place {
    pub(super) batch: usize,
    pub(super) channel: usize,
    pub(super) y: usize,
    pub(super) x: usize,
}

/// The place of the unit at `position`, where pixels run fastest and groups before images.
#[cube]
pub(super) fn place(position: usize, groups: usize, height: usize, width: usize) -> Place {
    let plane = height * width;
    let pixel = position % plane;
    let block = position / plane;
    Place {
        batch: block / groups,
        channel: block % groups * CHANNELS,
        y: pixel / width,
        x: pixel % width,
    }
}

/// Where channel `channel` of the pixel stands.
#[cube]
pub(super) fn at<T: CubePrimitive>(tensor: &Tensor<T>, place: &Place, channel: usize) -> usize {
    image_at(tensor, place, channel) + place.y * tensor.stride(2) + place.x * tensor.stride(3)
}

/// Where channel `channel` of the image starts.
#[cube]
pub(super) fn image_at<T: CubePrimitive>(
    tensor: &Tensor<T>,
    place: &Place,
    channel: usize,
) -> usize {
    place.batch * tensor.stride(0) + channel * tensor.stride(1)
}

/// A sum for each channel of a group.
#[cube]
pub(super) fn no_sums() -> Array<f32> {
    let mut sums = Array::<f32>::new(CHANNELS);
    #[unroll]
    for step in 0..CHANNELS {
        sums[step] = 0.0f32;
    }
    sums
}

/// Writes the sums of the group to its channels at the pixel.
#[cube]
pub(super) fn store_sums<F: Float>(sums: &Array<f32>, output: &mut Tensor<F>, place: &Place) {
    let channels = output.shape(1);
    #[unroll]
    for step in 0..CHANNELS {
        let channel = place.channel + step;
        if channel < channels {
            let to = at(&*output, place, channel);
            output[to] = F::cast_from(sums[step]);
        }
    }
}

/// The gradient that flows back through the warp: that of the body, and against it that of the edge in a split.
#[cube]
pub(super) fn warp_grad<F: Float>(
    body: &Tensor<F>,
    edge: ComptimeOption<&Tensor<F>>,
    place: &Place,
    channel: usize,
) -> f32 {
    let body = f32::cast_from(body[at(body, place, channel)]);
    #[comptime]
    match edge {
        ComptimeOption::Some(edge) => body - f32::cast_from(edge[at(edge, place, channel)]),
        ComptimeOption::None => body,
    }
}
