use std::path::PathBuf;

use super::Pair;
use crate::DatasetError;

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

    pub(super) fn add_pair(&mut self, image: PathBuf, labels: Option<PathBuf>) {
        match Pair::new(image, labels) {
            Ok(pair) => self.pairs.push(pair),
            Err(error) => self.problems.push(error),
        }
    }
}
