use serde::{Deserialize, Serialize};

/// How the body is made from the features: the paper's way or a rival of its Table 1(f).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyGeneration {
    /// A learned flow field moves the features towards the inside of the objects (the paper).
    #[default]
    Flow,
    /// A deformable convolution (DCN).
    Deformable,
    /// Three-way spatial propagation (SPN).
    SpatialPropagation,
}

/// How the coarse view of the features is made, from which the flow is read (Table 1(c)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Downsampling {
    /// Bilinear interpolation, without learned weights.
    Bilinear,
    /// Dense 3x3 convolutions of stride 2, each with norm and ReLU.
    Conv,
    /// Depthwise 3x3 convolutions of stride 2, each with norm and ReLU: the paper's choice.
    #[default]
    DepthwiseConv,
}

/// How the coarse view comes back to the size of the features (Table 1(d)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upsampling {
    /// Bilinear interpolation with aligned corners: the paper's choice.
    #[default]
    Bilinear,
    /// The nearest coarse pixel.
    Nearest,
    /// One depthwise transposed convolution of stride 2 for each step down, with norm and ReLU. Bilinear interpolation
    /// makes up the pixels by which rounding misses the size.
    Deconv,
}
