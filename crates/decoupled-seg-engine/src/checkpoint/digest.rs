use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::EngineError;
use crate::files::at;

/// Size and checksum of a file, so that damage is found before anything is made of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// Length.
    pub bytes: u64,
    /// CRC-32 (IEEE) of the content.
    pub crc32: u32,
}

impl FileDigest {
    pub(crate) fn of(path: &Path) -> Result<Self, EngineError> {
        let mut file = File::open(path).map_err(at(path, "opening"))?;
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut buffer).map_err(at(path, "reading"))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            bytes += read as u64;
        }
        Ok(Self {
            bytes,
            crc32: hasher.finalize(),
        })
    }

    /// Checks that a file is the one that was written: its length first, which costs nothing.
    pub(crate) fn check(&self, path: &Path) -> Result<(), EngineError> {
        let length = fs::metadata(path).map_err(at(path, "opening"))?.len();
        if length != self.bytes {
            return Err(EngineError::Truncated {
                path: path.to_path_buf(),
                expected: self.bytes,
                found: length,
            });
        }
        let found = Self::of(path)?;
        if found.crc32 != self.crc32 {
            return Err(EngineError::Damaged {
                path: path.to_path_buf(),
                expected: self.crc32,
                found: found.crc32,
            });
        }
        Ok(())
    }
}
