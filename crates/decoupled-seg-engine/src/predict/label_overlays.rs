use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use decoupled_seg_datasets::{Sample, SegmentationDataset};
use decoupled_seg_viz::{Palette, overlay};

use super::protected::{Protected, check_own};
use crate::EngineError;
use crate::files::{self, write_png};

/// Writes `count` images spread over a data set with their labels half-and-half on top, as `{folder}/{name}.png`, and
/// returns the files. A second image of the same name becomes `{name}_2.png`. An item that cannot be read gives its place to the next; `check` of the data crate tells what is
/// wrong with it. Ignored pixels show the image.
///
/// # Errors
///
/// Returns an error if a file would be written over one of the data set, or cannot be written.
pub fn write_label_overlays(
    dataset: &dyn SegmentationDataset,
    folder: &Path,
    count: usize,
) -> Result<Vec<PathBuf>, EngineError> {
    let count = count.min(dataset.len());
    let first = |number: usize| number * dataset.len() / count;
    let readable =
        |number: usize| (first(number)..first(number + 1)).find_map(|at| dataset.get(at).ok());
    let palette = Palette::new(dataset.classes().colors());
    let protected = Protected::new(dataset.files());
    files::create_dir(folder)?;
    let mut taken = BTreeSet::new();
    let write = |sample: Sample| {
        let path = folder.join(format!("{}.png", new_name(&sample.name, &mut taken)));
        protected.check(&path)?;
        check_own(&path)?;
        let picture = overlay(&sample.image, &sample.labels.data, &palette, 0.5);
        write_png(&path, &picture.into())?;
        Ok(path)
    };
    (0..count).filter_map(readable).map(write).collect()
}

/// A name that no picture has yet, whatever its capitals. In a list, pictures of two folders may have one name.
fn new_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    let mut names = std::iter::once(name.to_string()).chain(numbered);
    let is_new = |name: &String| taken.insert(name.to_lowercase());
    names.find(is_new).expect("numbers do not end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let mut taken = BTreeSet::new();
        let names = ["000", "000", "000_2", "A", "a", "000"];
        let names = names.map(|name| new_name(name, &mut taken));
        assert_eq!(names, ["000", "000_2", "000_2_2", "A", "a_2", "000_3"]);
    }
}
