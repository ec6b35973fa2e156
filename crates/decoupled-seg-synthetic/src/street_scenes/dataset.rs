use std::hash::{Hash, Hasher};

use burn_dataset::Dataset;
use decoupled_seg_datasets::augment::{gaussian_blur, sample_rng};
use decoupled_seg_datasets::{
    Class, ClassTable, DatasetError, IGNORE_LABEL, Sample, SegmentationDataset,
};
use decoupled_seg_types::Size;
use fnv::FnvHasher;
use serde::{Deserialize, Serialize};

use super::canvas::Canvas;
use super::layout::Layout;
use super::objects;
use super::stage::Stage;

/// Configuration of [`StreetScenes`]: which scenes, and of what size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreetScenesConfig {
    /// How many scenes there are.
    pub len: usize,
    /// Size of the pictures.
    pub size: Size,
    /// Seed of the scenes. Each size shows the same scenes at another resolution.
    pub seed: u64,
}

impl Default for StreetScenesConfig {
    /// 200 scenes of 64x96 (height x width).
    fn default() -> Self {
        Self {
            len: 200,
            size: Size::new(64, 96),
            seed: 0,
        }
    }
}

/// Street scenes drawn from a seed: road, sidewalks, houses, fences, poles, signs, trees, sky, people and cars, in
/// perspective, with texture, shadows, changing light, grain and blur.
///
/// Labels are exact. Colours overlap between classes (grey cars before grey houses on grey roads), poles and signs are
/// a few pixels wide, and objects hide each other. In some scenes the camera's own car covers the bottom and is
/// ignored. Scene `i` depends only on the seed and `i`.
///
/// ```
/// use decoupled_seg_datasets::{Dataset, SegmentationDataset, Size};
/// use decoupled_seg_synthetic::{StreetScenes, StreetScenesConfig};
///
/// let size = Size::new(64, 96);
/// let scenes = StreetScenes::new(StreetScenesConfig { len: 4, size, seed: 0 });
/// assert_eq!(scenes.get(0)?.size(), size);
/// assert_eq!(scenes.classes().num_classes(), 10);
/// # Ok::<(), decoupled_seg_datasets::DatasetError>(())
/// ```
#[derive(Debug, Clone)]
pub struct StreetScenes {
    config: StreetScenesConfig,
    classes: ClassTable,
}

/// Class indices, in the order of the table.
pub(super) mod label {
    pub const ROAD: u8 = 0;
    pub const SIDEWALK: u8 = 1;
    pub const BUILDING: u8 = 2;
    pub const FENCE: u8 = 3;
    pub const POLE: u8 = 4;
    pub const SIGN: u8 = 5;
    pub const VEGETATION: u8 = 6;
    pub const SKY: u8 = 7;
    pub const PERSON: u8 = 8;
    pub const CAR: u8 = 9;
}

