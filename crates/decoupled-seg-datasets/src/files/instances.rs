use std::path::Path;

use super::{RawMask, RawValues};
use crate::{DatasetError, InstanceMap};

impl InstanceMap {
    /// Reads a PNG of 16-bit grey.
    ///
    /// # Errors
    ///
    /// As for [`RawMask::read`]; [`DatasetError::MaskFormat`] if the file is no 16-bit grey PNG.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let path = path.as_ref();
        let mask = RawMask::read(path)?;
        match mask.values {
            RawValues::Words(data) => Ok(Self::new(mask.size, data)),
            _ => Err(DatasetError::MaskFormat {
                path: path.to_path_buf(),
                found: mask.format,
                expected: "16-bit grey whose values are instance numbers".to_string(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use decoupled_seg_types::Size;

    use super::*;
    use crate::LabelMap;
    use crate::files::{write_instances, write_mask};

    #[test]
    fn survives_a_file_and_refuses_eight_bits() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a_instanceIds.png");
        let map = InstanceMap::new(Size::square(2), vec![7, 26000, 26999, 33001]);
        write_instances(&path, &map).expect("writable");
        assert_eq!(InstanceMap::read(&path).expect("just written"), map);
        write_mask(&path, &LabelMap::filled(Size::square(2), 7)).expect("writable");
        let error = InstanceMap::read(&path).expect_err("8 bits");
        let expected =
            "mask stored as 8-bit grey, expected 16-bit grey whose values are instance numbers";
        assert_eq!(
            error.to_string(),
            format!("`{}`: {expected}", path.display())
        );
    }
}
