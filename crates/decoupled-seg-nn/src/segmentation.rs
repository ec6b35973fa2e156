use burn::module::Module;
use burn::tensor::Tensor;
use decoupled_seg_types::Size;

/// What a network predicts for a batch of images, all at the size of the images.
#[derive(Debug, Clone)]
pub struct SegmentationOutput {
    /// The segmentation, `[batch, num_classes, height, width]`.
    pub logits: Tensor<4>,
    /// Body and edge, from a decoupled network.
    pub supervision: Option<BodyEdgeLogits>,
    /// The borders of classes, before the sigmoid, `[batch, 1, height, width]`, from a network with a shape stream.
    pub boundary_logits: Option<Tensor<4>>,
    /// The segmentation of an auxiliary head, `[batch, num_classes, height, width]`, if the network has one.
    pub aux_logits: Option<Tensor<4>>,
}

impl SegmentationOutput {
    /// The output of a network that predicts the segmentation only.
    pub fn plain(logits: Tensor<4>) -> Self {
        Self {
            logits,
            supervision: None,
            boundary_logits: None,
            aux_logits: None,
        }
    }

    /// The output of a network that predicts body and edge too.
    pub fn decoupled(logits: Tensor<4>, body_logits: Tensor<4>, edge_logits: Tensor<4>) -> Self {
        Self {
            logits,
            supervision: Some(BodyEdgeLogits {
                body_logits,
                edge_logits,
            }),
            boundary_logits: None,
            aux_logits: None,
        }
    }

    /// With the borders that a shape stream predicts.
    #[must_use]
    pub fn with_boundary(mut self, logits: Tensor<4>) -> Self {
        self.boundary_logits = Some(logits);
        self
    }

    /// With the segmentation of an auxiliary head.
    #[must_use]
    pub fn with_auxiliary(mut self, logits: Tensor<4>) -> Self {
        self.aux_logits = Some(logits);
        self
    }
}

/// The two predictions of a decoupled network that are there to be supervised.
#[derive(Debug, Clone)]
pub struct BodyEdgeLogits {
    /// The segmentation as the body alone sees it, `[batch, num_classes, height, width]`.
    pub body_logits: Tensor<4>,
    /// The edge, before the sigmoid, `[batch, 1, height, width]`.
    pub edge_logits: Tensor<4>,
}

/// What happens inside a decoupled network, for pictures.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The body, `[batch, channels, feature_height, feature_width]`.
    pub body: Tensor<4>,
    /// The edge that the body leaves, `[batch, channels, feature_height, feature_width]`.
    pub edge: Tensor<4>,
    /// The edge with the detail of the low-level features, `[batch, channels, fine_height, fine_width]`.
    pub refined_edge: Tensor<4>,
    /// The flow `[batch, 2, feature_height, feature_width]`, channel 0 along the width; `None` if the body is made
    /// without one. Its unit is that of the network's `WarpOptions`.
    pub flow: Option<Tensor<4>>,
    /// The segmentation, `[batch, num_classes, height, width]`.
    pub logits: Tensor<4>,
    /// The segmentation as the body alone sees it, `[batch, num_classes, height, width]`.
    pub body_logits: Tensor<4>,
    /// The edge, before the sigmoid, `[batch, 1, height, width]`.
    pub edge_logits: Tensor<4>,
}

/// A network that can be trained, evaluated and looked into: what the engine asks for.
///
/// Images are normalised and have the shape `[batch, in_channels, height, width]`.
pub trait SegmentationModel: Module + 'static {
    /// Number of classes, axis 1 of the logits.
    fn num_classes(&self) -> usize;

    /// Number of channels, axis 1 of the images; 3 are RGB.
    fn in_channels(&self) -> usize {
        3
    }

    /// Everything that a loss may want.
    fn forward(&self, images: Tensor<4>) -> SegmentationOutput;

    /// The segmentation `[batch, num_classes, height, width]` only, without the branches that are there for the loss.
    fn predict(&self, images: Tensor<4>) -> Tensor<4> {
        self.forward(images).logits
    }

    /// The smallest batch of images of the size `images` that the network can be trained on: 2 where a norm that is
    /// trained sees a single value a channel of each image, as behind a global pooling, or where small images leave one
    /// pixel. [`batch_norm`](crate::batch_norm) refuses a smaller one.
    fn min_training_batch(&self, _images: Size) -> usize {
        1
    }

    /// Smallest height and width of an image, in pixels.
    fn min_image_side(&self) -> usize {
        1
    }

    /// Body, edge and flow, for pictures; `None` from a network without them.
    fn inspect(&self, _images: Tensor<4>) -> Option<Inspection> {
        None
    }
}
