use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::at;
use crate::sha256::{digits, hash_all};
use crate::{PretrainedError, PretrainedWeights, Progress};

/// The folder for downloads: `$XDG_CACHE_HOME/decoupled-seg`, else `~/.cache/decoupled-seg`; on Windows
/// `%LOCALAPPDATA%\decoupled-seg`.
///
/// # Errors
///
/// [`PretrainedError::NoCacheFolder`] if none of these variables is set.
pub fn default_cache_folder() -> Result<PathBuf, PretrainedError> {
    cache_folder(|name| env::var_os(name).map(PathBuf::from)).ok_or(PretrainedError::NoCacheFolder)
}

fn cache_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    // By the XDG specification, relative paths are ignored.
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("LOCALAPPDATA"))
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|folder| folder.join("decoupled-seg"))
}

/// Returns the path of the file of `weights` in `folder`. If the file is not there, it is downloaded (with the feature
/// `fetch`). Its SHA-256 is checked in both cases.
///
/// A download goes to `<name>.part` beside the file and continues there after an interruption. It gets its final name
/// once it is whole and its hash is right. `on_progress` is called now and then.
///
/// # Errors
///
/// Any variant of [`PretrainedError`] except [`UnknownName`](PretrainedError::UnknownName). After an error there is no
/// new file under the final name.
pub fn fetch(
    weights: &PretrainedWeights,
    folder: &Path,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, PretrainedError> {
    let path = folder.join(weights.file_name());
    if path.exists() {
        check(weights, &path)?;
        return Ok(path);
    }

    let https = weights.url.starts_with("https:");
    if cfg!(not(feature = "http")) || (https && cfg!(not(feature = "fetch"))) {
        return Err(PretrainedError::NotFetched {
            path,
            url: weights.url.to_string(),
            scheme: if https { "https" } else { "http" },
            sha256: weights.sha256,
        });
    }
    #[cfg(feature = "http")]
    crate::download::download(weights, &path, on_progress)?;
    #[cfg(not(feature = "http"))]
    let _ = on_progress;
    Ok(path)
}

/// Checks a file that stands under its final name.
fn check(weights: &PretrainedWeights, path: &Path) -> Result<(), PretrainedError> {
    let mut file = File::open(path).map_err(at(path, "opening"))?;
    let mut hasher = Sha256::new();
    hash_all(&mut file, &mut hasher).map_err(at(path, "reading"))?;
    let found = digits(hasher);
    if weights.sha256.matches(&found) {
        return Ok(());
    }
    Err(PretrainedError::CachedHash {
        path: path.to_path_buf(),
        found,
        expected: weights.sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(set: &[(&str, &str)]) -> Option<PathBuf> {
        cache_folder(|name| {
            set.iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| PathBuf::from(value))
        })
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_follows_the_xdg_specification() {
        let folder = |set: &[(&str, &str)]| folder_with(set).map(|path| path.display().to_string());
        assert_eq!(
            folder(&[("HOME", "/home/ada")]).as_deref(),
            Some("/home/ada/.cache/decoupled-seg")
        );
        assert_eq!(
            folder(&[("HOME", "/home/ada"), ("XDG_CACHE_HOME", "/fast")]).as_deref(),
            Some("/fast/decoupled-seg")
        );
        assert_eq!(
            folder(&[("HOME", "/home/ada"), ("XDG_CACHE_HOME", "relative")]).as_deref(),
            Some("/home/ada/.cache/decoupled-seg")
        );
        assert_eq!(folder(&[]), None);
    }

    #[cfg(not(feature = "fetch"))]
    #[test]
    fn without_the_feature_the_message_says_what_to_save_where() {
        let folder = tempfile::tempdir().expect("a folder");
        let weights = PretrainedWeights::find("resnet50").expect("in the table");
        let error = fetch(weights, folder.path(), &mut |_| {})
            .expect_err("not there")
            .to_string();
        for part in [
            &*weights.url,
            weights.sha256.digits(),
            &weights.file_name(),
            "fetch",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}
