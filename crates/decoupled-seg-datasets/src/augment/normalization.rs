use image::RgbImage;
use serde::{Deserialize, Serialize};

/// Channel statistics for the normalisation of images: `(value / 255 - mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Normalization {
    /// Mean of red, green and blue, in `0..=1`.
    pub mean: [f32; 3],
    /// Standard deviation of red, green and blue, in `0..=1`.
    pub std: [f32; 3],
}

impl Default for Normalization {
    /// The ImageNet statistics, which pretrained backbones expect.
    fn default() -> Self {
        Self {
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }
    }
}

impl Normalization {
    /// Mean and standard deviation 0.5 (PaddleSeg): values from -1 to 1.
    pub const fn half() -> Self {
        Self {
            mean: [0.5; 3],
            std: [0.5; 3],
        }
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
    /// Panics if the buffer does not hold `3 * height * width` values.
    pub fn write(&self, image: &RgbImage, out: &mut [f32]) {
        assert_eq!(
            out.len(),
            image.as_raw().len(),
            "values for an image of {}x{} (height x width)",
            image.height(),
            image.width()
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
}
