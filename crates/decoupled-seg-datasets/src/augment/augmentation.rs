use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{Blur, ColorJitter, GaussianBlur, Geometry, ResizeFilter, ensure, required};
use crate::Sample;

/// Scales by a factor drawn uniformly from a range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomScale {
    /// Smallest factor.
    pub min: f64,
    /// Largest factor.
    pub max: f64,
    /// How the image is scaled; labels take the nearest.
    #[serde(default)]
    pub filter: ResizeFilter,
}

impl RandomScale {
    /// A bicubic scale from `min` to `max`.
    pub const fn new(min: f64, max: f64) -> Self {
        Self {
            min,
            max,
            filter: ResizeFilter::Bicubic,
        }
    }
}

/// Size of a crop, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CropSize {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl CropSize {
    /// A square.
    pub const fn square(side: usize) -> Self {
        Self {
            width: side,
            height: side,
        }
    }
}

/// What happens to a training sample, in this order; what is `None` (or 0) does not happen.
///
/// The default changes nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Random scale.
    pub scale: Option<RandomScale>,
    /// Random crop; smaller images are padded first. Batches need it where images differ in size or are scaled.
    pub crop: Option<CropSize>,
    /// How often a sample is mirrored left to right, `0..=1`.
    pub flip: f64,
    /// Random colours.
    pub color_jitter: Option<ColorJitter>,
    /// Random blur.
    pub blur: Option<Blur>,
    /// What padding shows in the image: red, green, blue. Labels are ignored there.
    pub fill: [u8; 3],
}

impl Augmentation {
    /// What the paper says: scale from 0.75 to 2, crop, mirror. Colours are not mentioned.
    ///
    /// Source: Li et al., ECCV 2020, section 4.1.
    pub fn paper(crop: CropSize) -> Self {
        Self {
            scale: Some(RandomScale::new(0.75, 2.0)),
            crop: Some(crop),
            flip: 0.5,
            ..Self::default()
        }
    }

    /// What the authors' Cityscapes scripts do: scale from 0.5 to 2, crop, mirror, colours by a quarter, Gaussian blur
    /// always. The code can blur [bilaterally](Blur::Bilateral) in its place; no script asks for it.
    pub fn official(crop: CropSize) -> Self {
        Self {
            scale: Some(RandomScale::new(0.5, 2.0)),
            color_jitter: Some(ColorJitter::uniform(0.25)),
            blur: Some(Blur::Gaussian(GaussianBlur::official())),
            ..Self::paper(crop)
        }
    }

    /// Sets [`scale`](Self::scale).
    pub fn with_scale(mut self, scale: Option<RandomScale>) -> Self {
        self.scale = scale;
        self
    }

    /// Sets [`crop`](Self::crop).
    pub fn with_crop(mut self, crop: Option<CropSize>) -> Self {
        self.crop = crop;
        self
    }

    /// Sets [`flip`](Self::flip).
    pub fn with_flip(mut self, flip: f64) -> Self {
        self.flip = flip;
        self
    }

    /// Sets [`color_jitter`](Self::color_jitter).
    pub fn with_color_jitter(mut self, color_jitter: Option<ColorJitter>) -> Self {
        self.color_jitter = color_jitter;
        self
    }

    /// Sets [`blur`](Self::blur).
    pub fn with_blur(mut self, blur: Option<Blur>) -> Self {
        self.blur = blur;
        self
    }

    /// Checks the values that no type can.
    ///
    /// # Errors
    ///
    /// Says in words what [`apply`](Self::apply) would panic on: a probability outside `0..=1`, a range that is not in
    /// order, a scale that is not positive, an empty crop.
    pub fn validate(&self) -> Result<(), String> {
        ensure((0.0..=1.0).contains(&self.flip), || {
            format!("flip is a probability, got {}", self.flip)
        })?;
        if let Some(RandomScale { min, max, .. }) = self.scale {
            ensure(min > 0.0 && min <= max && max.is_finite(), || {
                format!("scales are positive and in order, got {min} to {max}")
            })?;
        }
        if let Some(CropSize { width, height }) = self.crop {
            ensure(width > 0 && height > 0, || {
                format!("a crop has pixels, got {width}x{height}")
            })?;
        }
        if let Some(color_jitter) = &self.color_jitter {
            color_jitter.validate()?;
        }
        match &self.blur {
            Some(blur) => blur.validate(),
            None => Ok(()),
        }
    }

