use std::iter::Sum;
use std::ops::AddAssign;

/// How many operations a part of a network takes for one image, and what it holds.
///
/// A multiply-accumulate is one operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Trained numbers: weights and biases, not the statistics of batch norms.
    pub parameters: u64,
    /// Multiply-accumulates of convolutions: elements written, times channels in of a group, times the kernel's area.
    pub conv_macs: u64,
    /// Additions of a convolution's bias: one for each element written.
    pub conv_bias: u64,
    /// Batch norms: two for each element.
    pub batch_norm: u64,
    /// ReLUs and their like: one for each element.
    pub relu: u64,
    /// Max and average pooling: one for each element read.
    pub pooling: u64,
    /// Elements that resizing, warping, sums and concatenations write. Published counts leave these out.
    pub other_elements: u64,
    /// Elements that all operations together write: what training keeps for the way back, where nothing is recomputed.
    pub activations: u64,
}

impl Counts {
    /// The sum that papers print as FLOPs: convolutions with their biases, norms, ReLUs and pooling, at one operation
    /// for a multiply-accumulate.
    pub const fn published_total(&self) -> u64 {
        self.conv_macs + self.conv_bias + self.batch_norm + self.relu + self.pooling
    }

    /// Bytes of [`activations`](Self::activations) for numbers of a size: 4 for `f32`, 2 for `bf16`.
    pub const fn activation_bytes(&self, bytes_per_number: u64) -> u64 {
        self.activations * bytes_per_number
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.parameters += other.parameters;
        self.conv_macs += other.conv_macs;
        self.conv_bias += other.conv_bias;
        self.batch_norm += other.batch_norm;
        self.relu += other.relu;
        self.pooling += other.pooling;
        self.other_elements += other.other_elements;
        self.activations += other.activations;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut total, counts| {
            total += counts;
            total
        })
    }
}
