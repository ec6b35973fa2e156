use std::sync::Arc;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use decoupled_seg_datasets::loader::{
    Batch, Batches, Loader, LoaderConfig, Sampling, TargetOptions,
};
use decoupled_seg_datasets::targets::{EdgeOptions, EdgeSource, RelaxOptions};
use decoupled_seg_datasets::{IGNORE, SegmentationDataset};
use decoupled_seg_losses::{
    EdgeSource as LossEdgeSource, IgnoredPixels, LabelSets, RelaxedLabels, Targets,
};

use super::criterion::BatchTargets;
use crate::EngineError;
use crate::recipe::{Recipe, TargetsPlace, TargetsRecipe};

/// Where training batches come from: the loader, cut to whole optimizer steps.
pub(super) struct Feed {
    loader: Loader,
    accumulate: usize,
}

impl Feed {
    pub fn new(
        dataset: Arc<dyn SegmentationDataset>,
        sampling: Option<Arc<dyn Sampling>>,
        recipe: &Recipe,
    ) -> Result<Self, EngineError> {
        let images = dataset.len();
        let augmentation = recipe.augmentation.clone();
        let mut config = LoaderConfig::training(recipe.batch, recipe.seed, augmentation)
            .with_workers(recipe.workers)
            .with_normalization(recipe.normalization);
        if recipe.targets.made_on == TargetsPlace::Loader {
            config = config.with_targets(loader_targets(&recipe.targets));
        }
        let loader = match sampling {
            Some(sampling) => Loader::with_sampling(dataset, sampling, config),
            None => Loader::new(dataset, config),
        };
        let feed = Self {
            loader,
            accumulate: recipe.accumulate,
        };
        if feed.steps_per_epoch() == 0 {
            return Err(EngineError::TooFewImages {
                images,
                batch: recipe.batch * recipe.accumulate,
            });
        }
        Ok(feed)
    }

    pub fn steps_per_epoch(&self) -> usize {
        self.loader.batches() / self.accumulate
    }

    /// Batches that are trained on; what does not fill an optimizer step is left out.
    pub fn batches_per_epoch(&self) -> usize {
        self.steps_per_epoch() * self.accumulate
    }

    /// The batches of an epoch from number `first` on.
    pub fn epoch(&self, epoch: usize, first: usize) -> Batches {
        self.loader.epoch_from(epoch as u64, first)
    }
}

/// The loader's options for what [`TargetsRecipe::config`] asks of the device.
fn loader_targets(recipe: &TargetsRecipe) -> TargetOptions {
    let relax = RelaxOptions {
        border: recipe.border,
        strict_classes: recipe
            .strict_classes
            .iter()
            .map(|&class| u8::try_from(class).unwrap_or(IGNORE))
            .collect(),
        border_off: false,
    };
    let exclude = recipe.ignored_pixels == IgnoredPixels::Exclude;
    let edges = EdgeOptions {
        radius: recipe.edge_radius,
        source: match recipe.edge_source {
            LossEdgeSource::Labels => EdgeSource::Plain,
            LossEdgeSource::Relaxed => EdgeSource::Relaxed(relax.clone()),
        },
        frame_is_edge: recipe.frame_is_edge,
        ignore_borders: !exclude,
        mask_ignored: exclude,
    };
    TargetOptions {
        relaxed: Some(relax),
        edges: Some(edges),
    }
}

/// Images and targets of a batch on the device; one transfer each.
pub(super) fn upload(batch: Batch, device: &Device) -> (Tensor<4>, BatchTargets) {
    let (size, height, width) = (batch.batch, batch.height, batch.width);
    let plain = device.clone().without_autodiff();
    let maps = |values: Vec<u8>| -> Tensor<3, Int> {
        Tensor::from_data(TensorData::new(values, [size, height, width]), &plain)
    };
    let images = TensorData::new(batch.images, [size, 3, height, width]);
    let images = Tensor::from_data(images, device);
    let labels = maps(batch.labels);
    let targets = match (batch.relaxed, batch.edges) {
        (Some(relaxed), Some(edges)) => {
            let shape = [size, batch.num_classes, height, width];
            BatchTargets::All(Targets::new(
                labels,
                pack(&relaxed, shape, &plain),
                maps(edges),
                i64::from(IGNORE),
            ))
        }
        _ => BatchTargets::Labels(labels),
    };
    (images, targets)
}

