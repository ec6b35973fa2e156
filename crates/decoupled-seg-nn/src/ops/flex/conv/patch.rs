//! The part of the source that a block of points sees, copied so that each tap reads consecutive numbers: padding written
//! out, and a strided picture split into its phases.

use super::geometry::Lattice;

/// A block of lattice points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// First row and column.
    pub(super) start: [usize; 2],
    /// Rows and columns.
    pub(super) size: [usize; 2],
}

/// Rows of a patch that belong together: row `i`, number `j` is the source pixel
/// `(step * (block row + i) + first row, step * (block column + j) + first column)`.
#[derive(Debug, Clone, Copy)]
struct Sheet {
    first: [isize; 2],
    /// Rows beyond those of the block.
    extra: usize,
    /// Where it lies in the patch of a channel.
    base: usize,
}

/// How patches for blocks of up to `size` points are laid out.
#[derive(Debug)]
pub(super) struct Layout {
    step: [usize; 2],
    source: [usize; 2],
    sheets: Vec<Sheet>,
    /// Numbers in a row.
    pub(super) width: usize,
    /// Numbers a channel.
    pub(super) plane: usize,
    /// Where each tap of the lattice meets the first point.
    pub(super) offsets: Vec<usize>,
}

/// Where a tap starts along an axis: the first source pixel of its sheet, and how many rows (or numbers) into the sheet.
#[derive(Debug, Clone, Copy)]
struct Entry {
    first: isize,
    skip: usize,
}

/// Taps of the same phase share a sheet. Returns the entry of every tap and the largest skip.
fn shared(offsets: &[isize], step: usize) -> (Vec<Entry>, usize) {
    let step = step as isize;
    let lowest = |phase: isize| {
        let of_phase = offsets
            .iter()
            .filter(|offset| offset.rem_euclid(step) == phase);
        of_phase.map(|offset| offset.div_euclid(step)).min()
    };
    let entries: Vec<Entry> = offsets
        .iter()
        .map(|&offset| {
            let phase = offset.rem_euclid(step);
            let lowest = lowest(phase).expect("the offset itself is of this phase");
            Entry {
                first: lowest * step + phase,
                skip: (offset.div_euclid(step) - lowest) as usize,
            }
        })
        .collect();
    let largest = entries.iter().map(|entry| entry.skip).max().unwrap_or(0);
    (entries, largest)
}

/// Every offset has a sheet of its own.
fn separate(offsets: &[isize]) -> Vec<Entry> {
    let entry = |&first| Entry { first, skip: 0 };
    offsets.iter().map(entry).collect()
}

impl Layout {
    pub(super) fn new(lattice: &Lattice, size: [usize; 2]) -> Self {
        let axis = |axis: usize| -> Vec<isize> {
            lattice.taps.iter().map(|tap| tap.offset[axis]).collect()
        };
        let (columns, extra_columns) = shared(&axis(1), lattice.step[1]);
        let width = size[1] + extra_columns;
        let (rows, extra_rows) = shared(&axis(0), lattice.step[0]);
        let together = Self::lay(lattice, size[0], width, &rows, &columns);
        if extra_rows <= 1 {
            return together;
        }
        // Wide dilation and few rows: most of the rows between the taps would be copied for nothing.
        let apart = Self::lay(lattice, size[0], width, &separate(&axis(0)), &columns);
        if apart.plane < together.plane {
            apart
        } else {
            together
        }
    }

    fn lay(
        lattice: &Lattice,
        block_rows: usize,
        width: usize,
        rows: &[Entry],
        columns: &[Entry],
    ) -> Self {
        let mut sheets: Vec<Sheet> = Vec::new();
        let mut of_taps = Vec::new();
        for (row, column) in rows.iter().zip(columns) {
            let first = [row.first, column.first];
            let found = sheets.iter().position(|sheet| sheet.first == first);
            let index = found.unwrap_or_else(|| {
                sheets.push(Sheet {
                    first,
                    extra: 0,
                    base: 0,
                });
                sheets.len() - 1
            });
            sheets[index].extra = sheets[index].extra.max(row.skip);
            of_taps.push(index);
        }
        let mut len = 0;
        for sheet in &mut sheets {
            sheet.base = len;
            len += (block_rows + sheet.extra) * width;
        }
        let offsets = rows
            .iter()
            .zip(columns)
            .zip(of_taps)
            .map(|((row, column), sheet)| sheets[sheet].base + row.skip * width + column.skip)
            .collect();
        Self {
            step: lattice.step,
            source: lattice.source,
            sheets,
            width,
            // An odd number of cache lines, so that the channels do not fall into the same places of the cache.
            plane: (len.div_ceil(16) | 1) * 16,
            offsets,
        }
    }

