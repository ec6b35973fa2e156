use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::{BandImage, BandStatistics};

/// Channel statistics for the normalisation of images: `(value / largest - mean) / std`, where the largest is 255, or 65535
/// for bands of 16 bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Normalization {
    /// Mean of each channel, in `0..=1`: red, green and blue, or the bands.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in `0..=1`.
    pub std: Vec<f32>,
}

impl Default for Normalization {
    /// The ImageNet statistics, which pretrained backbones expect.
    fn default() -> Self {
        Self {
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
        }
    }
}

impl Normalization {
    /// Mean and standard deviation 0.5 (PaddleSeg): values from -1 to 1.
    pub fn half() -> Self {
        Self {
            mean: vec![0.5; 3],
            std: vec![0.5; 3],
        }
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// The normalised bands, `[bands, height, width]`.
    ///
    /// # Panics
    ///
    /// Panics if the image has another number of bands.
    pub fn apply_bands(&self, image: &BandImage) -> Vec<f32> {
        let bands = image.bands();
        assert_eq!(
            (self.mean.len(), self.std.len()),
            (bands, bands),
            "a mean and a deviation for each band"
        );
        let mut out = Vec::with_capacity(image.data().len());
        for (band, (&mean, &std)) in self.mean.iter().zip(&self.std).enumerate() {
            let values = image.data()[band..].iter().step_by(bands);
            out.extend(values.map(|&value| (f32::from(value) / 65535.0 - mean) / std));
        }
        out
    }

    /// The normalised image, `[3, height, width]`.
    pub fn apply(&self, image: &RgbImage) -> Vec<f32> {
        let mut out = vec![0.0; image.as_raw().len()];
        self.write(image, &mut out);
        out
    }

    /// Writes the normalised image to a buffer, `[3, height, width]`.
    ///
    /// # Panics
    ///
    /// Panics if the buffer does not hold `3 * height * width` values, or the statistics are of other channels than three.
    pub fn write(&self, image: &RgbImage, out: &mut [f32]) {
        assert_eq!(
            out.len(),
            image.as_raw().len(),
            "values for an image of {}x{} (height x width)",
            image.height(),
            image.width()
        );
        assert_eq!(
            (self.mean.len(), self.std.len()),
            (3, 3),
            "a mean and a deviation for red, green and blue"
        );
        let tables: [[f32; 256]; 3] = std::array::from_fn(|channel| {
            std::array::from_fn(|value| {
                (value as f32 / 255.0 - self.mean[channel]) / self.std[channel]
            })
        });
        let plane = out.len() / 3;
        let (red, rest) = out.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        let planes = red.iter_mut().zip(green).zip(blue);
        for (pixel, ((red, green), blue)) in image.as_raw().chunks_exact(3).zip(planes) {
            *red = tables[0][usize::from(pixel[0])];
            *green = tables[1][usize::from(pixel[1])];
            *blue = tables[2][usize::from(pixel[2])];
        }
    }
}

/// Bands without a deviation are divided by 1.
impl From<&BandStatistics> for Normalization {
    fn from(statistics: &BandStatistics) -> Self {
        let std = statistics.std.iter().map(|&std| match std > 0.0 {
            true => std as f32,
            false => 1.0,
        });
        Self {
            mean: statistics.mean.iter().map(|&mean| mean as f32).collect(),
            std: std.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_follow_each_other() {
        let image = RgbImage::from_fn(4, 3, |x, y| {
            image::Rgb([(x * 60) as u8, (y * 100) as u8, 255])
        });
        let normalization = Normalization::default();
        let values = normalization.apply(&image);
        assert_eq!(values[1], (60.0 / 255.0 - 0.485) / 0.229);
        assert_eq!(values[12 + 4], (100.0 / 255.0 - 0.456) / 0.224);
        assert_eq!(values[24], (1.0 - 0.406) / 0.225);
    }

    #[test]
    fn bands_of_an_rgb_image_are_normalised_as_it_is() {
        let image = RgbImage::from_fn(5, 3, |x, y| image::Rgb([(x * 60) as u8, y as u8, 255]));
        let normalization = Normalization::default();
        let bands = normalization.apply_bands(&BandImage::from(&image));
        let rgb = normalization.apply(&image);
        assert!(rgb.iter().zip(&bands).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn statistics_of_an_image_bring_it_to_mean_0_and_deviation_1() {
        let size = decoupled_seg_types::Size::new(1, 2);
        let image = BandImage::new(size, 2, vec![0, 65535, 65535, 65535]);
        let normalization = Normalization::from(&BandStatistics::of_image(&image));
        assert_eq!(normalization.apply_bands(&image), [-1.0, 1.0, 0.0, 0.0]);
    }
}
