use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::{fmt, io};

use burn_dataset::Dataset;
use decoupled_seg_types::Size;
use serde::{Deserialize, Serialize};

use crate::augment::{Geometry, ResizeFilter, nearest_indices, resize_image, resize_labels};
use crate::files::{
    MaskFormat, RawMask, RawValues, encode_image, encode_mask, read_image, write_whole,
};
use crate::hash::Fnv;
use crate::item_check::ItemCheck;
use crate::{
    ClassTable, DatasetError, InstanceMap, LabelMap, MAX_PIXELS, MaskFiles, Sample,
    SegmentationDataset,
};

/// Version of the cache's format, raised when the meaning of a cached file changes.
const VERSION: u64 = 2;

/// The size of the items in a [`ResizedCache`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizedTo {
    /// Each side times this factor, rounded.
    Scale(f64),
    /// This size, in pixels.
    Exactly(Size),
}

/// Configuration of a [`ResizedCache`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResizedCacheConfig {
    /// The folder that keeps the resized items.
    pub folder: PathBuf,
    /// The folder that keeps them once the first one cannot be written, or is full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<PathBuf>,
    /// The size of the items.
    pub size: ResizedTo,
    /// How images are resized; labels take the nearest value.
    #[serde(default)]
    pub filter: ResizeFilter,
}

impl ResizedCacheConfig {
    /// Largest factor of a side.
    pub const MAX_SCALE: f64 = 16.0;
    /// The smallest scale: below, an image becomes a few pixels.
    pub const MIN_SCALE: f64 = 1.0 / 1024.0;

    /// A cache in `folder` of items of `size`, with bicubic images.
    pub fn new(folder: impl Into<PathBuf>, size: ResizedTo) -> Self {
        Self {
            folder: folder.into(),
            fallback: None,
            size,
            filter: ResizeFilter::default(),
        }
    }

    /// Sets [`fallback`](Self::fallback).
    pub fn with_fallback(mut self, folder: impl Into<PathBuf>) -> Self {
        self.fallback = Some(folder.into());
        self
    }

    /// Sets [`filter`](Self::filter).
    pub fn with_filter(mut self, filter: ResizeFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Checks that images can be resized so.
    ///
    /// # Errors
    ///
    /// [`DatasetError::NoSuchSize`] if the scale is not from [`MIN_SCALE`](Self::MIN_SCALE) to
    /// [`MAX_SCALE`](Self::MAX_SCALE), or the size has no pixels or more than [`MAX_PIXELS`].
    pub fn validate(&self) -> Result<(), DatasetError> {
        let (found, possible) = match self.size {
            ResizedTo::Scale(scale) => (
                format!("a scale of {scale}"),
                (Self::MIN_SCALE..=Self::MAX_SCALE).contains(&scale),
            ),
            ResizedTo::Exactly(size) => {
                let [height, width] = size.to_array().map(|side| side as u64);
                let pixels = height.checked_mul(width);
                let possible = pixels.is_some_and(|pixels| (1..=MAX_PIXELS).contains(&pixels));
                (format!("a size of {size}"), possible)
            }
        };
        match possible {
            true => Ok(()),
            false => Err(DatasetError::NoSuchSize {
                found,
                limit: MAX_PIXELS,
            }),
        }
    }

    /// Wraps a data set.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init<D: SegmentationDataset>(&self, dataset: D) -> ResizedCache<D> {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        ResizedCache {
            dataset,
            config: self.clone(),
            read: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
            unwritable: OnceLock::new(),
            first_fails: AtomicBool::new(self.fallback.is_some() && !is_writable(&self.folder)),
        }
    }
}

/// Whether a file can be made in a folder. Makes the folder if necessary.
fn is_writable(folder: &Path) -> bool {
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    let written = write_whole(&probe, |_| Ok(()));
    // Best effort: a leftover empty file does no harm.
    let _ = std::fs::remove_file(probe);
    written.is_ok()
}

/// Whether there is a file that may be read.
fn is_readable(file: &Path) -> bool {
    file.is_file() && std::fs::File::open(file).is_ok()
}

/// What a [`ResizedCache`] has done so far.
#[derive(Debug, Clone)]
pub struct ResizedCacheState {
    /// Images and label maps that were read from the folder.
    pub read: usize,
    /// Images and label maps that were resized, because the folder had no file for them, or a broken one.
    pub made: usize,
    /// The error after which the cache stopped writing, if there was one. It still reads files from the folder.
    pub unwritable: Option<Arc<DatasetError>>,
}

impl fmt::Display for ResizedCacheState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            read,
            made,
            unwritable,
        } = self;
        write!(
            f,
            "resized images and labels: {read} read from disk, {made} made"
        )?;
        match unwritable {
            Some(error) => write!(f, ", not kept: {error}"),
            None => Ok(()),
        }
    }
}

