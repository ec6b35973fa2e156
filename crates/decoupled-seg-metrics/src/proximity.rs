//! Which boundary pixels of one map lie close to boundary pixels of another: exact, and linear in the pixels for any
//! radius.
//!
//! For each class, two sweeps fill a plane with vertical distances to the boundary of the class in the other map. Pixel
//! `(y, x)` then has such a boundary pixel within radius `r` exactly if, in row `y`, some column `x + dx` has
//! `distance(y, x + dx) <= floor(sqrt(r^2 - dx^2))`: integers only. The question arises for boundary pixels only, and
//! takes one or two vector comparisons for the usual radii. For a row with many boundary pixels, or a wide window, it
//! is cheaper to answer for the whole row: two scans look at each column once.

use decoupled_seg_types::Size;
use rayon::prelude::*;

use crate::{
    BoundaryCounts, ClassBoundaries,
    distance::{Distance, disk_half_widths},
};

/// Distances in one vector comparison.
const LANES: usize = 32;

/// The number of comparisons that take as long as the scan of one column.
const COMPARISONS_PER_SCANNED_COLUMN: usize = 64;

/// Counts the boundary pixels of both maps, and how many of them have a boundary pixel of the same class in the other
/// map within the radius: `[radius][class]`. The `radii` ascend.
pub(crate) fn count_matches(
    labels: &ClassBoundaries,
    predictions: &ClassBoundaries,
    radii: &[u32],
) -> Vec<Vec<BoundaryCounts>> {
    // Nothing in the image is farther than height + width, so larger radii need no larger tables.
    let Size { height, width } = labels.size();
    let bound = u32::try_from(height + width).unwrap_or(u32::MAX);
    let radii: Vec<u32> = radii.iter().map(|&radius| radius.min(bound)).collect();
    match radii.last() {
        None => Vec::new(),
        Some(0..=0xFE) => Proximity::<u8>::new(&radii, width).count(labels, predictions),
        Some(0..=0xFFFE) => Proximity::<u16>::new(&radii, width).count(labels, predictions),
        Some(_) => Proximity::<u32>::new(&radii, width).count(labels, predictions),
    }
}

/// The disks of all radii, prepared for one image width.
struct Proximity<D> {
    disks: Vec<Disk<D>>,
    width: usize,
    /// Radius of the largest disk.
    radius: usize,
    /// Columns to either side of a pixel that the largest disk can reach in the image.
    margin: usize,
    /// Number of distances to compare for a pixel that is in no disk.
    comparisons: usize,
}

struct Disk<D> {
    /// Columns to either side of the centre.
    margin: usize,
    /// For each column of the window, the smallest vertical distance outside the disk. Zeros fill the list up to a
    /// multiple of [`LANES`]: no distance is below zero.
    outside: Vec<D>,
    /// Half-width of the disk by vertical distance.
    half_widths: Vec<u32>,
}

/// Buffers that are reused from class to class.
struct Scratch<D> {
    plane: Vec<D>,
    edge: Vec<D>,
    covered: Vec<bool>,
}

impl<D: Distance> Proximity<D> {
    fn new(radii: &[u32], width: usize) -> Self {
        let disks: Vec<Disk<D>> = radii
            .iter()
            .map(|&radius| Disk::new(radius, width))
            .collect();
        Self {
            width,
            radius: radii.last().map_or(0, |&radius| radius as usize),
            margin: disks.last().map_or(0, |disk| disk.margin),
            comparisons: disks.iter().map(|disk| disk.outside.len()).sum(),
            disks,
        }
    }

    fn count(
        &self,
        labels: &ClassBoundaries,
        predictions: &ClassBoundaries,
    ) -> Vec<Vec<BoundaryCounts>> {
        let scratch = || Scratch {
            plane: Vec::new(),
            edge: Vec::new(),
            covered: Vec::new(),
        };
        let classes = labels.num_classes();
        // The two directions of a class are separate tasks, because few classes hold most of the boundary.
        let matched: Vec<Vec<u64>> = (0..2 * classes)
            .into_par_iter()
            .with_max_len(1)
            .map_init(scratch, |scratch, task| {
                let class = task / 2;
                let [labels, predictions] = [labels, predictions].map(|map| map.positions(class));
                if task % 2 == 0 {
                    self.matched(labels, predictions, scratch)
                } else {
                    self.matched(predictions, labels, scratch)
                }
            })
            .collect();
        let counts = |disk: usize, class: usize| BoundaryCounts {
            predicted: predictions.positions(class).len() as u64,
            predicted_matched: matched[2 * class][disk],
            labelled: labels.positions(class).len() as u64,
            labelled_matched: matched[2 * class + 1][disk],
        };
        (0..self.disks.len())
            .map(|disk| (0..classes).map(|class| counts(disk, class)).collect())
            .collect()
    }

