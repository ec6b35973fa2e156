use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::tolerance::{Table, Tolerance};

/// One group of golden tensors: `<group>.safetensors` with its options in `<group>.json`.
#[derive(Debug)]
pub struct Group {
    path: PathBuf,
    bytes: Vec<u8>,
    json: Value,
    tolerances: Table,
}

impl Group {
    /// Opens a group of the set in `folder`; `None` if its JSON file is not there.
    ///
    /// # Panics
    ///
    /// Panics if a file of the group cannot be read or parsed.
    pub fn open(folder: &Path, name: &str) -> Option<Self> {
        let json_path = folder.join(format!("{name}.json"));
        if !json_path.exists() {
            return None;
        }
        let text = std::fs::read_to_string(&json_path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", json_path.display()));
        let json = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("cannot parse {}: {error}", json_path.display()));
        let path = folder.join(format!("{name}.safetensors"));
        // Some groups (schedules) are numbers in the JSON file only.
        let bytes = if path.exists() {
            std::fs::read(&path)
                .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
        } else {
            Vec::new()
        };
        Some(Self {
            path,
            bytes,
            json,
            tolerances: Table::read(folder, name),
        })
    }

    /// The JSON file of the group.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// The records under `cases`.
    ///
    /// # Panics
    ///
    /// Panics if there are none.
    pub fn cases(&self) -> &[Value] {
        let cases = self.json["cases"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        assert!(!cases.is_empty(), "{}: no cases", self.path.display());
        cases
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes)
            .unwrap_or_else(|error| panic!("cannot parse {}: {error}", self.path.display()))
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> Vec<String> {
        if self.bytes.is_empty() {
            return Vec::new();
        }
        let mut names: Vec<String> = self
            .tensors()
            .names()
            .into_iter()
            .map(str::to_string)
            .collect();
        names.sort();
        names
    }

    /// Whether the group holds a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        !self.bytes.is_empty() && self.tensors().tensor(name).is_ok()
    }

