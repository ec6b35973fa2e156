//! Files of safetensors.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::path::Path;

use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{ModuleStore, SafetensorsStore, SafetensorsStoreError};
use safetensors::SafeTensorError::MetadataIncompleteBuffer;
use serde::Deserialize;

use crate::WeightsError;
use crate::limits::{MEMORY_FACTOR, MEMORY_FLOOR};

/// The part of a header that is not the table of the tensors.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: BTreeMap<String, String>,
}

/// Checks what the header of a file of `length` bytes declares, and returns the texts in it. The table of a file is text,
/// and takes several times its size once parsed.
pub(crate) fn check(
    path: &Path,
    mut file: impl Read,
    length: u64,
) -> Result<BTreeMap<String, String>, WeightsError> {
    let header = header_length(path, &mut file)?;
    if header > length - 8 {
        return Err(WeightsError::Damaged {
            path: path.to_path_buf(),
            reason: format!(
                "its header has {header} bytes, the file only {}",
                length - 8
            ),
        });
    }
    let most = (length / 4).max(MEMORY_FLOOR / 4);
    if header > most {
        return Err(WeightsError::TooLarge {
            path: path.to_path_buf(),
            what: "its header, most of the file,".to_string(),
            declared: header.saturating_mul(MEMORY_FACTOR),
            length,
        });
    }
    // A header that is no JSON is for burn-store to name.
    let header: Option<Header> = serde_json::from_reader(BufReader::new(file.take(header))).ok();
    Ok(header.map_or_else(BTreeMap::new, |header| header.metadata))
}

fn header_length(path: &Path, file: &mut impl Read) -> Result<u64, WeightsError> {
    let mut header = [0; 8];
    let path = path.to_path_buf();
    match file.read_exact(&mut header) {
        Ok(()) => Ok(u64::from_le_bytes(header)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(WeightsError::Damaged {
            path,
            reason: "it ends too early".to_string(),
        }),
        Err(source) => Err(WeightsError::Read { path, source }),
    }
}

/// The tensors of a file on disk, or of one in memory; `path` names it in errors.
pub(crate) fn read(
    path: &Path,
    bytes: Option<Vec<u8>>,
) -> Result<BTreeMap<String, PackTensor>, WeightsError> {
    let mut store = match bytes {
        Some(bytes) => SafetensorsStore::from_bytes(Some(bytes)),
        None => SafetensorsStore::from_file(path),
    };
    match store.get_all_tensors() {
        Ok(tensors) => Ok(tensors.clone()),
        Err(SafetensorsStoreError::Safetensors(MetadataIncompleteBuffer)) => Err(WeightsError::Damaged {
            path: path.to_path_buf(),
            reason: "its tensors do not fill the file: it was cut short, or something was added; copy or download it again"
                .to_string(),
        }),
        Err(source) => Err(WeightsError::Safetensors {
            path: path.to_path_buf(),
            source,
        }),
    }
}
