use std::collections::BTreeMap;

use decoupled_seg_types::Size;

use crate::files::may_be_train_ids;
use crate::{
    BandStatistics, ClassTable, DatasetError, IGNORE_LABEL, MaskFormat, SegmentationDataset, Split,
};

/// Two items with the same picture.
///
/// Labels of which one ignores a pixel do not contradict each other there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duplicate {
    /// Split and name of the first item.
    pub first: (String, String),
    /// Split and name of the second item.
    pub second: (String, String),
    /// Number of pixels that the two labels give different classes.
    pub differing: usize,
}

impl Duplicate {
    /// Whether the items are in two splits.
    pub(super) fn leaks(&self) -> bool {
        self.first.0 != self.second.0
    }

    /// Whether the items are in one split, and their labels contradict each other.
    pub(super) fn contradicts(&self) -> bool {
        !self.leaks() && self.differing > 0
    }
}

/// The findings in a split.
#[derive(Debug)]
pub struct SplitReport {
    /// Name of the split.
    pub name: String,
    /// Number of items.
    pub items: usize,
    /// Whether the split has labels.
    pub labelled: bool,
    /// Whether the classes were chosen for these data ([`SegmentationDataset::has_own_classes`]).
    pub own_classes: bool,
    /// Whether the masks are read as label ids of Cityscapes.
    pub label_ids: bool,
    /// Number of label maps that could be read.
    pub masks: usize,
    /// Number of images without a value above [`DARK`](crate::check::DARK).
    pub dark: usize,
    /// Name of the first of them.
    pub dark_example: Option<String>,
    /// Number of images that were turned, as the orientation tag of their files says.
    pub turned: usize,
    /// Mean and deviation of each band, for images of bands.
    pub bands: Option<BandStatistics>,
    /// Number of images of each size.
    pub sizes: BTreeMap<Size, usize>,
    /// Number of masks in each storage format.
    pub mask_formats: BTreeMap<String, usize>,
    /// Pixels of each value in the mask files, before they are mapped.
    pub raw_values: BTreeMap<u16, u64>,
    /// Pixels of each of the 256 labels; [`IGNORE_LABEL`] stands for ignored pixels.
    pub pixels: [u64; 256],
    /// Number of images that show each class.
    pub images: Vec<usize>,
    /// Number of masks that hold the value 255.
    pub masks_of_255: usize,
    /// Number of images that show each class beside the value 255.
    pub images_beside_255: Vec<usize>,
    /// All problems with the layout. The files in question are not among the items.
    pub files: Vec<DatasetError>,
    /// All problems with items, each with the item's name.
    pub problems: Vec<(String, DatasetError)>,
}

impl SplitReport {
    /// The report of a split without a usable item.
    pub(super) fn unusable(name: &str, files: Vec<DatasetError>) -> Self {
        Self {
            files,
            ..Self::new(name, 0, true, false, 0)
        }
    }

    pub(super) fn of(name: &str, dataset: &dyn SegmentationDataset) -> Self {
        let report = Self::new(
            name,
            dataset.len(),
            dataset.is_labelled(),
            dataset.has_own_classes(),
            dataset.classes().num_classes(),
        );
        let masks = dataset.mask_files();
        Self {
            label_ids: masks.is_some_and(|it| it.masks.ids.are_label_ids()),
            ..report
        }
    }

