use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::activation::sigmoid;
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, Tensor};
use decoupled_seg_body_edge::{PlainDecoder, PlainDecoderConfig};
use decoupled_seg_nn::{
    ConfigError, ConvInit, ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap,
    MapShape, SegmentationOutput, Size, conv2d, map_size, max_pool2d, resize,
};

use crate::canny::CannyConfig;
use crate::shape_stream::{ShapeStream, ShapeStreamConfig};

/// Configuration of a [`GatedDecoder`]; [`init`](GatedDecoderConfig::init) builds it.
#[derive(Config, Debug)]
pub struct GatedDecoderConfig {
    /// What predicts the classes, as in the network without a shape stream.
    pub plain: PlainDecoderConfig,
    /// What predicts the borders.
    pub shape: ShapeStreamConfig,
    /// How the edges of the pictures are found.
    #[config(default = "CannyConfig::new()")]
    pub canny: CannyConfig,
}

/// Predicts classes from context features `F` and the borders of a shape stream: the decoder of GSCNN.
///
/// ```text
/// e           = shape_stream(c1 .. c4)
/// edge_logits = up(e)                                                  supervised
/// s           = sigmoid(conv1x1([sigmoid(e) ; canny(images)]))         the boundary map
/// logits      = plain_decoder(F + conv1x1(relu(norm(conv1x1(s)))), c1)
/// ```
///
/// The paper concatenates a branch of the boundary map with the branches of the ASPP, in front of its last 1x1 convolution.
/// A 1x1 convolution of a concatenation is the sum of the 1x1 convolutions of its parts, and the ASPP here ends in one
/// without norm and ReLU: so the sum behind it is the paper's fusion, and serves other context heads alike.
///
/// Canny's edges come at the size of the images and are reduced to the size of `e` by their maximum.
///
/// Source: Takikawa et al., ICCV 2019, [arXiv:1907.05740](https://arxiv.org/abs/1907.05740), section 3.1 and figure 2.
/// Built by [`GatedDecoderConfig`].
#[doc(alias = "GSCNN")]
#[derive(Module, Debug)]
pub struct GatedDecoder {
    /// Predicts the borders.
    pub shape: ShapeStream,
    /// 1x1 convolution of the predicted borders and Canny's to the boundary map, with bias.
    pub boundary: Conv2d,
    /// 1x1 convolution of the boundary map: its branch beside those of an ASPP.
    pub branch: ConvNormAct,
    /// 1x1 convolution of the branch, added to the context features.
    pub fuse: Conv2d,
    /// Predicts the classes.
    pub plain: PlainDecoder,
    #[module(skip)]
    canny: CannyConfig,
}

/// What a [`GatedDecoder`] reads.
#[derive(Debug, Clone)]
pub struct GatedInput {
    /// `[batch, channels, height, width]`.
    pub context: Tensor<4>,
    /// The backbone's stages, from fine to coarse. The first is the low-level features too.
    pub stages: [Tensor<4>; 4],
    /// The pictures, `[batch, _, image_height, image_width]`.
    pub images: Tensor<4>,
}

impl GatedDecoderConfig {
    /// Sets the channels of the backbone's stages.
    #[must_use]
    pub fn with_stages(mut self, stages: [usize; 4]) -> Self {
        self.shape.stages = stages;
        self
    }

    /// Sets how the convolutions are initialised.
    #[must_use]
    pub fn with_conv_init(mut self, conv_init: ConvInit) -> Self {
        self.plain.conv_init = conv_init;
        self.shape.conv_init = conv_init;
        self
    }

    /// Checks that the decoder can be built.
    ///
    /// # Errors
    ///
    /// As [`PlainDecoderConfig::validate`], [`ShapeStreamConfig::validate`] and [`CannyConfig::validate`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        let plain = self.plain.validate();
        plain.map_err(|error| error.inside("plain"))?;
        let shape = self.shape.validate();
        shape.map_err(|error| error.inside("shape"))?;
        let canny = self.canny.validate();
        canny.map_err(|error| error.inside("canny"))
    }

    /// Builds the decoder on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> GatedDecoder {
        ConfigError::assert_none(self.validate());
        GatedDecoder {
            shape: self.shape.init(device),
            boundary: self.boundary().init(device),
            branch: self.branch().init(device),
            fuse: self.fuse().init(device),
            plain: self.plain.init(device),
            canny: self.canny.clone(),
        }
    }

    fn boundary(&self) -> Conv2dConfig {
        Conv2dConfig::new([2, 1], [1, 1]).with_initializer(self.plain.conv_init.weight())
    }

    fn branch(&self) -> ConvNormActConfig {
        ConvNormActConfig::new([1, self.plain.channels], [1, 1])
            .with_conv_init(self.plain.conv_init)
    }

    fn fuse(&self) -> Conv2dConfig {
        Conv2dConfig::new([self.plain.channels; 2], [1, 1])
            .with_bias(false)
            .with_initializer(self.plain.conv_init.weight())
    }

    /// Names of the tensors: ours for the shape stream, the authors' of DecoupleSegNets for the plain decoder.
    pub fn official_keys(&self) -> KeyMap {
        let fusion = KeyMap::new()
            .conv("boundary", "boundary", true)
            .conv_norm_act("branch.conv", "branch.norm", "branch", &self.branch())
            .conv("fuse", "fuse", false);
        KeyMap::new()
            .nest("shape_stream", "shape", self.shape.official_keys())
            .nest("fusion", "", fusion)
            .nest("", "plain", self.plain.official_keys())
    }

    /// Counts the decoder's cost for an image, in the parts `shape_stream` and `fusion` and those of the plain decoder.
    pub fn cost(
        &self,
        context: MapShape,
        stages: [MapShape; 4],
        image: MapShape,
        counter: &mut CostCounter,
    ) {
        let [low_level, ..] = stages;
        let edge = self.shape.cost(stages, counter);

        let canny = self.canny.cost(image, counter);
        let canny = match canny.size == edge.size {
            true => canny,
            false => counter.pool(canny, edge.size),
        };
        counter.activation(edge);
        let both = counter.concatenate(&[edge, canny]);
        let boundary = self.boundary().cost(both, counter);
        counter.activation(boundary);
        let boundary = counter.resize(boundary, context.size);
        let branch = self.branch().cost(boundary, counter);
        let fused = self.fuse().cost(branch, counter);
        counter.other(fused); // the sum
        counter.end_part("fusion", fused);

        self.plain.cost(context, low_level, image.size, counter);
    }
}

