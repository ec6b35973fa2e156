//! From rows of planes to channels side by side.

use super::super::super::number::Real;
use super::LANES;

/// Rows and columns that are transposed at a time.
pub(super) const SIDE: usize = 8;

/// `target[column][row]` becomes `source[row * step + column]`.
#[inline(always)]
pub(super) fn transpose(
    source: &[f32],
    step: usize,
    rows: usize,
    columns: usize,
    target: &mut [[f32; LANES]],
) {
    let whole = columns / SIDE * SIDE;
    for row in (0..rows).step_by(SIDE) {
        let few = SIDE.min(rows - row);
        for column in (0..whole).step_by(SIDE) {
            let mut tile = [[0.0; SIDE]; SIDE];
            for (index, tile) in tile.iter_mut().enumerate().take(few) {
                let from = &source[(row + index) * step + column..];
                *tile = *from.first_chunk().expect("eight columns are left");
            }
            let tile = f32::transpose(tile);
            for (target, numbers) in target[column..column + SIDE].iter_mut().zip(tile) {
                target[row..row + SIDE].copy_from_slice(&numbers);
            }
        }
    }
    for (column, target) in target.iter_mut().enumerate().take(columns).skip(whole) {
        for (row, number) in target.iter_mut().enumerate().take(rows) {
            *number = source[row * step + column];
        }
    }
}
