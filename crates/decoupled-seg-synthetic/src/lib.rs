//! Data without a download. [`StreetScenes`] are drawn from a seed, with labels exact to the pixel. The `write_…`
//! functions turn them into tiny data sets with the layout, the names and the encodings of the official archives, so
//! every reader, example and script runs on them.
//!
//! ```
//! use decoupled_seg_datasets::{CamVid, Split};
//! use decoupled_seg_synthetic::{SyntheticConfig, write_camvid};
//!
//! let folder = tempfile::tempdir()?;
//! write_camvid(folder.path(), &SyntheticConfig::default())?;
//! let train = CamVid::open(folder.path(), Split::Train)?;
//! assert_eq!(train.pairs().len(), 24);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod layouts;
mod street_scenes;

pub use layouts::{
    SyntheticConfig, write_bdd100k, write_bdd100k_2018, write_camvid, write_camvid_original,
    write_cityscapes, write_cityscapes_coarse, write_custom, write_kitti, write_mapillary,
};
pub use street_scenes::{StreetScenes, StreetScenesConfig};
