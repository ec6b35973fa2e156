//! What can go wrong with files.

use std::path::PathBuf;

/// Why a picture or a flow field could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VizError {
    /// The operating system refused.
    #[error("`{path}`: could not {action}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was attempted, as in "create the temporary file".
        action: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The pixels could not be encoded.
    #[error("`{path}`: could not encode the picture: {source}")]
    Encode {
        /// The file the pixels were meant for.
        path: PathBuf,
        /// The encoder's reason.
        source: image::ImageError,
    },
    /// The first four bytes are not those of a `.flo` file.
    #[error(
        "`{path}`: found magic number {found}, expected 202021.25 (little endian) of a .flo file"
    )]
    FloMagic {
        /// The file.
        path: PathBuf,
        /// The number found.
        found: f32,
    },
    /// The header of a `.flo` file tells a size that no flow field has.
    #[error("`{path}`: found a size of {width}x{height}, expected sides of 1 to {max}")]
    FloSize {
        /// The file.
        path: PathBuf,
        /// The width in the header.
        width: i32,
        /// The height in the header.
        height: i32,
        /// The longest side accepted.
        max: i32,
    },
    /// A `.flo` file is shorter or longer than its header says.
    #[error("`{path}`: found {found} bytes, expected {expected}")]
    FloLength {
        /// The file.
        path: PathBuf,
        /// Bytes of the file.
        found: u64,
        /// Bytes the header asks for; 12 where the header itself is cut.
        expected: u64,
    },
}
