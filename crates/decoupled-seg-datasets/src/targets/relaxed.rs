use serde::{Deserialize, Serialize};

use super::check_labels;
use super::word::{MAX_NARROW, Wide, Word};
use crate::simd::multiversion;
use crate::{IGNORE, LabelMap, LabelView};

/// How labels are relaxed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelaxOptions {
    /// The window of a pixel reaches this many pixels to each side: 1 is 3x3.
    pub border: usize,
    /// Pixels of these classes keep their own class alone.
    pub strict_classes: Vec<u8>,
    /// Late training without relaxation: the window halves (`border / 2`), and
    /// [`multi_hot`](RelaxedLabels::multi_hot) is 2 instead of 1 on pixels with a 4-neighbour of another label.
    pub border_off: bool,
}

impl Default for RelaxOptions {
    /// A 3x3 window, as in the paper and all scripts of the authors.
    fn default() -> Self {
        Self {
            border: 1,
            strict_classes: Vec::new(),
            border_off: false,
        }
    }
}

impl RelaxOptions {
    /// Sets [`border`](Self::border).
    pub fn with_border(mut self, border: usize) -> Self {
        self.border = border;
        self
    }
}

/// The set of classes that a prediction may choose from at each pixel: those that occur in its window.
///
/// What lies outside the image counts as ignored, so the ignore bit is set along the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaxedLabels {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Classes; the ignore bit comes behind them.
    pub num_classes: usize,
    pub(super) sets: Sets,
    /// Pixels whose values are doubled, with [`RelaxOptions::border_off`].
    doubled: Option<Vec<bool>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sets {
    Narrow(Vec<u32>),
    Wide(Vec<Wide>),
}

/// Relaxes a label map. `O(pixels * log(border))`.
///
/// Source: Zhu et al. 2019, [arXiv:1812.01593](https://arxiv.org/abs/1812.01593), section 3.4 ("boundary label
/// relaxation"), which the body loss of the paper builds on.
///
/// # Panics
///
/// Panics if a label is neither below `num_classes` nor [`IGNORE`].
pub fn relaxed_labels<'a>(
    labels: impl Into<LabelView<'a>>,
    num_classes: usize,
    options: &RelaxOptions,
) -> RelaxedLabels {
    let labels = labels.into();
    check_labels(labels, num_classes);
    let sets = if num_classes <= MAX_NARROW {
        Sets::Narrow(relax(labels, num_classes, options))
    } else {
        Sets::Wide(relax(labels, num_classes, options))
    };
    RelaxedLabels {
        width: labels.width,
        height: labels.height,
        num_classes,
        sets,
        doubled: options.border_off.then(|| boundary_pixels(labels)),
    }
}

fn relax<W: Word>(labels: LabelView<'_>, num_classes: usize, options: &RelaxOptions) -> Vec<W> {
    let (width, height) = (labels.width, labels.height);
    let mut own = [W::bit(num_classes); 256];
    for (class, word) in own.iter_mut().enumerate().take(num_classes) {
        *word = W::bit(class);
    }
    let border = if options.border_off {
        options.border / 2
    } else {
        options.border
    };
    let outside = W::bit(num_classes);

    // Rows first, then columns: each ORs `2 * border + 1` neighbours.
    let stride = width;
    let mut sets = Vec::with_capacity(width * height);
    let mut scratch = Vec::new();
    for row in labels.data.chunks_exact(stride.max(1)) {
        sets.extend(row.iter().map(|&label| own[usize::from(label)]));
        let line = sets.len() - width;
        window_or(&mut sets[line..], 1, border, outside, &mut scratch);
    }
    window_or(&mut sets, stride, border, outside, &mut scratch);
    if !options.strict_classes.is_empty() {
        for (set, &label) in sets.iter_mut().zip(labels.data) {
            if options.strict_classes.contains(&label) {
                *set = own[usize::from(label)];
            }
        }
    }
    sets
}

