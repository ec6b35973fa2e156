//! Counts pairs of bytes without a branch.

use rayon::prelude::*;

use crate::label_space::LabelSpace;

/// Pixels encoded at a time: few enough for the first cache, enough for the vector loop.
const BLOCK: usize = 1024;

/// Histogram of all pairs in a table of `num_classes + 2` rows and `num_classes + 1` columns.
///
/// Row `num_classes` is for ignored pixels, the row after it for unknown labels, the last column for unknown
/// predictions. Every pair has an entry, so the loops need no branch. Errors are found afterwards.
pub(crate) fn count_pairs(space: LabelSpace, labels: &[u8], predictions: &[u8]) -> Vec<u64> {
    let entries = (space.num_classes + 2) * (space.num_classes + 1);
    // At most 2^30 pixels a task, so that 32-bit counters cannot overflow.
    let share = labels
        .len()
        .div_ceil(rayon::current_num_threads())
        .clamp(1 << 14, 1 << 30);
    labels
        .par_chunks(share)
        .zip(predictions.par_chunks(share))
        .map(|(labels, predictions)| count_share(space, labels, predictions, entries))
        .reduce(
            || vec![0; entries],
            |mut sum, more| {
                sum.iter_mut().zip(&more).for_each(|(a, b)| *a += b);
                sum
            },
        )
}

fn count_share(space: LabelSpace, labels: &[u8], predictions: &[u8], entries: usize) -> Vec<u64> {
    // An addition to an entry has to wait for the addition before it. Two tables halve the waiting. Most blocks of
    // eight hold one pair only and are counted with one addition.
    let mut tables = [vec![0u32; entries], vec![0u32; entries]];
    let mut codes = [0u16; BLOCK];
    for (labels, predictions) in labels.chunks(BLOCK).zip(predictions.chunks(BLOCK)) {
        let codes = &mut codes[..labels.len()];
        encode(space, labels, predictions, codes);
        let (eights, rest) = codes.as_chunks::<8>();
        for eight in eights {
            if *eight == [eight[0]; 8] {
                tables[0][usize::from(eight[0])] += 8;
            } else {
                for pair in eight.as_chunks::<2>().0 {
                    tables[0][usize::from(pair[0])] += 1;
                    tables[1][usize::from(pair[1])] += 1;
                }
            }
        }
        for &code in rest {
            tables[0][usize::from(code)] += 1;
        }
    }
    (0..entries)
        .map(|entry| tables.iter().map(|table| u64::from(table[entry])).sum())
        .collect()
}

/// Index of every pair in the table of [`count_pairs`].
fn encode(space: LabelSpace, labels: &[u8], predictions: &[u8], codes: &mut [u16]) {
    let classes = space.num_classes as u16;
    // 256 matches no `u8`.
    let ignore = space.ignore_index.map_or(256, u16::from);
    for ((code, &label), &prediction) in codes.iter_mut().zip(labels).zip(predictions) {
        let label = u16::from(label);
        let row = if label == ignore {
            classes
        } else if label < classes {
            label
        } else {
            classes + 1
        };
        // At most 255 * 255 + 254 for 254 classes, which fits.
        *code = row * (classes + 1) + u16::from(prediction).min(classes);
    }
}
