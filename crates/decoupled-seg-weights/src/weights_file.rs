use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{ModuleStore, PytorchStore, PytorchStoreError, SafetensorsStore, bridge};
use burn::tensor::{DType, TensorData};
use decoupled_seg_nn::KeyMap;

use crate::format::{Guess, guess, unknown};
use crate::pickle_scan::{PickleProblem, scan};
use crate::prefix;
use crate::zip_directory::{ZipProblem, find_pickle};
use crate::{Format, WeightsError};

/// A file of weights that is open and checked. Its tensors are read when they are asked for.
///
/// Opens `.pth` files of PyTorch (zip since 1.6, legacy before) and `.safetensors`, told apart by their content. Names
/// come without the wrappers that training leaves around them: `state_dict`, `model` or `net` around the tensors,
/// `module.` and `_orig_mod.` in front of each.
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

/// The memory that a file may take, in multiples of its size.
const MEMORY_FACTOR: u64 = 4;
/// The memory that any file may take, in bytes. In small files the tables of tensors are larger than the tensors.
const MEMORY_FLOOR: u64 = 4 << 20;
/// Pickles of a legacy file: magic number, protocol, system, object, order of the storages.
const LEGACY_PICKLES: usize = 5;

impl WeightsFile {
    /// Opens a file and reads the table of its tensors.
    ///
    /// # Errors
    ///
    /// Any [`WeightsError`] except a mismatch: the file is missing, is no checkpoint, is damaged, declares more than
    /// its size allows, or asks Python for something that tensors do not need.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        let format = match guess(path)? {
            Guess::Known(format) => format,
            Guess::BarePickle => {
                check(path, check_bare_pickle)?;
                return Err(unknown(path, "a pickle without tensors".to_string()));
            }
        };
        let tensors = match format {
            Format::PytorchZip => {
                check(path, check_zip)?;
                read_pytorch(path)?
            }
            Format::PytorchLegacy => {
                check(path, check_legacy)?;
                read_pytorch(path)?
            }
            Format::Safetensors => {
                check(path, check_safetensors)?;
                read_safetensors(path)?
            }
        };
        if tensors.is_empty() {
            return Err(unknown(path, format!("a {format} without a tensor")));
        }
        let file = Self {
            path: path.to_path_buf(),
            format,
            wrapper: prefix::wrapper(tensors.keys()),
            tensors,
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

    /// One tensor's description, if the file has it.
    pub fn entry(&self, key: &str) -> Option<Entry> {
        self.entries().find(|entry| entry.key == key)
    }

    /// How many tensors of the file `keys` names, behind the prefix for which most of them are named.
    pub fn count_named(&self, keys: &KeyMap) -> usize {
        let names = keys.keys().iter().map(|key| key.official.as_str());
        let prefix = prefix::of_names(self.keys(), names.collect());
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
        let length = open(&self.path)?.1;
        let declared = self.tensors.values().fold(0_u64, |sum, tensor| {
            sum.saturating_add(tensor.byte_len() as u64)
        });
        if declared > budget(length) {
            return Err(WeightsError::TooLarge {
                path: self.path.clone(),
                what: "its tensors, which are views,".to_string(),
                declared,
                length,
            });
        }
        Ok(())
    }
}

fn budget(length: u64) -> u64 {
    length.saturating_mul(MEMORY_FACTOR).max(MEMORY_FLOOR)
}

fn open(path: &Path) -> Result<(File, u64), WeightsError> {
    let read = || {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    };
    read().map_err(|source| WeightsError::Read {
        path: path.to_path_buf(),
        source,
    })
}

/// The finding of a check that does not know the file's path.
enum Problem {
    Zip(ZipProblem),
    Pickle(PickleProblem),
}

impl From<ZipProblem> for Problem {
    fn from(problem: ZipProblem) -> Self {
        Self::Zip(problem)
    }
}

impl From<PickleProblem> for Problem {
    fn from(problem: PickleProblem) -> Self {
        Self::Pickle(problem)
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self::Zip(error.into())
    }
}

