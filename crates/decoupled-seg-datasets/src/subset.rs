use std::path::PathBuf;

use burn_dataset::Dataset;

use crate::hash::Fnv;
use crate::item_check::ItemCheck;
use crate::{
    ClassTable, DatasetError, InstanceMap, LabelMap, MaskFiles, Sample, SegmentationDataset,
};

/// Some items of a data set, such as those of a fold.
///
/// ```
/// # use decoupled_seg_datasets::{Class, ClassTable, Dataset, DatasetError, Sample, SegmentationDataset};
/// use decoupled_seg_datasets::Subset;
///
/// # fn of_one_drive<D: SegmentationDataset>(dataset: D) -> Subset<D> {
/// let drive = Subset::by_name(dataset, |name| name.starts_with("0001TP"));
/// # drive
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Subset<D> {
    dataset: D,
    /// Ascending.
    indices: Vec<usize>,
}

impl<D: SegmentationDataset> Subset<D> {
    /// The items whose [name](SegmentationDataset::name) is kept, in their order. There may be none.
    pub fn by_name(dataset: D, keep: impl Fn(&str) -> bool) -> Self {
        let indices = (0..dataset.len())
            .filter(|&index| keep(&dataset.name(index)))
            .collect();
        Self { dataset, indices }
    }
}

impl<D: SegmentationDataset> Dataset<Sample, DatasetError> for Subset<D> {
    fn get(&self, index: usize) -> Result<Sample, DatasetError> {
        self.dataset.get(self.indices[index])
    }

    fn len(&self) -> usize {
        self.indices.len()
    }
}

impl<D: SegmentationDataset> SegmentationDataset for Subset<D> {
    fn classes(&self) -> &ClassTable {
        self.dataset.classes()
    }

    fn name(&self, index: usize) -> String {
        self.dataset.name(self.indices[index])
    }

    fn bands(&self) -> Option<usize> {
        self.dataset.bands()
    }

    fn labels(&self, index: usize) -> Result<LabelMap, DatasetError> {
        self.dataset.labels(self.indices[index])
    }

    fn instances(&self, index: usize) -> Result<Option<InstanceMap>, DatasetError> {
        self.dataset.instances(self.indices[index])
    }

    fn is_labelled(&self) -> bool {
        self.dataset.is_labelled()
    }

    fn fingerprint(&self) -> Result<Option<u64>, DatasetError> {
        let Some(whole) = self.dataset.fingerprint()? else {
            return Ok(None);
        };
        let indices = self.indices.iter().map(|&index| index as u64);
        let hash = indices.fold(Fnv::new().number(whole), Fnv::number);
        Ok(Some(hash.finish()))
    }

    fn has_own_classes(&self) -> bool {
        self.dataset.has_own_classes()
    }

    fn cache_folder(&self) -> Option<PathBuf> {
        self.dataset.cache_folder()
    }

    fn extra_from(&self) -> Option<usize> {
        let first = self.dataset.extra_from()?;
        Some(self.indices.partition_point(|&index| index < first))
    }

    fn item_key(&self, index: usize) -> Result<Option<u64>, DatasetError> {
        self.dataset.item_key(self.indices[index])
    }

    fn picture_key(&self, index: usize) -> Option<u64> {
        self.dataset.picture_key(self.indices[index])
    }

    fn files(&self) -> Vec<PathBuf> {
        self.dataset.files()
    }

    fn mask_files(&self) -> Option<MaskFiles<'_>> {
        self.dataset.mask_files()
    }

    fn check_item(&self, index: usize) -> ItemCheck {
        self.dataset.check_item(self.indices[index])
    }
}
