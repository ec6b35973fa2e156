use std::path::Path;

use crate::files::MaskReader;

/// The masks of a data set, for [`check_mask_files`](crate::check::check_mask_files).
#[derive(Debug, Clone)]
pub struct MaskFiles<'a> {
    pub(crate) files: Vec<&'a Path>,
    pub(crate) masks: &'a MaskReader,
}

impl<'a> MaskFiles<'a> {
    pub(crate) fn new(files: Vec<&'a Path>, masks: &'a MaskReader) -> Self {
        Self { files, masks }
    }
}
