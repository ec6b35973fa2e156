use decoupled_seg_types::Size;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{
    Blur, ColorJitter, GaussianBlur, Geometry, ResizeFilter, ensure, ensure_share, required,
};
use crate::{DatasetError, MAX_PIXELS, Point, Sample};

/// Scales by a factor drawn uniformly from a range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomScale {
    /// Smallest factor.
    pub min: f64,
    /// Largest factor.
    pub max: f64,
    /// How the image is scaled; labels take the nearest value.
    #[serde(default)]
    pub filter: ResizeFilter,
}

impl RandomScale {
    /// A bicubic scale with a factor from `min` to `max`.
    pub const fn new(min: f64, max: f64) -> Self {
        Self {
            min,
            max,
            filter: ResizeFilter::Bicubic,
        }
    }
}

/// The random changes of a training sample, in the order of the fields. A change that is `None` (or 0) is left out.
///
/// The default changes nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Random scale.
    pub scale: Option<RandomScale>,
    /// Random crop; smaller images are padded first. Batches need a crop if images differ in size or are scaled.
    pub crop: Option<Size>,
    /// Probability that a sample is mirrored left to right, `0..=1`.
    pub flip: f64,
    /// Random colours.
    pub color_jitter: Option<ColorJitter>,
    /// Random blur.
    pub blur: Option<Blur>,
    /// Colour of the padding: red, green, blue. Labels in the padding are ignored.
    pub fill: [u8; 3],
}

impl Augmentation {
    /// The changes that the paper names: scale from 0.75 to 2, crop, mirror. It does not mention colours.
    ///
    /// Source: Li et al., ECCV 2020, section 4.1.
    pub fn paper(crop: Size) -> Self {
        Self {
            scale: Some(RandomScale::new(0.75, 2.0)),
            crop: Some(crop),
            flip: 0.5,
            ..Self::default()
        }
    }

