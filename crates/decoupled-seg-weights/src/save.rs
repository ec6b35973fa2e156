use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::path::Path;

use burn::module::Module;
use burn::store::{ModuleSnapshot, bridge};
use burn::tensor::{DType, TensorData};
use decoupled_seg_nn::KeyMap;
use decoupled_seg_types::write_atomic;
use safetensors::{Dtype, View};

use crate::load::SKIP_ENUM_VARIANTS;
use crate::{WeightsError, WeightsFile};

/// A tensor that PyTorch's code has and ours lacks, with its value in an exported file.
#[derive(Debug, Clone, PartialEq)]
pub struct Placeholder {
    /// Its official name.
    pub key: String,
    /// Its value.
    pub data: TensorData,
}

impl Placeholder {
    /// The counter of a PyTorch batch norm, at 0. Burn's batch norm has no counter.
    pub fn num_batches_tracked(key: &str) -> Self {
        Self {
            key: key.to_string(),
            data: TensorData::new(vec![0_i64], Vec::<usize>::new()),
        }
    }
}

/// Writes the tensors of `module` to a `.safetensors` file, under their official names.
///
/// The file is written under a temporary name and renamed once it is complete. An existing file is replaced.
///
/// # Errors
///
/// [`WeightsError::Write`]; an existing file is then still whole.
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
        let data = bridge::into_data(tensor).map_err(|source| WeightsError::Tensor {
            path: path.to_path_buf(),
            key: key.clone(),
            source,
        })?;
        tensors.push((key, data));
    }
    tensors.extend(
        placeholders
            .iter()
            .map(|placeholder| (placeholder.key.clone(), placeholder.data.clone())),
    );
    write(tensors, path)
}

/// Writes every tensor of a file to a `.safetensors` file, under the names that [`WeightsFile`] gives them.
///
/// # Errors
///
/// [`WeightsError::Tensor`] if a tensor cannot be read, [`WeightsError::Write`].
pub fn convert(from: &WeightsFile, path: impl AsRef<Path>) -> Result<(), WeightsError> {
    let mut tensors = Vec::new();
    for entry in from.entries() {
        let data = from.read(&entry.key)?.expect("the key is the file's own");
        tensors.push((entry.key, data));
    }
    write(tensors, path.as_ref())
}

fn write(tensors: Vec<(String, TensorData)>, path: &Path) -> Result<(), WeightsError> {
    if path
        .extension()
        .is_none_or(|ending| ending != "safetensors")
    {
        return Err(WeightsError::Ending {
            path: path.to_path_buf(),
        });
    }
    let mut views = Vec::with_capacity(tensors.len());
    for (key, data) in tensors {
        let Some(dtype) = dtype(data.dtype()) else {
            return Err(WeightsError::Unwritable {
                path: path.to_path_buf(),
                key,
                dtype: data.dtype(),
            });
        };
        views.push((key, Stored { dtype, data }));
    }
    // The `safetensors` Python package looks for this entry. There is one entry only: several would be written in the
    // random order of a hash map, and equal weights would give different files.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    write_atomic(path, |file| {
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(io::Error::other)?;
        file.write_all(&bytes)
    })
    .map_err(|source| WeightsError::Write {
        path: path.to_path_buf(),
        source,
    })
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
