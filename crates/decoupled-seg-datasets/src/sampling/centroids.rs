use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{DatasetError, IGNORE_LABEL, LabelMap, Point, SegmentationDataset};

/// The centroid of a class's pixels in a tile of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Centroid {
    /// The item.
    pub index: u32,
    /// Column, in pixels.
    pub x: u32,
    /// Row, in pixels.
    pub y: u32,
}

/// The places of each class in a data set, tile by tile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CentroidIndex {
    /// Side of the square tiles, in pixels.
    pub tile: usize,
    /// Items of the data set.
    pub items: usize,
    /// The centroids of each class, in the order of the items.
    pub classes: Vec<Vec<Centroid>>,
}

impl CentroidIndex {
    /// Makes the index. Reads all labels, in parallel.
    ///
    /// `progress` is called after each item, with the number of finished items and the number of all items.
    ///
    /// # Errors
    ///
    /// Returns the error of the first item whose labels cannot be read.
    ///
    /// # Panics
    ///
    /// Panics if the tile has no pixels.
    pub fn build(
        dataset: &dyn SegmentationDataset,
        tile: usize,
        progress: impl Fn(usize, usize) + Sync,
    ) -> Result<Self, DatasetError> {
        let (items, done) = (dataset.len(), AtomicUsize::new(0));
        let found: Vec<Vec<(u8, Point)>> = (0..items)
            .into_par_iter()
            .map(|index| {
                let found = tile_centroids(&dataset.labels(index)?, tile);
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, items);
                Ok(found)
            })
            .collect::<Result<_, DatasetError>>()?;
        let mut classes = vec![Vec::new(); dataset.classes().num_classes()];
        for (index, found) in (0..).zip(found) {
            for (class, Point { y, x }) in found {
                classes[usize::from(class)].push(Centroid {
                    index,
                    x: x as u32,
                    y: y as u32,
                });
            }
        }
        Ok(Self {
            tile,
            items,
            classes,
        })
    }
}

/// Every class of every tile with its centroid, cut off to whole pixels. Tiles go from left to right and top to bottom,
/// classes in order.
///
/// Tiles that would reach over the right or lower border are left out, as in the authors' code. But a side shorter than
/// a tile makes one tile here, and none in the authors' code.
///
/// # Panics
///
/// Panics if the tile has no pixels.
fn tile_centroids(labels: &LabelMap, tile: usize) -> Vec<(u8, Point)> {
    assert!(tile > 0, "a tile has pixels");
    let (width, height) = (tile.min(labels.width), tile.min(labels.height));
    if width == 0 || height == 0 {
        return Vec::new();
    }
    let mut centroids = Vec::new();
    for row in 0..labels.height / height {
        for column in 0..labels.width / width {
            let (left, top) = (column * width, row * height);
            // For each label: pixels, sum of columns and sum of rows, within the tile.
            let mut sums = [[0_u64; 3]; 256];
            for y in 0..height {
                for (x, &label) in labels.row(top + y)[left..left + width].iter().enumerate() {
                    let sum = &mut sums[usize::from(label)];
                    sum[0] += 1;
                    sum[1] += x as u64;
                    sum[2] += y as u64;
                }
            }
            for (class, [count, x, y]) in (0..IGNORE_LABEL)
                .zip(sums)
                .filter(|(_, [count, ..])| *count > 0)
            {
                let (y, x) = (top + (y / count) as usize, left + (x / count) as usize);
                centroids.push((class, Point { y, x }));
            }
        }
    }
    centroids
}

#[cfg(test)]
mod tests {
    use decoupled_seg_types::Size;

    use super::*;

    fn at(class: u8, [x, y]: [usize; 2]) -> (u8, Point) {
        (class, Point { y, x })
    }

    #[test]
    fn golden_tiles() {
        let rows = [
            "00001111", "00001111", "00011111", "00222111", "22222211", "22222..1",
        ];
        let data = rows
            .concat()
            .bytes()
            .map(|byte| {
                if byte == b'.' {
                    IGNORE_LABEL
                } else {
                    byte - b'0'
                }
            })
            .collect();
        let golden = [
            at(0, [1, 1]),
            at(0, [3, 0]),
            at(1, [4, 1]),
            at(0, [0, 3]),
            at(2, [1, 4]),
            at(1, [5, 3]),
            at(2, [3, 4]),
        ];
        assert_eq!(
            tile_centroids(&LabelMap::new(Size::new(6, 8), data), 3),
            golden
        );
    }

    #[test]
    fn small_images_are_one_tile() {
        let labels = LabelMap::new(Size::new(2, 4), vec![0, 0, 1, 1, 0, 0, 1, 1]);
        assert_eq!(tile_centroids(&labels, 100), [at(0, [0, 0]), at(1, [2, 0])]);
        let ignored = LabelMap::filled(Size::square(5), IGNORE_LABEL);
        assert_eq!(tile_centroids(&ignored, 2), []);
    }
}