multiversion! {
    /// ORs every line of `stride` words with the `border` lines before and behind it; lines outside are `outside`.
    ///
    /// OR is idempotent, so a window of any length is two overlapping ones of a power of two, built by doubling.
    fn window_or[W: Word](words: &mut [W], stride: usize, border: usize, outside: W, scratch: &mut Vec<W>) {
        if border == 0 {
            return;
        }
        let window = 2 * border + 1;
        // Line `i` here is line `i - border` of the image.
        scratch.clear();
        scratch.resize(border * stride, outside);
        scratch.extend_from_slice(words);
        scratch.resize(words.len() + 2 * border * stride, outside);
        let mut reach = 1;
        while 3 * reach < window {
            double(scratch, reach * stride);
            reach *= 2;
        }
        // Three overlapping windows fill it: for 3x3, the three lines themselves.
        let (middle, last) = ((window - reach) / 2 * stride, (window - reach) * stride);
        let others = scratch.iter().zip(&scratch[middle..]).zip(&scratch[last..]);
        for (word, ((&first, &middle), &last)) in words.iter_mut().zip(others) {
            *word = first.or(middle).or(last);
        }
    }
}

/// ORs every word with the one `shift` behind it, in place: what is read is not yet changed.
#[inline(always)]
fn double<W: Word>(words: &mut [W], shift: usize) {
    for i in 0..words.len() - shift {
        words[i] = words[i].or(words[i + shift]);
    }
}

/// Pixels with a 4-neighbour of another label, ignore counting as a label.
fn boundary_pixels(labels: LabelView<'_>) -> Vec<bool> {
    let (width, height) = (labels.width, labels.height);
    let mut marked = vec![false; labels.data.len()];
    for y in 0..height {
        for x in 0..width {
            let here = y * width + x;
            for (inside, there) in [(x + 1 < width, here + 1), (y + 1 < height, here + width)] {
                if inside && labels.data[here] != labels.data[there] {
                    marked[here] = true;
                    marked[there] = true;
                }
            }
        }
    }
    marked
}

impl RelaxedLabels {
    /// Whether `class` occurs in the window of the pixel; `num_classes` asks for the ignore bit.
    ///
    /// # Panics
    ///
    /// Panics outside the map or for a class above `num_classes`.
    pub fn contains(&self, x: usize, y: usize, class: usize) -> bool {
        assert!(
            x < self.width && y < self.height,
            "({x}, {y}) lies outside {}x{}",
            self.width,
            self.height
        );
        assert!(
            class <= self.num_classes,
            "class {class} of {}",
            self.num_classes
        );
        let at = y * self.width + x;
        match &self.sets {
            Sets::Narrow(sets) => sets[at].contains(class),
            Sets::Wide(sets) => sets[at].contains(class),
        }
    }

    /// The sets as bits, row by row: bit `c` for class `c`, bit `num_classes` for ignored. `None` above 31 classes.
    pub fn bits(&self) -> Option<&[u32]> {
        match &self.sets {
            Sets::Narrow(sets) => Some(sets),
            Sets::Wide(_) => None,
        }
    }

    /// The sets as 0 and 1 (or 2, see [`RelaxOptions::border_off`]), `[num_classes + 1, height, width]`.
    pub fn multi_hot(&self) -> Vec<u8> {
        let mut out = vec![0; (self.num_classes + 1) * self.width * self.height];
        self.write_multi_hot(&mut out);
        out
    }

    /// Writes [`multi_hot`](Self::multi_hot) to a buffer, all of it.
    ///
    /// # Panics
    ///
    /// Panics if the buffer does not hold `(num_classes + 1) * height * width` bytes.
    pub fn write_multi_hot(&self, out: &mut [u8]) {
        let pixels = self.width * self.height;
        assert_eq!(
            out.len(),
            (self.num_classes + 1) * pixels,
            "bytes for the multi-hot label"
        );
        for (class, plane) in out.chunks_exact_mut(pixels.max(1)).enumerate() {
            match &self.sets {
                Sets::Narrow(sets) => write_plane(plane, sets, class),
                Sets::Wide(sets) => write_plane(plane, sets, class),
            }
            if let Some(doubled) = &self.doubled {
                plane
                    .iter_mut()
                    .zip(doubled)
                    .for_each(|(value, &twice)| *value <<= u8::from(twice));
            }
        }
    }

    /// The label map that the authors' code trains the segmentation losses on: the lowest class of each set, and
    /// [`IGNORE`] where the ignore bit is set.
    ///
    /// Classes of low index grow by `border` pixels, and so does everything ignored, the frame included. See
    /// `docs/fidelity.md`.
    pub fn recovered_labels(&self) -> LabelMap {
        let data = match &self.sets {
            Sets::Narrow(sets) => recover(sets, self.num_classes),
            Sets::Wide(sets) => recover(sets, self.num_classes),
        };
        LabelMap::new(self.width, self.height, data)
    }
}

