use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::Device;
use decoupled_seg_datasets::SegmentationDataset;
use decoupled_seg_datasets::loader::Sampling;
use decoupled_seg_nn::SegmentationModel;
use decoupled_seg_types::Size;

use super::claimed_folder::ClaimedFolder;
use super::sampling::class_uniform;
use super::{Interrupt, Progress, Resume};
use crate::EngineError;
use crate::evaluate::same_channels;
use crate::recipe::{BatchNormMode, Recipe};
use crate::record::EpochRecord;

/// Called with what an epoch measured and the network as it was validated.
pub(super) type EpochHook<M> = Box<dyn FnMut(&EpochRecord, &M)>;

/// Everything that a training is told, before it starts.
pub(super) struct Plan<M> {
    pub recipe: Recipe,
    pub model: M,
    pub device: Device,
    pub run_folder: Option<PathBuf>,
    pub cache_folder: Option<PathBuf>,
    pub tensorboard: bool,
    pub resume: Resume,
    pub progress: Progress,
    pub interrupt: Interrupt,
    pub network: serde_json::Value,
    pub sampling: Option<Arc<dyn Sampling>>,
    pub on_epoch: Option<EpochHook<M>>,
}

impl<M: SegmentationModel> Plan<M> {
    /// Checks the recipe, alone and against network and data.
    pub fn check(
        &self,
        train: &dyn SegmentationDataset,
        validation: Option<&dyn SegmentationDataset>,
    ) -> Result<(), EngineError> {
        self.recipe.validate()?;
        if let [class] = train.classes().names()[..] {
            return Err(EngineError::OneClass {
                class: class.to_string(),
            });
        }
        for dataset in [Some(train), validation].into_iter().flatten() {
            let (model, dataset) = (self.model.num_classes(), dataset.classes().num_classes());
            if model != dataset {
                return Err(EngineError::Classes { model, dataset });
            }
        }
        let bands = train.bands();
        same_channels(self.model.in_channels(), bands.unwrap_or(3))?;
        self.recipe.augmentation.validate_for_bands(bands)?;
        self.recipe.validate_for(train)?;
        match self.recipe.augmentation.crop {
            Some(crop) => check_batches(&self.model, &self.recipe, crop),
            None => Ok(()),
        }
    }

    /// The run's folder, if there is to be one, kept from other processes from here on.
    pub fn claim(&self) -> Result<Option<ClaimedFolder>, EngineError> {
        let claim =
            |folder: &PathBuf| ClaimedFolder::claim(folder, self.recipe.checkpoints, self.resume);
        self.run_folder.as_ref().map(claim).transpose()
    }

    /// The rule by which images are drawn, if it is not each once.
    pub fn sampling(
        &self,
        train: &dyn SegmentationDataset,
    ) -> Result<Option<Arc<dyn Sampling>>, EngineError> {
        let (None, Some(recipe)) = (&self.sampling, &self.recipe.class_uniform) else {
            return Ok(self.sampling.clone());
        };
        let folders: Vec<PathBuf> = match &self.cache_folder {
            Some(folder) => vec![folder.clone()],
            None => [train.cache_folder(), self.run_folder.clone()]
                .into_iter()
                .flatten()
                .collect(),
        };
        Ok(Some(class_uniform(recipe, train, &folders, self.progress)?))
    }
}

/// Refuses batches of images of the size `size` that the network would panic on.
pub(super) fn check_batches<M: SegmentationModel>(
    model: &M,
    recipe: &Recipe,
    size: Size,
) -> Result<(), EngineError> {
    let least = model.min_image_side();
    if size.height.min(size.width) < least {
        return Err(EngineError::SmallImages { size, least });
    }
    let batch = recipe.batch;
    let least = model.min_training_batch(size);
    if recipe.batch_norm == BatchNormMode::Train && batch < least {
        return Err(EngineError::SmallBatch { batch, size, least });
    }
    Ok(())
}
