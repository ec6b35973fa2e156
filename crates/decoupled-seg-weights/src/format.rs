use std::fmt;
use std::path::Path;

use decoupled_seg_types::FileKind;

use crate::WeightsError;

/// How a file of weights is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A zip archive, written by PyTorch since 1.6.
    PytorchZip,
    /// A stream of pickles with the tensors behind it, written by PyTorch before 1.6.
    PytorchLegacy,
    /// The safetensors format.
    Safetensors,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PytorchZip => "PyTorch file",
            Self::PytorchLegacy => "PyTorch file of before 1.6",
            Self::Safetensors => "safetensors file",
        })
    }
}

/// What the first bytes of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guess {
    Known(Format),
    /// A pickle without a container around it: it cannot hold tensors.
    BarePickle,
}

/// The number that opens a legacy file, 0x1950a86a20f9469cfc6c, as its pickle writes it.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The number of bytes to search for it. Every pickle protocol puts it well inside.
const LEGACY_MAGIC_WITHIN: usize = 64;
/// Offset and bytes of a tar archive's magic word.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");
/// Endings of PaddlePaddle's weights.
const PADDLE: [&str; 3] = ["pdparams", "pdopt", "pdema"];
/// The largest header that safetensors allows.
const SAFETENSORS_MAX_HEADER: u64 = 100_000_000;

/// Tells the format from the first bytes, 512 of them or all; `path` names the file in errors.
pub(crate) fn guess(path: &Path, head: &[u8]) -> Result<Guess, WeightsError> {
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Ok(Guess::Known(Format::PytorchZip));
    }
    if opens_safetensors(head) {
        return Ok(Guess::Known(Format::Safetensors));
    }
    let within = &head[..head.len().min(LEGACY_MAGIC_WITHIN)];
    if within
        .windows(LEGACY_MAGIC.len())
        .any(|window| window == LEGACY_MAGIC)
    {
        return Ok(Guess::Known(Format::PytorchLegacy));
    }
    let (offset, magic) = TAR_MAGIC;
    if head.get(offset..offset + magic.len()) == Some(magic) {
        return Err(WeightsError::Unsupported {
            path: path.to_path_buf(),
            reason: "a tar archive, as PyTorch wrote before 0.1.10; load and save it with a newer PyTorch"
                .to_string(),
        });
    }
    let ending = path.extension().and_then(|ending| ending.to_str());
    match head.first() {
        // Pickles of arrays, which are no tensors of PyTorch.
        Some(_) if ending.is_some_and(|it| PADDLE.contains(&it)) => Err(WeightsError::Unsupported {
            path: path.to_path_buf(),
            reason: "a file of PaddlePaddle; save its arrays from Python as .safetensors, under the names that \
                     `decoupled-seg weights new` shows"
                .to_string(),
        }),
        Some(0x80 | b'(' | b'}' | b']' | b'c') => Ok(Guess::BarePickle),
        _ => Err(unknown(path, FileKind::of(head).to_string())),
    }
}

pub(crate) fn unknown(path: &Path, found: String) -> WeightsError {
    WeightsError::UnknownFormat {
        path: path.to_path_buf(),
        found,
    }
}

/// A little-endian header length, then the `{` of the JSON header.
fn opens_safetensors(head: &[u8]) -> bool {
    let length = head
        .first_chunk::<8>()
        .map(|bytes| u64::from_le_bytes(*bytes));
    length.is_some_and(|length| length <= SAFETENSORS_MAX_HEADER) && head.get(8) == Some(&b'{')
}
