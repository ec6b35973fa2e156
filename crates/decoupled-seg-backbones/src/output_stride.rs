use serde::{Deserialize, Serialize};

/// How many times smaller the last stage is than the image.
///
/// Below 32, the last stages keep their resolution and dilate their 3x3 convolutions instead. All blocks of a stage
/// have the same dilation, the first one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStride {
    /// The third stage is dilated by 2 and the fourth by 4: what the paper uses.
    Os8,
    /// The fourth stage is dilated by 2.
    Os16,
    /// No dilation: the classification network.
    Os32,
}

impl OutputStride {
    /// The number: 8, 16 or 32.
    pub const fn pixels(self) -> usize {
        match self {
            Self::Os8 => 8,
            Self::Os16 => 16,
            Self::Os32 => 32,
        }
    }

    /// Stride and dilation of the third and of the fourth stage.
    pub(crate) const fn last_stages(self) -> [(usize, usize); 2] {
        match self {
            Self::Os8 => [(1, 2), (1, 4)],
            Self::Os16 => [(2, 1), (1, 2)],
            Self::Os32 => [(2, 1), (2, 1)],
        }
    }
}