    fn new(
        name: &str,
        items: usize,
        labelled: bool,
        own_classes: bool,
        num_classes: usize,
    ) -> Self {
        Self {
            name: name.to_string(),
            items,
            labelled,
            own_classes,
            label_ids: false,
            masks: 0,
            dark: 0,
            dark_example: None,
            turned: 0,
            bands: None,
            sizes: BTreeMap::new(),
            mask_formats: BTreeMap::new(),
            raw_values: BTreeMap::new(),
            pixels: [0; 256],
            images: vec![0; num_classes],
            masks_of_255: 0,
            images_beside_255: vec![0; num_classes],
            files: Vec::new(),
            problems: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, name: String, item: super::ItemCheck) {
        if let Some(size) = item.size {
            *self.sizes.entry(size).or_default() += 1;
        }
        self.dark += usize::from(item.dark);
        if item.dark {
            self.dark_example.get_or_insert_with(|| name.clone());
        }
        self.turned += usize::from(item.turned);
        let has_255 = item.raw_values.contains_key(&255);
        if let Some(bands) = item.bands {
            self.bands = Some(match &self.bands {
                Some(all) => all.and(&bands),
                None => bands,
            });
        }
        if let Some(format) = item.mask_format {
            *self
                .mask_formats
                .entry(MaskFormat::to_string(&format))
                .or_default() += 1;
        }
        for (value, count) in item.raw_values {
            *self.raw_values.entry(value).or_default() += count;
        }
        if let Some(labels) = item.labels {
            self.masks += 1;
            let counts = labels.histogram();
            self.pixels
                .iter_mut()
                .zip(counts)
                .for_each(|(sum, count)| *sum += count);
            let count_shown = |images: &mut [usize]| {
                let images = images.iter_mut().zip(counts);
                images.for_each(|(images, count)| *images += usize::from(count > 0));
            };
            count_shown(&mut self.images);
            if has_255 {
                self.masks_of_255 += 1;
                count_shown(&mut self.images_beside_255);
            }
        }
        self.problems.extend(
            item.problems
                .into_iter()
                .map(|problem| (name.clone(), problem)),
        );
    }

    /// Share of a class in all pixels of the split, including ignored pixels, in `0..=1`; 0 without labels.
    pub fn share(&self, label: u8) -> f64 {
        let total: u64 = self.pixels.iter().sum();
        if total == 0 {
            0.0
        } else {
            self.pixels[usize::from(label)] as f64 / total as f64
        }
    }

    /// Number of problems with files and items.
    pub fn problem_count(&self) -> usize {
        self.files.len() + self.problems.len()
    }

    /// Why a split of sound files cannot be used for training or validation: it has no labels, they are train ids where
    /// label ids are read, all of them are ignored, or all images are nearly black ([`DARK`](crate::check::DARK)).
    /// `None` otherwise, and for test splits, which need no labels.
    pub fn useless(&self) -> Option<DatasetError> {
        let split = [Split::Train, Split::Val]
            .into_iter()
            .find(|split| split.as_str() == self.name)?;
        let ignored = usize::from(IGNORE_LABEL);
        if self.items > 0 && !self.labelled {
            Some(DatasetError::Unlabelled { split })
        } else if self.has_train_ids() {
            Some(DatasetError::TrainIds { split })
        } else if self.masks > 0 && self.pixels[..ignored].iter().sum::<u64>() == 0 {
            Some(DatasetError::AllIgnored { split })
        } else if self.items > 0 && self.dark == self.items {
            Some(DatasetError::AllDark { split })
        } else {
            None
        }
    }

    /// Whether the masks are read as label ids and hold train ids, it seems. One mask may well show no value above 19.
    fn has_train_ids(&self) -> bool {
        const FEW: usize = 3;
        let masks: usize = self.mask_formats.values().sum();
        self.label_ids && masks >= FEW && may_be_train_ids(self.raw_values.keys().copied())
    }

    /// Whether the masks hold the value 255, and it is ignored.
    fn ignores_255(&self, classes: &ClassTable) -> bool {
        let mut indices = (0_u8..).take(classes.num_classes());
        let is_ignored = indices.all(|class| classes.id(class) != 255);
        let has_ignored = self.pixels[usize::from(IGNORE_LABEL)] > 0;
        is_ignored && has_ignored && self.raw_values.contains_key(&255)
    }

    /// Of two classes, the one that some masks show, and none of those with the value 255: they show the other one. 255
    /// may stand for it there. With it come the numbers of masks that hold 255, and that show it.
    pub(super) fn two_conventions(&self, classes: &ClassTable) -> Option<(u8, usize, usize)> {
        if !self.own_classes || !self.ignores_255(classes) || classes.num_classes() != 2 {
            return None;
        }
        let is_either = |&class: &u8| {
            let (class, other) = (usize::from(class), usize::from(1 - class));
            let beside = &self.images_beside_255;
            self.images[class] > 0 && beside[class] == 0 && beside[other] > 0
        };
        // The value 0 is the background, which nobody writes as 255.
        let mut objects = (0..2).filter(|&class| classes.id(class) != 0);
        let class = objects.find(is_either)?;
        Some((class, self.masks_of_255, self.images[usize::from(class)]))
    }

    /// Whether the classes were chosen for these data, but the training labels lack some of them.
    pub fn lacks_classes(&self) -> bool {
        self.own_classes && self.name == Split::Train.as_str() && !self.absent().is_empty()
    }

    /// What to do if the masks count classes from 1.
    pub(super) fn counted_from_one(&self, num_classes: usize) -> Option<String> {
        let is_unknown = |(_, problem): &(String, DatasetError)| {
            matches!(problem, DatasetError::UnknownLabel { .. })
        };
        let mut values = self.raw_values.keys().filter(|value| **value != 255);
        let (lowest, highest) = (values.next()?, values.next_back()?);
        let shifted = *lowest == 1 && usize::from(*highest) == num_classes;
        (shifted && self.own_classes && self.problems.iter().any(is_unknown)).then(|| {
            format!(
                "the masks of {} hold 1 to {num_classes}, and the classes are 0 to {}: do they count from 1? then give the classes `id = 1` to `id = {num_classes}`",
                self.name,
                num_classes - 1
            )
        })
    }

    /// Classes that no label map of the split shows; empty if no label map could be read.
    pub fn absent(&self) -> Vec<u8> {
        if self.masks == 0 {
            return Vec::new();
        }
        (0_u8..)
            .zip(&self.images)
            .filter(|(_, images)| **images == 0)
            .map(|(class, _)| class)
            .collect()
    }
}

/// The findings in a data set. [`Display`](std::fmt::Display) shows all of them.
#[derive(Debug)]
pub struct CheckReport {
    /// The classes; `None` if no split could be opened.
    pub classes: Option<ClassTable>,
    /// The splits, in the order they were given.
    pub splits: Vec<SplitReport>,
    /// Pictures that occur twice, in one split or two.
    pub duplicates: Vec<Duplicate>,
    /// Test splits that the data set does not have, and what was looked for. They do not count as problems.
    pub missing: Vec<(String, DatasetError)>,
}

impl CheckReport {
    /// Whether the data set is fit for training. There must be no problem, no picture in two splits, and labels in the
    /// splits for training and validation. If the classes were chosen for these data, the training labels must show all
    /// of them, and no other split may have an ignored 255 where the training labels have a class. Two findings are
    /// reported but allowed: classes of a benchmark that its part does not show, and a picture that occurs twice in one
    /// split with labels that agree.
    pub fn is_ok(&self) -> bool {
        let sound = |split: &SplitReport| {
            split.problem_count() == 0 && split.useless().is_none() && !split.lacks_classes()
        };
        let is_whole = self.leaks().next().is_none() && self.contradictions().next().is_none();
        self.splits.iter().all(sound) && is_whole && self.strange_splits().next().is_none()
    }

