use decoupled_seg_types::{IGNORE_LABEL, LabelView, MAX_CLASSES, Size, multiversion};

use crate::TargetsOptions;
use crate::word::{MAX_NARROW, Wide, Word, class_bits};

/// A set of classes for each pixel: the classes in the window around it. A prediction may choose any of them.
///
/// Pixels outside the image count as ignored, so the ignore bit is set along the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaxedMap {
    /// Height and width.
    pub size: Size,
    /// Number of classes. The ignore bit follows the classes' bits.
    pub num_classes: usize,
    pub(crate) sets: Sets,
    /// The pixels whose values are doubled; only with [`TargetsOptions::border_off`].
    doubled: Option<Vec<bool>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sets {
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
/// Panics if a label is neither below `num_classes` nor [`IGNORE_LABEL`].
pub fn relaxed_map<'a>(
    labels: impl Into<LabelView<'a>>,
    num_classes: usize,
    options: &TargetsOptions,
) -> RelaxedMap {
    let labels = checked(labels, num_classes);
    let sets = if num_classes <= MAX_NARROW {
        Sets::Narrow(relax(labels, num_classes, options))
    } else {
        Sets::Wide(relax(labels, num_classes, options))
    };
    RelaxedMap {
        size: labels.size,
        num_classes,
        sets,
        doubled: options.border_off.then(|| boundary_pixels(labels)),
    }
}

/// The view of a label map. Panics unless every label is a class or [`IGNORE_LABEL`]: other labels have no bit.
pub(crate) fn checked<'a>(labels: impl Into<LabelView<'a>>, num_classes: usize) -> LabelView<'a> {
    let labels = labels.into();
    assert!(
        (1..=MAX_CLASSES).contains(&num_classes),
        "1 to {MAX_CLASSES} classes, got {num_classes}"
    );
    let strange = |label: u8| (label >= num_classes as u8) & (label != IGNORE_LABEL);
    // No early exit, so that the loop is vectorised.
    let any = labels
        .data
        .iter()
        .fold(false, |any, &label| any | strange(label));
    assert!(
        !any,
        "labels must be below {num_classes} or {IGNORE_LABEL}, got {:?}",
        labels.data.iter().find(|&&label| strange(label))
    );
    labels
}

fn relax<W: Word>(labels: LabelView<'_>, num_classes: usize, options: &TargetsOptions) -> Vec<W> {
    let Size { height, width } = labels.size;
    let own = class_bits(num_classes, W::bit(num_classes));
    let border = options.window_reach();
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
    /// ORs every line of `stride` words with the `border` lines before and behind it. Lines outside the map have the
    /// value `outside`.
    ///
    /// OR is idempotent, so two overlapping windows make a window of any length. Their length is a power of two, built
    /// by doubling.
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
        // Three overlapping windows cover it. For 3x3 they are the three lines themselves.
        let (middle, last) = ((window - reach) / 2 * stride, (window - reach) * stride);
        let others = scratch.iter().zip(&scratch[middle..]).zip(&scratch[last..]);
        for (word, ((&first, &middle), &last)) in words.iter_mut().zip(others) {
            *word = first.or(middle).or(last);
        }
    }
}

/// ORs every word with the word `shift` places behind it, in place: a word is read before it changes.
#[inline(always)]
fn double<W: Word>(words: &mut [W], shift: usize) {
    for i in 0..words.len() - shift {
        words[i] = words[i].or(words[i + shift]);
    }
}

/// Marks the pixels with a 4-neighbour of another label; ignore counts as a label.
fn boundary_pixels(labels: LabelView<'_>) -> Vec<bool> {
    let Size { height, width } = labels.size;
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

impl RelaxedMap {
    /// Whether `class` occurs in the window of the pixel; `num_classes` asks for the ignore bit.
    ///
    /// # Panics
    ///
    /// Panics if the pixel is outside the map, or if `class` is above `num_classes`.
    pub fn contains(&self, y: usize, x: usize, class: usize) -> bool {
        let Size { height, width } = self.size;
        assert!(
            y < height && x < width,
            "row {y}, column {x} lies outside {}",
            self.size
        );
        assert!(
            class <= self.num_classes,
            "class {class} of {}",
            self.num_classes
        );
        let at = y * width + x;
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

    /// The sets as 0 and 1 (or 2, with [`TargetsOptions::border_off`] on pixels with a 4-neighbour of another label),
    /// `[num_classes + 1, height, width]`.
    pub fn multi_hot(&self) -> Vec<u8> {
        let pixels = self.size.pixels();
        let mut out = vec![0; (self.num_classes + 1) * pixels];
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
        out
    }

    /// The label map on which the authors' code trains the segmentation losses, `[height, width]`: the lowest class of
    /// each set, and [`IGNORE_LABEL`] where the ignore bit is set.
    ///
    /// In this map classes of low index grow by `border` pixels, and so do ignored regions and the frame. See
    /// `docs/fidelity.md`.
    pub fn recovered_labels(&self) -> Vec<u8> {
        match &self.sets {
            Sets::Narrow(sets) => recover(sets, self.num_classes),
            Sets::Wide(sets) => recover(sets, self.num_classes),
        }
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
        _ => IGNORE_LABEL,
    };
    sets.iter().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LABEL_A, LABEL_B, map};

    fn with_border(border: usize) -> TargetsOptions {
        TargetsOptions {
            border,
            ..TargetsOptions::default()
        }
    }

    fn plane(relaxed: &RelaxedMap, class: usize) -> Vec<String> {
        let row = |y| {
            (0..relaxed.size.width)
                .map(|x| {
                    if relaxed.contains(y, x, class) {
                        '1'
                    } else {
                        '0'
                    }
                })
                .collect()
        };
        (0..relaxed.size.height).map(row).collect()
    }

    #[test]
    fn golden_sets() {
        let relaxed = relaxed_map(map(&LABEL_A).view(), 3, &TargetsOptions::default());
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
        for (label, golden) in [(LABEL_A, a), (LABEL_B, b)] {
            let relaxed = relaxed_map(map(&label).view(), 3, &TargetsOptions::default());
            assert_eq!(relaxed.recovered_labels(), map(&golden).data);
        }
    }

    #[test]
    fn wide_sets_say_the_same() {
        let labels = map(&LABEL_A);
        for border in 0..5 {
            let options = with_border(border);
            let narrow = relaxed_map(labels.view(), 3, &options);
            let wide = relaxed_map(labels.view(), 100, &options);
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
            let relaxed = relaxed_map(labels.view(), 3, &with_border(border));
            for y in 0..labels.size.height {
                for x in 0..labels.size.width {
                    for class in 0..=3 {
                        let reach = -(border as isize)..=border as isize;
                        let found = reach.clone().any(|dy| {
                            reach.clone().any(|dx| {
                                let (y, x) = (y.wrapping_add_signed(dy), x.wrapping_add_signed(dx));
                                usize::from(labels.get(y, x).min(3)) == class
                            })
                        });
                        assert_eq!(
                            relaxed.contains(y, x, class),
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
        relaxed_map(map(&LABEL_A).view(), 2, &TargetsOptions::default());
    }
}
