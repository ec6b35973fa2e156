use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use burn_dataset::Dataset;
use decoupled_seg_types::Size;
use image::RgbImage;
use rayon::prelude::*;

use crate::files::{
    Listing, MaskReader, Pair, RawMask, is_lying, read_turned_bands, read_turned_image,
};
use crate::hash::Fnv;
use crate::item_check::{DARK, ItemCheck};
use crate::{
    BandImage, BandStatistics, ClassTable, DatasetError, IGNORE_LABEL, InstanceMap, LabelMap,
    MaskFiles, Opened, Sample, SegmentationDataset,
};

/// Images and masks on disk. Every reader opens one.
#[derive(Debug, Clone)]
pub struct FileDataset {
    pairs: Vec<Pair>,
    classes: ClassTable,
    masks: MaskReader,
    root: Option<PathBuf>,
    extra_from: Option<usize>,
    own_classes: bool,
    bands: Option<usize>,
}

impl FileDataset {
    /// Makes a data set of a list of files, the classes, and a reader for the masks.
    ///
    /// # Panics
    ///
    /// Panics if some pairs have labels and others have none.
    pub fn new(pairs: Vec<Pair>, classes: ClassTable, masks: MaskReader) -> Self {
        let labelled = pairs.iter().filter(|pair| pair.labels.is_some()).count();
        assert!(
            labelled == 0 || labelled == pairs.len(),
            "all pairs have labels, or none; got {labelled}"
        );
        Self {
            pairs,
            classes,
            masks,
            root: None,
            extra_from: None,
            own_classes: false,
            bands: None,
        }
    }

    /// Opens the listed files of a layout in the folder `root`.
    ///
    /// # Panics
    ///
    /// As for [`new`](Self::new).
    pub fn of_listing(
        listing: Listing,
        root: impl Into<PathBuf>,
        classes: ClassTable,
        masks: MaskReader,
    ) -> Opened<Self> {
        let Listing { pairs, problems } = listing;
        // A listing without pairs and without problems is a data set without items.
        let usable = !pairs.is_empty() || problems.is_empty();
        let dataset = Self::new(pairs, classes, masks).with_root(root);
        Opened {
            dataset: usable.then_some(dataset),
            problems,
        }
    }

    /// Sets the folder that holds all the files. The [`cache_folder`](SegmentationDataset::cache_folder) is then
    /// `root/.decoupled-seg`.
    pub fn with_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// Marks the class table as written for these files: [`has_own_classes`](SegmentationDataset::has_own_classes).
    pub fn with_own_classes(mut self) -> Self {
        self.own_classes = true;
        self
    }

    /// Reads the images with so many bands of 8 or 16 bits, as [`read_bands`](crate::files::read_bands) does; `None`: as RGB of 8 bits.
    pub fn with_bands(mut self, bands: Option<usize>) -> Self {
        self.bands = bands;
        self
    }

    /// The files, in order.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// How masks are read.
    pub fn masks(&self) -> &MaskReader {
        &self.masks
    }

    /// Appends the items of `other`. The folder of `self` stays, and no item is extra any more.
    ///
    /// # Panics
    ///
    /// Panics if their classes differ.
    pub fn chain(mut self, other: Self) -> Self {
        assert_eq!(self.classes, other.classes, "data sets of the same classes");
        self.pairs.extend(other.pairs);
        Self {
            root: self.root,
            own_classes: self.own_classes,
            bands: self.bands,
            ..Self::new(self.pairs, self.classes, self.masks)
        }
    }

    /// As [`chain`](Self::chain), but the items of `other` are [extra](SegmentationDataset::extra_from).
    ///
    /// # Panics
    ///
    /// Panics if their classes differ.
    pub fn chain_extra(self, other: Self) -> Self {
        let first = self.pairs.len();
        Self {
            extra_from: Some(first),
            ..self.chain(other)
        }
    }

    /// The items at `indices`, in that order. None of them is extra.
    ///
    /// # Panics
    ///
    /// Panics if an index is out of range.
    pub fn select(&self, indices: &[usize]) -> Self {
        let pairs = indices
            .iter()
            .map(|&index| self.pairs[index].clone())
            .collect();
        Self {
            pairs,
            classes: self.classes.clone(),
            masks: self.masks.clone(),
            root: self.root.clone(),
            extra_from: None,
            own_classes: self.own_classes,
            bands: self.bands,
        }
    }
}

