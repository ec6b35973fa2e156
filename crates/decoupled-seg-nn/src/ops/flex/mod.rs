//! The ops on the CPU.

mod conv;
mod conv2d;
mod lanes;
mod momentum;
mod norm;
mod number;
mod pool;
mod resize;
mod simd;
mod taps;
mod target;
mod transpose;
mod warp;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, Shape, TensorData, bf16, f16};
use decoupled_seg_types::Size;

use self::lanes::Frame;
use self::number::Storage;
use self::warp::{Extents, Grads};
use super::backend::{SamplingBackend, SamplingGradients};
use super::options::WarpOptions;

type Primitive = FloatTensor<Flex>;

/// Evaluates an expression with `$storage` as the type that the tensor stores.
macro_rules! with_storage {
    ($dtype:expr, $storage:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $storage = f32;
                $body
            }
            DType::F64 => {
                type $storage = f64;
                $body
            }
            DType::F16 => {
                type $storage = f16;
                $body
            }
            DType::BF16 => {
                type $storage = bf16;
                $body
            }
            other => panic!("bilinear sampling needs a float tensor, got {other:?}"),
        }
    };
}

/// The elements of a tensor that [`Primitive::to_contiguous`] has been called on.
macro_rules! elements {
    ($tensor:expr, $storage:ty) => {
        $tensor
            .as_slice::<$storage>()
            .expect("the tensor was made contiguous")
    };
}

fn tensor<S: Storage>(elements: Vec<S>, shape: Shape) -> Primitive {
    Primitive::from_data(TensorData::new(elements, shape))
}

fn extents(features: &Primitive) -> Extents {
    let [_, channels, height, width] = features.shape().dims();
    Extents {
        channels,
        frame: Frame { height, width },
    }
}

/// A tensor of rank 4 whose images are contiguous, each by itself; where the first one starts, and from there to the next. A
/// slice of channels, as it comes back from a concatenation, is not copied.
fn whole_images(tensor: Primitive) -> (Primitive, usize, usize) {
    let [_, channels, height, width] = tensor.shape().dims();
    let layout = tensor.layout();
    let [image, inner @ ..] = layout.strides() else {
        panic!("a tensor of rank 4 has four strides")
    };
    let plane = (height * width) as isize;
    if *image > 0 && *inner == [plane, width as isize, 1] {
        let (start, stride) = (layout.start_offset(), *image as usize);
        return (tensor, start, stride);
    }
    let tensor = tensor.to_contiguous();
    let start = tensor.layout().start_offset();
    (tensor, start, channels * height * width)
}

impl SamplingBackend for Flex {
    fn bilinear(x: Primitive, to: Size, align_corners: bool) -> Primitive {
        let [batch, channels, height, width] = x.shape().dims();
        let x = x.to_contiguous();
        let from = Size::new(height, width);
        let shape = Shape::new([batch, channels, to.height, to.width]);
        with_storage!(x.dtype(), S => {
            tensor(resize::bilinear(elements!(x, S), from, to, align_corners), shape)
        })
    }

    fn warp(features: Primitive, flow: Primitive, options: WarpOptions) -> Primitive {
        let (extents, shape) = (extents(&features), features.shape());
        let (features, flow) = (features.to_contiguous(), flow.to_contiguous());
        with_storage!(features.dtype(), S => {
            let (features, flow) = (elements!(features, S), elements!(flow, S));
            tensor(warp::warp(features, flow, extents, options), shape)
        })
    }

    fn warp_split(
        features: Primitive,
        flow: Primitive,
        options: WarpOptions,
    ) -> (Primitive, Primitive) {
        let (extents, shape) = (extents(&features), features.shape());
        let (features, flow) = (features.to_contiguous(), flow.to_contiguous());
        with_storage!(features.dtype(), S => {
            let (features, flow) = (elements!(features, S), elements!(flow, S));
            let (body, edge) = warp::warp_split(features, flow, extents, options);
            (tensor(body, shape.clone()), tensor(edge, shape))
        })
    }
}

impl SamplingGradients for Flex {
    fn bilinear_backward(grad: Primitive, from: Size, align_corners: bool) -> Primitive {
        let [batch, channels, height, width] = grad.shape().dims();
        let to = Size::new(height, width);
        let (grad, start, stride) = whole_images(grad);
        let images = resize::Images {
            start,
            batch,
            stride,
            channels,
        };
        let shape = Shape::new([batch, channels, from.height, from.width]);
        with_storage!(grad.dtype(), S => {
            let grad = grad.storage::<S>();
            tensor(resize::bilinear_backward(grad, images, from, to, align_corners), shape)
        })
    }

    fn warp_backward(
        features: Primitive,
        flow: Primitive,
        grad: Primitive,
        options: WarpOptions,
    ) -> (Primitive, Primitive) {
        warp_gradients(features, flow, grad, None, options)
    }

    fn warp_split_backward(
        features: Primitive,
        flow: Primitive,
        body: Primitive,
        edge: Primitive,
        options: WarpOptions,
    ) -> (Primitive, Primitive) {
        warp_gradients(features, flow, body, Some(edge), options)
    }
}

/// The gradients of features and flow from that of the body and, after a split, of the edge.
fn warp_gradients(
    features: Primitive,
    flow: Primitive,
    body: Primitive,
    edge: Option<Primitive>,
    options: WarpOptions,
) -> (Primitive, Primitive) {
    let (extents, shapes) = (extents(&features), (features.shape(), flow.shape()));
    let (features, flow) = (features.to_contiguous(), flow.to_contiguous());
    let (body, edge) = (body.to_contiguous(), edge.map(|edge| edge.to_contiguous()));
    with_storage!(features.dtype(), S => {
        let (features, flow) = (elements!(features, S), elements!(flow, S));
        let grads = Grads {
            body: elements!(body, S),
            edge: edge.as_ref().map(|edge| elements!(edge, S)),
        };
        let (features, flow) = warp::warp_backward(features, flow, grads, extents, options);
        (tensor(features, shapes.0), tensor(flow, shapes.1))
    })
}
