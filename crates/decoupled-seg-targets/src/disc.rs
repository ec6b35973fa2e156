use decoupled_seg_types::{Size, multiversion};

use crate::word::Word;

/// Which pixels count as different from a pixel's own set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The neighbourhood: pixels at a Euclidean distance of at most this many pixels.
    pub radius: usize,
    /// `true`: pixels outside the image count as "no class", which differs from every class. `false`: they do not
    /// count.
    pub frame: bool,
    /// `true`: pixels without a class differ from pixels with one. `false`: they do not count.
    pub empty: bool,
}

multiversion! {
    /// Calls `emit` with the number of each row and a set of classes for each of its pixels. The set holds the classes
    /// of some but not all pixels in the disc around the pixel: a border of these classes runs within `radius`.
    /// `O(pixels * radius)`.
    ///
    /// A class mask changes within the disc exactly if the OR over the disc holds its bit and the AND does not. A disc
    /// is a stack of row spans. A longer span of a row is computed from the next shorter one, and the spans of a row
    /// are kept as long as a disc needs them.
    pub(crate) fn changing_classes[W: Word, F: FnMut(usize, &[W])](
        sets: &[W],
        size: Size,
        rules: Rules,
        emit: F,
    ) {
        let mut emit = emit;
        let Size { height, width } = size;
        let Rules {
            radius,
            frame,
            empty,
        } = rules;
        let reaches: Vec<usize> = (0..=radius)
            .map(|dy| (radius * radius - dy * dy).isqrt())
            .collect();
        let mut ring: Vec<Spans<W>> = (0..2 * radius + 1)
            .map(|_| Spans::new(width, radius))
            .collect();
        let (mut any, mut all) = (vec![W::EMPTY; width], vec![W::ALL; width]);
        for ahead in 0..height + radius {
            if ahead < height {
                let row = &sets[ahead * width..(ahead + 1) * width];
                let spans = ahead % ring.len();
                ring[spans].fill(row, radius, frame, empty);
            }
            // The disc of this row reaches down to the one just filled.
            let Some(y) = ahead.checked_sub(radius) else { continue };
            let own = &ring[y % ring.len()];
            any.copy_from_slice(&own.any[radius * width..]);
            all.copy_from_slice(&own.all[radius * width..]);
            for (dy, reach) in reaches.iter().enumerate().skip(1) {
                for row in [y.checked_sub(dy), Some(y + dy).filter(|&row| row < height)] {
                    match row {
                        Some(row) => {
                            let spans = &ring[row % ring.len()];
                            let at = reach * width;
                            zip(&mut any, &spans.any[at..at + width], W::or);
                            zip(&mut all, &spans.all[at..at + width], W::and);
                        }
                        None if frame => all.fill(W::EMPTY),
                        None => {}
                    }
                }
            }
            let sets = &sets[y * width..(y + 1) * width];
            for ((any, &all), &set) in any.iter_mut().zip(&all).zip(sets) {
                let ignored = !empty && set == W::EMPTY;
                *any = if ignored { W::EMPTY } else { any.and_not(all) };
            }
            emit(y, &any);
        }
    }
}

#[inline(always)]
fn zip<W: Word>(target: &mut [W], other: &[W], combine: impl Fn(W, W) -> W) {
    target
        .iter_mut()
        .zip(other)
        .for_each(|(target, &other)| *target = combine(*target, other));
}

/// OR and AND over `x - reach..=x + reach` of one row, for each reach from 0 to the radius.
struct Spans<W> {
    any: Vec<W>,
    all: Vec<W>,
    padded: [Vec<W>; 2],
}

impl<W: Word> Spans<W> {
    fn new(width: usize, radius: usize) -> Self {
        let spans = || vec![W::EMPTY; (radius + 1) * width];
        let padded = || vec![W::EMPTY; width + 2 * radius];
        Self {
            any: spans(),
            all: spans(),
            padded: [padded(), padded()],
        }
    }

    #[inline(always)]
    fn fill(&mut self, row: &[W], radius: usize, frame: bool, empty: bool) {
        let width = row.len();
        let [any_source, all_source] = &mut self.padded;
        all_source.fill(if frame { W::EMPTY } else { W::ALL });
        any_source[radius..radius + width].copy_from_slice(row);
        for (target, &set) in all_source[radius..].iter_mut().zip(row) {
            *target = if !empty && set == W::EMPTY {
                W::ALL
            } else {
                set
            };
        }
        grow(&mut self.any, any_source, width, radius, W::or);
        grow(&mut self.all, all_source, width, radius, W::and);
    }
}

#[inline(always)]
fn grow<W: Word>(
    spans: &mut [W],
    source: &[W],
    width: usize,
    radius: usize,
    combine: impl Fn(W, W) -> W,
) {
    spans[..width].copy_from_slice(&source[radius..radius + width]);
    for reach in 1..=radius {
        let (before, rest) = spans.split_at_mut(reach * width);
        let before = &before[(reach - 1) * width..];
        let (left, right) = (
            &source[radius - reach..][..width],
            &source[radius + reach..][..width],
        );
        for (((target, &before), &left), &right) in
            rest[..width].iter_mut().zip(before).zip(left).zip(right)
        {
            *target = combine(before, combine(left, right));
        }
    }
}
