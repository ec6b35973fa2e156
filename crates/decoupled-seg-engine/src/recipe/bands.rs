use decoupled_seg_datasets::augment::Normalization;
use decoupled_seg_datasets::{BandStatistics, DatasetError, SegmentationDataset};

use super::Recipe;

impl Recipe {
    /// The recipe with mean and deviation of the bands of `dataset`, where its own are of another number of channels.
    pub(crate) fn with_bands_of(
        mut self,
        dataset: &dyn SegmentationDataset,
    ) -> Result<Self, DatasetError> {
        if dataset.bands().unwrap_or(3) != self.normalization.channels()
            && let Some(statistics) = BandStatistics::of_dataset(dataset)?
        {
            self.normalization = Normalization::from(&statistics);
        }
        Ok(self)
    }

    /// The recipe with mean and deviation of the run that it goes on with, where its own are of another number of channels.
    pub(crate) fn with_bands_of_run(mut self, run: &Self) -> Self {
        if self.normalization.channels() != run.normalization.channels() {
            self.normalization = run.normalization.clone();
        }
        self
    }
}
