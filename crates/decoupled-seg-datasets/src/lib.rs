#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! A module knows only the modules above it in this list:
//!
//! ```text
//! split, point, class_table, label_map, instance_map, mask_format, mask_meaning, bands    plain data
//! description_problem, jpeg_damage, other_values, error              problems with them
//! sample, item_check, augment                                        a picture with its labels
//! files                                                              PNG, JPEG, masks, lists, folders
//! dataset                                                            the trait
//! loader, sampling                                                   batches of any data set
//! opened, file_dataset                                               a data set of files
//! readers, resized_cache, check                                      the layouts in circulation
//! ```

pub mod augment;
mod band_statistics;
mod bands;
mod bands_of_dataset;
pub mod check;
mod class_frequencies;
mod class_table;
mod dataset;
mod description_problem;
mod error;
mod file_dataset;
pub mod files;
mod hash;
mod instance_map;
mod item_check;
mod jpeg_damage;
mod label_map;
pub mod loader;
mod mask_files;
mod mask_format;
mod mask_meaning;
mod opened;
mod other_values;
mod point;
mod readers;
mod resized_cache;
mod sample;
pub mod sampling;
mod split;
mod subset;

pub use band_statistics::BandStatistics;
pub use bands::{BandImage, MAX_BANDS};
pub use burn_dataset::Dataset;
pub use class_frequencies::ClassFrequencies;
pub use class_table::{Class, ClassTable, MAX_CLASSES};
pub use dataset::SegmentationDataset;
pub use decoupled_seg_types::{CITYSCAPES_LABELS, CityscapesLabel, IGNORE_LABEL, Size};
pub use description_problem::DescriptionProblem;
pub use error::{DatasetError, ListProblem};
pub use file_dataset::FileDataset;
pub use files::MAX_PIXELS;
pub use instance_map::InstanceMap;
pub use jpeg_damage::JpegDamage;
pub use label_map::LabelMap;
pub use mask_files::MaskFiles;
pub use mask_format::MaskFormat;
pub use mask_meaning::MaskMeaning;
pub use opened::Opened;
pub use other_values::OtherValues;
pub use point::Point;
pub use readers::{
    Annotation, Bdd100k, CAMVID_COLORS, CamVid, CamVidColor, Cityscapes, CityscapesConfig,
    CityscapesTruth, CustomDataset, CustomSplit, Kitti, KittiConfig, LabelFiles, MapillaryVersion,
    MapillaryVistas,
};
pub use resized_cache::{ResizedCache, ResizedCacheConfig, ResizedCacheState, ResizedTo};
pub use sample::Sample;
pub use split::Split;
pub use subset::Subset;
