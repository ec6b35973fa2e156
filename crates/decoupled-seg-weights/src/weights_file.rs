use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use burn::store::bridge;
use burn::store::burn_pack::Tensor as PackTensor;
use burn::tensor::{DType, TensorData};
use decoupled_seg_nn::KeyMap;

use crate::format::{Guess, guess, unknown};
use crate::limits::budget;
use crate::{Format, WeightsError, prefix, safetensors_file};

/// A file of weights that is open and checked. Its tensors are read when they are asked for.
///
/// Opens `.pth` files of PyTorch (zip since 1.6, legacy before; feature `pytorch`) and `.safetensors`, told apart by their
/// content. Names come without the wrappers that training leaves around them: `state_dict`, `model` or `net` around the
/// tensors, `module.` and `_orig_mod.` in front of each.
///
/// A pickle is never executed: names that do not build tensors stay names. Before burn-store reads a pickle, a walk
/// through its opcodes refuses names that run programs. Neither the pickle nor the archive around it may declare more
/// than four times the file's size (4 MiB for small files). See the repository's `docs/weights.md`.
///
/// # Example
///
/// ```
/// use decoupled_seg_weights::{Format, WeightsFile};
///
/// # let folder = decoupled_seg_fixtures::default_folder();
/// let file = WeightsFile::open(folder.join("interop_checkpoint.pth"))?;
/// assert_eq!(file.format(), Format::PytorchZip);
/// let entry = file.entry("bot_fine.weight").expect("an official name");
/// assert_eq!(entry.shape, [8, 12, 1, 1]);
/// # Ok::<(), decoupled_seg_weights::WeightsError>(())
/// ```
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    format: Format,
    /// The tensors by their full names.
    tensors: BTreeMap<String, PackTensor>,
    /// The prefix of the names in the state dict, such as `state_dict.module.`.
    wrapper: String,
    metadata: BTreeMap<String, String>,
    /// Bytes of the file.
    length: u64,
}

/// Name, shape and type of a tensor in a [`WeightsFile`].
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Name, without wrappers.
    pub key: String,
    /// Shape; empty for a single number.
    pub shape: Vec<usize>,
    /// Type of the numbers.
    pub dtype: DType,
}

impl WeightsFile {
    /// Opens a file and reads the table of its tensors.
    ///
    /// # Errors
    ///
    /// Any [`WeightsError`] except a mismatch: the file is missing, is no checkpoint, is damaged, declares more than
    /// its size allows, or asks Python for something that tensors do not need.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        let (mut file, length) = open(path)?;
        let mut head = Vec::new();
        let read = file.by_ref().take(HEAD).read_to_end(&mut head);
        read.map_err(|source| WeightsError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        let contents = match guess(path, &head)? {
            Guess::BarePickle => return Err(bare_pickle(path)),
            Guess::Known(Format::Safetensors) => {
                let metadata = safetensors_file::check(path, head.as_slice().chain(file), length)?;
                let tensors = safetensors_file::read(path, None)?;
                (Format::Safetensors, tensors, metadata)
            }
            Guess::Known(format) => (format, pytorch(path, format)?, BTreeMap::new()),
        };
        Self::new(path, length, contents)
    }

    /// Opens a `.safetensors` file that is in memory, where there are no files; `name` stands for its path in errors.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open). Files of PyTorch are [`WeightsError::Unsupported`].
    ///
    /// # Example
    ///
    /// ```
    /// use decoupled_seg_weights::WeightsFile;
    ///
    /// # let folder = decoupled_seg_fixtures::default_folder();
    /// let bytes = std::fs::read(folder.join("interop_checkpoint.safetensors")).expect("readable");
    /// let file = WeightsFile::from_bytes("dropped.safetensors", bytes)?;
    /// assert!(file.entry("bot_fine.weight").is_some());
    /// # Ok::<(), decoupled_seg_weights::WeightsError>(())
    /// ```
    pub fn from_bytes(name: impl AsRef<Path>, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        let path = name.as_ref();
        let length = bytes.len() as u64;
        let head = &bytes[..bytes.len().min(HEAD as usize)];
        if guess(path, head)? != Guess::Known(Format::Safetensors) {
            return Err(WeightsError::Unsupported {
                path: path.to_path_buf(),
                reason: "a file of PyTorch, of which only files on disk are read; `decoupled-seg weights convert` makes \
                         a .safetensors of it"
                    .to_string(),
            });
        }
        let metadata = safetensors_file::check(path, bytes.as_slice(), length)?;
        let tensors = safetensors_file::read(path, Some(bytes))?;
        Self::new(path, length, (Format::Safetensors, tensors, metadata))
    }

