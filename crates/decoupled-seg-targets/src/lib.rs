#![doc = include_str!("../README.md")]

mod disc;
mod edge_map;
mod options;
mod relaxed_map;
mod target_maps;
#[cfg(test)]
mod testing;
mod word;

pub use decoupled_seg_types::{IGNORE_LABEL, LabelView, Size};
pub use edge_map::{class_edges, edge_map};
pub use options::{EdgeSource, IgnoredPixels, TargetsOptions, TargetsOptionsError};
pub use relaxed_map::{RelaxedMap, relaxed_map};
pub use target_maps::{TargetMaps, target_maps};
