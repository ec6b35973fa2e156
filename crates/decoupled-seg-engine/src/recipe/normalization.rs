//! Checks of a recipe's normalisation: pixels go into the network as `(value / largest - mean) / std`.

use decoupled_seg_datasets::SegmentationDataset;
use decoupled_seg_datasets::augment::Normalization;

use super::RecipeError;

/// Means that some network may have been trained with. Images are from 0 to 1; a mean of 0 to 255 is far outside.
const MEANS: std::ops::RangeInclusive<f32> = -0.5..=1.5;
/// The largest deviation. That of numbers from 0 to 1 is 0.5 at most; 1 leaves them as they are.
const MAX_STD: f32 = 2.0;

pub(super) fn validate(normalization: &Normalization) -> Result<(), RecipeError> {
    let Normalization { mean, std } = normalization;
    if mean.is_empty() || mean.len() != std.len() {
        return Err(RecipeError::Value {
            field: "normalization",
            found: format!("{} means and {} deviations", mean.len(), std.len()),
            expected: "one of each a channel; set `mean` and `std` together",
        });
    }
    if !mean.iter().all(|mean| MEANS.contains(mean)) {
        return Err(RecipeError::Value {
            field: "normalization.mean",
            found: format!("{mean:?}"),
            expected: "means of images from 0 to 1; divide those of 0 to 255 by 255",
        });
    }
    if !std.iter().all(|&std| std > 0.0 && std <= MAX_STD) {
        return Err(RecipeError::Value {
            field: "normalization.std",
            found: format!("{std:?}"),
            expected: "deviations above 0 of images from 0 to 1; divide those of 0 to 255 by 255",
        });
    }
    Ok(())
}

/// Checks that there is a number for each channel of the images. Those of other bands are measured when a run begins.
pub(super) fn validate_for(
    normalization: &Normalization,
    dataset: &dyn SegmentationDataset,
) -> Result<(), RecipeError> {
    match (normalization.channels(), dataset.bands()) {
        (3, _) | (_, Some(_)) => Ok(()),
        (channels, None) => Err(RecipeError::Value {
            field: "normalization",
            found: format!("numbers for {channels} channels"),
            expected: "those of red, green and blue",
        }),
    }
}
