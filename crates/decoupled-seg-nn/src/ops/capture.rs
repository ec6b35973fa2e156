//! The ops as tensor operations of Burn's, for the device that records a network instead of running it.

use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Capture, TensorMetadata};
use burn::tensor::TensorData;
use burn::tensor::ops::{
    GridSampleOptions, GridSamplePaddingMode, InterpolateMode, InterpolateOptions,
};
use decoupled_seg_types::Size;

use super::backend::{SamplingBackend, SamplingGradients};
use super::options::{WarpOptions, WarpPadding};
use super::position::FlowAxis;

type Primitive = FloatTensor<Capture>;

impl SamplingBackend for Capture {
    fn bilinear(x: Primitive, size: Size, align_corners: bool) -> Primitive {
        let options =
            InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(align_corners);
        Self::interpolate(x, [size.height, size.width], options)
    }

    fn warp(features: Primitive, flow: Primitive, options: WarpOptions) -> Primitive {
        let grid = grid(flow, options);
        let padding = match options.padding {
            WarpPadding::Zeros => GridSamplePaddingMode::Zeros,
            WarpPadding::Border => GridSamplePaddingMode::Border,
        };
        let sample = GridSampleOptions::new(InterpolateMode::Bilinear)
            .with_padding_mode(padding)
            .with_align_corners(false);
        Self::float_grid_sample_2d(features, grid, sample)
    }

    fn warp_split(
        features: Primitive,
        flow: Primitive,
        options: WarpOptions,
    ) -> (Primitive, Primitive) {
        let body = Self::warp(features.clone(), flow, options);
        let edge = Self::float_sub(features, body.clone());
        (body, edge)
    }
}

/// The grid that PyTorch's `grid_sample` reads with `align_corners = false`, where -1 and 1 are the outer borders of the
/// first and the last pixel. Of the two conventions this one has a value for every position on a map of any size, one
/// pixel included.
///
/// ```text
/// grid = (2 * position + 1) / size - 1
/// ```
fn grid(flow: Primitive, options: WarpOptions) -> Primitive {
    let [_, _, height, width] = flow.shape().dims();
    let (x_axis, y_axis) = (
        FlowAxis::new(width, options),
        FlowAxis::new(height, options),
    );
    let base = |axis: FlowAxis, index: usize, size: usize| {
        let index = index as f64;
        let position = index + axis.stretch * index + axis.shift;
        ((2.0 * position + 1.0) / size as f64 - 1.0) as f32
    };
    let points = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    let base: Vec<f32> = points
        .flat_map(|(y, x)| [base(x_axis, x, width), base(y_axis, y, height)])
        .collect();
    let scale = [(x_axis, width), (y_axis, height)]
        .map(|(axis, size)| (2.0 * axis.scale / size as f64) as f32);

    let (dtype, device) = (flow.dtype(), flow.device());
    let constant = |values: Vec<f32>, shape: [usize; 4]| {
        let data = TensorData::new(values, shape).convert_dtype(dtype);
        Capture::float_from_data(data, &device)
    };
    let base = constant(base, [1, height, width, 2]);
    let scale = constant(scale.to_vec(), [1, 1, 1, 2]);
    let flow = Capture::float_permute(flow, &[0, 2, 3, 1]);
    Capture::float_add(Capture::float_mul(flow, scale), base)
}

const NO_GRADIENTS: &str = "the capture device records what a network predicts, not its training";

impl SamplingGradients for Capture {
    fn bilinear_backward(_grad: Primitive, _input_size: Size, _align_corners: bool) -> Primitive {
        panic!("{NO_GRADIENTS}");
    }

    fn warp_backward(
        _features: Primitive,
        _flow: Primitive,
        _grad: Primitive,
        _options: WarpOptions,
    ) -> (Primitive, Primitive) {
        panic!("{NO_GRADIENTS}");
    }

    fn warp_split_backward(
        _features: Primitive,
        _flow: Primitive,
        _body: Primitive,
        _edge: Primitive,
        _options: WarpOptions,
    ) -> (Primitive, Primitive) {
        panic!("{NO_GRADIENTS}");
    }
}
