use std::sync::Arc;

use crate::{DatasetError, SegmentationDataset};

/// A split as its files were found: what can be read of it, and what is wrong with the rest.
///
/// Training wants the [`whole`](Self::whole) split or an error; [`check`](crate::check::check_splits) looks at what is
/// there in spite of the problems.
#[derive(Debug)]
#[must_use]
pub struct Opened<D = Arc<dyn SegmentationDataset>> {
    /// The items that nothing is wrong with, if there are any.
    pub dataset: Option<D>,
    /// What is wrong with the files of the split, or why there are none.
    pub problems: Vec<DatasetError>,
}

impl<D> Opened<D> {
    /// The split, if nothing is wrong with it.
    ///
    /// # Errors
    ///
    /// Returns the problem, or [`DatasetError::Files`] with all of them where there are several or part of the items
    /// could be read in spite of it.
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
    /// The same, with the data set behind a pointer that any data set fits.
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