fn check(
    path: &Path,
    look: impl FnOnce(File, u64) -> Result<(), Problem>,
) -> Result<(), WeightsError> {
    let (file, length) = open(path)?;
    let path = path.to_path_buf();
    look(file, length).map_err(|problem| match problem {
        Problem::Zip(ZipProblem::Io(source)) | Problem::Pickle(PickleProblem::Io(source)) => {
            WeightsError::Read { path, source }
        }
        Problem::Zip(ZipProblem::Damaged(reason))
        | Problem::Pickle(PickleProblem::Damaged(reason)) => WeightsError::Damaged { path, reason },
        Problem::Zip(ZipProblem::Unsupported(reason)) => WeightsError::Unsupported { path, reason },
        Problem::Zip(ZipProblem::TooLarge { what, declared }) => WeightsError::TooLarge {
            path,
            what,
            declared,
            length,
        },
        Problem::Pickle(PickleProblem::Unsafe(global)) => {
            WeightsError::UnsafePickle { path, global }
        }
        Problem::Pickle(PickleProblem::TooLarge(declared)) => WeightsError::TooLarge {
            path,
            what: "its pickle".to_string(),
            declared,
            length,
        },
    })
}

fn check_zip(mut file: File, length: u64) -> Result<(), Problem> {
    let pickle = find_pickle(&mut file, length)?;
    file.seek(SeekFrom::Start(pickle.start))?;
    let mut reader = BufReader::new(file.take(pickle.length));
    Ok(scan(&mut reader, budget(length))?)
}

fn check_legacy(file: File, length: u64) -> Result<(), Problem> {
    let mut reader = BufReader::new(file);
    for _ in 0..LEGACY_PICKLES {
        scan(&mut reader, budget(length))?;
    }
    Ok(())
}

fn check_bare_pickle(file: File, length: u64) -> Result<(), Problem> {
    Ok(scan(&mut BufReader::new(file), budget(length))?)
}

/// The table of a safetensors file is text, and takes several times its size once parsed.
fn check_safetensors(mut file: File, length: u64) -> Result<(), Problem> {
    let mut header = [0; 8];
    file.read_exact(&mut header)?;
    let header = u64::from_le_bytes(header);
    if header > length - 8 {
        return Err(ZipProblem::Damaged(format!(
            "its header has {header} bytes, the file only {}",
            length - 8
        ))
        .into());
    }
    let most = (length / 4).max(MEMORY_FLOOR / 4);
    if header > most {
        let what = "its header, most of the file,".to_string();
        return Err(ZipProblem::TooLarge {
            what,
            declared: header.saturating_mul(MEMORY_FACTOR),
        }
        .into());
    }
    Ok(())
}

fn read_pytorch(path: &Path) -> Result<BTreeMap<String, PackTensor>, WeightsError> {
    // Official names have gaps on purpose (`final.0`, `final.3`). By default burn-store would close the gaps.
    let mut store = PytorchStore::from_file(path).map_indices_contiguous(false);
    match store.get_all_tensors() {
        Ok(tensors) => Ok(tensors.clone()),
        Err(PytorchStoreError::Reader(error)) if ends_too_early(&error) => {
            Err(WeightsError::Damaged {
                path: path.to_path_buf(),
                reason: "it ends too early; copy or download it again".to_string(),
            })
        }
        Err(source) => Err(WeightsError::Pytorch {
            path: path.to_path_buf(),
            source,
        }),
    }
}

/// Whether the end of the file is among the causes of an error.
fn ends_too_early(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| {
        let io = error.downcast_ref::<std::io::Error>();
        io.is_some_and(|error| error.kind() == std::io::ErrorKind::UnexpectedEof)
    })
}

fn read_safetensors(path: &Path) -> Result<BTreeMap<String, PackTensor>, WeightsError> {
    let mut store = SafetensorsStore::from_file(path);
    match store.get_all_tensors() {
        Ok(tensors) => Ok(tensors.clone()),
        Err(source) => Err(WeightsError::Safetensors {
            path: path.to_path_buf(),
            source,
        }),
    }
}
