//! Where the tiles lie.

use std::ops::Range;

use super::super::geometry::Conv;
use super::super::weights::share;
use super::arithmetic::{PIXELS, POINTS};

/// The tiles of an image: one for each pair of a row and a column.
pub(super) struct Grid {
    pub(super) rows: Vec<Place>,
    pub(super) columns: Vec<Place>,
    pub(super) dilation: [usize; 2],
}

/// A tile along an axis: points `first`, `first + dilation`, ..
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) first: usize,
    /// Number of the tile among those of its phase.
    pub(super) index: usize,
}

/// The tiles along an axis, a phase after the other.
fn places(points: usize, dilation: usize) -> impl Iterator<Item = Place> {
    (0..dilation.min(points)).flat_map(move |phase| {
        let tiles = (points - phase).div_ceil(dilation).div_ceil(POINTS);
        (0..tiles).map(move |index| Place {
            first: phase + index * POINTS * dilation,
            index,
        })
    })
}

impl Grid {
    pub(super) fn new(conv: &Conv) -> Self {
        let [rows, columns] =
            [0, 1].map(|axis| places(conv.output[axis], conv.dilation[axis]).collect());
        Self {
            rows,
            columns,
            dilation: conv.dilation,
        }
    }

    /// Tiles of an image.
    pub(super) fn tiles(conv: &Conv) -> usize {
        let [rows, columns] =
            [0, 1].map(|axis| places(conv.output[axis], conv.dilation[axis]).count());
        rows * columns
    }

    /// How many numbers a row needs so that every tile finds `reach` of them.
    fn width(&self, reach: usize) -> usize {
        let last = self.columns.iter().map(|column| column.first).max();
        last.unwrap_or(0) + (reach - 1) * self.dilation[1] + 1
    }

    /// Pixels of a padded row.
    pub(super) fn pixels(&self) -> usize {
        self.width(PIXELS)
    }

    /// Points of a row, those behind its end included.
    pub(super) fn points(&self) -> usize {
        self.width(POINTS)
    }

    /// Cuts rows of tiles, counted over all images, into bands of one image each, about `wanted` in all.
    pub(super) fn bands(&self, rows: Range<usize>, wanted: usize) -> Vec<Band> {
        let of_image = self.rows.len();
        let images = rows.start / of_image..rows.end.div_ceil(of_image);
        let pieces = wanted.div_ceil(images.len());
        let mut bands = Vec::new();
        for image in images {
            let start = (image * of_image).max(rows.start);
            let end = ((image + 1) * of_image).min(rows.end);
            let pieces = pieces.min(end - start);
            for piece in 0..pieces {
                let piece = share(end - start, pieces, piece);
                bands.push(Band {
                    image,
                    rows: start - image * of_image + piece.start
                        ..start - image * of_image + piece.end,
                    tile: (start - rows.start + piece.start) * self.columns.len(),
                });
            }
        }
        bands
    }
}

/// Rows of tiles of an image.
#[derive(Debug, Clone)]
pub(super) struct Band {
    pub(super) image: usize,
    pub(super) rows: Range<usize>,
    /// Its first tile, counted from the start of the block.
    pub(super) tile: usize,
}

/// Rows of tiles whose sums are kept at the same time.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    /// Counted over all images.
    pub(super) rows: Range<usize>,
    /// Its first tile, counted from the start of the block.
    pub(super) start: usize,
    /// Its tiles, in groups that are multiplied at a time; from its start.
    pub(super) groups: Vec<Range<usize>>,
}

impl Chunk {
    /// Cuts `rows` into chunks of about `fits` rows of `row` tiles each, in groups of at most `most` tiles.
    pub(super) fn cut(rows: Range<usize>, fits: usize, row: usize, most: usize) -> Vec<Self> {
        let chunks = rows.len().div_ceil(fits);
        let chunk = |index: usize| {
            let part = share(rows.len(), chunks, index);
            let tiles = part.len() * row;
            let groups = tiles.div_ceil(most);
            Self {
                rows: rows.start + part.start..rows.start + part.end,
                start: part.start * row,
                groups: (0..groups)
                    .map(|group| share(tiles, groups, group))
                    .collect(),
            }
        };
        (0..chunks).map(chunk).collect()
    }

    pub(super) fn tiles(&self) -> usize {
        self.groups.last().map_or(0, |group| group.end)
    }

    /// The group of a tile, which is counted from the start of the chunk.
    pub(super) fn group(&self, tile: usize) -> &Range<usize> {
        // Groups are of about the same size, so the guess is at most one off.
        let guess = tile * self.groups.len() / self.tiles();
        let mut index = guess;
        while self.groups[index].end <= tile {
            index += 1;
        }
        while self.groups[index].start > tile {
            index -= 1;
        }
        &self.groups[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every point of an axis lies in one tile.
    #[test]
    fn tiles_cover_an_axis_once() {
        for (points, dilation) in [(1, 1), (4, 1), (17, 1), (17, 4), (64, 12), (3, 5), (9, 2)] {
            let mut seen = vec![0; points];
            for place in places(points, dilation) {
                for index in 0..POINTS {
                    if let Some(seen) = seen.get_mut(place.first + index * dilation) {
                        *seen += 1;
                    }
                }
            }
            assert_eq!(
                seen,
                vec![1; points],
                "{points} points, dilation {dilation}"
            );
        }
    }

    #[test]
    fn tiles_find_their_groups() {
        for chunk in Chunk::cut(3..10, 3, 17, 12) {
            for tile in 0..chunk.tiles() {
                assert!(chunk.group(tile).contains(&tile));
            }
        }
    }
}
