use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use burn::module::Module;
use burn::store::{ModuleSnapshot, bridge};
use burn::tensor::{DType, FloatDType, TensorData};
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
    save_with(module, keys, placeholders, path, &SaveOptions::default())
}

/// How [`save_with`] writes a module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SaveOptions {
    dtype: Option<FloatDType>,
    metadata: BTreeMap<String, String>,
}

impl SaveOptions {
    /// Sets the type of all floating-point numbers; without it, tensors keep the type that they have in the module.
    #[must_use]
    pub fn with_dtype(mut self, dtype: FloatDType) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// Adds a text beside the tensors, for [`WeightsFile::metadata`].
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, text: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), text.into());
        self
    }
}

/// As [`save`], with the type of the numbers or texts beside the tensors.
///
/// # Errors
///
/// [`WeightsError::Write`], or [`WeightsError::OutOfRange`] if a value is too large for the type; an existing file is then
/// still whole.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::{Device, FloatDType};
/// use decoupled_seg_nn::KeyMap;
/// use decoupled_seg_weights::{SaveOptions, WeightsFile, save_with};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("half.safetensors");
/// let module = LinearConfig::new(3, 2).init(&Device::default());
/// let options = SaveOptions::default()
///     .with_dtype(FloatDType::F16)
///     .with_metadata("about", "two out of three");
/// save_with(&module, &KeyMap::new(), &[], &path, &options)?;
///
/// let file = WeightsFile::open(&path)?;
/// assert_eq!(file.metadata("about"), Some("two out of three"));
/// # Ok::<(), decoupled_seg_weights::WeightsError>(())
/// ```
pub fn save_with<M: Module>(
    module: &M,
    keys: &KeyMap,
    placeholders: &[Placeholder],
    path: impl AsRef<Path>,
    options: &SaveOptions,
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
    if let Some(dtype) = options.dtype {
        for (key, data) in &mut tensors {
            convert_float(data, dtype.into()).ok_or_else(|| WeightsError::OutOfRange {
                path: path.to_path_buf(),
                key: key.clone(),
                dtype: dtype.into(),
            })?;
        }
    }
    write(tensors, &options.metadata, path)
}

/// Converts floating-point numbers; `None` if a finite one is out of reach of the type.
fn convert_float(data: &mut TensorData, dtype: DType) -> Option<()> {
    if !data.dtype().is_float() {
        return Some(());
    }
    let finite = |data: &TensorData| data.iter::<f32>().filter(|value| value.is_finite()).count();
    let before = finite(data);
    *data = std::mem::replace(data, TensorData::new(Vec::<f32>::new(), [0])).convert_dtype(dtype);
    (finite(data) == before).then_some(())
}

/// Writes every tensor of a file to a `.safetensors` file, under the names that [`WeightsFile`] gives them, and the texts
/// beside them.
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
    write(tensors, from.texts(), path.as_ref())
}

fn write(
    tensors: Vec<(String, TensorData)>,
    metadata: &BTreeMap<String, String>,
    path: &Path,
) -> Result<(), WeightsError> {
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
    write_atomic(path, |file| {
        let bytes = safetensors::serialize(views, None).map_err(io::Error::other)?;
        let (header, tensors) = with_metadata(&bytes, metadata);
        file.write_all(&header)?;
        file.write_all(tensors)
    })
    .map_err(|source| WeightsError::Write {
        path: path.to_path_buf(),
        source,
    })
}