/// An image as it was read.
enum Read {
    Rgb(RgbImage),
    Bands(BandImage),
}

impl Read {
    fn size(&self) -> Size {
        match self {
            Self::Rgb(image) => size_of(image),
            Self::Bands(image) => image.size(),
        }
    }
}

impl FileDataset {
    /// The image, and whether its orientation tag turned it.
    fn image(&self, index: usize) -> Result<(Read, bool), DatasetError> {
        let path = &self.pairs[index].image;
        Ok(match self.bands {
            None => {
                let (image, is_turned) = read_turned_image(path)?;
                (Read::Rgb(image), is_turned)
            }
            Some(bands) => {
                let (image, is_turned) = read_turned_bands(path, bands)?;
                (Read::Bands(image), is_turned)
            }
        })
    }

    /// Hashes the mask reader: with another reader, the same files mean other labels.
    fn meaning(&self) -> Fnv {
        Fnv::new().value(&self.classes).value(&self.masks)
    }
}

/// The problem of an image and a label that differ in size. Only now the file is asked for its orientation tag.
fn mismatch(image: &Path, image_size: Size, label: PathBuf, label_size: Size) -> DatasetError {
    let is_lying = is_lying(image);
    let image = image.to_path_buf();
    if is_lying {
        DatasetError::TurnedImage {
            image,
            image_size,
            label,
            label_size,
        }
    } else {
        DatasetError::SizeMismatch {
            image,
            image_size,
            label,
            label_size,
        }
    }
}

fn size_of(image: &RgbImage) -> Size {
    Size::new(image.height() as usize, image.width() as usize)
}

/// Hashes path, length and times of a file. Writing to the file or replacing it changes one of them.
fn file_key(hash: Fnv, path: &Path) -> std::io::Result<Fnv> {
    let metadata = std::fs::metadata(path)?;
    let hash = hash
        .bytes(path.as_os_str().as_encoded_bytes())
        .number(metadata.len());
    let modified = metadata.modified()?;
    let modified = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos(),
        Err(before) => !before.duration().as_nanos(),
    };
    let hash = hash.bytes(&modified.to_le_bytes());
    // The modification time can be set back, as unpacking does. The change time cannot.
    #[cfg(unix)]
    let hash = {
        use std::os::unix::fs::MetadataExt;
        let [seconds, nanoseconds] = [metadata.ctime(), metadata.ctime_nsec()];
        hash.bytes(&seconds.to_le_bytes())
            .bytes(&nanoseconds.to_le_bytes())
    };
    Ok(hash)
}

/// What a file is, whatever links lead to it; `None` if there is none.
fn identity(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    let hash = {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok()?;
        Fnv::new().number(metadata.dev()).number(metadata.ino())
    };
    #[cfg(not(unix))]
    let hash = {
        let real = std::fs::canonicalize(path).ok()?;
        Fnv::new().bytes(real.as_os_str().as_encoded_bytes())
    };
    Some(hash.finish())
}

impl Dataset<Sample, DatasetError> for FileDataset {
    fn get(&self, index: usize) -> Result<Sample, DatasetError> {
        let pair = &self.pairs[index];
        let (image, _) = self.image(index)?;
        let size = image.size();
        let labels = match &pair.labels {
            Some(path) => self.masks.read(path)?,
            None => LabelMap::filled(size, IGNORE_LABEL),
        };
        if labels.size() != size {
            let label = pair.labels.clone().unwrap_or_default();
            return Err(mismatch(&pair.image, size, label, labels.size()));
        }
        let name = pair.name.clone();
        Ok(match image {
            Read::Rgb(image) => Sample::new(name, image, labels),
            Read::Bands(image) => Sample::of_bands(name, image, labels),
        })
    }

    fn len(&self) -> usize {
        self.pairs.len()
    }
}

impl SegmentationDataset for FileDataset {
    fn classes(&self) -> &ClassTable {
        &self.classes
    }

    fn name(&self, index: usize) -> String {
        self.pairs[index].name.clone()
    }

    fn bands(&self) -> Option<usize> {
        self.bands
    }

    fn labels(&self, index: usize) -> Result<LabelMap, DatasetError> {
        match &self.pairs[index].labels {
            Some(path) => self.masks.read(path),
            None => self.get(index).map(|sample| sample.labels),
        }
    }

    fn instances(&self, index: usize) -> Result<Option<InstanceMap>, DatasetError> {
        let file = self.pairs[index].instances.as_deref();
        file.map(InstanceMap::read).transpose()
    }

