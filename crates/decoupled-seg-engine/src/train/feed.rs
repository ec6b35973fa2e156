use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use decoupled_seg_datasets::SegmentationDataset;
use decoupled_seg_datasets::loader::{Batch, Batches, Loader, LoaderConfig, Sampling};

use crate::EngineError;
use crate::recipe::Recipe;

/// A part of the images that an epoch had better not lose unseen.
const NOTEWORTHY_LOSS: f64 = 0.1;

/// A part of the crops that had better not be padding.
const NOTEWORTHY_PADDING: f64 = 0.5;

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
        let config = LoaderConfig::training(recipe.batch, recipe.seed, augmentation)
            .with_workers(recipe.workers)
            .with_normalization(recipe.normalization.clone());
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
                batch: recipe.batch.saturating_mul(recipe.accumulate),
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

    /// Images that an epoch draws and leaves out, since they fill no optimizer step.
    fn left_out(&self) -> usize {
        self.loader.samples() - self.batches_per_epoch() * self.loader.config().batch_size
    }

    /// What a person would want to know of the batches before hours go into them, if anything.
    pub fn remarks(&self) -> Vec<String> {
        let dataset = self.loader.dataset();
        let (left_out, samples) = (self.left_out(), self.loader.samples());
        let mut remarks = Vec::new();
        if left_out as f64 >= NOTEWORTHY_LOSS * samples as f64 {
            remarks.push(format!(
                "note: {left_out} of the {samples} images of an epoch fill no step of {} and are left out, others each time",
                self.loader.config().batch_size * self.accumulate
            ));
        }
        // Files that cannot be read are named where they are trained on.
        let augmentation = &self.loader.config().augmentation;
        if let Some(crop) = augmentation.crop
            && let Ok(labels) = dataset.labels(0)
            && let padding = augmentation.padding(labels.size())
            && padding > NOTEWORTHY_PADDING
        {
            remarks.push(format!(
                "warning: {:.0} % of the crops of {crop} are padding, since the first image has {} pixels; \
                 `augmentation.crop` is their size",
                100.0 * padding,
                labels.size()
            ));
        }
        remarks
    }

    /// The batches of an epoch from number `first` on.
    pub fn epoch(&self, epoch: usize, first: usize) -> Batches {
        self.loader.epoch_from(epoch as u64, first)
    }
}

/// Images and labels of a batch on the device; one transfer each.
pub(super) fn upload(batch: Batch, device: &Device) -> (Tensor<4>, Tensor<3, Int>) {
    let (size, height, width) = (batch.batch, batch.height, batch.width);
    let images = TensorData::new(batch.images, [size, batch.channels, height, width]);
    let labels = TensorData::new(batch.labels, [size, height, width]);
    (
        Tensor::from_data(images, device),
        Tensor::from_data(labels, &device.clone().without_autodiff()),
    )
}

#[cfg(test)]
mod tests {
    use decoupled_seg_synthetic::{StreetScenes, StreetScenesConfig};
    use decoupled_seg_types::Size;

    use super::*;

    fn remarks(images: usize, size: Size, changes: &str) -> Vec<String> {
        let scenes = StreetScenesConfig {
            len: images,
            size,
            seed: 0,
        };
        let recipe = Recipe::from_toml(changes).expect("a recipe");
        let feed = Feed::new(Arc::new(StreetScenes::new(scenes)), None, &recipe);
        feed.expect("enough images").remarks()
    }

    #[test]
    fn images_that_an_epoch_leaves_out_are_told() {
        let size = Size::square(64);
        let crop = "augmentation = { crop = { height = 64, width = 64 }, scale = { min = 1.0, max = 1.0 } }";
        let of = |images, batch, accumulate| {
            let changes = format!("batch = {batch}\naccumulate = {accumulate}\n{crop}");
            remarks(images, size, &changes)
        };
        let told = "note: 3 of the 8 images of an epoch fill no step of 5 and are left out, others each time";
        assert_eq!(of(8, 5, 1), [told]);
        assert_eq!(of(15, 3, 4).len(), 1, "12 fill a step");
        assert_eq!(of(8, 4, 2), [""; 0]);
        assert_eq!(of(31, 3, 2), [""; 0], "one of 31 is no news");
    }

    #[test]
    fn crops_of_padding_are_told() {
        let of = |side: usize, max: f64| {
            let changes = format!(
                "batch = 2\naugmentation = {{ crop = {{ height = {side}, width = {side} }}, scale = {{ min = 1.0, max = {max:?} }} }}"
            );
            remarks(4, Size::new(48, 96), &changes)
        };
        let told = "warning: 88 % of the crops of 192x192 are padding, since the first image has 48x96 pixels; \
                    `augmentation.crop` is their size";
        assert_eq!(of(192, 1.0), [told]);
        assert_eq!(of(96, 1.0), [""; 0], "half of it");
        assert_eq!(of(192, 4.0), [""; 0], "the scale fills them");
    }
}