    /// Copies what `block` sees of the planes of `source` into `patch`, a channel after the other.
    pub(super) fn fill(&self, block: Block, source: &[f32], patch: &mut [f32]) {
        let [height, width] = self.source;
        for (source, patch) in source
            .chunks_exact(height * width)
            .zip(patch.chunks_exact_mut(self.plane))
        {
            for sheet in &self.sheets {
                let rows = block.size[0] + sheet.extra;
                let lines = patch[sheet.base..][..rows * self.width].chunks_exact_mut(self.width);
                let top = sheet.first[0] + (block.start[0] * self.step[0]) as isize;
                let left = sheet.first[1] + (block.start[1] * self.step[1]) as isize;
                for (row, line) in lines.enumerate() {
                    let y = top + (row * self.step[0]) as isize;
                    if (0..height as isize).contains(&y) {
                        copy(
                            &source[y as usize * width..][..width],
                            left,
                            self.step[1],
                            line,
                        );
                    } else {
                        line.fill(0.0);
                    }
                }
            }
        }
    }
}

/// Number `i` of `line` becomes `row[left + step * i]`, or zero where there is none.
fn copy(row: &[f32], left: isize, step: usize, line: &mut [f32]) {
    // The first number that lies in the row, and the first behind it.
    let before = |from: isize| (from.max(0) as usize).div_ceil(step).min(line.len());
    let inside = before(-left)..before(row.len() as isize - left).max(before(-left));
    let (padding, rest) = line.split_at_mut(inside.start);
    let (line, behind) = rest.split_at_mut(inside.len());
    padding.fill(0.0);
    behind.fill(0.0);
    if line.is_empty() {
        return;
    }
    let row = &row[(left + (inside.start * step) as isize) as usize..];
    match step {
        1 => line.copy_from_slice(&row[..line.len()]),
        // The compiler makes shuffles of a stride that it knows.
        2 => {
            let (last, line) = line.split_last_mut().expect("it is not empty");
            for (number, pair) in line.iter_mut().zip(row.as_chunks::<2>().0) {
                *number = pair[0];
            }
            *last = row[2 * line.len()];
        }
        _ => {
            for (number, &from) in line.iter_mut().zip(row.iter().step_by(step)) {
                *number = from;
            }
        }
    }
}

/// A run of points of a block whose places in a patch follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Where it starts.
    pub(super) place: usize,
    pub(super) len: usize,
}

/// Cuts the points of `block` into runs of at most `longest` vectors of `lanes` numbers. A run may go over the end of a
/// row where that needs fewer vectors; the places between the rows are then calculated for nothing.
pub(super) fn runs(block: Block, width: usize, lanes: usize, longest: usize) -> Vec<Run> {
    let [rows, columns] = block.size;
    let whole = (rows - 1) * width + columns;
    if whole.div_ceil(lanes) < rows * columns.div_ceil(lanes) || width == columns {
        return cut(0, whole, lanes, longest).collect();
    }
    (0..rows)
        .flat_map(|row| cut(row * width, columns, lanes, longest))
        .collect()
}

/// Cuts a run into pieces of about the same number of vectors.
fn cut(place: usize, len: usize, lanes: usize, longest: usize) -> impl Iterator<Item = Run> {
    let vectors = len.div_ceil(lanes);
    let pieces = vectors.div_ceil(longest);
    (0..pieces).map(move |piece| {
        let start = piece * vectors / pieces * lanes;
        let end = ((piece + 1) * vectors / pieces * lanes).min(len);
        Run {
            place: place + start,
            len: end - start,
        }
    })
}
