use std::io;
use std::path::PathBuf;

use image::ImageError;

/// Why a picture could not be saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VizError {
    /// The operating system refused to write the file or to make its folder.
    #[error(
        "`{path}`: could not write the picture ({source}); name a folder that you may write to, with room on its disk"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The PNG encoder refused the pixels.
    #[error("`{path}`: could not encode the picture ({source}); it must have at least one pixel")]
    Encode {
        /// The file that the picture was meant for.
        path: PathBuf,
        /// The encoder's reason.
        source: ImageError,
    },
}
