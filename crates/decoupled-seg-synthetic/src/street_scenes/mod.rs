//! A data set that needs no download: street scenes drawn from a seed, with labels exact to the pixel.

mod canvas;
mod dataset;
mod layout;
mod noise;
mod objects;
mod stage;

pub use dataset::{StreetScenes, StreetScenesConfig};