/// The header of a file with texts in it, and the rest of the file. `safetensors::serialize` would write the texts in the
/// random order of a hash map, and equal weights would give different files.
fn with_metadata<'a>(bytes: &'a [u8], metadata: &BTreeMap<String, String>) -> (Vec<u8>, &'a [u8]) {
    let (length, rest) = bytes.split_first_chunk().expect("a header's length");
    let length = u64::from_le_bytes(*length) as usize;
    let (table, tensors) = rest.split_at(length);
    let table = table
        .trim_ascii_end()
        .strip_prefix(b"{")
        .expect("an object");
    let texts = metadata
        .iter()
        .map(|(key, text)| (key.as_str(), text.as_str()));
    // The `safetensors` Python package looks for the format.
    let texts: BTreeMap<&str, &str> = texts.chain([("format", "pt")]).collect();
    let texts = serde_json::to_string(&texts).expect("texts are JSON");
    let mut header = format!("{{\"__metadata__\":{texts}").into_bytes();
    if table != b"}" {
        header.push(b',');
    }
    header.extend_from_slice(table);
    // Tensors begin at multiples of 8 bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut whole = (header.len() as u64).to_le_bytes().to_vec();
    whole.append(&mut header);
    (whole, tensors)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{Device, Tensor};

    use super::*;
    use crate::{LoadPolicy, load};

    fn linear(scale: f32) -> Linear {
        let mut linear = LinearConfig::new(3, 2).init(&Device::default());
        linear.weight = linear
            .weight
            .map(|weight| Tensor::ones_like(&weight) * scale);
        linear
    }

    #[test]
    fn half_precision_is_half_as_long_and_loads() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("half.safetensors");
        let options = SaveOptions::default().with_dtype(FloatDType::F16);
        save_with(&linear(0.1), &KeyMap::new(), &[], &path, &options).expect("writable");

        let file = WeightsFile::open(&path).expect("just written");
        assert_eq!(file.entry("weight").expect("saved").dtype, DType::F16);
        let mut loaded = linear(0.0);
        load(&mut loaded, &KeyMap::new(), &file, LoadPolicy::Whole).expect("the same module");
        let weight = loaded.weight.val().into_data();
        assert_eq!(weight.dtype(), DType::F32);
        // Ten bits behind the point.
        assert!(weight.iter::<f32>().all(|value| (value - 0.1).abs() < 1e-4));
    }

    #[test]
    fn what_is_out_of_reach_is_named_and_nothing_is_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("half.safetensors");
        let options = SaveOptions::default().with_dtype(FloatDType::F16);
        let error = save_with(&linear(1e6), &KeyMap::new(), &[], &path, &options);
        let error = error.expect_err("65504 is the largest");
        assert!(
            matches!(&error, WeightsError::OutOfRange { key, .. } if key == "weight"),
            "{error}"
        );
        assert!(!path.exists());
    }

    #[test]
    fn texts_stand_beside_the_tensors_in_one_order() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let options = |turned: bool| {
            let mut texts = [("about", "a \"quoted\" text"), ("more", "ä\n"), ("z", "")];
            if turned {
                texts.reverse();
            }
            let add = |options: SaveOptions, (key, text)| options.with_metadata(key, text);
            texts.into_iter().fold(SaveOptions::default(), add)
        };
        let module = linear(1.0);
        let write = |name, turned| {
            let path = path(name);
            save_with(&module, &KeyMap::new(), &[], &path, &options(turned)).expect("writable");
            fs::read(path).expect("just written")
        };
        assert!(write("a.safetensors", false) == write("b.safetensors", true));

        let file = WeightsFile::open(path("a.safetensors")).expect("just written");
        assert_eq!(file.metadata("about"), Some("a \"quoted\" text"));
        assert_eq!(file.metadata("more"), Some("ä\n"));
        assert_eq!(file.metadata("missing"), None);
        convert(&file, path("c.safetensors")).expect("writable");
        let bytes = fs::read(path("c.safetensors")).expect("just written");
        let parsed = safetensors::SafeTensors::read_metadata(&bytes).expect("a valid file");
        let texts = parsed.1.metadata().clone().expect("texts");
        assert_eq!(
            (texts["format"].as_str(), texts["more"].as_str()),
            ("pt", "ä\n")
        );
        let copy = WeightsFile::from_bytes("c.safetensors", bytes).expect("just written");
        assert_eq!(copy.metadata("z"), Some(""));
        assert!(copy.entries().eq(file.entries()));
    }
}
