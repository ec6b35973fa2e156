//! Label maps as polygons, exact to the pixel: [`trace`], then [`to_geojson`] or [`to_labelme`].
//!
//! Corners lie between pixels: the pixel in row 0 and column 0 is the square from (0, 0) to (1, 1). So drawing a
//! polygon gives back exactly the pixels that it was made from. (Other crates trace the centres of border pixels or cut
//! corners.)

mod geojson;
mod labelme;
mod trace;

pub use geojson::to_geojson;
pub use labelme::to_labelme;
pub use trace::{LabelPolygon, Ring, trace};
