use crate::{BandStatistics, DatasetError, SegmentationDataset};

impl BandStatistics {
    /// Of all images of a data set of bands; `None` of one of RGB images.
    ///
    /// # Errors
    ///
    /// Returns the error of an image that cannot be read.
    pub fn of_dataset<D: SegmentationDataset + ?Sized>(
        dataset: &D,
    ) -> Result<Option<Self>, DatasetError> {
        let mut all: Option<Self> = None;
        for index in 0..dataset.len() {
            let Some(image) = dataset.get(index)?.bands else {
                return Ok(None);
            };
            let statistics = Self::of_image(&image);
            all = Some(match all {
                Some(all) => all.and(&statistics),
                None => statistics,
            });
        }
        Ok(all)
    }
}
