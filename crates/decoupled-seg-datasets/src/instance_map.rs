use std::path::Path;

use crate::files::{RawMask, RawValues};
use crate::{DatasetError, LabelMap};

/// The object that each pixel belongs to, row by row, in the numbers of Cityscapes' `*_instanceIds.png`:
/// `1000 * label id + k` for object `k` of a label, and the label id alone where no object is told apart (groups, and
/// labels without instances).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceMap {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Numbers, `[height, width]` in row-major order.
    pub data: Vec<u16>,
}

impl InstanceMap {
    /// Wraps `data` of `height` rows.
    ///
    /// # Panics
    ///
    /// Panics if `data` does not hold `width * height` numbers.
    pub fn new(width: usize, height: usize, data: Vec<u16>) -> Self {
        assert_eq!(
            data.len(),
            width * height,
            "a {width}x{height} instance map holds {} numbers",
            width * height
        );
        Self {
            width,
            height,
            data,
        }
    }

    /// Reads a PNG of 16-bit grey.
    ///
    /// # Errors
    ///
    /// As [`RawMask::read`]; [`DatasetError::MaskFormat`] for another storage.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let path = path.as_ref();
        let mask = RawMask::read(path)?;
        match mask.values {
            RawValues::Words(data) => Ok(Self::new(mask.width, mask.height, data)),
            _ => Err(DatasetError::MaskFormat {
                path: path.to_path_buf(),
                found: mask.format,
                expected: "16-bit grey whose values are instance numbers".to_string(),
            }),
        }
    }

    /// Numbers the connected regions of each label id for which `has_instances`; pixels that touch at a side are of one
    /// region. Regions after the thousandth of a label, and of ids above 64, which 16 bits have no numbers for, are groups.
    pub fn of_regions(ids: &LabelMap, has_instances: impl Fn(u8) -> bool) -> Self {
        let mut data: Vec<u16> = ids.data.iter().copied().map(u16::from).collect();
        let mut seen = vec![false; data.len()];
        let mut found = [0_u16; 256];
        let mut rest = Vec::new();
        for start in 0..data.len() {
            let id = ids.data[start];
            let count = &mut found[usize::from(id)];
            if seen[start] || id > 64 || !has_instances(id) || *count == 1000 {
                continue;
            }
            let number = 1000 * u16::from(id) + *count;
            *count += 1;
            seen[start] = true;
            rest.push(start);
            while let Some(at) = rest.pop() {
                data[at] = number;
                let (x, y) = (at % ids.width, at / ids.width);
                let around = [
                    (x > 0).then(|| at - 1),
                    (x + 1 < ids.width).then_some(at + 1),
                    (y > 0).then(|| at - ids.width),
                    (y + 1 < ids.height).then_some(at + ids.width),
                ];
                for next in around.into_iter().flatten() {
                    if ids.data[next] == id && !seen[next] {
                        seen[next] = true;
                        rest.push(next);
                    }
                }
            }
        }
        Self::new(ids.width, ids.height, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{write_instances, write_mask};

    #[test]
    fn regions_are_numbered_by_label() {
        let ids = LabelMap::new(4, 3, vec![26, 26, 7, 26, 7, 26, 7, 26, 24, 7, 26, 24]);
        let instances = InstanceMap::of_regions(&ids, |id| id >= 24);
        assert_eq!(
            instances.data,
            [
                26000, 26000, 7, 26001, 7, 26000, 7, 26001, 24000, 7, 26002, 24001
            ]
        );
    }

    #[test]
    fn survives_a_file_and_refuses_eight_bits() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a_instanceIds.png");
        let map = InstanceMap::new(2, 2, vec![7, 26000, 26999, 33001]);
        write_instances(&path, &map).expect("writable");
        assert_eq!(InstanceMap::read(&path).expect("just written"), map);
        write_mask(&path, &LabelMap::filled(2, 2, 7)).expect("writable");
        let error = InstanceMap::read(&path).expect_err("8 bits");
        let expected =
            "mask stored as 8-bit grey, expected 16-bit grey whose values are instance numbers";
        assert_eq!(
            error.to_string(),
            format!("`{}`: {expected}", path.display())
        );
    }

    #[test]
    #[should_panic(expected = "a 3x2 instance map holds 6 numbers")]
    fn refuses_data_of_another_length() {
        InstanceMap::new(3, 2, vec![0; 5]);
    }
}
