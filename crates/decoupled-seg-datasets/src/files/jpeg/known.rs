use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::entropy::{Flaw, check};

/// Number of files to remember, 16 bytes each.
const MOST: usize = 1 << 20;

/// Files that were found whole, by the hash of their bytes.
static WHOLE: LazyLock<(RandomState, Mutex<HashSet<u64>>)> = LazyLock::new(Default::default);

/// [`check`], once for the same bytes: it takes more than half as long as decoding, and a training reads each file once an
/// epoch. A file that was changed meanwhile has other bytes.
pub(super) fn check_once(bytes: &[u8]) -> Result<(), Flaw> {
    let (state, whole) = &*WHOLE;
    let hash = state.hash_one(bytes);
    let files = || whole.lock().unwrap_or_else(PoisonError::into_inner);
    if files().contains(&hash) {
        return Ok(());
    }
    check(bytes)?;
    let mut files = files();
    if files.len() < MOST {
        files.insert(hash);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_files_are_remembered() {
        let folder = decoupled_seg_fixtures::default_folder().join("jpeg");
        let mut bytes =
            std::fs::read(folder.join("baseline_420.jpg")).expect("part of the repository");
        let is_known = |bytes: &[u8]| {
            let files = WHOLE.1.lock().expect("not poisoned");
            files.contains(&WHOLE.0.hash_one(bytes))
        };
        for _ in 0..2 {
            assert_eq!(check_once(&bytes), Ok(()));
            assert!(is_known(&bytes));
        }
        // The same file after somebody cut a piece out of its middle.
        let middle = bytes.len() / 2;
        bytes.drain(middle..middle + 150);
        for _ in 0..2 {
            check_once(&bytes).expect_err("a hole");
            assert!(!is_known(&bytes));
        }
    }
}