    /// The class that the value 255 of a split may stand for: the only one that the split lacks, while 255 is ignored.
    pub(super) fn class_of_255(&self, split: &SplitReport) -> Option<u8> {
        let [only] = split.absent()[..] else {
            return None;
        };
        let classes = self.classes.as_ref()?;
        // The value 0 is the background, which nobody writes as 255.
        let is_object = split.own_classes && classes.id(only) != 0;
        let is_suspect = split.lacks_classes() || is_object && self.trains_without_255();
        (is_suspect && split.ignores_255(classes)).then_some(only)
    }

    /// Whether the training labels show all classes, and hold no 255.
    fn trains_without_255(&self) -> bool {
        let is_train = |split: &&SplitReport| split.name == Split::Train.as_str();
        self.splits.iter().find(is_train).is_some_and(|train| {
            train.masks > 0 && train.absent().is_empty() && !train.raw_values.contains_key(&255)
        })
    }

    /// The splits whose masks have 255 where those of the training have a class, it seems.
    pub(super) fn strange_splits(&self) -> impl Iterator<Item = &SplitReport> {
        let is_strange =
            |split: &&SplitReport| !split.lacks_classes() && self.class_of_255(split).is_some();
        self.splits.iter().filter(is_strange)
    }

    /// Pictures that occur twice in a split, with labels that contradict each other.
    pub fn contradictions(&self) -> impl Iterator<Item = &Duplicate> {
        self.duplicates
            .iter()
            .filter(|duplicate| duplicate.contradicts())
    }

    /// Pictures that occur in two splits.
    pub fn leaks(&self) -> impl Iterator<Item = &Duplicate> {
        self.duplicates.iter().filter(|duplicate| duplicate.leaks())
    }
}
