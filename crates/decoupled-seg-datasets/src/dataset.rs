use std::path::PathBuf;
use std::sync::Arc;

use burn_dataset::Dataset;

use crate::hash::Fnv;
use crate::item_check::{DARK, ItemCheck};
use crate::{
    BandStatistics, ClassTable, DatasetError, IGNORE_LABEL, InstanceMap, LabelMap, MaskFiles,
    Sample,
};

/// A list of labelled images that knows its classes.
///
/// It is a [`Dataset`] of Burn, so Burn's own wrappers and loaders take it too. An index out of range panics; an item
/// that cannot be read is an `Err`.
pub trait SegmentationDataset: Dataset<Sample, DatasetError> {
    /// The classes that the labels index.
    fn classes(&self) -> &ClassTable;

    /// Name of item `index`, without reading it.
    ///
    /// # Panics
    ///
    /// Panics if `index >= len()`.
    fn name(&self, index: usize) -> String;

    /// How many bands the images have, for a network that reads as many; `None` for RGB images of 8 bits.
    fn bands(&self) -> Option<usize> {
        None
    }

    /// The labels alone, for statistics and sampling. This is cheaper than [`get`](Dataset::get) if image and labels
    /// are two files.
    ///
    /// # Errors
    ///
    /// The errors of [`get`](Dataset::get) that concern the labels.
    ///
    /// # Panics
    ///
    /// Panics if `index >= len()`.
    fn labels(&self, index: usize) -> Result<LabelMap, DatasetError> {
        self.get(index).map(|sample| sample.labels)
    }

    /// The objects that the benchmark tells apart in item `index`; `None` if the data set has no such information.
    ///
    /// # Errors
    ///
    /// Returns the error of an instance file that exists but cannot be read.
    ///
    /// # Panics
    ///
    /// Panics if `index >= len()`.
    fn instances(&self, index: usize) -> Result<Option<InstanceMap>, DatasetError> {
        assert!(index < self.len(), "item {index} of {}", self.len());
        Ok(None)
    }

    /// Whether the images have labels. Test splits of benchmarks have none: their label maps are all
    /// [`IGNORE_LABEL`](crate::IGNORE_LABEL).
    fn is_labelled(&self) -> bool {
        true
    }

    /// A number that changes when any label changes, as the key of caches for results computed from the labels. `None`
    /// if computing the number would cost as much as reading all items.
    ///
    /// # Errors
    ///
    /// Returns the error of a label file that cannot be read.
    fn fingerprint(&self) -> Result<Option<u64>, DatasetError> {
        Ok(None)
    }

    /// Whether the class table was written for these data. If so, a class that no training label shows is a mistake; in
    /// a benchmark, a part of the images may well lack some classes.
    fn has_own_classes(&self) -> bool {
        false
    }

    /// The folder beside the data for files computed from them, whether or not it exists. `None` if the data are not
    /// files in one folder.
    fn cache_folder(&self) -> Option<PathBuf> {
        None
    }

    /// The files that the items are read from, so that nobody writes over them. Empty if the data are not files.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The first extra item. All items from it on are extra: coarsely labelled, and drawn for some classes only
    /// ([`ClassUniformConfig`](crate::sampling::ClassUniformConfig)). `None` if no item is extra.
    fn extra_from(&self) -> Option<usize> {
        None
    }

    /// A number that changes when the image or the labels of item `index` change, as the key of caches. It is computed
    /// without reading them; `None` if that is not possible.
    ///
    /// # Errors
    ///
    /// Returns the error of a file that does not exist.
    ///
    /// # Panics
    ///
    /// Panics if `index >= len()`.
    fn item_key(&self, index: usize) -> Result<Option<u64>, DatasetError> {
        assert!(index < self.len(), "item {index} of {}", self.len());
        Ok(None)
    }

    /// A number that two items have in common if their images are one file, whatever links lead to it. The
    /// [key](Self::item_key) of the item unless the data set knows better; `None` if there is none.
    ///
    /// # Panics
    ///
    /// Panics if `index >= len()`.
    fn picture_key(&self, index: usize) -> Option<u64> {
        self.item_key(index).ok().flatten()
    }

