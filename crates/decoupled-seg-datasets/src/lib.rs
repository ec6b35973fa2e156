//! Segmentation data sets, augmentation and a parallel loader.
//!
//! Nothing here knows tensors: images are 8-bit RGB, labels one byte a pixel with [`IGNORE`] for "no class", and a
//! [`SegmentationDataset`] is a burn `Dataset`. Readers tell all that is wrong with the files of a split at once
//! ([`DatasetError::Files`]), [`check`] what is in them; [`ResizedCache`] keeps a data set at another size on disk.

pub mod augment;
pub mod check;
mod class_table;
mod dataset;
mod error;
mod file_dataset;
pub mod files;
mod hash;
mod instance_map;
mod label_map;
pub mod loader;
mod readers;
mod resized_cache;
mod sample;
pub mod sampling;
mod street_scenes;
pub mod synthetic;

pub use burn_dataset::Dataset;
pub use class_table::{Class, ClassTable, MAX_CLASSES};
pub use dataset::{SegmentationDataset, Split};
pub use error::DatasetError;
pub use file_dataset::FileDataset;
pub use files::{MAX_PIXELS, MaskFormat};
pub use instance_map::InstanceMap;
pub use label_map::{IGNORE, LabelMap};
pub use readers::{
    Annotation, Bdd100k, CAMVID_COLORS, CITYSCAPES_LABELS, CamVid, CamVidColor, Cityscapes,
    CityscapesConfig, CityscapesLabel, CityscapesTruth, CustomDataset, CustomSplit, Kitti,
    KittiConfig, LabelFiles, MapillaryVistas,
};
pub use resized_cache::{ResizedCache, ResizedCacheConfig, ResizedCacheState, ResizedTo};
pub use sample::Sample;
pub use street_scenes::{StreetScenes, StreetScenesConfig};