    /// For each disk, the number of queries with a source in the disk around them. Both lists ascend.
    fn matched(&self, sources: &[u32], queries: &[u32], scratch: &mut Scratch<D>) -> Vec<u64> {
        let mut matched = vec![0; self.disks.len()];
        let Some(window) = Window::around(queries, self.width, self.margin) else {
            return matched;
        };
        if sources.is_empty() {
            return matched;
        }
        self.sweep_down(sources, &window, scratch);
        self.sweep_up(sources, queries, &window, scratch, &mut matched);
        // A match in a disk is a match in every larger disk.
        for disk in 1..matched.len() {
            matched[disk] += matched[disk - 1];
        }
        matched
    }

    /// Fills the plane with the distances to the nearest source in the same column that is not below the pixel.
    fn sweep_down(&self, sources: &[u32], window: &Window, scratch: &mut Scratch<D>) {
        let stride = window.stride();
        let Scratch { plane, edge, .. } = scratch;
        if plane.len() < stride * window.rows() {
            plane.resize(stride * window.rows(), D::FAR);
        }
        // The row above the window. Of several sources in a column, the last one written is the nearest.
        edge.clear();
        edge.resize(stride, D::FAR);
        let mut source_rows = rows(sources, self.width).peekable();
        while let Some((y, row)) = source_rows.next_if(|&(y, _)| y < window.top) {
            if window.top - y <= self.radius {
                for x in window.columns(row, y, self.width) {
                    edge[x] = D::clamped((window.top - 1 - y) as u32);
                }
            }
        }

        let mut above: &mut [D] = edge;
        for (y, current) in (window.top..=window.bottom).zip(plane.chunks_exact_mut(stride)) {
            for (distance, &above) in current.iter_mut().zip(&*above) {
                *distance = above.farther();
            }
            if let Some((_, row)) = source_rows.next_if(|&(source_y, _)| source_y == y) {
                for x in window.columns(row, y, self.width) {
                    current[x] = D::ZERO;
                }
            }
            above = current;
        }
    }

    /// Lowers the plane by the sources below, row by row from the bottom, and answers the queries of each row.
    fn sweep_up(
        &self,
        sources: &[u32],
        mut queries: &[u32],
        window: &Window,
        scratch: &mut Scratch<D>,
        matched: &mut [u64],
    ) {
        let stride = window.stride();
        let Scratch {
            plane,
            edge,
            covered,
        } = scratch;
        // The row below the window. Of several sources in a column, the first one is the nearest.
        edge.fill(D::FAR);
        let below_window = (window.bottom + 1) * self.width;
        let first = sources.partition_point(|&source| (source as usize) < below_window);
        for (y, row) in rows(&sources[first..], self.width) {
            if y - window.bottom > self.radius {
                break;
            }
            for x in window.columns(row, y, self.width) {
                edge[x] = edge[x].min(D::clamped((y - 1 - window.bottom) as u32));
            }
        }

        let plane = plane[..stride * window.rows()].chunks_exact_mut(stride);
        let mut below: &mut [D] = edge;
        for (y, current) in (window.top..window.bottom + 1).zip(plane).rev() {
            for (distance, &below) in current.iter_mut().zip(&*below) {
                *distance = (*distance).min(below.farther());
            }
            let row_start = (y * self.width) as u32;
            let in_row = queries
                .iter()
                .rev()
                .take_while(|&&query| query >= row_start)
                .count();
            let (rest, row_queries) = queries.split_at(queries.len() - in_row);
            queries = rest;
            if !row_queries.is_empty() {
                // Index of the leftmost distance of a query; the distance at the query is `margin` farther on.
                let row_queries = row_queries
                    .iter()
                    .map(|&query| (query - row_start) as usize - window.left);
                if in_row * self.comparisons
                    > COMPARISONS_PER_SCANNED_COLUMN * stride * self.disks.len()
                {
                    self.answer_by_scan(current, row_queries, covered, matched);
                } else {
                    self.answer_each(current, row_queries, matched);
                }
            }
            below = current;
        }
    }

