//! The distance of each pixel from the contour of its region, for all classes at once.
//!
//! Take a pixel and the run of equal pixels around it in its row. The nearest pixel of another value is either at an
//! end of the run, or above or below one of the run's columns. So one plane of vertical distances and two scans of each
//! run give the bands of all classes together. The result is exact, and the time is linear in the pixels for any width.

use decoupled_seg_types::Size;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::distance::{Distance, disk_half_widths};

/// Whether the frame of the picture is a contour of the regions that touch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageFrame {
    /// The frame is no contour: objects go on outside the picture, and only borders between regions count.
    #[default]
    Open,
    /// The frame is a contour: everything outside the picture counts as another region, as if masks were padded with
    /// zeros.
    Contour,
}

/// For every pixel, the index of the first of the ascending `widths` (in pixels) that is at least the Euclidean
/// distance to the nearest pixel of another value; `widths.len()` if no width is.
pub(crate) fn contour_levels(map: &[u8], size: Size, widths: &[u32], frame: ImageFrame) -> Vec<u8> {
    let Size { height, width } = size;
    let mut levels = vec![widths.len() as u8; map.len()];
    if map.is_empty() || widths.is_empty() {
        return levels;
    }
    // Nothing in the image is farther than height + width, so larger widths need no larger tables.
    let bound = u32::try_from(height + width).unwrap_or(u32::MAX);
    let disks: Vec<Vec<u32>> = widths
        .iter()
        .map(|&width| disk_half_widths(width.min(bound)))
        .collect();
    match widths[widths.len() - 1].min(bound) {
        0..=0xFE => fill_levels::<u8>(map, width, &disks, frame, &mut levels),
        0xFF..=0xFFFE => fill_levels::<u16>(map, width, &disks, frame, &mut levels),
        _ => fill_levels::<u32>(map, width, &disks, frame, &mut levels),
    }
    levels
}

fn fill_levels<D: Distance>(
    map: &[u8],
    width: usize,
    disks: &[Vec<u32>],
    frame: ImageFrame,
    levels: &mut [u8],
) {
    let distances = vertical_distances::<D>(map, width, frame);
    levels
        .par_chunks_exact_mut(width)
        .zip(
            map.par_chunks_exact(width)
                .zip(distances.par_chunks_exact(width)),
        )
        .with_min_len(16)
        .for_each(|(levels, (row, distances))| {
            let mut start = 0;
            for run in row.chunk_by(|a, b| a == b) {
                let end = start + run.len();
                let run = Run {
                    distances: &distances[start..end],
                    ends_left: start > 0 || frame == ImageFrame::Contour,
                    ends_right: end < width || frame == ImageFrame::Contour,
                };
                run.fill(disks, &mut levels[start..end]);
                start = end;
            }
        });
}

/// Distance of each pixel to the nearest pixel of another value in its column, at least 1.
fn vertical_distances<D: Distance>(map: &[u8], width: usize, frame: ImageFrame) -> Vec<D> {
    let outside = match frame {
        ImageFrame::Open => D::FAR,
        ImageFrame::Contour => D::ONE,
    };
    let mut plane = vec![D::FAR; map.len()];
    plane[..width].fill(outside);
    for start in (width..map.len()).step_by(width) {
        let (above, current) = plane[start - width..start + width].split_at_mut(width);
        let labels = map[start..start + width]
            .iter()
            .zip(&map[start - width..start]);
        for ((distance, &above), (label, label_above)) in
            current.iter_mut().zip(&*above).zip(labels)
        {
            *distance = if label == label_above {
                above.farther()
            } else {
                D::ONE
            };
        }
    }

    let last = plane.len() - width;
    for distance in &mut plane[last..] {
        *distance = (*distance).min(outside);
    }
    for start in (0..last).step_by(width).rev() {
        let (current, below) = plane[start..start + 2 * width].split_at_mut(width);
        let labels = map[start..start + width]
            .iter()
            .zip(&map[start + width..start + 2 * width]);
        for ((distance, &below), (label, label_below)) in
            current.iter_mut().zip(&*below).zip(labels)
        {
            let below = if label == label_below {
                below.farther()
            } else {
                D::ONE
            };
            *distance = (*distance).min(below);
        }
    }
    plane
}

