use std::io;
use std::path::{Path, PathBuf};

use crate::Sha256Hex;

/// Why pretrained weights are not available.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PretrainedError {
    /// No entry of the table has this name.
    #[error(
        "no pretrained weights are called `{name}`: choose one of {known}, or give a path to a file"
    )]
    UnknownName {
        /// The name asked for.
        name: String,
        /// All names, separated by commas.
        known: String,
    },

    /// The file is not in the cache, and this build cannot download it.
    #[error(
        "`{}` is not there, and this build downloads nothing over {scheme}: save {url} (SHA-256 {sha256}) under this \
         name, or build with the feature `fetch`", path.display()
    )]
    NotFetched {
        /// Where the file was looked for.
        path: PathBuf,
        /// Its address.
        url: String,
        /// Scheme of its address: `https` or `http`.
        scheme: &'static str,
        /// Its hash.
        sha256: Sha256Hex,
    },

    /// The cache has no default place on this machine.
    #[error(
        "neither XDG_CACHE_HOME nor HOME (on Windows LOCALAPPDATA) is set: name the folder for downloads"
    )]
    NoCacheFolder,

    /// The server could not be reached.
    #[cfg(feature = "http")]
    #[error(
        "{url} could not be reached: check the network and the proxy (HTTPS_PROXY), or save the file yourself as `{}`",
        path.display()
    )]
    Request {
        /// The address.
        url: String,
        /// Where the file belongs in the cache.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: Box<ureq::Error>,
    },

    /// The server answered, but not with the file.
    #[error(
        "{url} answered {status}, expected 200 or 206: the file may have moved; name a mirror, or save the file \
         (SHA-256 {sha256}) as `{}`", path.display()
    )]
    Status {
        /// The address.
        url: String,
        /// The status of HTTP.
        status: u16,
        /// The hash of the file that is meant.
        sha256: Sha256Hex,
        /// Where the file belongs in the cache.
        path: PathBuf,
    },

    /// The connection ended before the file did.
    #[error(
        "{url} broke off after {received} of {} bytes: what came is kept in `{}`; run the same command again to go on",
        expected.map_or("unknown".to_string(), |bytes| bytes.to_string()), part.display()
    )]
    Cut {
        /// The address.
        url: String,
        /// Bytes on the disk.
        received: u64,
        /// Bytes of the whole file, if the server said so.
        expected: Option<u64>,
        /// The unfinished file.
        part: PathBuf,
        /// The error of the connection, if it gave one.
        #[source]
        source: Option<io::Error>,
    },

    /// The server sends more bytes than the file can have.
    #[error(
        "{url} sends more than {limit} bytes, expected about {expected}: this is another file; nothing was kept. \
         Check the address"
    )]
    TooLong {
        /// The address.
        url: String,
        /// Bytes after which the download was stopped.
        limit: u64,
        /// Bytes of the file that is meant.
        expected: u64,
    },

    /// The download has another hash than the file.
    #[error(
        "{url} has the SHA-256 {found}, expected {expected}: nothing was kept. If it stays so, the file at this \
         address has changed; do not use it"
    )]
    Hash {
        /// The address.
        url: String,
        /// Digits found.
        found: String,
        /// Digits expected.
        expected: Sha256Hex,
    },

    /// A file in the cache has another hash than it must.
    #[error(
        "`{}` has the SHA-256 {found}, expected {expected}: it is damaged; delete it and run the same command again",
        path.display()
    )]
    CachedHash {
        /// The file.
        path: PathBuf,
        /// Digits found.
        found: String,
        /// Digits expected.
        expected: Sha256Hex,
    },

    /// Another process downloads the same file.
    #[error("`{}` is in use: another process downloads the same file; wait until it has finished", part.display())]
    Busy {
        /// The unfinished file.
        part: PathBuf,
    },

    /// A file or folder could not be read or written.
    #[error("{doing} `{}` failed: {}", path.display(), hint(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operation that failed, such as "writing".
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "no space is left; free some, or name another folder, and run the same command again"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "it may not be written; name another folder"
        }
        _ => "check the folder, or name another one",
    }
}

pub(crate) fn at(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> PretrainedError {
    move |source| PretrainedError::Io {
        path: path.to_path_buf(),
        doing,
        source,
    }
}
