use decoupled_seg_datasets::SegmentationDataset;
use serde::{Deserialize, Serialize};

/// Which images a run is trained on, so that it is gone on with on no others, or by which it is validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingImages {
    /// How many there are.
    pub count: usize,
    /// CRC-32 (IEEE) of their names in the order of the data set, each with a newline.
    pub names: u32,
}

impl TrainingImages {
    /// Those of a data set. Reads no image.
    pub(crate) fn of(dataset: &dyn SegmentationDataset) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        for index in 0..dataset.len() {
            hasher.update(dataset.name(index).as_bytes());
            hasher.update(b"\n");
        }
        Self {
            count: dataset.len(),
            names: hasher.finalize(),
        }
    }
}
