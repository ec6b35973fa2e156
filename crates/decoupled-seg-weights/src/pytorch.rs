//! Files of PyTorch.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{ModuleStore, PytorchStore, PytorchStoreError};

use crate::limits::budget;
use crate::own_containers::{Copy, Patch};
use crate::pickle_scan::{Counted, PickleProblem, scan};
use crate::zip_directory::{ZipProblem, find_pickle};
use crate::{Format, WeightsError};

/// Pickles of a legacy file: magic number, protocol, system, object, order of the storages.
const LEGACY_PICKLES: usize = 5;

/// The tensors of a file, which is looked through before burn-store reads it.
pub(crate) fn read(
    path: &Path,
    format: Format,
) -> Result<BTreeMap<String, PackTensor>, WeightsError> {
    let patches = match format {
        Format::PytorchZip => check(path, check_zip)?,
        _ => check(path, check_legacy)?,
    };
    if patches.is_empty() {
        return read_tensors(path, path);
    }
    // burn-store keeps the copy open.
    read_tensors(path, Copy::patched(path, &patches)?.path())
}

/// Looks through a pickle that has no container around it.
pub(crate) fn check_bare(path: &Path) -> Result<(), WeightsError> {
    check(path, check_bare_pickle)
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

fn check<T>(
    path: &Path,
    look: impl FnOnce(File, u64) -> Result<T, Problem>,
) -> Result<T, WeightsError> {
    let open = || {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    };
    let path = path.to_path_buf();
    let (file, length) = match open() {
        Ok(opened) => opened,
        Err(source) => return Err(WeightsError::Read { path, source }),
    };
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
            what: "its pickle, which may hold a long log (save the weights alone),".to_string(),
            declared,
            length,
        },
    })
}

fn check_zip(mut file: File, length: u64) -> Result<Vec<Patch>, Problem> {
    let pickle = find_pickle(&mut file, length)?;
    file.seek(SeekFrom::Start(pickle.start))?;
    let reader = BufReader::new((&file).take(pickle.length));
    let mut patches = scan(&mut Counted::new(reader, pickle.start), budget(length))?;
    if !patches.is_empty() {
        // burn-store would compare the checksum with the bytes that take the place of these.
        file.seek(SeekFrom::Start(pickle.start))?;
        let mut bytes = Vec::new();
        file.take(pickle.length).read_to_end(&mut bytes)?;
        if pickle.checksum != 0 && pickle.checksum != crc32fast::hash(&bytes) {
            let reason = "the checksum of its pickle is another one".to_string();
            return Err(ZipProblem::Damaged(reason).into());
        }
        patches.push(Patch {
            at: pickle.checksum_at,
            bytes: vec![0; 4],
        });
    }
    Ok(patches)
}

fn check_legacy(file: File, length: u64) -> Result<Vec<Patch>, Problem> {
    let mut reader = Counted::new(BufReader::new(file), 0);
    let mut patches = Vec::new();
    for _ in 0..LEGACY_PICKLES {
        patches.extend(scan(&mut reader, budget(length))?);
    }
    Ok(patches)
}

fn check_bare_pickle(file: File, length: u64) -> Result<(), Problem> {
    scan(&mut Counted::new(BufReader::new(file), 0), budget(length))?;
    Ok(())
}

/// The tensors of a file that is read in place of the one at `path`.
fn read_tensors(path: &Path, read: &Path) -> Result<BTreeMap<String, PackTensor>, WeightsError> {
    // Official names have gaps on purpose (`final.0`, `final.3`). By default burn-store would close the gaps.
    let mut store = PytorchStore::from_file(read).map_indices_contiguous(false);
    match store.get_all_tensors() {
        Ok(tensors) => Ok(tensors.clone()),
        // Legacy files tell their own length in a message alone.
        Err(PytorchStoreError::Reader(error))
            if ends_too_early(&error)
                || error.to_string().contains("beyond the end of the file") =>
        {
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