fn write_plane<W: Word>(plane: &mut [u8], sets: &[W], class: usize) {
    plane
        .iter_mut()
        .zip(sets)
        .for_each(|(value, set)| *value = u8::from(set.contains(class)));
}

fn recover<W: Word>(sets: &[W], num_classes: usize) -> Vec<u8> {
    let label = |set: &W| match set.lowest() {
        Some(class) if !set.contains(num_classes) => class as u8,
        _ => IGNORE,
    };
    sets.iter().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::edges::tests::{LABEL_A, map};

    fn plane(relaxed: &RelaxedLabels, class: usize) -> Vec<String> {
        let row = |y| {
            (0..relaxed.width)
                .map(|x| {
                    if relaxed.contains(x, y, class) {
                        '1'
                    } else {
                        '0'
                    }
                })
                .collect()
        };
        (0..relaxed.height).map(row).collect()
    }

    #[test]
    fn golden_sets() {
        let relaxed = relaxed_labels(&map(&LABEL_A), 3, &RelaxOptions::default());
        let golden = [
            [
                "11111000", "11111000", "11111000", "11110000", "11100000", "00000000",
            ],
            [
                "00011111", "00111111", "00111111", "00111111", "00001111", "00000111",
            ],
            [
                "00000000", "00000000", "01111100", "11111110", "11111110", "11111110",
            ],
            [
                "11111111", "10000001", "10000001", "10000001", "10001111", "11111111",
            ],
        ];
        for (class, rows) in golden.iter().enumerate() {
            assert_eq!(plane(&relaxed, class), rows, "class {class}");
        }
    }

    #[test]
    fn golden_recovered_labels() {
        let a = [
            "........", ".000011.", ".000011.", ".000111.", ".002....", "........",
        ];
        let b = [
            "........", ".200002.", ".200002.", ".100001.", ".100001.", "........",
        ];
        let label_b = [
            "22222222", "22222222", "22200222", "22200222", "11111111", "11111111",
        ];
        for (label, golden) in [(LABEL_A, a), (label_b, b)] {
            let relaxed = relaxed_labels(&map(&label), 3, &RelaxOptions::default());
            assert_eq!(relaxed.recovered_labels(), map(&golden));
        }
    }

    #[test]
    fn wide_sets_say_the_same() {
        let labels = map(&LABEL_A);
        for border in 0..5 {
            let options = RelaxOptions::default().with_border(border);
            let narrow = relaxed_labels(&labels, 3, &options);
            let wide = relaxed_labels(&labels, 100, &options);
            assert!(narrow.bits().is_some() && wide.bits().is_none());
            assert_eq!(narrow.recovered_labels(), wide.recovered_labels());
            let pixels = labels.data.len();
            assert_eq!(
                narrow.multi_hot()[..3 * pixels],
                wide.multi_hot()[..3 * pixels]
            );
            assert_eq!(
                narrow.multi_hot()[3 * pixels..],
                wide.multi_hot()[100 * pixels..]
            );
        }
    }

    #[test]
    fn any_window_equals_its_definition() {
        let labels = map(&LABEL_A);
        for border in 0..6 {
            let relaxed = relaxed_labels(&labels, 3, &RelaxOptions::default().with_border(border));
            for y in 0..labels.height {
                for x in 0..labels.width {
                    for class in 0..=3 {
                        let reach = -(border as isize)..=border as isize;
                        let found = reach.clone().any(|dy| {
                            reach.clone().any(|dx| {
                                let (x, y) = (x.wrapping_add_signed(dx), y.wrapping_add_signed(dy));
                                let inside = x < labels.width && y < labels.height;
                                let label = if inside { labels.get(x, y) } else { IGNORE };
                                usize::from(label.min(3)) == class
                            })
                        });
                        assert_eq!(
                            relaxed.contains(x, y, class),
                            found,
                            "border {border}, ({x}, {y}), {class}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "labels must be below 2 or 255, got Some(2)")]
    fn unknown_labels_panic() {
        relaxed_labels(&map(&LABEL_A), 2, &RelaxOptions::default());
    }
}
