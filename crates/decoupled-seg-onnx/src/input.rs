/// What the file is fed with.
#[derive(Debug, Clone, PartialEq)]
pub enum OnnxInput {
    /// Pictures as they are read: bytes `[batch, height, width, channels]`. The file normalises them,
    /// `(value / 255 - mean) / std`, with a mean and a deviation for each channel. Values of 16 bits are rounded to 8.
    Bytes {
        /// Means, in `0..=1`.
        mean: Vec<f32>,
        /// Standard deviations, in `0..=1`.
        std: Vec<f32>,
    },
    /// What the network itself is fed with: `f32` numbers `[batch, channels, height, width]`, normalised by the caller.
    Normalised {
        /// Number of channels.
        channels: usize,
    },
}

impl OnnxInput {
    /// RGB bytes, normalised with the statistics of ImageNet.
    pub fn imagenet() -> Self {
        Self::bytes([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    }

    /// Bytes, normalised with a mean and a standard deviation for each channel, in `0..=1`.
    pub fn bytes(mean: impl Into<Vec<f32>>, std: impl Into<Vec<f32>>) -> Self {
        Self::Bytes {
            mean: mean.into(),
            std: std.into(),
        }
    }

    pub(crate) fn channels(&self) -> usize {
        match self {
            Self::Bytes { mean, .. } => mean.len(),
            Self::Normalised { channels } => *channels,
        }
    }
}
