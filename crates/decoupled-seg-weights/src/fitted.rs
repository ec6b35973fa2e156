use std::fmt;

use burn::tensor::{DType, TensorData};

/// A weight that reads the image, fitted to another number of channels than it was trained with.
///
/// ```text
/// one channel     the sum over the channels of the file
/// n channels      those of the file in turn, times (channels of the file) / n
/// ```
///
/// So the first layer's output keeps its size where all channels show the same. As in timm and in segmentation_models.pytorch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FittedImage {
    /// Its name in the file.
    pub key: String,
    /// Channels in the file.
    pub from: usize,
    /// Channels of the network.
    pub to: usize,
}

impl fmt::Display for FittedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, from, to } = self;
        match to {
            1 => write!(
                f,
                "{key}: the sum of its {from} channels, for images of one"
            ),
            _ => write!(
                f,
                "{key}: its {from} channels in turn, times {from}/{to}, for images of {to}"
            ),
        }
    }
}

/// Whether two shapes are those of a convolution for images of different channels.
pub(crate) fn differ_in_channels(ours: &[usize], theirs: &[usize]) -> bool {
    match (ours, theirs) {
        ([out, to, kernel @ ..], [their_out, from, their_kernel @ ..]) => {
            out == their_out && kernel == their_kernel && to != from && *from > 0
        }
        _ => false,
    }
}

/// The weight `[out, from, ..]` for images of `to` channels.
pub(crate) fn fit_channels(weight: TensorData, to: usize) -> TensorData {
    let mut shape = weight.shape().to_vec();
    let (out, from) = (shape[0], shape[1]);
    let taps: usize = shape[2..].iter().product();
    shape[1] = to;
    let values: Vec<f32> = weight.convert_dtype(DType::F32).iter::<f32>().collect();
    let mut fitted = vec![0.0; out * to * taps];
    for (theirs, ours) in values
        .chunks_exact(from * taps)
        .zip(fitted.chunks_exact_mut(to * taps))
    {
        if to == 1 {
            for channel in theirs.chunks_exact(taps) {
                for (sum, value) in ours.iter_mut().zip(channel) {
                    *sum += value;
                }
            }
            continue;
        }
        let in_turn = theirs.chunks_exact(taps).cycle();
        for (target, channel) in ours.chunks_exact_mut(taps).zip(in_turn) {
            for (value, theirs) in target.iter_mut().zip(channel) {
                *value = theirs * (from as f32 / to as f32);
            }
        }
    }
    TensorData::new(fitted, shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two kernels of one pixel, for three channels.
    fn weight() -> TensorData {
        TensorData::new(vec![1.0_f32, 2.0, 3.0, -1.0, 0.5, 4.0], [2, 3, 1, 1])
    }

    #[test]
    fn one_channel_reads_the_sum() {
        let expected = TensorData::new(vec![6.0_f32, 3.5], [2, 1, 1, 1]);
        assert_eq!(fit_channels(weight(), 1), expected);
    }

    #[test]
    fn more_and_fewer_take_turns() {
        let values = vec![0.75_f32, 1.5, 2.25, 0.75, -0.75, 0.375, 3.0, -0.75];
        assert_eq!(
            fit_channels(weight(), 4),
            TensorData::new(values, [2, 4, 1, 1])
        );
        let values = vec![1.5_f32, 3.0, -1.5, 0.75];
        assert_eq!(
            fit_channels(weight(), 2),
            TensorData::new(values, [2, 2, 1, 1])
        );
    }

    #[test]
    fn only_the_channels_may_differ() {
        assert!(differ_in_channels(&[4, 1, 3, 3], &[4, 3, 3, 3]));
        assert!(!differ_in_channels(&[4, 3, 3, 3], &[4, 3, 3, 3]));
        assert!(!differ_in_channels(&[4, 1, 3, 3], &[8, 3, 3, 3]));
        assert!(!differ_in_channels(&[4, 1, 3, 3], &[4, 3, 7, 7]));
        assert!(!differ_in_channels(&[4], &[4]));
    }
}