    /// Adds each query to the smallest disk that holds a source.
    fn answer_each(
        &self,
        distances: &[D],
        queries: impl Iterator<Item = usize>,
        matched: &mut [u64],
    ) {
        for x in queries {
            let smallest = self
                .disks
                .iter()
                .position(|disk| disk.reaches(&distances[x + self.margin - disk.margin..]));
            if let Some(disk) = smallest {
                matched[disk] += 1;
            }
        }
    }

    /// As [`answer_each`](Self::answer_each), in time linear in the length of the row.
    fn answer_by_scan(
        &self,
        distances: &[D],
        queries: impl Iterator<Item = usize> + Clone,
        covered: &mut Vec<bool>,
        matched: &mut [u64],
    ) {
        let mut smaller = 0;
        for (disk, matched) in self.disks.iter().zip(matched) {
            disk.cover(distances, covered);
            let inside = queries
                .clone()
                .filter(|&x| covered[x + self.margin])
                .count() as u64;
            *matched += inside - smaller;
            smaller = inside;
        }
    }
}

impl<D: Distance> Disk<D> {
    fn new(radius: u32, width: usize) -> Self {
        let half_widths = disk_half_widths(radius);
        let margin = (radius as usize).min(width.saturating_sub(1));
        let mut outside: Vec<D> = (0..=2 * margin)
            .map(|column| D::clamped(half_widths[column.abs_diff(margin)] + 1))
            .collect();
        outside.resize(outside.len().next_multiple_of(LANES), D::ZERO);
        Self {
            margin,
            outside,
            half_widths,
        }
    }

    /// Whether a source is in the disk, given the distances from its leftmost column on.
    #[inline]
    fn reaches(&self, distances: &[D]) -> bool {
        let (outside, _) = self.outside.as_chunks::<LANES>();
        let (distances, _) = distances.as_chunks::<LANES>();
        outside.iter().zip(distances).any(|(outside, distances)| {
            outside
                .iter()
                .zip(distances)
                .fold(false, |inside, (outside, distance)| {
                    inside | (distance < outside)
                })
        })
    }

    /// Marks the columns of a row that have a source in their disk. Each source covers a stretch around its column.
    fn cover(&self, distances: &[D], covered: &mut Vec<bool>) {
        let half_width = |distance: D| self.half_widths.get(distance.index()).copied();
        covered.clear();
        // The first column that no source covers yet.
        let mut reach = 0;
        covered.extend(distances.iter().enumerate().map(|(x, &distance)| {
            if let Some(half_width) = half_width(distance) {
                reach = reach.max(x + half_width as usize + 1);
            }
            x < reach
        }));
        let mut reach = distances.len();
        for (x, &distance) in distances.iter().enumerate().rev() {
            if let Some(half_width) = half_width(distance) {
                reach = reach.min(x.saturating_sub(half_width as usize));
            }
            covered[x] |= x >= reach;
        }
    }
}

/// The part of the image that the queries of a class need: their bounding box, with a margin to either side.
struct Window {
    top: usize,
    bottom: usize,
    left: usize,
    right: usize,
    margin: usize,
}

impl Window {
    /// `None` without queries.
    fn around(queries: &[u32], width: usize, margin: usize) -> Option<Self> {
        let (&first, &last) = queries.first().zip(queries.last())?;
        let mut window = Self {
            top: first as usize / width,
            bottom: last as usize / width,
            left: usize::MAX,
            right: 0,
            margin,
        };
        for (y, row) in rows(queries, width) {
            window.left = window.left.min(row[0] as usize - y * width);
            window.right = window.right.max(row[row.len() - 1] as usize - y * width);
        }
        Some(window)
    }

    fn rows(&self) -> usize {
        self.bottom - self.top + 1
    }

    /// Length of a row of the plane: the box, both margins, and a full vector for the last query.
    fn stride(&self) -> usize {
        self.right - self.left + 1 + 2 * self.margin + LANES
    }