    /// The changes of the authors' Cityscapes scripts: scale from 0.5 to 2, crop, mirror, colours by a quarter, and
    /// Gaussian blur for every image.
    pub fn official(crop: Size) -> Self {
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
    pub fn with_crop(mut self, crop: Option<Size>) -> Self {
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

    /// Checks the values that the types allow but [`apply`](Self::apply) does not.
    ///
    /// # Errors
    ///
    /// Returns [`DatasetError::Setting`] for what [`apply`](Self::apply) would panic on: a probability outside `0..=1`,
    /// a range that is not in order, a scale that is not positive, an empty crop.
    pub fn validate(&self) -> Result<(), DatasetError> {
        ensure_share(self.flip, "flip")?;
        if let Some(RandomScale { min, max, .. }) = self.scale {
            ensure(
                min > 0.0 && min <= max && max.is_finite(),
                "scale",
                || format!("{min} to {max}"),
                "positive factors in order",
            )?;
        }
        if let Some(crop) = self.crop {
            ensure(
                crop.height > 0 && crop.width > 0,
                "crop",
                || format!("{crop} (height x width)"),
                "a size with pixels",
            )?;
            let pixels = crop.height as u128 * crop.width as u128;
            ensure(
                pixels <= u128::from(MAX_PIXELS),
                "crop",
                || format!("{crop} (height x width)"),
                "2^26 pixels at most, as of an image",
            )?;
        }
        if let Some(color_jitter) = &self.color_jitter {
            color_jitter.validate()?;
        }
        self.blur.map_or(Ok(()), |blur| blur.validate())
    }

    /// Checks that the changes are made for images of such bands: colours and blur are for RGB of 8 bits.
    ///
    /// # Errors
    ///
    /// Returns [`DatasetError::Setting`] for [`color_jitter`](Self::color_jitter) or [`blur`](Self::blur) beside bands.
    pub fn validate_for_bands(&self, bands: Option<usize>) -> Result<(), DatasetError> {
        let Some(bands) = bands else {
            return Ok(());
        };
        let expected = "none: it is for RGB images of 8 bits";
        let found = || format!("a change of images of {bands} bands");
        ensure(self.color_jitter.is_none(), "color_jitter", found, expected)?;
        ensure(self.blur.is_none(), "blur", found, expected)
    }

    /// The part of a crop of images of this size that is padding, on the average over the scales, `0..=1`.
    pub fn padding(&self, size: Size) -> f64 {
        const FACTORS: usize = 64;
        let Some(crop) = self.crop else {
            return 0.0;
        };
        let (min, max) = self.scale.map_or((1.0, 1.0), |it| (it.min, it.max));
        let shown = |factor: f64| {
            let side = |image: usize, crop: usize| (factor * image as f64 / crop as f64).min(1.0);
            side(size.height, crop.height) * side(size.width, crop.width)
        };
        let factor = |step: usize| min + (max - min) * (step as f64 + 0.5) / FACTORS as f64;
        let shown: f64 = (0..FACTORS).map(|step| shown(factor(step))).sum();
        1.0 - shown / FACTORS as f64
    }

    /// Changes a sample. Colours and blur change its [`image`](Sample::image) and no bands.
    ///
    /// # Panics
    ///
    /// Panics if the values are not [valid](Self::validate).
    pub fn apply(&self, sample: Sample, rng: &mut impl Rng) -> Sample {
        self.apply_around(sample, None, rng)
    }

    /// As [`apply`](Self::apply), with a crop that shows the pixel `centroid` of the sample if possible.
    ///
    /// # Panics
    ///
    /// As [`apply`](Self::apply).
    pub fn apply_around(
        &self,
        sample: Sample,
        centroid: Option<Point>,
        rng: &mut impl Rng,
    ) -> Sample {
        let size = sample.size();
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

    /// Draws the geometry of a sample of this size: scale, padding, crop and mirror.
    ///
    /// # Panics
    ///
    /// As [`apply`](Self::apply).
    pub fn geometry(&self, size: Size, centroid: Option<Point>, rng: &mut impl Rng) -> Geometry {
        required(self.validate());
        let (factor, filter) = match self.scale {
            Some(RandomScale { min, max, filter }) => (rng.random_range(min..=max), filter),
            None => (1.0, ResizeFilter::default()),
        };
        let times = |length: usize| (length as f64 * factor) as usize;
        let scaled = Size::new(times(size.height).max(1), times(size.width).max(1));
        let crop = self.crop.unwrap_or(scaled);

        let (x_padding, x) = place(
            scaled.width,
            crop.width,
            centroid.map(|point| times(point.x)),
            rng,
        );
        let (y_padding, y) = place(
            scaled.height,
            crop.height,
            centroid.map(|point| times(point.y)),
            rng,
        );
        let flip = rng.random_bool(self.flip);
        Geometry {
            scaled,
            padding: Size::new(y_padding, x_padding),
            origin: Point { y, x },
            size: crop,
            flip,
            filter,
        }
    }
}

/// Along one axis: the padding on each side, and the start of the crop in the padded image.
fn place(
    scaled: usize,
    crop: usize,
    centroid: Option<usize>,
    rng: &mut impl Rng,
) -> (usize, usize) {
    let padding = match crop.checked_sub(scaled) {
        None | Some(0) => 0,
        // One pixel more than needed on each side, as in the authors' code.
        Some(missing) => missing / 2 + 1,
    };
    let last = scaled + 2 * padding - crop;
    let origin = match centroid {
        // The padding moves the centroid. (The authors' code leaves this out.)
        Some(at) => {
            let at = (at + padding) as i64;
            let start = rng.random_range(at - crop as i64..=at);
            start.clamp(0, last as i64) as usize
        }
        None => rng.random_range(0..=last),
    };
    (padding, origin)
}

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use proptest::prelude::*;

    use super::*;
    use crate::augment::sample_rng;
    use crate::{IGNORE_LABEL, LabelMap};

    fn sample(size: Size) -> Sample {
        let Size { height, width } = size;
        let image = RgbImage::from_fn(width as u32, height as u32, |x, y| {
            image::Rgb([x as u8, y as u8, 0])
        });
        let labels = (0..size.pixels()).map(|i| (i % width) as u8 / 8);
        Sample::new("sample", image, LabelMap::new(size, labels.collect()))
    }

    #[test]
    fn the_default_changes_nothing() {
        let original = sample(Size::new(30, 40));
        assert_eq!(
            Augmentation::default().apply(original.clone(), &mut sample_rng(0, 0, 0, 0)),
            original
        );
    }

    #[test]
    fn a_seed_fixes_the_result() {
        let augmentation = Augmentation::official(Size::square(24));
        let apply =
            |index| augmentation.apply(sample(Size::new(30, 40)), &mut sample_rng(5, 1, index, 0));
        assert_eq!(apply(3), apply(3));
        assert_ne!(apply(3), apply(4));
    }

    #[test]
    fn scales_and_flips_are_distributed_as_configured() {
        let augmentation = Augmentation::paper(Size::square(10));
        let mut factors = Vec::new();
        let (mut flips, mut lefts) = (0, Vec::new());
        for index in 0..4000 {
            let geometry =
                augmentation.geometry(Size::new(600, 1000), None, &mut sample_rng(0, 0, index, 0));
            factors.push(geometry.scaled.width as f64 / 1000.0);
            flips += u32::from(geometry.flip);
            lefts.push(geometry.origin.x as f64 / (geometry.scaled.width - 10) as f64);
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
        let augmentation = Augmentation::official(Size::new(64, 96));
        let text = toml::to_string(&augmentation).expect("plain data");
        assert_eq!(
            toml::from_str::<Augmentation>(&text).expect("written by us"),
            augmentation
        );
        assert!(toml::from_str::<Augmentation>("flop = 0.5").is_err());
        assert!(text.contains("[blur.gaussian]"), "{text}");
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
            let crop = Size::new(crop_height, crop_width);
            let augmentation = Augmentation::paper(crop).with_scale(Some(RandomScale::new(min, min + range)));
            let centroid = Point { y: (y * height as f64) as usize, x: (x * width as f64) as usize };
            let size = Size::new(height, width);
            let geometry = augmentation.geometry(size, Some(centroid), &mut sample_rng(0, 0, index, 0));
            prop_assert_eq!(geometry.size, crop);
            let Geometry { scaled, padding, origin, .. } = geometry;
            for (length, scaled, padding, origin, crop, centroid) in [
                (width, scaled.width, padding.width, origin.x, crop.width, centroid.x),
                (height, scaled.height, padding.height, origin.y, crop.height, centroid.y),
            ] {
                prop_assert!(origin + crop <= scaled + 2 * padding);
                prop_assert!(padding == 0 || scaled < crop);
                let at = centroid as f64 * scaled as f64 / length as f64 + padding as f64;
                // Cutting off fractions moves the scaled size and the scaled centroid by less than a pixel or two.
                prop_assert!(at + 2.0 >= origin as f64);
                prop_assert!(at - 2.0 <= (origin + crop) as f64);
            }
        }

        #[test]
        fn padding_is_ignored(side in 1_usize..40, crop in 1_usize..60, index in any::<u64>()) {
            let augmentation = Augmentation::paper(Size::square(crop));
            let augmented = augmentation.apply(sample(Size::square(side)), &mut sample_rng(0, 0, index, 0));
            prop_assert_eq!(augmented.size(), Size::square(crop));
            for (pixel, &label) in augmented.image.pixels().zip(&augmented.labels.data) {
                prop_assert!(label != IGNORE_LABEL || pixel.0 == [0, 0, 0]);
            }
        }
    }
}
