//! How the scores of images become the scores of a data set.

/// How the scores of many images become one score per class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aggregation {
    /// Score each image, then average: every image weighs the same. Usual for the boundary F-score.
    #[default]
    PerImage,
    /// Add up the pixel counts of all images, then score once: every pixel weighs the same. Usual for IoU.
    Pooled,
}
