use decoupled_seg_types::Size;
use image::RgbImage;

use crate::{BandImage, LabelMap};

/// An image with its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its name in messages, logs and written predictions: the file name without folder and extension.
    pub name: String,
    /// The image, 8 bits a channel, not normalised. Of a data set of bands their [preview](BandImage::preview).
    pub image: RgbImage,
    /// The bands, of the image's size, of a data set of [bands](crate::SegmentationDataset::bands).
    pub bands: Option<BandImage>,
    /// The labels, of the image's size. All [`IGNORE_LABEL`](crate::IGNORE_LABEL) where the data set has none for this
    /// image.
    pub labels: LabelMap,
}

impl Sample {
    /// Joins an image and its labels.
    ///
    /// # Panics
    ///
    /// Panics if they differ in size.
    pub fn new(name: impl Into<String>, image: RgbImage, labels: LabelMap) -> Self {
        let size = Size::new(image.height() as usize, image.width() as usize);
        assert_eq!(
            size,
            labels.size(),
            "the size of the image and of its labels"
        );
        Self {
            name: name.into(),
            image,
            bands: None,
            labels,
        }
    }

    /// Joins an image of bands and its labels.
    ///
    /// # Panics
    ///
    /// Panics if they differ in size.
    pub fn of_bands(name: impl Into<String>, bands: BandImage, labels: LabelMap) -> Self {
        let sample = Self::new(name, bands.preview(), labels);
        Self {
            bands: Some(bands),
            ..sample
        }
    }

    /// Height and width.
    pub fn size(&self) -> Size {
        self.labels.size()
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.labels.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.labels.height
    }
}