impl StreetScenes {
    /// Makes the data set. A scene is drawn each time it is asked for.
    ///
    /// # Panics
    ///
    /// Panics if the size is below 16x16 pixels.
    pub fn new(config: StreetScenesConfig) -> Self {
        let Size { height, width } = config.size;
        assert!(
            width >= 16 && height >= 16,
            "scenes have at least 16x16 pixels, got {height}x{width} (height x width)"
        );
        Self {
            config,
            classes: Self::classes(),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &StreetScenesConfig {
        &self.config
    }

    /// The 10 classes, with the colours of Cityscapes.
    pub fn classes() -> ClassTable {
        ClassTable::new(vec![
            Class::new("road", [128, 64, 128]),
            Class::new("sidewalk", [244, 35, 232]),
            Class::new("building", [70, 70, 70]),
            Class::new("fence", [190, 153, 153]),
            Class::new("pole", [153, 153, 153]),
            Class::new("sign", [220, 220, 0]),
            Class::new("vegetation", [107, 142, 35]),
            Class::new("sky", [70, 130, 180]),
            Class::new("person", [220, 20, 60]),
            Class::new("car", [0, 0, 142]),
        ])
    }

    /// Draws scene `index`.
    ///
    /// # Panics
    ///
    /// Panics if `index >= len()`.
    pub fn scene(&self, index: usize) -> Sample {
        let StreetScenesConfig { len, size, seed } = self.config;
        assert!(index < len, "scene {index} of {len}");
        let layout = Layout::draw(&mut sample_rng(seed, 0, index as u64, 0));
        let stage = Stage::new(&layout, size);
        let mut canvas = Canvas::new(size);
        stage.paint(&mut canvas);
        for (number, object) in (0..).zip(&layout.objects) {
            objects::paint(&stage, &mut canvas, object, number);
        }
        if let Some(share) = layout.hood {
            paint_hood(&mut canvas, share);
        }

        let light = &layout.light;
        let (center_x, center_y) = (0.5 * size.width as f32, 0.5 * size.height as f32);
        let (image, labels) = canvas.finish(|x, y, color| {
            let (a, b) = (
                (x as f32 - center_x) / center_x,
                (y as f32 - center_y) / center_y,
            );
            let fall = 1.0 - light.vignette * 0.5 * (a * a + b * b);
            std::array::from_fn(|i| color[i] * light.gain[i] * fall)
        });
        let mut image = gaussian_blur(&image, light.blur);
        // Grain comes last, after the lens: it is noise of the sensor.
        let noise = stage.noise.layer(100);
        for (at, value) in image.iter_mut().enumerate() {
            let grain = noise.white(at as i32, 0) + noise.white(at as i32, 1) - 1.0;
            *value = (f32::from(*value) + light.grain * grain) as u8;
        }
        Sample::new(self.name(index), image, labels)
    }
}

/// Paints the front of the camera's own car.
fn paint_hood(canvas: &mut Canvas, share: f32) {
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    canvas.each_in(
        [0.0, height * (1.0 - share), width, height],
        |canvas, x, y, px, py| {
            let across = (px - 0.5 * width) / (0.5 * width);
            if py > height * (1.0 - share * (1.0 - across * across)) {
                canvas.paint(x, y, IGNORE_LABEL, [42.0, 44.0, 48.0]);
            }
        },
    );
}

impl Dataset<Sample, DatasetError> for StreetScenes {
    fn get(&self, index: usize) -> Result<Sample, DatasetError> {
        Ok(self.scene(index))
    }

    fn len(&self) -> usize {
        self.config.len
    }
}

impl SegmentationDataset for StreetScenes {
    fn classes(&self) -> &ClassTable {
        &self.classes
    }

    fn name(&self, index: usize) -> String {
        format!("scene_{:04}_{index:05}", self.config.seed)
    }

    fn fingerprint(&self) -> Result<Option<u64>, DatasetError> {
        let mut hash = FnvHasher::default();
        hash.write(b"StreetScenes");
        self.config.hash(&mut hash);
        Ok(Some(hash.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenes(len: usize, size: Size, seed: u64) -> StreetScenes {
        StreetScenes::new(StreetScenesConfig { len, size, seed })
    }

    const SMALL: Size = Size::new(64, 96);

    fn histogram(scenes: &StreetScenes) -> [u64; 256] {
        let mut total = [0; 256];
        for index in 0..scenes.len() {
            let counts = scenes.scene(index).labels.histogram();
            total
                .iter_mut()
                .zip(counts)
                .for_each(|(total, count)| *total += count);
        }
        total
    }

    #[test]
    fn a_scene_depends_on_seed_and_index_alone() {
        let (few, many) = (scenes(5, SMALL, 3), scenes(50, SMALL, 3));
        assert_eq!(few.scene(4), many.scene(4));
        assert_ne!(few.scene(4), few.scene(3));
        assert_ne!(few.scene(4).labels, scenes(5, SMALL, 4).scene(4).labels);
    }

    #[test]
    fn every_class_occurs_and_none_is_left_over() {
        let counts = histogram(&scenes(60, SMALL, 0));
        let total = counts.iter().sum::<u64>() as f64;
        for (class, name) in StreetScenes::classes().names().into_iter().enumerate() {
            let share = counts[class] as f64 / total;
            assert!((0.002..0.5).contains(&share), "{name}: {share}");
        }
        let ignored = counts[usize::from(IGNORE_LABEL)] as f64 / total;
        assert!((0.002..0.05).contains(&ignored), "{ignored}");
        assert_eq!(counts[10..255].iter().sum::<u64>(), 0);
    }

    #[test]
    fn the_same_scene_at_any_resolution() {
        for (height, width) in [(16, 16), (50, 200), (200, 50), (128, 256)] {
            let size = Size::new(height, width);
            assert_eq!(scenes(2, size, 1).scene(1).size(), size);
        }
        let (small, large) = (
            scenes(1, SMALL, 9).scene(0),
            scenes(1, Size::new(256, 384), 9).scene(0),
        );
        let same = (0..96 * 64).filter(|i| {
            let (x, y) = (i % 96, i / 96);
            small.labels.get(x, y) == large.labels.get(4 * x + 2, 4 * y + 2)
        });
        let share = same.count() as f64 / (96.0 * 64.0);
        assert!(share > 0.9, "{share}");
    }

    #[test]
    fn poles_are_thin() {
        let scenes = scenes(30, SMALL, 5);
        let mut runs = Vec::new();
        for index in 0..scenes.len() {
            let labels = scenes.scene(index).labels;
            for y in 0..labels.height {
                let row = labels.row(y);
                runs.extend(
                    row.chunk_by(|a, b| a == b)
                        .filter(|run| run[0] == label::POLE)
                        .map(<[u8]>::len),
                );
            }
        }
        runs.sort_unstable();
        assert!(runs.len() > 200, "{}", runs.len());
        assert!(
            runs[runs.len() / 2] <= 2 && runs[runs.len() * 9 / 10] <= 4,
            "{:?}",
            &runs[runs.len() - 20..]
        );
    }

    /// Guessing a pixel's class from its colour alone must be far from right.
    #[test]
    fn colour_alone_does_not_tell_the_class() {
        use std::collections::HashMap;
        let (train, test) = (scenes(60, SMALL, 0), scenes(20, SMALL, 1));
        let bin = |pixel: &image::Rgb<u8>| pixel.0.map(|value| value / 16);
        let mut votes: HashMap<[u8; 3], [u32; 10]> = HashMap::new();
        let pixels = |sample: &Sample| {
            let labels = sample.labels.data.clone();
            sample
                .image
                .pixels()
                .copied()
                .zip(labels)
                .collect::<Vec<_>>()
        };
        for index in 0..train.len() {
            for (pixel, label) in pixels(&train.scene(index)) {
                if label != IGNORE_LABEL {
                    votes.entry(bin(&pixel)).or_default()[usize::from(label)] += 1;
                }
            }
        }
        let (mut hits, mut all) = ([0_u32; 10], [0_u32; 10]);
        for index in 0..test.len() {
            for (pixel, label) in pixels(&test.scene(index)) {
                if label == IGNORE_LABEL {
                    continue;
                }
                all[usize::from(label)] += 1;
                let best = votes
                    .get(&bin(&pixel))
                    .map(|votes| (0..10).max_by_key(|&c| votes[c]).unwrap_or(0));
                hits[usize::from(label)] += u32::from(best == Some(usize::from(label)));
            }
        }
        let recall = (0..10)
            .map(|c| f64::from(hits[c]) / f64::from(all[c]))
            .sum::<f64>()
            / 10.0;
        assert!(recall < 0.45, "mean recall from colour alone: {recall}");
    }

    #[test]
    #[should_panic(expected = "scenes have at least 16x16 pixels, got 64x8")]
    fn refuses_tiny_scenes() {
        scenes(1, Size::new(64, 8), 0);
    }
}