impl GatedDecoder {
    /// Predicts classes and borders.
    ///
    /// # Shapes
    ///
    /// - `input`: see [`GatedInput`]
    /// - the outputs have the size of the images
    ///
    /// # Panics
    ///
    /// Panics if axis 1 of an input has another length than configured.
    pub fn forward(&self, input: GatedInput) -> SegmentationOutput {
        let size = map_size(&input.images);
        let (output, edge) = self.predict(input, size);
        output.with_boundary(resize(edge, size, true))
    }

    /// Predicts the classes only.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward); returns `[batch, num_classes, image_height, image_width]`.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_logits(&self, input: GatedInput) -> Tensor<4> {
        let size = map_size(&input.images);
        self.predict(input, size).0.logits
    }

    /// The classes, and the edge logits at the size of the first stage.
    fn predict(&self, input: GatedInput, output_size: Size) -> (SegmentationOutput, Tensor<4>) {
        let GatedInput {
            context,
            stages,
            images,
        } = input;
        let low_level = stages[0].clone();
        let edge = self.shape.forward(stages);
        let canny = shrink(self.canny.edges(images), map_size(&edge));
        let both = Tensor::cat(vec![sigmoid(edge.clone()), canny], 1);
        let boundary = sigmoid(conv2d(&self.boundary, both));
        let boundary = resize(boundary, map_size(&context), true);
        let fused = context + conv2d(&self.fuse, self.branch.forward(boundary));
        let low_level = self.plain.fine.is_some().then_some(low_level);
        (self.plain.forward(fused, low_level, output_size), edge)
    }
}

/// Edges on a coarser grid: the largest of each cell, whose side is rounded up.
fn shrink(edges: Tensor<4>, size: Size) -> Tensor<4> {
    let [_, _, height, width] = edges.dims();
    let cell = [height.div_ceil(size.height), width.div_ceil(size.width)];
    if cell == [1, 1] {
        return resize(edges, size, true);
    }
    let beyond = [cell[0] * size.height - height, cell[1] * size.width - width];
    let edges = match beyond {
        [0, 0] => edges,
        [below, right] => edges.pad([(0, below), (0, right)], PadMode::Constant(0.0)),
    };
    let pool = MaxPool2dConfig::new(cell).with_strides(cell).init();
    max_pool2d(&pool, edges)
}

impl Fold for GatedDecoder {
    fn fold(self) -> Self {
        Self {
            shape: self.shape.fold(),
            branch: self.branch.fold(),
            plain: self.plain.fold(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;
    use rstest::rstest;

    use super::*;

    fn random(shape: [usize; 4], device: &Device) -> Tensor<4> {
        Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
    }

    #[rstest]
    #[case::with_low_level(Some([4, 3]))]
    #[case::without(None)]
    fn predicts_classes_and_borders_at_the_size_of_the_image(#[case] fine: Option<[usize; 2]>) {
        let device = Device::default();
        let plain = PlainDecoderConfig::new(3).with_channels(8).with_fine(fine);
        let shape = ShapeStreamConfig::new([4, 8, 16, 32]).with_channels(6);
        let decoder = GatedDecoderConfig::new(plain, shape).init(&device);
        let stages = [(4, 9, 11), (8, 5, 6), (16, 5, 6), (32, 5, 6)]
            .map(|(channels, height, width)| random([2, channels, height, width], &device));
        let input = GatedInput {
            context: random([2, 8, 5, 6], &device),
            stages,
            images: random([2, 3, 35, 43], &device),
        };

        let output = decoder.forward(input.clone());

        assert_eq!(output.logits.dims(), [2, 3, 35, 43]);
        let boundary = output.boundary_logits.expect("a shape stream");
        assert_eq!(boundary.dims(), [2, 1, 35, 43]);
        assert!(output.supervision.is_none());
        let logits = decoder.forward_logits(input);
        assert_eq!(logits.into_data(), output.logits.into_data());
    }

    #[test]
    fn an_edge_survives_in_the_cell_it_lies_in() {
        let device = Device::default();
        let mut edges = Tensor::<4>::zeros([1, 1, 7, 9], &device);
        edges = edges.slice_assign(
            [0..1, 0..1, 6..7, 8..9],
            Tensor::ones([1, 1, 1, 1], &device),
        );
        let small = shrink(edges, Size::new(2, 3));
        let expected = Tensor::<4>::from_floats([[[[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]], &device);
        assert_eq!(small.into_data(), expected.into_data());
    }
}
