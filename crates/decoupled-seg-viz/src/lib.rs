//! Pictures of semantic segmentation with decoupled body and edge: overlays, error maps, flow, features, panels, curves.
//!
//! Plain pixels in, pictures out: labels are `u8` slices, maps `f32` slices with the channel first, pictures are
//! [`image::RgbImage`]. No tensor, no display, no font file. What is written to disk is renamed into place when whole.
//!
//! | to show | use |
//! |---|---|
//! | classes, over the image, their outlines, the mistakes | [`colorize`], [`overlay`], [`draw_outlines`], [`error_map`] |
//! | the flow that gathers the body | [`flow_color_wheel`], [`FlowArrows`], [`FlowField`] for `.flo` files |
//! | body and edge features | [`feature_pca`], [`mean_map`] with [`heat_map`] |
//! | edge probabilities | [`heat_map`], [`edge_prior`] |
//! | all of it on one sheet | [`Panel`], [`legend`] |
//! | training | [`Chart`], [`confusion_picture`], [`Table`] |
//!
//! # Example
//!
//! ```
//! use decoupled_seg_viz::{Palette, colorize, error_map, overlay};
//! use image::{Rgb, RgbImage};
//!
//! // Three by two pixels: road (0), car (1) and one that is ignored (255).
//! let labels = [0, 0, 1, 0, 1, 255];
//! let predictions = [0, 1, 1, 0, 1, 0];
//! let image = RgbImage::from_pixel(3, 2, Rgb([100, 100, 100]));
//! let palette = Palette::distinct(2);
//!
//! let colors = colorize(&predictions, 3, 2, &palette);
//! let blend = overlay(&image, &colors, 0.5);
//! let errors = error_map(&blend, &labels, &predictions);
//!
//! let wrong: Vec<_> = errors.pixels().filter(|pixel| pixel.0 != [255; 3]).collect();
//! assert_eq!(wrong, [blend.get_pixel(1, 0)]);
//! ```

mod arrows;
mod canvas;
mod chart;
mod check;
mod colormap;
mod confusion;
mod eigen;
mod error;
mod flo;
mod flow;
mod labels;
mod legend;
mod maps;
mod palette;
mod panel;
mod pca;
mod save;
mod scale;
mod table;
mod text;
mod theme;

pub use arrows::{ArrowForm, FlowArrows};
pub use chart::{Chart, Curve};
pub use colormap::{Colormap, ValueRange};
pub use confusion::confusion_picture;
pub use error::VizError;
pub use flo::FlowField;
pub use flow::{FlowScale, color_wheel, flow_color_wheel, flow_hsv, flow_key};
pub use labels::{colorize, draw_outlines, error_map, label_boundaries, overlay};
pub use legend::legend;
pub use maps::{EDGE_PRIOR_THRESHOLD, edge_prior, heat_map, mean_map};
pub use palette::{IGNORE_INDEX, Palette};
pub use panel::{Panel, Picture};
pub use pca::{FeaturePca, feature_pca};
pub use save::save_png;
pub use scale::{Scaling, resize_picture};
pub use table::Table;
pub use text::{TextStyle, draw_text};
