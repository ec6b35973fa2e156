use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use burn::module::Module;
use burn::store::ModuleSnapshot;
use burn::store::burn_pack::AtomicFile;
use burn::tensor::{DType, TensorData};
use decoupled_seg_nn::KeyMap;
use safetensors::{Dtype, View};

use super::load::SKIP_ENUM_VARIANTS;
use super::{Checkpoint, WeightsError};

/// A tensor that PyTorch's code has and ours does not, with the value that it gets in an exported file.
#[derive(Debug, Clone, PartialEq)]
pub struct Placeholder {
    /// Its official name.
    pub key: String,
    /// Its value.
    pub data: TensorData,
}

impl Placeholder {
    /// The counter of a PyTorch batch norm, at 0: Burn's has none.
    pub fn num_batches_tracked(key: &str) -> Self {
        Self {
            key: key.to_string(),
            data: TensorData::new(vec![0_i64], Vec::<usize>::new()),
        }
    }
}

/// Writes the tensors of `module` to a `.safetensors` file, under their official names.
///
/// The file is written beside its place and renamed once it is complete. An existing file is replaced.
///
/// # Errors
///
/// [`WeightsError::Write`].
pub fn save<M: Module>(
    module: &M,
    keys: &KeyMap,
    placeholders: &[Placeholder],
    path: impl AsRef<Path>,
) -> Result<(), WeightsError> {
    let path = path.as_ref();
    let mut tensors = Vec::new();
    for tensor in module.collect(None, None, SKIP_ENUM_VARIANTS) {
        let key = keys.official_of(&tensor.name).unwrap_or(&tensor.name);
        let key = key.to_string();
        let bytes = tensor.to_bytes().map_err(|error| cannot(path, error))?;
        let data = TensorData::try_from_bytes(bytes, tensor.shape, tensor.dtype)
            .map_err(|error| cannot(path, error))?;
        tensors.push((key, data));
    }
    tensors.extend(
        placeholders
            .iter()
            .map(|placeholder| (placeholder.key.clone(), placeholder.data.clone())),
    );
    write(tensors, path)
}

/// Writes every tensor of a checkpoint to a `.safetensors` file, under the names that [`Checkpoint`] gives them.
///
/// # Errors
///
/// [`WeightsError::Damaged`] if a tensor cannot be read, [`WeightsError::Write`].
pub fn convert(checkpoint: &Checkpoint, path: impl AsRef<Path>) -> Result<(), WeightsError> {
    let mut tensors = Vec::new();
    for key in checkpoint.keys() {
        let data = checkpoint
            .read(key)?
            .expect("the key is the checkpoint's own");
        tensors.push((key.to_string(), data));
    }
    write(tensors, path.as_ref())
}

fn write(tensors: Vec<(String, TensorData)>, path: &Path) -> Result<(), WeightsError> {
    let mut views = Vec::with_capacity(tensors.len());
    for (key, data) in tensors {
        let Some(dtype) = dtype(data.dtype()) else {
            let reason = format!("safetensors has no {:?}, the type of `{key}`", data.dtype());
            return Err(cannot(path, reason));
        };
        views.push((key, Stored { dtype, data }));
    }
    // What the `safetensors` Python package looks for. One entry only: several would stand in the order of a hash map,
    // another one each time, and the same weights would not give the same file.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);

    let (scratch, reserved) = AtomicFile::create(path).map_err(|error| cannot(path, error))?;
    let permissions = reserved
        .metadata()
        .map_err(|error| cannot(path, error))?
        .permissions();
    // The writer opens the name itself, and puts a file there that only its owner may read.
    drop(reserved);
    safetensors::serialize_to_file(views, Some(metadata), scratch.path())
        .map_err(|error| cannot(path, error))?;
    fs::set_permissions(scratch.path(), permissions).map_err(|error| cannot(path, error))?;
    scratch.commit().map_err(|error| cannot(path, error))
}

fn cannot(path: &Path, reason: impl ToString) -> WeightsError {
    WeightsError::Write {
        path: path.to_path_buf(),
        reason: reason.to_string(),
    }
}

struct Stored {
    dtype: Dtype,
    data: TensorData,
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.data.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.data.bytes())
    }

    fn data_len(&self) -> usize {
        self.data.bytes().len()
    }
}

fn dtype(dtype: DType) -> Option<Dtype> {
    Some(match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 | DType::Flex32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::I16 => Dtype::I16,
        DType::I8 => Dtype::I8,
        DType::U64 => Dtype::U64,
        DType::U32 => Dtype::U32,
        DType::U16 => Dtype::U16,
        DType::U8 => Dtype::U8,
        DType::Bool(_) => Dtype::BOOL,
        DType::QFloat(_) => return None,
    })
}