    fn is_labelled(&self) -> bool {
        self.pairs.first().is_some_and(|pair| pair.labels.is_some())
    }

    fn fingerprint(&self) -> Result<Option<u64>, DatasetError> {
        let files = self.pairs.par_iter().map(|pair| {
            let Some(path) = &pair.labels else {
                return Ok(0);
            };
            let bytes = std::fs::read(path).map_err(|source| DatasetError::io(path, source))?;
            Ok(Fnv::new().bytes(&bytes).finish())
        });
        let files = files.collect::<Result<Vec<u64>, DatasetError>>()?;
        Ok(Some(
            files.into_iter().fold(self.meaning(), Fnv::number).finish(),
        ))
    }

    fn item_key(&self, index: usize) -> Result<Option<u64>, DatasetError> {
        let pair = &self.pairs[index];
        let mut hash = self.meaning();
        for path in [Some(&pair.image), pair.labels.as_ref()]
            .into_iter()
            .flatten()
        {
            hash = file_key(hash, path).map_err(|source| DatasetError::io(path, source))?;
        }
        Ok(Some(hash.finish()))
    }

    fn picture_key(&self, index: usize) -> Option<u64> {
        identity(&self.pairs[index].image)
    }

    fn cache_folder(&self) -> Option<PathBuf> {
        self.root.as_ref().map(|root| root.join(".decoupled-seg"))
    }

    fn files(&self) -> Vec<PathBuf> {
        let of_pair = |pair: &Pair| {
            let labels = [pair.labels.clone(), pair.instances.clone()];
            [Some(pair.image.clone())].into_iter().chain(labels)
        };
        self.pairs.iter().flat_map(of_pair).flatten().collect()
    }

    fn has_own_classes(&self) -> bool {
        self.own_classes
    }

    fn extra_from(&self) -> Option<usize> {
        self.extra_from
    }

    fn mask_files(&self) -> Option<MaskFiles<'_>> {
        let labels = self.pairs.iter().filter_map(|it| it.labels.as_deref());
        Some(MaskFiles::new(labels.collect(), &self.masks))
    }

    fn check_item(&self, index: usize) -> ItemCheck {
        let pair = &self.pairs[index];
        let mut check = ItemCheck::default();
        let image = self.image(index).map(|(image, is_turned)| {
            check.turned = is_turned;
            image
        });
        match image {
            Ok(Read::Bands(image)) => {
                check.size = Some(image.size());
                let bytes = image.data().iter().flat_map(|value| value.to_le_bytes());
                let bytes: Vec<u8> = bytes.collect();
                check.image_hash = Some(Fnv::new().bytes(&bytes).finish());
                check.bands = Some(BandStatistics::of_image(&image));
            }
            Ok(Read::Rgb(image)) => {
                check.size = Some(size_of(&image));
                check.image_hash = Some(Fnv::new().bytes(image.as_raw()).finish());
                check.dark = image.iter().all(|&value| value <= DARK);
            }
            Err(error) => check.problems.push(error),
        }
        let Some(path) = &pair.labels else {
            return check;
        };
        let mask = match RawMask::read(path) {
            Ok(mask) => mask,
            Err(error) => {
                check.problems.push(error);
                return check;
            }
        };
        check.mask_format = Some(mask.format);
        check.raw_values = mask.histogram();
        check.meaning = self.masks.meaning(path, &mask);
        let mask = self.masks.plain(mask);
        if check.raw_values.is_empty() {
            // Black and white as colours.
            check.raw_values = mask.histogram();
        }
        let mismatch = |label: &PathBuf, label_size: Size| {
            let image_size = check.size.filter(|&size| size != label_size)?;
            Some(mismatch(&pair.image, image_size, label.clone(), label_size))
        };
        let mut problems: Vec<_> = mismatch(path, mask.size).into_iter().collect();
        if let Some(file) = &pair.instances {
            match InstanceMap::read(file) {
                Ok(map) => problems.extend(mismatch(file, map.size())),
                Err(error) => problems.push(error),
            }
        }
        check.problems.append(&mut problems);
        let unknown = self.masks.unknown_values(path, &mask);
        if unknown.is_empty() {
            match self.masks.labels(path, mask) {
                Ok(labels) => check.labels = Some(labels),
                Err(error) => check.problems.push(error),
            }
        } else {
            check.problems.extend(unknown);
        }
        check
    }
}