/// Neighbouring pixels of one value in one row.
struct Run<'a, D> {
    distances: &'a [D],
    /// The pixel to the left of the run has another value (or is a frame that counts).
    ends_left: bool,
    ends_right: bool,
}

impl<D: Distance> Run<'_, D> {
    /// Lowers the level of each pixel to the first disk that reaches another value. Disks ascend.
    fn fill(&self, disks: &[Vec<u32>], levels: &mut [u8]) {
        let nearest = self.distances.iter().copied().fold(D::FAR, D::min).index();
        // From the largest disk to the smallest, so that the smallest disk is the one that stays.
        for (level, half_widths) in disks.iter().enumerate().rev() {
            let level = level as u8;
            let radius = half_widths.len() - 1;
            if nearest <= radius {
                self.scan(half_widths, level, levels);
            } else {
                // Far from other rows: only the pixels near the run's ends are close to another value.
                let near = radius.min(levels.len());
                if self.ends_left {
                    levels[..near].fill(level);
                }
                if self.ends_right {
                    let first = levels.len() - near;
                    levels[first..].fill(level);
                }
            }
        }
    }

    /// Sets the level of each column with another value in its disk. Every such value covers a stretch of the row.
    fn scan(&self, half_widths: &[u32], level: u8, levels: &mut [u8]) {
        let radius = half_widths.len() - 1;
        let len = self.distances.len();
        // The first column that is not covered yet.
        let mut reach = if self.ends_left { radius } else { 0 };
        for (x, &distance) in self.distances.iter().enumerate() {
            if let Some(&half_width) = half_widths.get(distance.index()) {
                reach = reach.max(x + half_width as usize + 1);
            }
            if x < reach {
                levels[x] = level;
            }
        }
        let mut reach = if self.ends_right {
            len.saturating_sub(radius)
        } else {
            len
        };
        for (x, &distance) in self.distances.iter().enumerate().rev() {
            if let Some(&half_width) = half_widths.get(distance.index()) {
                reach = reach.min(x.saturating_sub(half_width as usize));
            }
            if x >= reach {
                levels[x] = level;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn by_definition(
        map: &[u8],
        Size { height, width }: Size,
        widths: &[u32],
        frame: ImageFrame,
    ) -> Vec<u8> {
        // A frame one pixel wide stands for everything outside, because its pixels are the nearest ones there.
        let pad = i64::from(frame == ImageFrame::Contour);
        let (height, width) = (height as i64, width as i64);
        let value = |y: i64, x: i64| {
            let inside = (0..height).contains(&y) && (0..width).contains(&x);
            inside.then(|| map[(y * width + x) as usize])
        };
        let mut levels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let mut nearest = i64::MAX;
                for other_y in -pad..height + pad {
                    for other_x in -pad..width + pad {
                        if value(other_y, other_x) != value(y, x) {
                            let squared = (y - other_y).pow(2) + (x - other_x).pow(2);
                            nearest = nearest.min(squared);
                        }
                    }
                }
                let level = widths
                    .iter()
                    .filter(|&&w| i64::from(w).pow(2) < nearest)
                    .count();
                levels.push(level as u8);
            }
        }
        levels
    }

    #[rstest]
    #[case(Size::new(1, 1), &[0, 1, 5])]
    #[case(Size::new(1, 40), &[1, 2, 7])]
    #[case(Size::new(40, 1), &[1, 2, 7])]
    #[case(Size::new(25, 31), &[0, 1, 2, 3, 5, 9, 100])]
    #[case(Size::new(23, 17), &[4, 255, 300])]
    #[case(Size::new(6, 5), &[70_000])]
    fn levels_follow_the_definition(
        #[case] size: Size,
        #[case] widths: &[u32],
        #[values(ImageFrame::Open, ImageFrame::Contour)] frame: ImageFrame,
        #[values(0, 1, 6)] blobs: u32,
    ) {
        let mut state = 5u32;
        let mut next = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        let mut map = vec![0; size.pixels()];
        for value in 1..=blobs as u8 {
            let [y0, x0] = [next(size.height), next(size.width)];
            for y in y0..size.height.min(y0 + 6) {
                for x in x0..size.width.min(x0 + 9) {
                    map[y * size.width + x] = value;
                }
            }
        }
        assert_eq!(
            contour_levels(&map, size, widths, frame),
            by_definition(&map, size, widths, frame)
        );
    }
}
