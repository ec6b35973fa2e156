use std::io::{self, Write};
use std::path::Path;

use decoupled_seg_types::write_atomic;

use crate::OnnxError;
use crate::proto::Model;

/// A network in ONNX, ready to be written. Made by [`OnnxExport`](crate::OnnxExport).
#[derive(Debug, Clone)]
pub struct OnnxFile {
    model: Model,
}

impl OnnxFile {
    /// A protobuf message, and every length in it, is below this.
    const LIMIT: usize = i32::MAX as usize;

    pub(crate) fn new(model: Model) -> Result<Self, OnnxError> {
        let bytes = model.len();
        if bytes > Self::LIMIT {
            return Err(OnnxError::TooLarge {
                bytes,
                limit: Self::LIMIT,
            });
        }
        Ok(Self { model })
    }

    /// Length of the file, in bytes.
    #[allow(clippy::len_without_is_empty)] // no file is empty
    pub fn len(&self) -> usize {
        self.model.len()
    }

    /// The names of the outputs, in their order: `labels` and `logits`, and what the network shows of its inside.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        let outputs = self.model.graph.outputs.iter();
        outputs.map(|output| output.name.as_str())
    }

    /// The operations that the file uses, by ONNX's names, each once and sorted.
    pub fn operations(&self) -> Vec<&'static str> {
        let mut operations: Vec<_> = self.model.graph.nodes.iter().map(|node| node.op).collect();
        operations.sort_unstable();
        operations.dedup();
        operations
    }

    /// The content of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        self.write(&mut bytes).expect("a vector takes every byte");
        bytes
    }

    /// Writes the content of the file.
    ///
    /// # Errors
    ///
    /// Whatever `out` fails with.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.model.write(out)
    }

    /// Writes the file. One that was there before is replaced when all of the new one is on the disk.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), OnnxError> {
        let path = path.as_ref();
        write_atomic(path, |out| self.write(out)).map_err(|source| OnnxError::Write {
            path: path.to_path_buf(),
            source,
        })
    }
}
