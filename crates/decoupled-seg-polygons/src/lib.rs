#![doc = include_str!("../README.md")]

mod geojson;
mod labelme;
mod trace;

pub use geojson::to_geojson;
pub use labelme::to_labelme;
pub use trace::{LabelPolygon, Ring, trace};
