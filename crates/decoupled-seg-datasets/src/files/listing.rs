use std::path::PathBuf;

use super::Pair;
use crate::DatasetError;

/// The content of a layout: the usable items, and everything that is wrong with the others.
#[derive(Debug, Default)]
pub struct Listing {
    /// The usable items, in order. All have labels or none has.
    pub pairs: Vec<Pair>,
    /// All problems, each with its file.
    pub problems: Vec<DatasetError>,
}

impl Listing {
    /// Adds another part of the layout, or the error that kept it from being listed.
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
