use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use decoupled_seg_datasets::SegmentationDataset;
use decoupled_seg_datasets::loader::{Batch, Batches, Loader, LoaderConfig, Sampling};

use crate::EngineError;
use crate::recipe::Recipe;

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
