//! What many checkpoints hold beside the weights and burn-store does not read: dictionaries and lists of classes of their own,
//! such as the configurations of yacs and mmcv or a `defaultdict`, and keys that are no text.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::WeightsError;

/// Opcodes of pickles.
const POP: u8 = b'0';
const POP_MARK: u8 = b'1';
const NONE: u8 = b'N';
const EMPTY_DICT: u8 = b'}';
const EMPTY_LIST: u8 = b']';
const EMPTY_TUPLE: u8 = b')';
const SET_ITEM: u8 = b's';
const SET_ITEMS: u8 = b'u';
const PUT: u8 = b'q';
const LONG_PUT: u8 = b'r';
/// Puts the value on top into a tuple: where that value is thrown away, it does nothing.
const WRAP: u8 = 0x85;
const SHORT_TEXT: u8 = b'U';
/// Opcodes that push one value without looking at others.
const PUSH: &[u8] = b"NIKMJGXUT])}\x88\x89\x8a\x8c";

/// Bytes of a file that are read in place of its own, at a place of it. As many, so that all others stay where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Patch {
    fn new(at: u64, bytes: &[u8]) -> Self {
        Self {
            at,
            bytes: bytes.to_vec(),
        }
    }
}

/// Where a pickle calls a class, and what stands before it that is of no use once the class is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    start: u64,
    length: u64,
}

impl Call {
    /// The call at a place, behind these two opcodes; `None` where its bytes leave no room for others.
    pub(crate) fn of(before: [(u64, u8); 2], at: u64) -> Option<Self> {
        let (start, last) = before[1];
        let length = at + 1 - start;
        matches!(last, EMPTY_TUPLE | PUT | LONG_PUT).then_some(Self { start, length })
    }

    /// What is read in place of the call, if this opcode puts values into what comes of it: the class and its arguments are
    /// thrown away, and the values go into an empty container.
    pub(crate) fn filled_by(&self, opcode: u8) -> Patch {
        let empty = match opcode {
            SET_ITEM | SET_ITEMS => EMPTY_DICT,
            _ => EMPTY_LIST,
        };
        let bytes: &[u8] = match self.length {
            // The arguments are not there, as the empty tuple is overwritten.
            2 => &[POP, empty],
            3 => &[POP, POP, empty],
            _ => &[NONE, WRAP, POP, POP, POP, empty],
        };
        Patch::new(self.start, bytes)
    }
}

/// Where a pickle names a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClassName {
    at: u64,
    /// 1 if module and name are on the stack.
    length: u64,
}

impl ClassName {
    /// A class that is named by two lines behind the opcode, up to a place.
    pub(crate) fn line(at: u64, end: u64) -> Self {
        Self {
            at,
            length: end - at,
        }
    }

    /// A class whose module and name are on the stack.
    pub(crate) fn of_stack(at: u64) -> Self {
        Self { at, length: 1 }
    }

    /// What is read in place of the name, so that a text is there.
    pub(crate) fn as_text(self) -> Option<Patch> {
        if self.length == 1 {
            // The module is left.
            return Some(Patch::new(self.at, &[POP]));
        }
        // What follows are the module and the name, which are text.
        let length = u8::try_from(self.length.checked_sub(2)?).ok()?;
        Some(Patch::new(self.at, &[SHORT_TEXT, length]))
    }
}

/// What is read in place of the opcode at `at`, so that no item goes into the dictionary.
pub(crate) fn without_items(at: u64) -> Patch {
    Patch::new(at, &[POP_MARK])
}

/// What is read in place of the opcode before and the one at `at`, so that no pair goes into the dictionary; `None` where
/// their bytes leave no room.
pub(crate) fn without_pair((start, last): (u64, u8), at: u64) -> Option<Patch> {
    let length = usize::try_from(at + 1 - start).ok()?;
    let mut bytes = vec![WRAP; length];
    bytes[length - 1] = POP;
    match last {
        // The value is there, and behind it nothing is noted any more.
        PUT | LONG_PUT => bytes[length - 2] = POP,
        // Values of more bytes need not be copied into memory.
        last if PUSH.contains(&last) && length <= 64 => {}
        _ => return None,
    }
    Some(Patch { at: start, bytes })
}

/// A copy of a file, which is gone with this.
pub(crate) struct Copy {
    path: PathBuf,
    /// On Linux without a name, so that it is gone even if the program is killed.
    _open: Option<File>,
    _named: Option<TempPath>,
}

impl Copy {
    /// A copy with these bytes in place of the file's own, in the folder for temporary files.
    pub(crate) fn patched(path: &Path, patches: &[Patch]) -> Result<Self, WeightsError> {
        let mut file = File::open(path).map_err(|source| WeightsError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        let folder = std::env::temp_dir();
        let mut write = || {
            #[cfg(target_os = "linux")]
            if Path::new("/proc/self/fd").is_dir() {
                let mut copy = tempfile::tempfile_in(&folder)?;
                fill(&mut copy, &mut file, patches)?;
                return Ok(Self::open(copy));
            }
            let mut copy = tempfile::Builder::new()
                .prefix("decoupled-seg-")
                .tempfile_in(&folder)?;
            fill(copy.as_file_mut(), &mut file, patches)?;
            let copy = copy.into_temp_path();
            Ok(Self {
                path: copy.to_path_buf(),
                _open: None,
                _named: Some(copy),
            })
        };
        write().map_err(|source: io::Error| WeightsError::Copy {
            path: path.to_path_buf(),
            folder: folder.clone(),
            source,
        })
    }

    #[cfg(target_os = "linux")]
    fn open(copy: File) -> Self {
        use std::os::fd::AsRawFd;
        Self {
            path: format!("/proc/self/fd/{}", copy.as_raw_fd()).into(),
            _open: Some(copy),
            _named: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn fill(copy: &mut File, file: &mut File, patches: &[Patch]) -> io::Result<()> {
    io::copy(file, copy)?;
    for patch in patches {
        copy.seek(SeekFrom::Start(patch.at))?;
        copy.write_all(&patch.bytes)?;
    }
    Ok(())
}
