use std::path::Path;

use rayon::prelude::*;

use super::BLOCK;
use crate::files::{MaskHead, MaskReader, Meanings, RawMask};
use crate::mask_files::MaskFiles;
use crate::{DatasetError, MaskFormat, SegmentationDataset};

/// Looks whether the label files of all splits mean the same by their values, as far as they tell it by palettes and bits:
/// programs that make files smaller give palettes another order. What is learned from one split is measured on another.
/// Mostly the beginnings of the files are read, and no pixel.
///
/// # Errors
///
/// Returns the first contradiction between two files.
pub fn check_mask_files(splits: &[&dyn SegmentationDataset]) -> Result<(), DatasetError> {
    let splits = splits.iter().filter_map(|split| split.mask_files());
    let splits: Vec<MaskFiles<'_>> = splits.filter(|it| it.masks.reads_bytes()).collect();
    let files: Vec<(&Path, &MaskReader)> = splits
        .iter()
        .flat_map(|split| split.files.iter().map(|&file| (file, split.masks)))
        .collect();
    let heads = files
        .par_iter()
        .filter_map(|(path, _)| MaskHead::read(path));
    if !may_differ(&heads.collect::<Vec<_>>()) {
        return Ok(());
    }
    let mut meanings = Meanings::default();
    let mut doubtful = None;
    for block in files.chunks(BLOCK) {
        let found: Vec<_> = block
            .par_iter()
            .map(|(path, masks)| masks.meaning(path, &RawMask::read(path).ok()?))
            .collect();
        for mask in found.into_iter().flatten() {
            meanings.add(&mask)?;
            doubtful = doubtful.or_else(|| mask.is_doubtful().then_some(mask.path));
        }
    }
    let doubt = doubtful.and_then(|path| meanings.doubt(&path));
    doubt.map_or(Ok(()), Err)
}

/// Whether masks could mean different things by one value: they are stored in several ways, or have several palettes.
fn may_differ(heads: &[MaskHead]) -> bool {
    let Some(longest) = heads.iter().max_by_key(|head| head.palette.len()) else {
        return false;
    };
    // Palettes of 2 and 8 bits say the same if their colours do.
    let kind = |head: &MaskHead| match head.format {
        MaskFormat::Palette(_) => MaskFormat::Palette(8),
        other => other,
    };
    let is_other = |head: &MaskHead| kind(head) != kind(longest) || !head.agrees(longest);
    heads.iter().any(is_other)
}
