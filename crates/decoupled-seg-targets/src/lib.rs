//! Training targets of decoupled body and edge supervision, made from a label map: relaxed labels for the body, edge
//! labels for the edge.
//!
//! [`TargetsOptions`] says how the targets are made. This crate makes them on label maps of one byte a pixel;
//! `decoupled-seg-losses` makes them on the device, for the labels of a batch, from the same options. Both are exact,
//! for any window and any radius. A pixel's classes are a set of bits, so the work grows with the number of pixels, not
//! with pixels times classes.
//!
//! ```
//! use decoupled_seg_targets::{LabelView, Size, TargetsOptions, target_maps};
//!
//! let labels = [0, 0, 0, 1, 1, 1, 255];
//! let options = TargetsOptions { edge_radius: 1, ..TargetsOptions::default() };
//! let targets = target_maps(LabelView::new(Size::new(1, 7), &labels), 2, &options);
//! assert_eq!(targets.edges, [0, 0, 1, 1, 0, 0, 255]);
//! assert!(targets.relaxed.contains(0, 2, 0) && targets.relaxed.contains(0, 2, 1));
//! ```

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