    /// The columns in the plane of the pixels `row`, which all lie in image row `y`. Pixels outside the window are left
    /// out.
    fn columns<'a>(
        &self,
        row: &'a [u32],
        y: usize,
        width: usize,
    ) -> impl Iterator<Item = usize> + use<'a> {
        let (left, margin, stride) = (self.left, self.margin, self.stride());
        row.iter().filter_map(move |&pixel| {
            let x = pixel as usize - y * width + margin;
            (x >= left && x - left < stride).then(|| x - left)
        })
    }
}

/// Splits ascending row-major indices by image row: `(y, pixels of row y)`.
fn rows(mut positions: &[u32], width: usize) -> impl Iterator<Item = (usize, &[u32])> {
    std::iter::from_fn(move || {
        let y = *positions.first()? as usize / width;
        let next_row = (y as u64 + 1) * width as u64;
        let end = positions
            .iter()
            .position(|&pixel| u64::from(pixel) >= next_row)
            .unwrap_or(positions.len());
        let (row, rest) = positions.split_at(end);
        positions = rest;
        Some((y, row))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// A map of two classes whose boundaries are as dense as `one_in` says.
    fn speckled(seed: u32, size: Size, one_in: u32) -> ClassBoundaries {
        let mut state = seed;
        let map: Vec<u8> = (0..size.pixels())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                u8::from((state >> 8).is_multiple_of(one_in))
            })
            .collect();
        ClassBoundaries::new(&map, size, 2)
    }

    fn by_definition(sources: &[u32], queries: &[u32], width: u32, radius: u32) -> u64 {
        let near = |a: u32, b: u32| {
            let dy = u64::from((a / width).abs_diff(b / width));
            let dx = u64::from((a % width).abs_diff(b % width));
            dx * dx + dy * dy <= u64::from(radius) * u64::from(radius)
        };
        let matched = queries
            .iter()
            .filter(|&&q| sources.iter().any(|&s| near(s, q)));
        matched.count() as u64
    }

    /// Covers every number type, both ways to answer a row, and radii beyond the image.
    #[rstest]
    #[case(Size::new(23, 31), 40, &[0, 1, 2, 3, 5, 17, 200, 254])]
    #[case(Size::new(23, 31), 3, &[0, 1, 4])]
    #[case(Size::new(300, 7), 200, &[0, 1, 100, 255, 299, 4000])]
    #[case(Size::new(7, 300), 200, &[30, 255, 70_000])]
    #[case(Size::new(1, 50), 20, &[0, 1, 2, 49])]
    #[case(Size::new(50, 1), 20, &[0, 1, 2, 49])]
    #[case(Size::new(1, 1), 1, &[0, 5])]
    fn counts_follow_the_definition(
        #[case] size: Size,
        #[case] one_in: u32,
        #[case] radii: &[u32],
    ) {
        let labels = speckled(1, size, one_in);
        let predictions = speckled(2, size, 2 * one_in);
        let all = count_matches(&labels, &predictions, radii);
        for (&radius, counts) in radii.iter().zip(&all) {
            for (class, counts) in counts.iter().enumerate() {
                let [gt, pred] = [&labels, &predictions].map(|map| map.positions(class));
                let expected = BoundaryCounts {
                    predicted: pred.len() as u64,
                    predicted_matched: by_definition(gt, pred, size.width as u32, radius),
                    labelled: gt.len() as u64,
                    labelled_matched: by_definition(pred, gt, size.width as u32, radius),
                };
                assert_eq!(*counts, expected, "class {class}, radius {radius}");
            }
        }
    }

    #[test]
    fn scanning_a_row_agrees_with_asking_each_pixel() {
        for radius in [0, 1, 2, 5, 11, 40] {
            let disk = Disk::<u8>::new(radius, 64);
            let mut state = 7u32;
            let mut distances = vec![u8::FAR; 64 + 2 * disk.margin + LANES];
            for distance in &mut distances[disk.margin..disk.margin + 64] {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *distance = (state >> 24) as u8;
            }
            let mut covered = Vec::new();
            disk.cover(&distances, &mut covered);
            for x in 0..64 {
                let reaches = disk.reaches(&distances[x..]);
                assert_eq!(
                    covered[x + disk.margin],
                    reaches,
                    "radius {radius}, column {x}"
                );
            }
        }
    }
}
