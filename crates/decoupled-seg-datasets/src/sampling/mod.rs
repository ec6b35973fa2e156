//! Class-uniform sampling: an epoch shows rare classes as often as common ones.

mod cache;
mod centroids;
mod class_uniform;

pub use cache::CacheState;
pub use centroids::{Centroid, CentroidIndex};
pub use class_uniform::{ClassUniform, ClassUniformConfig};
