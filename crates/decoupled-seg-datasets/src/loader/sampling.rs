use crate::Point;

/// One sample of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// Index in the data set.
    pub index: usize,
    /// A pixel that the crop shall show.
    pub centroid: Option<Point>,
}

/// Which samples make an epoch.
///
/// The picks may depend on nothing but the two numbers: a resumed run asks again.
pub trait Sampling: Send + Sync {
    /// The samples of an epoch, in order.
    fn epoch(&self, seed: u64, epoch: u64) -> Vec<Pick>;

    /// How many samples each epoch has.
    fn len(&self) -> usize;

    /// Whether epochs are empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