/// A data set at another size, resized once and kept on disk.
///
/// The first request for an item resizes it and writes two PNGs, `{key}_image.png` and `{key}_labels.png`; later
/// requests read them. The key is a hash of the item's [`item_key`](SegmentationDataset::item_key) and of the size, so
/// an old file is never taken for a new item. A broken file is made anew. Files are written whole or not at all, so any
/// number of loaders and processes may share a folder. If the folder cannot be written, or the data set has no keys,
/// items are resized each time.
///
/// The cache removes nothing: delete the folder when the data have changed much. Instance maps
/// ([`instances`](SegmentationDataset::instances)) are resized each time. [`check`](crate::check::check) looks at the
/// original data set. Built by [`ResizedCacheConfig`].
///
/// ```
/// use decoupled_seg_datasets::{Dataset, Kitti, ResizedCacheConfig, ResizedTo, Size, Split};
/// use decoupled_seg_synthetic::{SyntheticConfig, write_kitti};
///
/// let folder = tempfile::tempdir()?;
/// write_kitti(folder.path(), &SyntheticConfig::default())?;
/// let kitti = Kitti::open(folder.path(), Split::TrainVal)?;
/// let half = ResizedCacheConfig::new(folder.path().join("half"), ResizedTo::Scale(0.5)).init(kitti);
/// assert_eq!(half.get(0)?.size(), Size::new(32, 48));
/// half.get(0)?;
/// assert_eq!((half.state().made, half.state().read), (2, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ResizedCache<D> {
    dataset: D,
    config: ResizedCacheConfig,
    read: AtomicUsize,
    made: AtomicUsize,
    unwritable: OnceLock<Arc<DatasetError>>,
    /// Whether the fallback is used, since the first folder cannot be written.
    first_fails: AtomicBool,
}

/// The two files of an item.
struct Files {
    image: PathBuf,
    labels: PathBuf,
}

impl<D: SegmentationDataset> ResizedCache<D> {
    /// The original data set.
    pub fn inner(&self) -> &D {
        &self.dataset
    }

    /// The configuration.
    pub fn config(&self) -> &ResizedCacheConfig {
        &self.config
    }

    /// What the cache has read, resized and written so far.
    pub fn state(&self) -> ResizedCacheState {
        ResizedCacheState {
            read: self.read.load(Ordering::Relaxed),
            made: self.made.load(Ordering::Relaxed),
            unwritable: self.unwritable.get().cloned(),
        }
    }

    fn cached(&self, index: usize) -> Result<Option<Files>, DatasetError> {
        let Some(key) = self.dataset.item_key(index)? else {
            return Ok(None);
        };
        let key = self.with_size(Fnv::new().number(VERSION).number(key));
        let key = key.finish();
        let file = |what: &str| {
            let name = format!("{key:016x}_{what}.png");
            let first = self.config.folder.join(&name);
            let second = self.config.fallback.as_ref().map(|it| it.join(name));
            let takes = |second: &PathBuf| self.first_fails() || second.is_file();
            // Somebody else's files may be in the first, for nobody else to read.
            match second.filter(|second| !is_readable(&first) && takes(second)) {
                Some(second) => second,
                None => first,
            }
        };
        Ok(Some(Files {
            image: file("image"),
            labels: file("labels"),
        }))
    }

    fn first_fails(&self) -> bool {
        self.first_fails.load(Ordering::Relaxed)
    }

    fn with_size(&self, hash: Fnv) -> Fnv {
        let numbers = match self.config.size {
            ResizedTo::Scale(scale) => [0, scale.to_bits(), 0],
            ResizedTo::Exactly(size) => [1, size.width as u64, size.height as u64],
        };
        let hash = numbers.into_iter().fold(hash, Fnv::number);
        hash.number(self.config.filter as u64)
    }

    fn size_of(&self, whole: Size) -> Size {
        match self.config.size {
            ResizedTo::Scale(scale) => {
                let side = |side: usize| ((side as f64 * scale).round() as usize).max(1);
                Size::new(side(whole.height), side(whole.width))
            }
            ResizedTo::Exactly(size) => size,
        }
    }

    fn resized(&self, labels: &LabelMap) -> LabelMap {
        resize_labels(labels, self.size_of(labels.size()))
    }

    /// Counts a resized item and writes it, unless an earlier write has failed.
    fn keep(&self, file: Option<&Path>, content: impl Fn(&mut dyn io::Write) -> io::Result<()>) {
        self.made.fetch_add(1, Ordering::Relaxed);
        let Some(file) = file.filter(|_| self.unwritable.get().is_none()) else {
            return;
        };
        let mut written = write_whole(file, &content);
        if let (Err(_), Some(second), Some(name)) =
            (&written, &self.config.fallback, file.file_name())
            && file.parent() != Some(second)
        {
            self.first_fails.store(true, Ordering::Relaxed);
            written = write_whole(&second.join(name), &content);
        }
        if let Err(error) = written {
            // If several threads fail, the first error is kept.
            let _ = self.unwritable.set(Arc::new(error));
        }
    }

