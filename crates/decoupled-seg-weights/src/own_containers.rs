//! Dictionaries and lists of classes of their own, such as the configurations of yacs and mmcv or a `defaultdict`, which
//! many checkpoints hold beside the weights. burn-store reads plain ones only.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use tempfile::TempPath;

use crate::WeightsError;

/// Opcodes of pickles.
const POP: u8 = b'0';
const EMPTY_DICT: u8 = b'}';
const EMPTY_LIST: u8 = b']';
const EMPTY_TUPLE: u8 = b')';
const SET_ITEM: u8 = b's';
const SET_ITEMS: u8 = b'u';
const PUT: u8 = b'q';
const LONG_PUT: u8 = b'r';
const TUPLE_OF_1: u8 = 0x85;
const TUPLE_OF_2: u8 = 0x86;

/// Bytes of a file that are read in place of its own, at a place of it.
///
/// Where the file has `class () call`, which an object of that class comes from, the reader has `class`, throws it away
/// and takes an empty container, into which the same values are put then. The length stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Where a pickle makes the tuple of a class's arguments and calls the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    start: u64,
    length: u8,
    arguments: u8,
}

impl Call {
    /// The call at a place, behind these two opcodes; `None` where its bytes leave no room for others.
    pub(crate) fn of(before: [(u64, u8); 2], at: u64) -> Option<Self> {
        let (start, arguments) = match before {
            [_, (start, EMPTY_TUPLE)] => (start, 0),
            [
                (start, tuple @ (TUPLE_OF_1 | TUPLE_OF_2)),
                (_, PUT | LONG_PUT),
            ] => (start, tuple - TUPLE_OF_1 + 1),
            _ => return None,
        };
        Some(Self {
            start,
            length: u8::try_from(at + 1 - start).ok()?,
            arguments,
        })
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// What is read in place of the call, if this opcode puts values into what comes of it.
    pub(crate) fn filled_by(&self, opcode: u8) -> Patch {
        let mut bytes = Vec::new();
        if self.arguments > 0 {
            // The class and its arguments are one value, wrapped until the length is right.
            bytes.push(TUPLE_OF_1 + self.arguments);
            bytes.resize(usize::from(self.length) - 2, TUPLE_OF_1);
        }
        bytes.push(POP);
        bytes.push(match opcode {
            SET_ITEM | SET_ITEMS => EMPTY_DICT,
            _ => EMPTY_LIST,
        });
        Patch {
            at: self.start,
            bytes,
        }
    }
}

/// A copy of a file with these bytes in place of its own. It is gone with what is returned.
pub(crate) fn patched(path: &Path, patches: &[Patch]) -> Result<TempPath, WeightsError> {
    let mut file = File::open(path).map_err(|source| WeightsError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    let folder = std::env::temp_dir();
    let mut write = || {
        let mut copy = tempfile::Builder::new()
            .prefix("decoupled-seg-")
            .suffix(".pth")
            .tempfile_in(&folder)?;
        io::copy(&mut file, copy.as_file_mut())?;
        for patch in patches {
            copy.seek(SeekFrom::Start(patch.at))?;
            copy.write_all(&patch.bytes)?;
        }
        Ok(copy.into_temp_path())
    };
    write().map_err(|source| WeightsError::Write {
        path: folder.join(path.file_name().unwrap_or_default()),
        source,
    })
}
