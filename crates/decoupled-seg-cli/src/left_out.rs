//! What of a folder is not predicted: pictures of other formats.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Endings of pictures that are not read.
const OTHER_PICTURES: [&str; 14] = [
    "avif", "bmp", "dng", "gif", "heic", "heif", "jp2", "pgm", "ppm", "raw", "tga", "tif", "tiff",
    "webp",
];

/// Pictures that were left out, counted by their endings.
#[derive(Default)]
pub(crate) struct LeftOut {
    by_ending: BTreeMap<String, usize>,
}

impl LeftOut {
    /// Counts those of a folder.
    pub fn look(&mut self, folder: &Path) {
        // A path that is no folder, or cannot be read, is reported where its images are looked for.
        let Ok(entries) = folder.read_dir() else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            let ending = ending.to_lowercase();
            if OTHER_PICTURES.contains(&ending.as_str()) {
                *self.by_ending.entry(ending).or_default() += 1;
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.by_ending.is_empty()
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: usize = self.by_ending.values().sum();
        let list: Vec<String> = self
            .by_ending
            .iter()
            .map(|(ending, count)| format!("{count} .{ending}"))
            .collect();
        let list = list.join(", ");
        write!(
            f,
            "{total} pictures left out: {list}; PNG and JPEG are read"
        )
    }
}
