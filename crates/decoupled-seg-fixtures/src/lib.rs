//! Reads the golden tensors of `tests/fixtures` for the parity tests.
//!
//! A *set* is a folder with `<group>.safetensors`, `<group>.json` and `TENSORS.tsv` (the tolerance of every
//! tensor). The default set is the small one under `tests/fixtures`; the variable `DECOUPLED_SEG_FIXTURES` points
//! all parity tests at another one, made by the same generator with another seed or other shapes.
//!
//! Everything here panics on a bad set: it is test support, and a broken fixture must fail its test.

mod close;
mod group;
pub mod label_maps;
pub mod memory;
mod tolerance;

pub use close::assert_close_to_largest;
pub use group::Group;
pub use tolerance::Tolerance;

use std::path::PathBuf;

/// Environment variable with the folder of the set to run on.
pub const FIXTURES_VARIABLE: &str = "DECOUPLED_SEG_FIXTURES";

/// The folder of the set in use.
pub fn folder() -> PathBuf {
    match std::env::var_os(FIXTURES_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => default_folder(),
    }
}

/// The folder of the small set that is part of the repository.
pub fn default_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// Opens a group of the set in use, or returns `None` (and says so) where the set has no such group.
///
/// # Panics
///
/// Panics if there is no set, if the group is there but cannot be read, or if the repository's own set lacks it.
pub fn group(name: &str) -> Option<Group> {
    let folder = folder();
    assert!(
        folder.join("TENSORS.tsv").is_file(),
        "{} holds no set of fixtures",
        folder.display()
    );
    let group = Group::open(&folder, name);
    if group.is_none() {
        // A set of one's own may be a part; this one is what the tests are for.
        assert!(
            std::env::var_os(FIXTURES_VARIABLE).is_some(),
            "no group `{name}` in {}",
            folder.display()
        );
        eprintln!(
            "no group `{name}` in {}: nothing to compare",
            folder.display()
        );
    }
    group
}
