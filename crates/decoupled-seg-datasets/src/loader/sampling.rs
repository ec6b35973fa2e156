use crate::Point;

/// One sample of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// Index in the data set.
    pub index: usize,
    /// A pixel that the crop should show.
    pub centroid: Option<Point>,
}

/// Chooses the samples of an epoch.
///
/// The picks must depend only on the seed and the epoch: a resumed run asks again and must get the same ones.
pub trait Sampling: Send + Sync {
    /// The samples of an epoch, in order.
    fn epoch(&self, seed: u64, epoch: u64) -> Vec<Pick>;

    /// Number of samples in each epoch.
    fn len(&self) -> usize;

    /// Whether epochs are empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
