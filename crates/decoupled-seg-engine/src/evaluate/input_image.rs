use decoupled_seg_datasets::augment::{Normalization, ResizeFilter, resize_bands, resize_image};
use decoupled_seg_datasets::{BandImage, Sample};
use decoupled_seg_nn::Size;
use image::RgbImage;

/// What a network looks at: an RGB image of 8 bits, or one of bands.
#[derive(Debug, Clone, Copy)]
pub enum InputImage<'a> {
    /// Red, green and blue, 8 bits each.
    Rgb(&'a RgbImage),
    /// Any bands, 16 bits each.
    Bands(&'a BandImage),
}

impl<'a> From<&'a RgbImage> for InputImage<'a> {
    fn from(image: &'a RgbImage) -> Self {
        Self::Rgb(image)
    }
}

impl<'a> From<&'a BandImage> for InputImage<'a> {
    fn from(image: &'a BandImage) -> Self {
        Self::Bands(image)
    }
}

/// The bands, if it has any.
impl<'a> From<&'a Sample> for InputImage<'a> {
    fn from(sample: &'a Sample) -> Self {
        match &sample.bands {
            Some(bands) => Self::Bands(bands),
            None => Self::Rgb(&sample.image),
        }
    }
}

impl InputImage<'_> {
    /// Height and width.
    pub fn size(&self) -> Size {
        match self {
            Self::Rgb(image) => Size::new(image.height() as usize, image.width() as usize),
            Self::Bands(image) => image.size(),
        }
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        match self {
            Self::Rgb(_) => 3,
            Self::Bands(image) => image.bands(),
        }
    }

    /// The normalised values, `[channels, height, width]`, of the picture at another size.
    pub(super) fn normalised(&self, size: Size, normalization: &Normalization) -> Vec<f32> {
        let same = size == self.size();
        match self {
            Self::Rgb(image) if same => normalization.apply(image),
            Self::Rgb(image) => {
                normalization.apply(&resize_image(image, size, ResizeFilter::Bilinear))
            }
            Self::Bands(image) if same => normalization.apply_bands(image),
            Self::Bands(image) => {
                normalization.apply_bands(&resize_bands(image, size, ResizeFilter::Bilinear))
            }
        }
    }
}
