use std::sync::Arc;

use crate::{DatasetError, SegmentationDataset};

/// The result of opening a split: its usable items, and all problems with its other files.
///
/// Training needs the [`whole`](Self::whole) split or an error; [`check`](crate::check::check_splits) also reads the
/// usable items of a split with problems.
#[derive(Debug)]
#[must_use]
pub struct Opened<D = Arc<dyn SegmentationDataset>> {
    /// The usable items, if there are any.
    pub dataset: Option<D>,
    /// All problems with the files of the split, or the reason why there are none.
    pub problems: Vec<DatasetError>,
}

impl<D> Opened<D> {
    /// Returns the split if it has no problems.
    ///
    /// # Errors
    ///
    /// Returns the problem; or [`DatasetError::Files`] with all problems if there are several, or if some items are
    /// usable.
    pub fn whole(mut self) -> Result<D, DatasetError> {
        match (self.dataset, self.problems.len()) {
            (Some(dataset), 0) => Ok(dataset),
            (None, 1) => Err(self.problems.remove(0)),
            _ => Err(DatasetError::Files {
                problems: self.problems,
            }),
        }
    }
}

impl<D: SegmentationDataset + 'static> Opened<D> {
    /// Puts the data set behind a pointer, so that data sets of all types have one type.
    pub fn shared(self) -> Opened {
        Opened {
            dataset: self
                .dataset
                .map(|dataset| Arc::new(dataset) as Arc<dyn SegmentationDataset>),
            problems: self.problems,
        }
    }
}

impl<D> From<Result<D, DatasetError>> for Opened<D> {
    fn from(opened: Result<D, DatasetError>) -> Self {
        match opened {
            Ok(dataset) => Self {
                dataset: Some(dataset),
                problems: Vec::new(),
            },
            Err(error) => Self {
                dataset: None,
                problems: error.into_problems(),
            },
        }
    }
}
