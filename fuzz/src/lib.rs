//! What the fuzz targets run: see `README.md`.

#[path = "../../tests/support/strangers.rs"]
pub mod strangers;
#[cfg(feature = "runs")]
#[path = "../../tests/support/strangers_of_runs.rs"]
pub mod strangers_of_runs;

use strangers::Target;

/// All kinds of files.
pub fn targets() -> Vec<Target> {
    let targets = strangers::TARGETS.into_iter();
    #[cfg(feature = "runs")]
    let targets = targets.chain(strangers_of_runs::TARGETS);
    targets.collect()
}

/// Reads the bytes as a file of a kind.
///
/// # Panics
///
/// Panics if there is no such kind, or if reading does, which is what is searched for.
pub fn read(kind: &str, bytes: &[u8]) {
    let targets = targets();
    let target = targets.iter().find(|target| target.name == kind);
    (target.expect("a kind of file").read)(bytes);
}