    /// The shape of a tensor.
    ///
    /// # Panics
    ///
    /// Panics if there is no such tensor; so do all readers below.
    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.with(name, |view| view.shape().to_vec())
    }

    fn with<T>(&self, name: &str, read: impl Fn(safetensors::tensor::TensorView<'_>) -> T) -> T {
        let tensors = self.tensors();
        let view = tensors
            .tensor(name)
            .unwrap_or_else(|error| panic!("{}: `{name}`: {error}", self.path.display()));
        read(view)
    }

    /// The values of a tensor of any number type, as `f64`.
    pub fn f64(&self, name: &str) -> Vec<f64> {
        self.with(name, |view| {
            let data = view.data();
            match view.dtype() {
                Dtype::F32 => chunks(data)
                    .map(|bytes| f64::from(f32::from_le_bytes(bytes)))
                    .collect(),
                Dtype::F64 => chunks(data).map(f64::from_le_bytes).collect(),
                Dtype::I64 => chunks(data)
                    .map(|bytes| i64::from_le_bytes(bytes) as f64)
                    .collect(),
                Dtype::I32 => chunks(data)
                    .map(|bytes| f64::from(i32::from_le_bytes(bytes)))
                    .collect(),
                Dtype::U8 | Dtype::BOOL => data.iter().map(|&byte| f64::from(byte)).collect(),
                other => panic!("`{name}`: no reader for {other:?}"),
            }
        })
    }

    /// The values of a tensor of any number type, as `f32`.
    pub fn f32(&self, name: &str) -> Vec<f32> {
        self.f64(name)
            .into_iter()
            .map(|value| value as f32)
            .collect()
    }

    /// The values of an integer tensor, as `i64`.
    pub fn i64(&self, name: &str) -> Vec<i64> {
        self.f64(name)
            .into_iter()
            .map(|value| value as i64)
            .collect()
    }

    /// The values of an integer tensor that fit in a byte.
    ///
    /// # Panics
    ///
    /// Panics if a value does not fit.
    pub fn u8(&self, name: &str) -> Vec<u8> {
        let byte = |value: i64| {
            u8::try_from(value).unwrap_or_else(|_| panic!("`{name}`: {value} is no u8"))
        };
        self.i64(name).into_iter().map(byte).collect()
    }

    /// The tolerance that `TENSORS.tsv` gives a tensor.
    ///
    /// # Panics
    ///
    /// Panics if the table knows neither the name nor one that ends like it.
    pub fn tolerance(&self, name: &str) -> Tolerance {
        self.tolerances
            .of(name)
            .unwrap_or_else(|| panic!("{}: no tolerance for `{name}`", self.path.display()))
    }

    /// Asserts that `actual` equals the golden tensor within its tolerance; returns the largest difference as a
    /// share of what is allowed (0 for exact ones).
    ///
    /// # Panics
    ///
    /// Panics with name, place and figures if not.
    pub fn assert_close(&self, name: &str, actual: &[f32]) -> f64 {
        self.assert_close_where(name, actual, |_| true)
    }

    /// As [`assert_close`](Self::assert_close), over the elements that `keep` selects by flat index.
    ///
    /// # Panics
    ///
    /// Panics with name, place and figures if an element is further away than allowed.
    pub fn assert_close_where(
        &self,
        name: &str,
        actual: &[f32],
        keep: impl Fn(usize) -> bool,
    ) -> f64 {
        let golden = self.f64(name);
        assert_eq!(actual.len(), golden.len(), "`{name}`: number of elements");
        let kept = || {
            golden
                .iter()
                .zip(actual)
                .enumerate()
                .filter(|(index, _)| keep(*index))
        };
        let golden_max = kept().fold(0.0_f64, |max, (_, (golden, _))| max.max(golden.abs()));
        let tolerance = self.tolerance(name);
        let allowed = tolerance.allowance(golden_max);
        let mut worst = 0.0_f64;
        for (index, (&golden, &actual)) in kept() {
            let difference = (f64::from(actual) - golden).abs();
            // Written so that NaN fails.
            let close = difference <= allowed;
            assert!(
                close,
                "`{name}`[{index}]: {actual} but golden {golden}; difference {difference:.3e}, allowed {allowed:.3e} ({tolerance:?}, largest golden {golden_max:.3e})",
            );
            worst = worst.max(difference);
        }
        if allowed > 0.0 { worst / allowed } else { 0.0 }
    }
}

fn chunks<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    data.chunks_exact(N)
        .map(|chunk| chunk.try_into().expect("chunks_exact gives N bytes"))
}

#[cfg(feature = "burn")]
mod tensors {
    use burn::tensor::{Device, Int, Tensor, TensorData};

    use super::Group;

    impl Group {
        /// The tensor as `f32` on `device`.
        ///
        /// # Panics
        ///
        /// Panics if there is no such tensor or its rank is not `D`.
        pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
            Tensor::from_data(
                TensorData::new(self.f32(name), self.shape_of::<D>(name)),
                device,
            )
        }

        /// The integer tensor on `device`.
        ///
        /// # Panics
        ///
        /// Panics if there is no such tensor or its rank is not `D`.
        pub fn int_tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D, Int> {
            let values: Vec<i32> = self
                .i64(name)
                .into_iter()
                .map(|value| value as i32)
                .collect();
            Tensor::from_data(TensorData::new(values, self.shape_of::<D>(name)), device)
        }

        /// Asserts that a tensor equals the golden one within its tolerance, shape included.
        ///
        /// # Panics
        ///
        /// Panics with name, place and figures if not.
        pub fn assert_tensor<const D: usize>(&self, name: &str, actual: Tensor<D>) -> f64 {
            assert_eq!(actual.dims().to_vec(), self.shape(name), "`{name}`: shape");
            let values: Vec<f32> = actual
                .into_data()
                .convert::<f32>()
                .try_into_vec()
                .expect("converted to f32");
            self.assert_close(name, &values)
        }

        fn shape_of<const D: usize>(&self, name: &str) -> [usize; D] {
            let shape = self.shape(name);
            shape
                .clone()
                .try_into()
                .unwrap_or_else(|_| panic!("`{name}`: shape {shape:?}, expected rank {D}"))
        }
    }
}
