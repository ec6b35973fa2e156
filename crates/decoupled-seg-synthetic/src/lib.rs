#![doc = include_str!("../README.md")]

mod layouts;
mod street_scenes;

pub use layouts::{
    SyntheticConfig, write_bdd100k, write_bdd100k_2018, write_camvid, write_camvid_original,
    write_cityscapes, write_cityscapes_coarse, write_custom, write_kitti, write_mapillary,
};
pub use street_scenes::{StreetScenes, StreetScenesConfig};
