use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{ModuleStore, PytorchStore, SafetensorsStore, bridge};
use burn::tensor::{DType, TensorData};

use super::format::{Guess, guess, unknown};
use super::pickle_scan::{PickleProblem, scan};
use super::zip_directory::{ZipProblem, find_pickle};
use super::{Format, WeightsError};

/// A file of weights, opened and checked, its tensors not yet read.
///
/// Opens `.pth` files of PyTorch (zip since 1.6, legacy before) and `.safetensors`, told apart by their content. Names
/// come without the wrappers that training leaves around them: `state_dict` (or `model`, `model_state_dict`) around
/// the tensors, and `module.` in front of each.
///
/// A pickle is never executed. Before burn-store reads one, its opcodes are walked through: it may name only what
/// state dicts are made of, and neither it nor the archive around it may declare more than four times the file's size
/// (4 MiB for small files). See the crate's `docs/weights.md`.
///
/// # Example
///
/// ```
/// use decoupled_seg::weights::{Checkpoint, Format};
///
/// let checkpoint = Checkpoint::open("tests/fixtures/interop_checkpoint.pth")?;
/// assert_eq!(checkpoint.format(), Format::PytorchZip);
/// let entry = checkpoint.entry("bot_fine.weight").expect("an official name");
/// assert_eq!(entry.shape, [8, 12, 1, 1]);
/// # Ok::<(), decoupled_seg::weights::WeightsError>(())
/// ```
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    format: Format,
    tensors: BTreeMap<String, PackTensor>,
}

/// What a [`Checkpoint`] says about one of its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Name, without wrappers.
    pub key: String,
    /// Shape; empty for a single number.
    pub shape: Vec<usize>,
    /// Type of the numbers.
    pub dtype: DType,
}

/// Keys under which training scripts keep the state dict.
const WRAPPERS: [&str; 3] = ["state_dict", "model_state_dict", "model"];
/// What `DataParallel` puts in front of every name.
const PARALLEL_PREFIX: &str = "module.";
/// What a file may take in memory, in multiples of its size.
const MEMORY_FACTOR: u64 = 4;
/// The same for small files, in bytes: the tables of a hundred tensors weigh more than a hundred small tensors.
const MEMORY_FLOOR: u64 = 4 << 20;
/// Pickles of a legacy file: magic number, protocol, system, object, order of the storages.
const LEGACY_PICKLES: usize = 5;

impl Checkpoint {
    /// Opens a file and reads the table of its tensors.
    ///
    /// # Errors
    ///
    /// Any [`WeightsError`] but a mismatch: the file is missing, no checkpoint, damaged, too large for its size, or
    /// asks Python for something that tensors do not need.
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
        let checkpoint = Self {
            path: path.to_path_buf(),
            format,
            tensors: unwrap_names(path, tensors)?,
        };
        checkpoint.check_sizes()?;
        Ok(checkpoint)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the file is laid out.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What is in there, sorted by name.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.tensors.iter().map(|(key, tensor)| entry(key, tensor))
    }

    /// One tensor's description, if the file has it.
    pub fn entry(&self, key: &str) -> Option<Entry> {
        self.tensors.get(key).map(|tensor| entry(key, tensor))
    }

    /// Reads one tensor; `None` if the file has none of that name.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Damaged`] if its bytes are not there or fail their checksum.
    pub fn read(&self, key: &str) -> Result<Option<TensorData>, WeightsError> {
        let Some(tensor) = self.tensors.get(key) else {
            return Ok(None);
        };
        match bridge::to_data(tensor) {
            Ok(data) => Ok(Some(data)),
            Err(error) => Err(WeightsError::Damaged {
                path: self.path.clone(),
                reason: error.to_string(),
            }),
        }
    }

    pub(super) fn tensor(&self, key: &str) -> Option<&PackTensor> {
        self.tensors.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor may be a view that repeats a few bytes without end.
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

fn entry(key: &str, tensor: &PackTensor) -> Entry {
    Entry {
        key: key.to_string(),
        shape: tensor.shape.to_vec(),
        dtype: tensor.dtype,
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

/// What a check finds, before it is known which file it is about.
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
    // Official names have gaps on purpose (`final.0`, `final.3`); burn-store would close them.
    let mut store = PytorchStore::from_file(path).map_indices_contiguous(false);
    match store.get_all_tensors() {
        Ok(tensors) => Ok(tensors.clone()),
        Err(source) => Err(WeightsError::Pytorch {
            path: path.to_path_buf(),
            source,
        }),
    }
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

/// Takes the state dict out of its wrapper, and the `module.` from its names.
fn unwrap_names(
    path: &Path,
    tensors: BTreeMap<String, PackTensor>,
) -> Result<BTreeMap<String, PackTensor>, WeightsError> {
    let wrapper = WRAPPERS.iter().find(|wrapper| {
        let wraps = |key: &String| inside(key, wrapper).is_some();
        // `model` may be a part of a network too: then there is more beside it than an optimizer.
        let only_optimizer = |key: &String| wraps(key) || key.starts_with("optim");
        tensors.keys().any(wraps) && (**wrapper != "model" || tensors.keys().all(only_optimizer))
    });

    let mut plain = BTreeMap::new();
    for (key, tensor) in tensors {
        let key = match wrapper {
            Some(wrapper) => match inside(&key, wrapper) {
                Some(inner) => inner,
                None => continue,
            },
            None => key.as_str(),
        };
        let key = key.strip_prefix(PARALLEL_PREFIX).unwrap_or(key);
        if plain.insert(key.to_string(), tensor).is_some() {
            return Err(WeightsError::Damaged {
                path: path.to_path_buf(),
                reason: format!("it has `{key}` twice, with and without `{PARALLEL_PREFIX}`"),
            });
        }
    }
    Ok(plain)
}

fn inside<'a>(key: &'a str, wrapper: &str) -> Option<&'a str> {
    key.strip_prefix(wrapper)?.strip_prefix('.')
}
