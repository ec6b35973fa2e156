#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod canvas;
mod chart;
mod check;
mod colormap;
mod confusion;
mod error;
mod flow;
mod heat_map;
mod labels;
mod legend;
mod palette;
mod panel;
mod pca;
mod save;
mod text;
mod theme;

pub use chart::{Bar, BarChart, Chart, Curve};
pub use colormap::{Colormap, ValueRange};
pub use confusion::confusion_picture;
pub use error::VizError;
pub use flow::{FlowField, FlowScale, flow_color_wheel};
pub use heat_map::{EDGE_PRIOR_THRESHOLD, edge_prior, heat_map};
pub use labels::{colorize, error_map, overlay};
pub use palette::Palette;
pub use panel::{Panel, Picture, Scaling};
pub use pca::{FeaturePca, feature_pca};
pub use save::save_png;