    fn new(
        path: &Path,
        length: u64,
        (format, tensors, metadata): (
            Format,
            BTreeMap<String, PackTensor>,
            BTreeMap<String, String>,
        ),
    ) -> Result<Self, WeightsError> {
        if tensors.is_empty() {
            return Err(unknown(path, format!("a {format} without a tensor")));
        }
        let file = Self {
            path: path.to_path_buf(),
            format,
            wrapper: prefix::wrapper(tensors.keys()),
            tensors,
            metadata,
            length,
        };
        file.check_sizes()?;
        Ok(file)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the file is laid out.
    pub fn format(&self) -> Format {
        self.format
    }

    /// A text that stands beside the tensors, as [`SaveOptions::with_metadata`](crate::SaveOptions::with_metadata) writes
    /// it; only safetensors has such.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// All such texts.
    pub(crate) fn texts(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The tensors in the file, sorted by name.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.tensors.iter().filter_map(|(key, tensor)| {
            let key = key.strip_prefix(&self.wrapper)?;
            Some(Entry {
                key: key.to_string(),
                shape: tensor.shape.to_vec(),
                dtype: tensor.dtype,
            })
        })
    }

    /// The full names of the tensors beside the state dict, such as those of an optimizer or of averaged weights.
    pub fn beside(&self) -> impl Iterator<Item = &str> {
        self.keys().filter(|key| !key.starts_with(&self.wrapper))
    }

    /// One tensor's description, if the file has it.
    pub fn entry(&self, key: &str) -> Option<Entry> {
        self.entries().find(|entry| entry.key == key)
    }

    /// How many tensors of the file `keys` names, behind the prefix for which most of them are named.
    pub fn count_named(&self, keys: &KeyMap) -> usize {
        let names = keys.keys().iter().map(|key| key.official.as_str());
        let prefixes = prefix::of_names(self.keys(), names.collect());
        let prefix = prefixes.into_iter().next().unwrap_or_default();
        let named = |key: &&str| key.strip_prefix(&prefix).is_some_and(|key| keys.knows(key));
        self.keys().filter(named).count()
    }

    /// Reads one tensor; `None` if the file has none of that name.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Tensor`] if the tensor's bytes are missing or fail their checksum.
    pub fn read(&self, key: &str) -> Result<Option<TensorData>, WeightsError> {
        let Some(tensor) = self.tensor(&format!("{}{key}", self.wrapper)) else {
            return Ok(None);
        };
        match bridge::to_data(tensor) {
            Ok(data) => Ok(Some(data)),
            Err(source) => Err(WeightsError::Tensor {
                path: self.path.clone(),
                key: key.to_string(),
                source,
            }),
        }
    }

    /// The tensor of a full name.
    pub(crate) fn tensor(&self, key: &str) -> Option<&PackTensor> {
        self.tensors.get(key)
    }

    /// All full names.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Checks declared sizes: a tensor may be a view that repeats a few bytes without end.
    fn check_sizes(&self) -> Result<(), WeightsError> {
        let declared = self.tensors.values().fold(0_u64, |sum, tensor| {
            sum.saturating_add(tensor.byte_len() as u64)
        });
        if declared > budget(self.length) {
            return Err(WeightsError::TooLarge {
                path: self.path.clone(),
                what: "its tensors, which are views,".to_string(),
                declared,
                length: self.length,
            });
        }
        Ok(())
    }
}

/// Bytes that tell the format.
const HEAD: u64 = 512;

fn open(path: &Path) -> Result<(File, u64), WeightsError> {
    let read = || {
        let kind = fs::metadata(path)?;
        // Opening a pipe would wait for its writer.
        if !kind.is_file() && !kind.is_dir() {
            return Err(io::Error::other(
                "a pipe, a socket or a device, expected a file",
            ));
        }
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    };
    read().map_err(|source| WeightsError::Read {
        path: path.to_path_buf(),
        source,
    })
}

#[cfg(feature = "pytorch")]
fn pytorch(path: &Path, format: Format) -> Result<BTreeMap<String, PackTensor>, WeightsError> {
    crate::pytorch::read(path, format)
}

#[cfg(not(feature = "pytorch"))]
fn pytorch(path: &Path, format: Format) -> Result<BTreeMap<String, PackTensor>, WeightsError> {
    Err(WeightsError::Unsupported {
        path: path.to_path_buf(),
        reason: format!("a {format}, and this program was built without the feature `pytorch`"),
    })
}

/// Why a pickle that has no container around it is refused.
fn bare_pickle(path: &Path) -> WeightsError {
    #[cfg(feature = "pytorch")]
    if let Err(error) = crate::pytorch::check_bare(path) {
        return error;
    }
    unknown(path, "a pickle without tensors".to_string())
}