    /// Changes a sample.
    ///
    /// # Panics
    ///
    /// Panics if the values are not [valid](Self::validate).
    pub fn apply(&self, sample: Sample, rng: &mut impl Rng) -> Sample {
        self.apply_around(sample, None, rng)
    }

    /// As [`apply`](Self::apply), with a crop that shows the pixel `centroid` (x, y of the sample) where it can.
    ///
    /// # Panics
    ///
    /// As [`apply`](Self::apply).
    pub fn apply_around(
        &self,
        sample: Sample,
        centroid: Option<[usize; 2]>,
        rng: &mut impl Rng,
    ) -> Sample {
        let size = [sample.width(), sample.height()];
        let geometry = self.geometry(size, centroid, rng);
        let mut sample = if geometry == Geometry::identity(size) {
            sample
        } else {
            geometry.apply(&sample, self.fill)
        };
        if let Some(color_jitter) = &self.color_jitter {
            color_jitter.apply(&mut sample.image, rng);
        }
        if let Some(blur) = &self.blur {
            blur.apply(&mut sample.image, rng);
        }
        sample
    }

    /// Draws where the pixels of a sample of this width and height go.
    ///
    /// # Panics
    ///
    /// As [`apply`](Self::apply).
    pub fn geometry(
        &self,
        size: [usize; 2],
        centroid: Option<[usize; 2]>,
        rng: &mut impl Rng,
    ) -> Geometry {
        required(self.validate());
        let (factor, filter) = match self.scale {
            Some(RandomScale { min, max, filter }) => (rng.random_range(min..=max), filter),
            None => (1.0, ResizeFilter::default()),
        };
        let scaled = size.map(|length| ((length as f64 * factor) as usize).max(1));
        let crop = self.crop.map_or(scaled, |crop| [crop.width, crop.height]);
        let centroid = centroid.map(|point| point.map(|at| (at as f64 * factor) as usize));

        let mut padding = [0; 2];
        let mut origin = [0; 2];
        for i in 0..2 {
            if crop[i] > scaled[i] {
                // One more than needed on each side, as in the authors' code.
                padding[i] = (crop[i] - scaled[i]) / 2 + 1;
            }
            let last = scaled[i] + 2 * padding[i] - crop[i];
            origin[i] = match centroid {
                // The authors' code forgets that the padding moves the centroid.
                Some(point) => {
                    let at = point[i] + padding[i];
                    rng.random_range(at as i64 - crop[i] as i64..=at as i64)
                        .clamp(0, last as i64) as usize
                }
                None => rng.random_range(0..=last),
            };
        }
        let flip = rng.random_bool(self.flip);
        Geometry {
            scaled,
            padding,
            origin,
            size: crop,
            flip,
            filter,
        }
    }
}

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use proptest::prelude::*;

    use super::*;
    use crate::augment::{BilateralBlur, sample_rng};
    use crate::{IGNORE, LabelMap};

    fn sample(width: usize, height: usize) -> Sample {
        let image = RgbImage::from_fn(width as u32, height as u32, |x, y| {
            image::Rgb([x as u8, y as u8, 0])
        });
        let labels = LabelMap::new(
            width,
            height,
            (0..width * height).map(|i| (i % width) as u8 / 8).collect(),
        );
        Sample::new("sample", image, labels)
    }

    #[test]
    fn the_default_changes_nothing() {
        let original = sample(40, 30);
        assert_eq!(
            Augmentation::default().apply(original.clone(), &mut sample_rng(0, 0, 0, 0)),
            original
        );
    }

    #[test]
    fn a_seed_fixes_the_result() {
        let augmentation = Augmentation::official(CropSize::square(24));
        let apply = |index| augmentation.apply(sample(40, 30), &mut sample_rng(5, 1, index, 0));
        assert_eq!(apply(3), apply(3));
        assert_ne!(apply(3), apply(4));
    }

    #[test]
    fn scales_and_flips_are_distributed_as_configured() {
        let augmentation = Augmentation::paper(CropSize::square(10));
        let mut factors = Vec::new();
        let (mut flips, mut lefts) = (0, Vec::new());
        for index in 0..4000 {
            let geometry =
                augmentation.geometry([1000, 600], None, &mut sample_rng(0, 0, index, 0));
            factors.push(geometry.scaled[0] as f64 / 1000.0);
            flips += u32::from(geometry.flip);
            lefts.push(geometry.origin[0] as f64 / (geometry.scaled[0] - 10) as f64);
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let least = factors.iter().copied().fold(f64::INFINITY, f64::min);
        let most = factors.iter().copied().fold(0.0, f64::max);
        // The standard error of these means is under 0.006, of the flips 32.
        assert!((mean(&factors) - 1.375).abs() < 0.025, "{}", mean(&factors));
        assert!(
            (0.749..0.76).contains(&least) && (1.99..=2.0).contains(&most),
            "{least} to {most}"
        );
        assert!((mean(&lefts) - 0.5).abs() < 0.025, "{}", mean(&lefts));
        assert!((2000_i64 - i64::from(flips)).abs() < 150, "{flips}");
    }

    #[test]
    fn survives_toml() {
        let augmentation = Augmentation::official(CropSize {
            width: 96,
            height: 64,
        });
        let text = toml::to_string(&augmentation).expect("plain data");
        assert_eq!(
            toml::from_str::<Augmentation>(&text).expect("written by us"),
            augmentation
        );
        assert!(toml::from_str::<Augmentation>("flop = 0.5").is_err());
        let bilateral = augmentation.with_blur(Some(Blur::Bilateral(BilateralBlur::official())));
        let text = toml::to_string(&bilateral).expect("plain data");
        assert!(text.contains("[blur.bilateral]"), "{text}");
        assert_eq!(
            toml::from_str::<Augmentation>(&text).expect("written by us"),
            bilateral
        );
    }

    proptest! {
        #[test]
        fn crops_have_their_size_and_show_the_centroid(
            (width, height) in (1_usize..200, 1_usize..200),
            (crop_width, crop_height) in (1_usize..150, 1_usize..150),
            (x, y) in (0.0_f64..1.0, 0.0_f64..1.0),
            (min, range) in (0.2_f64..2.0, 0.0_f64..2.0),
            index in any::<u64>(),
        ) {
            let crop = CropSize { width: crop_width, height: crop_height };
            let augmentation = Augmentation::paper(crop).with_scale(Some(RandomScale::new(min, min + range)));
            let centroid = [(x * width as f64) as usize, (y * height as f64) as usize];
            let geometry =
                augmentation.geometry([width, height], Some(centroid), &mut sample_rng(0, 0, index, 0));
            prop_assert_eq!(geometry.size, [crop_width, crop_height]);
            for i in 0..2 {
                let padded = geometry.scaled[i] + 2 * geometry.padding[i];
                prop_assert!(geometry.origin[i] + geometry.size[i] <= padded);
                prop_assert!(geometry.padding[i] == 0 || geometry.scaled[i] < geometry.size[i]);
                let length = [width, height][i];
                let at = centroid[i] as f64 * geometry.scaled[i] as f64 / length as f64 + geometry.padding[i] as f64;
                // Cutting off the scaled size and the scaled centroid moves either by less than a pixel or two.
                prop_assert!(at + 2.0 >= geometry.origin[i] as f64);
                prop_assert!(at - 2.0 <= (geometry.origin[i] + geometry.size[i]) as f64);
            }
        }

        #[test]
        fn padding_is_ignored(side in 1_usize..40, crop in 1_usize..60, index in any::<u64>()) {
            let augmentation = Augmentation::paper(CropSize::square(crop));
            let augmented = augmentation.apply(sample(side, side), &mut sample_rng(0, 0, index, 0));
            prop_assert_eq!([augmented.width(), augmented.height()], [crop, crop]);
            for (pixel, &label) in augmented.image.pixels().zip(&augmented.labels.data) {
                prop_assert!(label != IGNORE || pixel.0 == [0, 0, 0]);
            }
        }
    }
}
