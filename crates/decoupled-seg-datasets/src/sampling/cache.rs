use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::CentroidIndex;
use crate::files::write_whole;
use crate::hash::Fnv;
use crate::{DatasetError, SegmentationDataset};

/// Version of the cache's format, raised when the meaning of a cached index changes.
const VERSION: u32 = 1;

/// How [`CentroidIndex::cached`] got its index.
#[derive(Debug)]
pub enum CacheState {
    /// It was read from this file.
    Read(PathBuf),
    /// It was made and written.
    Written {
        /// The file.
        path: PathBuf,
        /// Why the folders before this one could not be used.
        refused: Vec<DatasetError>,
    },
    /// It was made, but none of the folders can be written.
    Unwritable(Vec<DatasetError>),
    /// It was made, but not cached: the data set has no fingerprint, so a stale cache could not be recognised.
    Uncached,
}

impl fmt::Display for CacheState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path) => write!(f, "read from `{}`", path.display()),
            Self::Written { path, refused } => {
                write!(f, "made and written to `{}`", path.display())?;
                let mut refused = refused.iter();
                refused.try_for_each(|error| write!(f, "; not kept in {error}"))
            }
            Self::Unwritable(refused) => {
                write!(f, "made")?;
                let mut refused = refused.iter();
                refused.try_for_each(|error| write!(f, "; not kept in {error}"))
            }
            Self::Uncached => write!(f, "made; labels without a fingerprint are not cached"),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cached {
    version: u32,
    key: u64,
    index: CentroidIndex,
}

impl CentroidIndex {
    /// Reads the index from one of `folders`, or makes it and writes it to the first folder that can be written.
    ///
    /// Name and content of the file hold a hash of all labels and of the tile, so an old index is never used for other
    /// labels. Other processes see the whole file or none. If no folder can be written, the only cost is the time to
    /// make the index again.
    ///
    /// # Errors
    ///
    /// Returns the error of the first item whose labels cannot be read.
    ///
    /// # Panics
    ///
    /// Panics if the tile has no pixels.
    pub fn cached(
        dataset: &dyn SegmentationDataset,
        tile: usize,
        folders: &[PathBuf],
        progress: impl Fn(usize, usize) + Sync,
    ) -> Result<(Self, CacheState), DatasetError> {
        let Some(fingerprint) = dataset.fingerprint()? else {
            return Ok((Self::build(dataset, tile, progress)?, CacheState::Uncached));
        };
        let key = Fnv::new()
            .number(fingerprint)
            .number(tile as u64)
            .number(VERSION.into())
            .finish();
        let name = format!("centroids_tile{tile}_{key:016x}.json");
        for path in folders.iter().map(|folder| folder.join(&name)) {
            if let Some(index) = read(&path, key, tile, dataset) {
                return Ok((index, CacheState::Read(path)));
            }
        }
        let index = Self::build(dataset, tile, progress)?;
        let cached = Cached {
            version: VERSION,
            key,
            index,
        };
        let text = serde_json::to_vec(&cached).expect("an index is plain data");
        let mut refused = Vec::new();
        for path in folders.iter().map(|folder| folder.join(&name)) {
            match write_whole(&path, |out| out.write_all(&text)) {
                Ok(()) => return Ok((cached.index, CacheState::Written { path, refused })),
                Err(error) => refused.push(error),
            }
        }
        Ok((cached.index, CacheState::Unwritable(refused)))
    }
}

/// The cached index, if the file is whole and belongs to this data set.
fn read(
    path: &Path,
    key: u64,
    tile: usize,
    dataset: &dyn SegmentationDataset,
) -> Option<CentroidIndex> {
    let cached: Cached = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let Cached {
        version,
        key: found,
        index,
    } = cached;
    let fits = version == VERSION
        && found == key
        && index.tile == tile
        && index.items == dataset.len()
        && index.classes.len() == dataset.classes().num_classes()
        && index
            .classes
            .iter()
            .flatten()
            .all(|centroid| (centroid.index as usize) < index.items);
    fits.then_some(index)
}

