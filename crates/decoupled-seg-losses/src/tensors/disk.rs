use burn::tensor::{Bool, Int, Tensor};

use super::window::shifted_views;

/// What two pixels are compared by, and which pixels take no part.
pub(crate) struct DiskValues {
    /// Values in `0..i32::MAX`, `[batch, planes, height, width]`.
    pub values: Tensor<4, Int>,
    /// Pixels that are never compared with, `[batch, planes or 1, height, width]`.
    pub excluded: Option<Tensor<4, Bool>>,
    /// Value beyond the frame of the picture, or `None` where the frame is nobody's neighbour.
    pub outside: Option<i32>,
}

/// Whether the disk of `radius` pixels around a pixel holds two different values.
///
/// A disk holds two values exactly if its largest and its smallest one differ. Both are found as runs along the rows,
/// one length for each distance between rows, so the cost grows with the radius and not with its square.
pub(crate) fn differs_within(disk: DiskValues, radius: usize) -> Tensor<4, Bool> {
    const BELOW: i32 = -1;
    const ABOVE: i32 = i32::MAX;
    let without = |replacement: i32| match disk.excluded.clone() {
        Some(excluded) => {
            let excluded = excluded.expand(disk.values.dims());
            disk.values.clone().mask_fill(excluded, replacement)
        }
        None => disk.values.clone(),
    };
    let halves = half_widths(radius);
    let largest = over_disk(
        without(BELOW),
        &halves,
        disk.outside.unwrap_or(BELOW),
        |a, b| a.max_pair(b),
    );
    let smallest = over_disk(
        without(ABOVE),
        &halves,
        disk.outside.unwrap_or(ABOVE),
        |a, b| a.min_pair(b),
    );
    largest.greater(smallest)
}

/// For the rows at distance `0..=radius`, how many pixels the disk reaches to either side.
fn half_widths(radius: usize) -> Vec<usize> {
    (0..=radius)
        .map(|rows| (radius * radius - rows * rows).isqrt())
        .collect()
}

fn over_disk(
    values: Tensor<4, Int>,
    halves: &[usize],
    outside: i32,
    pair: impl Fn(Tensor<4, Int>, Tensor<4, Int>) -> Tensor<4, Int>,
) -> Tensor<4, Int> {
    let longest = halves[0];
    if longest == 0 {
        return values;
    }
    // runs[w]: over the 2w + 1 pixels of the row around each one.
    let columns = shifted_views(values.clone(), 3, longest, outside);
    let mut runs = vec![values];
    for half in 1..=longest {
        let wider = pair(
            columns[longest - half].clone(),
            columns[longest + half].clone(),
        );
        let run = pair(runs[half - 1].clone(), wider);
        runs.push(run);
    }

    let [_, _, height, _] = runs[0].dims();
    let mut result = runs[longest].clone();
    for (rows, &half) in halves.iter().enumerate().skip(1) {
        let mut shape = result.dims();
        shape[2] = rows;
        let margin = Tensor::<4, Int>::full(shape, outside, &result.device());
        let padded = Tensor::cat(vec![margin.clone(), runs[half].clone(), margin], 2);
        for start in [0, 2 * rows] {
            result = pair(result, padded.clone().narrow(2, start, height));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_euclidean() {
        assert_eq!(half_widths(1), [1, 0]);
        assert_eq!(half_widths(2), [2, 1, 0]);
        assert_eq!(half_widths(5), [5, 4, 4, 4, 3, 0]);
    }
}
