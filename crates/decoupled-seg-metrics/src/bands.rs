//! Bands along the contours of a label map, one for each of several widths.

use decoupled_seg_types::Size;
use serde::{Deserialize, Serialize};

use crate::{BoundaryThreshold, ImageFrame, LabelSpace, contour_levels::contour_levels};

/// The labels of a metric, and the bands along their contours in which it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bands {
    pub space: LabelSpace,
    pub frame: ImageFrame,
    pub widths: Vec<BoundaryThreshold>,
}

/// The bands on images of one size, the narrowest first.
pub(crate) struct SortedBands {
    /// The index of each band in [`Bands::widths`].
    pub places: Vec<usize>,
    widths: Vec<u32>,
    frame: ImageFrame,
    size: Size,
}

impl Bands {
    pub fn new(space: LabelSpace, widths: Vec<BoundaryThreshold>) -> Self {
        assert!(
            widths.len() < 256,
            "at most 255 widths at a time, got {}",
            widths.len()
        );
        Self {
            space,
            frame: ImageFrame::default(),
            widths,
        }
    }

    pub fn sorted(&self, size: Size) -> SortedBands {
        let pixels = |&place: &usize| self.widths[place].pixels(size);
        let mut places: Vec<usize> = (0..self.widths.len()).collect();
        places.sort_by_key(pixels);
        SortedBands {
            widths: places.iter().map(pixels).collect(),
            places,
            frame: self.frame,
            size,
        }
    }

    /// Panics if `other` has other classes or widths.
    pub fn assert_like(&self, other: &Self, metrics: &str) {
        assert_eq!(
            (self.space.num_classes, &self.widths),
            (other.space.num_classes, &other.widths),
            "merged {metrics} must have the same classes and widths"
        );
    }
}

impl SortedBands {
    /// For each pixel, the narrowest band that holds it; the number of bands for a pixel outside all bands.
    pub fn levels(&self, map: &[u8]) -> Vec<u8> {
        contour_levels(map, self.size, &self.widths, self.frame)
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }
}
