use decoupled_seg_types::Size;
use rand::Rng;

use super::{LoaderConfig, Pick};
use crate::{BandImage, DatasetError, Sample, SegmentationDataset};

/// Images and labels of several samples in host memory, each in one block, so that one upload moves a whole batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Normalised images, `[batch, channels, height, width]`.
    pub images: Vec<f32>,
    /// Class indices or [`IGNORE_LABEL`](crate::IGNORE_LABEL), `[batch, height, width]`.
    pub labels: Vec<u8>,
    /// Samples in the batch.
    pub batch: usize,
    /// Channels of each sample: 3, or the bands of a data set of bands.
    pub channels: usize,
    /// Rows of each sample.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Names of the samples, in order.
    pub names: Vec<String>,
}

/// A sample after augmentation, in the form that a batch takes.
pub(super) struct Prepared {
    name: String,
    size: [usize; 2],
    channels: usize,
    image: Vec<f32>,
    labels: Vec<u8>,
}

impl Prepared {
    pub(super) fn new(
        dataset: &dyn SegmentationDataset,
        config: &LoaderConfig,
        pick: Pick,
        mut rng: impl Rng,
    ) -> Result<Self, DatasetError> {
        let sample = dataset.get(pick.index)?;
        let sample = config
            .augmentation
            .apply_around(sample, pick.centroid, &mut rng);
        let Sample {
            name,
            image,
            bands,
            labels,
        } = sample;
        let image = match &bands {
            Some(bands) => config.normalization.apply_bands(bands),
            None => config.normalization.apply(&image),
        };
        Ok(Self {
            name,
            size: [labels.width, labels.height],
            channels: bands.as_ref().map_or(3, BandImage::bands),
            image,
            labels: labels.data,
        })
    }
}

impl Batch {
    pub(super) fn collect(samples: Vec<Prepared>) -> Result<Self, DatasetError> {
        let [width, height] = samples.first().map_or([0, 0], |sample| sample.size);
        if let Some(other) = samples.iter().find(|sample| sample.size != [width, height]) {
            let (name, size) = (other.name.clone(), other.size);
            return Err(DatasetError::BatchShape {
                name,
                size: Size::new(size[1], size[0]),
                expected: Size::new(height, width),
            });
        }
        let channels = samples.first().map_or(3, |sample| sample.channels);
        let batch = samples.len();
        let pixels = batch * height * width;
        let mut collected = Self {
            images: Vec::with_capacity(channels * pixels),
            labels: Vec::with_capacity(pixels),
            batch,
            channels,
            height,
            width,
            names: Vec::with_capacity(batch),
        };
        for sample in samples {
            collected.images.extend_from_slice(&sample.image);
            collected.labels.extend_from_slice(&sample.labels);
            collected.names.push(sample.name);
        }
        Ok(collected)
    }
}