#[cfg(test)]
mod tests {
    use decoupled_seg_synthetic::{SyntheticConfig, write_camvid};
    use decoupled_seg_types::Size;

    use super::*;
    use crate::files::write_mask;
    use crate::{CamVid, FileDataset, LabelMap, Split};

    /// Three small images with labels, and the folder that holds them.
    fn training_split() -> (tempfile::TempDir, FileDataset) {
        let root = tempfile::tempdir().expect("a temporary folder");
        let config = SyntheticConfig {
            train: 3,
            val: 1,
            test: 1,
            size: Size::new(24, 32),
            seed: 0,
        };
        write_camvid(root.path(), &config).expect("writable");
        let train = CamVid::open(root.path(), Split::Train).expect("a whole layout");
        (root, train)
    }

    #[test]
    fn a_stale_or_broken_cache_is_never_used() {
        let (root, train) = training_split();
        let folder = root.path().join("cache");
        let folders = [folder.clone()];
        let cached = |tile| {
            CentroidIndex::cached(&train, tile, &folders, |_, _| {}).expect("readable labels")
        };

        let (first, state) = cached(16);
        let CacheState::Written { path, .. } = state else {
            panic!("{state:?}")
        };
        let (second, state) = cached(16);
        assert!(matches!(state, CacheState::Read(_)));
        assert_eq!(first, second);
        assert!(
            matches!(cached(8).1, CacheState::Written { path: other, .. } if other != path),
            "another tile, another file"
        );

        let bytes = fs::read(&path).expect("written");
        for broken in [&bytes[..bytes.len() / 2], b"", b"{}", b"\xff\xfe"] {
            fs::write(&path, broken).expect("writable");
            let (again, state) = cached(16);
            assert!(matches!(state, CacheState::Written { .. }), "{state:?}");
            assert_eq!(again, first);
        }

        let mask = train.pairs()[0].labels.clone().expect("labelled");
        write_mask(&mask, &LabelMap::filled(Size::new(24, 32), 10)).expect("writable");
        let (changed, state) = cached(16);
        assert!(matches!(state, CacheState::Written { .. }), "{state:?}");
        assert_ne!(changed, first);
        assert!(fs::read_dir(&folder).expect("there").all(|entry| {
            let name = entry.expect("readable").file_name();
            name.to_string_lossy().ends_with(".json")
        }));
    }

    #[test]
    fn the_next_folder_serves_where_one_cannot_be_written() {
        let (root, train) = training_split();
        let beside = train.cache_folder().expect("a data set of files");
        assert_eq!(beside, root.path().join(".decoupled-seg"));
        // A file where the folder should be.
        fs::write(&beside, "").expect("writable");
        let cached = |folders: &[PathBuf]| {
            CentroidIndex::cached(&train, 16, folders, |_, _| {}).expect("readable labels")
        };

        let (index, state) = cached(std::slice::from_ref(&beside));
        assert!(matches!(state, CacheState::Unwritable(_)), "{state:?}");
        assert_eq!(index.items, 3);
        let text = state.to_string();
        assert!(text.starts_with("made; not kept in `"), "{text}");
        assert!(text.contains(".decoupled-seg"), "{text}");

        let folders = [beside.clone(), root.path().join("run")];
        let (again, state) = cached(&folders);
        assert_eq!(again, index);
        let text = state.to_string();
        let CacheState::Written { path, refused } = state else {
            panic!("{text}")
        };
        assert!(path.starts_with(root.path().join("run")), "{text}");
        assert_eq!(refused.len(), 1, "{text}");
        assert!(
            text.starts_with("made and written to") && text.contains("; not kept in"),
            "{text}"
        );
        assert!(matches!(cached(&folders).1, CacheState::Read(found) if found == path));

        // Now the first folder can be written, but the index in the second one still serves.
        fs::remove_file(&beside).expect("just written");
        assert!(matches!(cached(&folders).1, CacheState::Read(found) if found == path));
        assert!(matches!(cached(&[]).1, CacheState::Unwritable(errors) if errors.is_empty()));
    }
}
