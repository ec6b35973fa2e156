use decoupled_seg_types::Size;

use crate::LabelMap;

/// The object of each pixel, row by row, numbered as in Cityscapes' `*_instanceIds.png`: `1000 * label id + k` for
/// object `k` of a label, and the label id alone for pixels of no single object (groups, and labels without instances).
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
    /// Wraps the rows of `data`.
    ///
    /// # Panics
    ///
    /// Panics if `data` does not hold a number for each pixel of `size`.
    pub fn new(size: Size, data: Vec<u16>) -> Self {
        assert_eq!(
            data.len(),
            size.pixels(),
            "an instance map of {size} (height x width) holds {} numbers",
            size.pixels()
        );
        Self {
            width: size.width,
            height: size.height,
            data,
        }
    }

    /// Height and width.
    pub fn size(&self) -> Size {
        Size::new(self.height, self.width)
    }

    /// Numbers the connected regions of each label id for which `has_instances` is true. Pixels that touch at a side
    /// belong to one region. Two kinds of regions become groups, because 16 bits have no numbers for them: regions
    /// after the thousandth of a label, and regions of ids above 64.
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
        Self::new(ids.size(), data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_numbered_by_label() {
        let ids = LabelMap::new(
            Size::new(3, 4),
            vec![26, 26, 7, 26, 7, 26, 7, 26, 24, 7, 26, 24],
        );
        let instances = InstanceMap::of_regions(&ids, |id| id >= 24);
        assert_eq!(
            instances.data,
            [
                26000, 26000, 7, 26001, 7, 26000, 7, 26001, 24000, 7, 26002, 24001
            ]
        );
    }

    #[test]
    #[should_panic(expected = "an instance map of 2x3 (height x width) holds 6 numbers")]
    fn refuses_data_of_another_length() {
        InstanceMap::new(Size::new(2, 3), vec![0; 5]);
    }
}