    fn count_read(&self, files: usize) {
        self.read.fetch_add(files, Ordering::Relaxed);
    }
}

/// Reads a label map that the cache wrote; `None` for any other file.
fn read_labels(file: &Path) -> Option<LabelMap> {
    let mask = RawMask::read(file).ok()?;
    match (mask.format, mask.values) {
        (MaskFormat::Grey(8), RawValues::Bytes(data)) => Some(LabelMap::new(mask.size, data)),
        _ => None,
    }
}

impl<D: SegmentationDataset> Dataset<Sample, DatasetError> for ResizedCache<D> {
    fn get(&self, index: usize) -> Result<Sample, DatasetError> {
        if self.dataset.bands().is_some() {
            // The files of the cache have 8 bits.
            let sample = self.dataset.get(index)?;
            let size = self.size_of(sample.size());
            let geometry = Geometry {
                scaled: size,
                filter: self.config.filter,
                ..Geometry::identity(size)
            };
            return Ok(geometry.apply(&sample, [0; 3]));
        }
        let files = self.cached(index)?;
        let kept = files.as_ref().and_then(|files| {
            let (image, labels) = (read_image(&files.image).ok()?, read_labels(&files.labels)?);
            let size = Size::new(image.height() as usize, image.width() as usize);
            let sound = size == labels.size()
                && labels.data.iter().all(|&label| self.classes().knows(label));
            sound.then_some((image, labels))
        });
        if let Some((image, labels)) = kept {
            self.count_read(2);
            return Ok(Sample::new(self.name(index), image, labels));
        }
        let sample = self.dataset.get(index)?;
        let size = self.size_of(sample.size());
        let image = resize_image(&sample.image, size, self.config.filter);
        let labels = self.resized(&sample.labels);
        self.keep(files.as_ref().map(|files| files.image.as_path()), |out| {
            encode_image(out, &image)
        });
        self.keep(files.as_ref().map(|files| files.labels.as_path()), |out| {
            encode_mask(out, &labels)
        });
        Ok(Sample::new(sample.name, image, labels))
    }

    fn len(&self) -> usize {
        self.dataset.len()
    }
}

impl<D: SegmentationDataset> SegmentationDataset for ResizedCache<D> {
    fn classes(&self) -> &ClassTable {
        self.dataset.classes()
    }

    fn name(&self, index: usize) -> String {
        self.dataset.name(index)
    }

    fn bands(&self) -> Option<usize> {
        self.dataset.bands()
    }

    fn labels(&self, index: usize) -> Result<LabelMap, DatasetError> {
        let file = self.cached(index)?.map(|files| files.labels);
        if let Some(labels) = file.as_deref().and_then(read_labels) {
            self.count_read(1);
            return Ok(labels);
        }
        let labels = self.resized(&self.dataset.labels(index)?);
        self.keep(file.as_deref(), |out| encode_mask(out, &labels));
        Ok(labels)
    }

    fn instances(&self, index: usize) -> Result<Option<InstanceMap>, DatasetError> {
        let resized = |map: InstanceMap| {
            let size = self.size_of(map.size());
            let columns = nearest_indices(map.width, size.width);
            let row = |y: usize| columns.iter().map(move |&x| y * map.width + x);
            let places = nearest_indices(map.height, size.height)
                .into_iter()
                .flat_map(row);
            InstanceMap::new(size, places.map(|at| map.data[at]).collect())
        };
        Ok(self.dataset.instances(index)?.map(resized))
    }

    fn is_labelled(&self) -> bool {
        self.dataset.is_labelled()
    }

    fn files(&self) -> Vec<PathBuf> {
        self.dataset.files()
    }

    fn fingerprint(&self) -> Result<Option<u64>, DatasetError> {
        let inner = self.dataset.fingerprint()?;
        Ok(inner.map(|inner| self.with_size(Fnv::new().number(inner)).finish()))
    }

    fn item_key(&self, index: usize) -> Result<Option<u64>, DatasetError> {
        let inner = self.dataset.item_key(index)?;
        Ok(inner.map(|inner| self.with_size(Fnv::new().number(inner)).finish()))
    }

    fn picture_key(&self, index: usize) -> Option<u64> {
        self.dataset.picture_key(index)
    }

    fn cache_folder(&self) -> Option<PathBuf> {
        self.dataset.cache_folder()
    }

    fn extra_from(&self) -> Option<usize> {
        self.dataset.extra_from()
    }

    fn mask_files(&self) -> Option<MaskFiles<'_>> {
        self.dataset.mask_files()
    }

    fn check_item(&self, index: usize) -> ItemCheck {
        self.dataset.check_item(index)
    }
}
