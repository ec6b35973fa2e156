use std::sync::Arc;

use super::{MaskReader, Pair};
use crate::{ClassTable, DatasetError, FileDataset};

/// What a layout holds: the items that are whole, and everything that is wrong with the others.
#[derive(Debug, Default)]
pub struct Listing {
    /// The items, in order; all with labels or all without.
    pub pairs: Vec<Pair>,
    /// What is wrong, each with its file.
    pub problems: Vec<DatasetError>,
}

impl Listing {
    /// Adds another part of the layout, or why there is none.
    pub fn add(&mut self, part: Result<Self, DatasetError>) {
        match part {
            Ok(part) => {
                self.pairs.extend(part.pairs);
                self.problems.extend(part.problems);
            }
            Err(error) => self.problems.extend(error.into_problems()),
        }
    }

    /// Opens what is listed.
    ///
    /// # Errors
    ///
    /// Returns [`DatasetError::Files`] with all problems and what can be used in spite of them; where nothing can be
    /// used and one problem says why, that problem.
    ///
    /// # Panics
    ///
    /// As [`FileDataset::new`].
    pub fn open(self, classes: ClassTable, masks: MaskReader) -> Result<FileDataset, DatasetError> {
        let Self {
            pairs,
            mut problems,
        } = self;
        if pairs.is_empty() && problems.len() == 1 {
            return Err(problems.remove(0));
        }
        let usable = !pairs.is_empty();
        let dataset = FileDataset::new(pairs, classes, masks);
        if problems.is_empty() {
            return Ok(dataset);
        }
        let usable = usable.then(|| Arc::new(dataset));
        Err(DatasetError::Files { problems, usable })
    }
}
