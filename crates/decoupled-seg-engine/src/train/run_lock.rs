use std::fs::{File, TryLockError};
use std::path::Path;

use crate::EngineError;
use crate::files::at;

/// Keeps other processes from training into a run's folder, for as long as it lives: two of them would remove each other's
/// checkpoints. The system lets go of the lock however the process ends.
pub(super) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock of `folder`, which exists.
    ///
    /// # Errors
    ///
    /// Returns [`EngineError::RunInUse`] if another process has it. A file system without locks is no error.
    pub fn take(folder: &Path) -> Result<Self, EngineError> {
        let path = folder.join("run.lock");
        let mut options = File::options();
        let opened = options.create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(at(&path, "creating the file"))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(EngineError::RunInUse {
                folder: folder.to_path_buf(),
            }),
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { _file: file }),
        }
    }
}