/// Classes in a word of [`LabelSets`].
const WORD: usize = 31;

/// Packs the loader's multi-hot map, which has the ignore bit behind the classes, into the sets that the losses take:
/// 4 bytes a pixel to transfer instead of one a class.
fn pack(multi_hot: &[u8], shape: [usize; 4], device: &Device) -> RelaxedLabels {
    let [batch, classes, height, width] = shape;
    let pixels = height * width;
    let planes = classes.div_ceil(WORD);
    let mut words = vec![0i32; batch * planes * pixels];
    let mut ignored = vec![false; batch * pixels];
    let images = multi_hot.chunks_exact((classes + 1) * pixels);
    let targets = words.chunks_exact_mut(planes * pixels);
    for ((image, words), ignored) in images.zip(targets).zip(ignored.chunks_exact_mut(pixels)) {
        for class in 0..classes {
            let channel = &image[class * pixels..(class + 1) * pixels];
            let plane = &mut words[class / WORD * pixels..][..pixels];
            for (word, &hot) in plane.iter_mut().zip(channel) {
                *word |= i32::from(hot != 0) << (class % WORD);
            }
        }
        for (ignored, &hot) in ignored.iter_mut().zip(&image[classes * pixels..]) {
            *ignored = hot != 0;
        }
    }
    let words = TensorData::new(words, [batch, planes, height, width]);
    let ignored = TensorData::new(ignored, [batch, height, width]);
    RelaxedLabels {
        classes: LabelSets::from_words(Tensor::from_data(words, device), classes),
        touches_ignored: Tensor::<3, Bool>::from_data(ignored, device),
        doubled: None,
    }
}

#[cfg(test)]
mod tests {
    use decoupled_seg_datasets::augment::{Augmentation, CropSize};
    use decoupled_seg_datasets::{StreetScenes, StreetScenesConfig};

    use super::*;
    use crate::recipe::RecipePreset;

    fn targets(recipe: &TargetsRecipe, place: TargetsPlace) -> Targets {
        let config = StreetScenesConfig {
            len: 3,
            width: 64,
            height: 48,
            seed: 1,
        };
        let recipe = Recipe {
            batch: 3,
            workers: 1,
            augmentation: Augmentation::paper(CropSize::square(40)),
            targets: TargetsRecipe {
                made_on: place,
                ..recipe.clone()
            },
            ..RecipePreset::Paper.recipe()
        };
        let dataset = Arc::new(StreetScenes::new(config));
        let classes = dataset.classes().num_classes();
        let feed = Feed::new(dataset, None, &recipe).expect("three images");
        let batch = feed.epoch(0, 0).next().expect("a batch").expect("readable");
        let device = Device::default();
        match upload(batch, &device).1 {
            BatchTargets::All(targets) => targets,
            BatchTargets::Labels(labels) => {
                Targets::from_labels(labels, &recipe.targets.config(classes))
            }
        }
    }

    #[test]
    fn loader_and_device_make_the_same_targets() {
        let strict = TargetsRecipe {
            strict_classes: vec![1],
            edge_radius: 1,
            ..TargetsRecipe::default()
        };
        for recipe in [TargetsRecipe::default(), TargetsRecipe::official(), strict] {
            let ours = targets(&recipe, TargetsPlace::Loader);
            let theirs = targets(&recipe, TargetsPlace::Device);
            let same = |a: TensorData, b: TensorData| {
                a.convert::<i32>().assert_eq(&b.convert::<i32>(), true);
            };
            same(ours.labels.into_data(), theirs.labels.into_data());
            same(ours.edge_labels.into_data(), theirs.edge_labels.into_data());
            same(
                ours.relaxed.to_multi_hot().into_data(),
                theirs.relaxed.to_multi_hot().into_data(),
            );
        }
    }
}