    /// The files of the labels, for [`check_mask_files`](crate::check::check_mask_files). `None` if the labels are no files.
    fn mask_files(&self) -> Option<MaskFiles<'_>> {
        None
    }

    /// Finds everything that is wrong with item `index`, for [`check`](crate::check::check).
    ///
    /// # Panics
    ///
    /// Panics if `index >= len()`.
    fn check_item(&self, index: usize) -> ItemCheck {
        let mut check = ItemCheck::default();
        match self.get(index) {
            Ok(sample) => {
                check.size = Some(sample.size());
                check.image_hash = Some(Fnv::new().bytes(sample.image.as_raw()).finish());
                // Bands are normalised by their own statistics, however few of the 16 bits they use.
                check.dark =
                    sample.bands.is_none() && sample.image.iter().all(|&value| value <= DARK);
                check.bands = sample.bands.as_ref().map(BandStatistics::of_image);
                let strangers = sample
                    .labels
                    .data
                    .iter()
                    .filter(|&&label| !self.classes().knows(label));
                if let Some(&label) = strangers.clone().min() {
                    check.problems.push(DatasetError::UnknownLabel {
                        path: self.name(index).into(),
                        label: label.into(),
                        count: strangers.filter(|&&other| other == label).count(),
                        num_classes: self.classes().num_classes(),
                        expected: format!(
                            "0 to {}, or {IGNORE_LABEL} for ignored",
                            self.classes().num_classes() - 1
                        ),
                    });
                }
                check.labels = Some(sample.labels);
            }
            Err(error) => check.problems.push(error),
        }
        check
    }
}

macro_rules! forward_to_inner {
    ($($pointer:ident),*) => {$(
        impl Dataset<Sample, DatasetError> for $pointer<dyn SegmentationDataset> {
            fn get(&self, index: usize) -> Result<Sample, DatasetError> {
                self.as_ref().get(index)
            }

            fn len(&self) -> usize {
                self.as_ref().len()
            }
        }
    )*};
}
forward_to_inner!(Arc, Box);

macro_rules! forward_segmentation {
    ($($pointer:ident),*) => {$(
        impl<D: SegmentationDataset + ?Sized> SegmentationDataset for $pointer<D>
        where
            $pointer<D>: Dataset<Sample, DatasetError>,
        {
            fn classes(&self) -> &ClassTable {
                self.as_ref().classes()
            }

            fn name(&self, index: usize) -> String {
                self.as_ref().name(index)
            }

            fn bands(&self) -> Option<usize> {
                self.as_ref().bands()
            }

            fn labels(&self, index: usize) -> Result<LabelMap, DatasetError> {
                self.as_ref().labels(index)
            }

            fn instances(&self, index: usize) -> Result<Option<InstanceMap>, DatasetError> {
                self.as_ref().instances(index)
            }

            fn is_labelled(&self) -> bool {
                self.as_ref().is_labelled()
            }

            fn fingerprint(&self) -> Result<Option<u64>, DatasetError> {
                self.as_ref().fingerprint()
            }

            fn has_own_classes(&self) -> bool {
                self.as_ref().has_own_classes()
            }

            fn cache_folder(&self) -> Option<PathBuf> {
                self.as_ref().cache_folder()
            }

            fn files(&self) -> Vec<PathBuf> {
                self.as_ref().files()
            }

            fn extra_from(&self) -> Option<usize> {
                self.as_ref().extra_from()
            }

            fn item_key(&self, index: usize) -> Result<Option<u64>, DatasetError> {
                self.as_ref().item_key(index)
            }

            fn picture_key(&self, index: usize) -> Option<u64> {
                self.as_ref().picture_key(index)
            }

            fn mask_files(&self) -> Option<MaskFiles<'_>> {
                self.as_ref().mask_files()
            }

            fn check_item(&self, index: usize) -> ItemCheck {
                self.as_ref().check_item(index)
            }
        }
    )*};
}
forward_segmentation!(Arc, Box);
