use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use burn::module::Module;
use burn::store::{ModuleSnapshot, ModuleStore, SafetensorsStore, SafetensorsStoreError};
use safetensors::SafeTensorError;

use super::parameters::Parameters;
use super::{CheckpointError, ShapeMismatch, TensorShape};
use crate::FileError;
use crate::files::{self, at};

const EXPECTED: &str = "a safetensors file";

/// Which tensors of a file found their place, and which did not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WeightsReport {
    /// Tensors taken from the file.
    pub loaded: Vec<String>,
    /// In the network, not in the file: they keep the values they had.
    pub missing: Vec<TensorShape>,
    /// In the file, not in the network: left out.
    pub unexpected: Vec<TensorShape>,
    /// In both, in different shapes: left out.
    pub mismatched: Vec<ShapeMismatch>,
}

impl WeightsReport {
    /// Whether every tensor of both sides found its counterpart.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.mismatched.is_empty()
    }
}

/// Writes the weights of a network, buffers of its norms included, to a `.safetensors` file.
///
/// Give it a network out of training ([`Module::valid`]): the running statistics of a batch norm lag one step behind
/// in a training one.
///
/// # Errors
///
/// Returns an error if the file cannot be written; a file that was there before stays whole.
pub fn save_weights<M: Module>(module: &M, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
    let path = path.as_ref();
    let mut store = SafetensorsStore::from_file(path).overwrite(true);
    module
        .save_into(&mut store)
        .map_err(|error| translate(path, error))?;
    files::sync_file(path)?;
    files::sync_parent(path)?;
    Ok(())
}

/// Loads the weights of a `.safetensors` file, whole or not at all.
///
/// # Errors
///
/// Returns an error that lists keys and shapes if the file is of another architecture, and a typed one for a file that
/// is empty, truncated or something else.
pub fn load_weights<M: Module>(module: M, path: impl AsRef<Path>) -> Result<M, CheckpointError> {
    let path = path.as_ref();
    let mut store = open(path)?;
    let report = compare(&module, &mut store, path)?;
    if !report.is_complete() {
        return Err(CheckpointError::Architecture {
            path: path.to_path_buf(),
            missing: report.missing,
            unexpected: report.unexpected,
            mismatched: report.mismatched,
        });
    }
    apply(module, store, path)
}

/// Loads what fits of a `.safetensors` file, and says what did not: how the second stage of a two-stage recipe starts
/// from the weights of the first.
///
/// # Errors
///
/// Returns an error if nothing fits ([`CheckpointError::Architecture`]), or for a file that is empty, truncated or
/// something else.
pub fn load_weights_partially<M: Module>(
    module: M,
    path: impl AsRef<Path>,
) -> Result<(M, WeightsReport), CheckpointError> {
    let path = path.as_ref();
    let mut store = open(path)?;
    let report = compare(&module, &mut store, path)?;
    if report.loaded.is_empty() {
        return Err(CheckpointError::Architecture {
            path: path.to_path_buf(),
            missing: report.missing,
            unexpected: report.unexpected,
            mismatched: report.mismatched,
        });
    }
    // Tensors of another shape are taken out by name: the store would count them as errors.
    let mut fitting = SafetensorsStore::from_file(path)
        .allow_partial(true)
        .validate(false);
    for name in &report.loaded {
        fitting = fitting.with_full_path(name);
    }
    let module = apply(module, fitting, path)?;
    Ok((module, report))
}

fn apply<M: Module>(
    mut module: M,
    mut store: SafetensorsStore,
    path: &Path,
) -> Result<M, CheckpointError> {
    let result = module
        .load_from(&mut store)
        .map_err(|error| translate(path, error))?;
    match result.errors.first() {
        None => Ok(module),
        Some(error) => Err(CheckpointError::Tensor {
            path: path.to_path_buf(),
            problem: error.to_string(),
        }),
    }
}

/// Looks at the first bytes, so that the common mistakes are told apart before the parser sees the file.
fn open(path: &Path) -> Result<SafetensorsStore, CheckpointError> {
    let mut file = File::open(path).map_err(at(path, "opening"))?;
    let metadata = file.metadata().map_err(at(path, "reading"))?;
    let foreign = |problem: String| CheckpointError::Foreign {
        path: path.to_path_buf(),
        expected: EXPECTED,
        problem,
    };
    if metadata.is_dir() {
        return Err(foreign("it is a folder".to_string()));
    }
    let length = metadata.len();
    if length == 0 {
        return Err(CheckpointError::Empty {
            path: path.to_path_buf(),
            expected: EXPECTED,
        });
    }
    // 8 bytes with the length of the header, then a JSON object.
    let mut start = [0; 9];
    if length < start.len() as u64 {
        return Err(foreign(format!("only {length} bytes")));
    }
    file.read_exact(&mut start).map_err(at(path, "reading"))?;
    let header = u64::from_le_bytes(start[..8].try_into().expect("8 of 9 bytes"));
    if start[8] != b'{' {
        return Err(foreign(format!("it starts with {:02x?}", &start[..4])));
    }
    if header.saturating_add(8) > length {
        return Err(CheckpointError::Truncated {
            path: path.to_path_buf(),
            expected: header.saturating_add(8),
            found: length,
        });
    }
    Ok(SafetensorsStore::from_file(path))
}

fn compare<M: Module>(
    module: &M,
    store: &mut SafetensorsStore,
    path: &Path,
) -> Result<WeightsReport, CheckpointError> {
    let mut in_file: BTreeMap<String, Vec<usize>> = store
        .get_all_tensors()
        .map_err(|error| translate(path, error))?
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.shape.to_vec()))
        .collect();
    let mut report = WeightsReport::default();
    for parameter in Parameters::of(module).list {
        let name = parameter.name;
        match in_file.remove(&name) {
            None => report.missing.push(TensorShape {
                name,
                shape: parameter.shape,
            }),
            Some(shape) if shape == parameter.shape => report.loaded.push(name),
            Some(found) => report.mismatched.push(ShapeMismatch {
                name,
                expected: parameter.shape,
                found,
            }),
        }
    }
    report.unexpected = in_file
        .into_iter()
        .map(|(name, shape)| TensorShape { name, shape })
        .collect();
    Ok(report)
}

fn translate(path: &Path, error: SafetensorsStoreError) -> CheckpointError {
    let path_buf = path.to_path_buf();
    match error {
        SafetensorsStoreError::Io(source)
        | SafetensorsStoreError::Safetensors(SafeTensorError::IoError(source)) => {
            FileError::new(path, "writing or reading weights", source).into()
        }
        SafetensorsStoreError::Safetensors(SafeTensorError::MetadataIncompleteBuffer) => {
            CheckpointError::Truncated {
                path: path_buf,
                expected: declared_length(path).unwrap_or_default(),
                found: std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            }
        }
        SafetensorsStoreError::Safetensors(error) => CheckpointError::Foreign {
            path: path_buf,
            expected: EXPECTED,
            problem: error.to_string(),
        },
        other => CheckpointError::Tensor {
            path: path_buf,
            problem: other.to_string(),
        },
    }
}

/// The length that the header of a safetensors file promises.
fn declared_length(path: &Path) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let header_length = u64::from_le_bytes(length);
    let mut header = vec![0; usize::try_from(header_length).ok()?];
    file.read_exact(&mut header).ok()?;
    let header: serde_json::Value = serde_json::from_slice(&header).ok()?;
    let data = header
        .as_object()?
        .values()
        .filter_map(|entry| entry["data_offsets"][1].as_u64())
        .max()?;
    Some(8 + header_length + data)
}
