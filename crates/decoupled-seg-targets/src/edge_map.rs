use decoupled_seg_types::{IGNORE_LABEL, LabelView};

use crate::disc::{Rules, changing_classes};
use crate::relaxed_map::{Sets, checked};
use crate::word::{MAX_NARROW, Wide, Word, class_bits};
use crate::{EdgeSource, IgnoredPixels, RelaxedMap, TargetsOptions, relaxed_map};

/// Marks the pixels near a border of any class. The result is `[height, width]` in row-major order: 1 for edge, 0 for
/// no edge, and [`IGNORE_LABEL`] for ignored pixels if [`ignored_pixels`](TargetsOptions::ignored_pixels) excludes
/// them.
///
/// ```text
/// E(p) = 1 if for some class c and a pixel q with |p - q| <= radius, T_c(q) is not T_c(p)
/// ```
///
/// `O(pixels * radius)`, whatever the number of classes. The result equals the distance transforms of every class mask
/// and of its complement, thresholded and united. There is one exception: for absent classes at radii from 3 on,
/// SciPy's transform marks a corner that has no border.
///
/// Source: `L_bce` in section 3.4 of the paper, "generated from the ground truth"; `mask_to_onehot` and
/// `onehot_to_binary_edges` in the authors' code do this with a distance transform for each class.
///
/// # Panics
///
/// Panics if a label is neither below `num_classes` nor [`IGNORE_LABEL`].
pub fn edge_map<'a>(
    labels: impl Into<LabelView<'a>>,
    num_classes: usize,
    options: &TargetsOptions,
) -> Vec<u8> {
    let labels = checked(labels, num_classes);
    edge_map_of(labels, None, num_classes, options)
}

/// As [`edge_map`], for labels that are already checked, and relaxed if `relaxed` is given.
pub(crate) fn edge_map_of(
    labels: LabelView<'_>,
    relaxed: Option<&RelaxedMap>,
    num_classes: usize,
    options: &TargetsOptions,
) -> Vec<u8> {
    let mut edges = vec![0; labels.data.len()];
    match (options.edge_source, relaxed) {
        (EdgeSource::Labels, _) => mark_any(&codes(labels), labels, options, &mut edges),
        (EdgeSource::Relaxed, relaxed) => {
            let sets = match relaxed {
                Some(relaxed) => classes_of(relaxed),
                None => classes_of(&relaxed_map(labels, num_classes, options)),
            };
            match sets {
                Sets::Narrow(sets) => mark_any(&sets, labels, options, &mut edges),
                Sets::Wide(sets) => mark_any(&sets, labels, options, &mut edges),
            }
        }
    }
    mask_ignored(&mut edges, labels, options);
    edges
}

/// As [`edge_map`], but one map for each class: `[num_classes, height, width]`.
///
/// # Panics
///
/// Panics if a label is neither below `num_classes` nor [`IGNORE_LABEL`].
pub fn class_edges<'a>(
    labels: impl Into<LabelView<'a>>,
    num_classes: usize,
    options: &TargetsOptions,
) -> Vec<u8> {
    let labels = checked(labels, num_classes);
    let sets = match options.edge_source {
        EdgeSource::Labels if num_classes <= MAX_NARROW => {
            Sets::Narrow(own_class(labels, num_classes))
        }
        EdgeSource::Labels => Sets::Wide(own_class(labels, num_classes)),
        EdgeSource::Relaxed => classes_of(&relaxed_map(labels, num_classes, options)),
    };
    let pixels = labels.data.len();
    let mut edges = vec![0; num_classes * pixels];
    match sets {
        Sets::Narrow(sets) => mark_each(&sets, labels, options, &mut edges),
        Sets::Wide(sets) => mark_each(&sets, labels, options, &mut edges),
    }
    for plane in edges.chunks_exact_mut(pixels.max(1)) {
        mask_ignored(plane, labels, options);
    }
    edges
}

/// The class bits of each pixel, without the ignore bit.
fn classes_of(relaxed: &RelaxedMap) -> Sets {
    let ignored = relaxed.num_classes;
    match &relaxed.sets {
        Sets::Narrow(sets) => Sets::Narrow(without(sets, u32::bit(ignored))),
        Sets::Wide(sets) => Sets::Wide(without(sets, Wide::bit(ignored))),
    }
}

fn without<W: Word>(sets: &[W], bit: W) -> Vec<W> {
    sets.iter().map(|set| set.and_not(bit)).collect()
}

/// A code for each pixel's class, 0 for no class. Equal classes have equal codes, which suffices to find borders.
fn codes(labels: LabelView<'_>) -> Vec<u8> {
    // Wrapping turns IGNORE_LABEL, the last value, into 0. Class indices stay above 0.
    labels
        .data
        .iter()
        .map(|label| label.wrapping_add(1))
        .collect()
}

fn own_class<W: Word>(labels: LabelView<'_>, num_classes: usize) -> Vec<W> {
    let table = class_bits(num_classes, W::EMPTY);
    labels
        .data
        .iter()
        .map(|&label| table[usize::from(label)])
        .collect()
}

fn rules(options: &TargetsOptions) -> Rules {
    Rules {
        radius: options.edge_radius,
        frame: options.frame_is_edge,
        empty: options.ignored_pixels == IgnoredPixels::Background,
    }
}

fn mark_any<W: Word>(
    sets: &[W],
    labels: LabelView<'_>,
    options: &TargetsOptions,
    edges: &mut [u8],
) {
    let width = labels.size.width;
    changing_classes(sets, labels.size, rules(options), |y, changing| {
        let row = &mut edges[y * width..(y + 1) * width];
        row.iter_mut()
            .zip(changing)
            .for_each(|(edge, &classes)| *edge = u8::from(classes != W::EMPTY));
    });
}

fn mark_each<W: Word>(
    sets: &[W],
    labels: LabelView<'_>,
    options: &TargetsOptions,
    edges: &mut [u8],
) {
    let (width, pixels) = (labels.size.width, labels.data.len());
    changing_classes(sets, labels.size, rules(options), |y, changing| {
        for (x, mut classes) in changing.iter().copied().enumerate() {
            while let Some(class) = classes.lowest() {
                edges[class * pixels + y * width + x] = 1;
                classes = classes.and_not(W::bit(class));
            }
        }
    });
}

fn mask_ignored(edges: &mut [u8], labels: LabelView<'_>, options: &TargetsOptions) {
    if options.ignored_pixels == IgnoredPixels::Exclude {
        let ignored = edges
            .iter_mut()
            .zip(labels.data)
            .filter(|(_, label)| **label == IGNORE_LABEL);
        ignored.for_each(|(edge, _)| *edge = IGNORE_LABEL);
    }
}

#[cfg(test)]
mod tests {
    use decoupled_seg_types::Size;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{LABEL_A, LABEL_B, Map, map};

    fn official(edge_radius: usize, edge_source: EdgeSource) -> TargetsOptions {
        TargetsOptions {
            edge_radius,
            edge_source,
            ..TargetsOptions::official()
        }
    }

    #[test]
    fn golden_edges() {
        let plain_a = [
            "11111111", "10011001", "10111001", "11111101", "11000111", "11111111",
        ];
        let plain_b = [
            "11111111", "10011001", "10111101", "11111111", "11111111", "11111111",
        ];
        let relaxed_a = [
            "11111111", "11111101", "11111111", "11111011", "11111011", "11111111",
        ];
        let edges = |rows: &[&str], radius, source| {
            edge_map(map(rows).view(), 3, &official(radius, source))
        };
        assert_eq!(edges(&LABEL_A, 1, EdgeSource::Labels), map(&plain_a).data);
        assert_eq!(edges(&LABEL_B, 1, EdgeSource::Labels), map(&plain_b).data);
        assert_eq!(
            edges(&LABEL_A, 1, EdgeSource::Relaxed),
            map(&relaxed_a).data
        );
        assert_eq!(edges(&LABEL_A, 2, EdgeSource::Labels), [1; 48]);
        assert_eq!(edges(&LABEL_A, 2, EdgeSource::Relaxed), [1; 48]);
    }

    #[test]
    fn only_borders_between_two_classes_count_by_default() {
        let labels = map(&["0001111", "0001111", "000..11", "000...."]);
        let mut options = TargetsOptions {
            edge_radius: 1,
            ..TargetsOptions::default()
        };
        let golden = map(&["0011000", "0011000", "000..00", "000...."]);
        assert_eq!(edge_map(labels.view(), 2, &options), golden.data);
        options.ignored_pixels = IgnoredPixels::Background;
        let golden = map(&["0011000", "0011100", "0011111", "0011011"]);
        assert_eq!(edge_map(labels.view(), 2, &options), golden.data);
    }

    #[test]
    fn a_band_is_as_wide_as_documented() {
        let labels: Vec<u8> = (0..120).map(|i| u8::from(i % 40 >= 20)).collect();
        let labels = LabelView::new(Size::new(3, 40), &labels);
        let width = |options: &TargetsOptions| {
            let edges = edge_map(labels, 2, options);
            edges[40..80].iter().filter(|&&edge| edge == 1).count()
        };
        for edge_radius in 0..6 {
            let plain = TargetsOptions {
                edge_radius,
                ..TargetsOptions::default()
            };
            assert_eq!(width(&plain), 2 * edge_radius);
            for border in 0..4 {
                let relaxed = TargetsOptions {
                    border,
                    edge_source: EdgeSource::Relaxed,
                    ..plain.clone()
                };
                let expected = if edge_radius < border {
                    4 * edge_radius
                } else {
                    2 * (edge_radius + border)
                };
                assert_eq!(width(&relaxed), expected);
            }
        }
    }

    /// The definition, pixel by pixel.
    fn slow(labels: &Map, class: u8, options: &TargetsOptions) -> Vec<u8> {
        let reach = options.edge_radius as isize;
        let excluded = options.ignored_pixels == IgnoredPixels::Exclude;
        let value = |y: usize, x: usize| {
            let label = labels.get(y, x);
            let counts = if labels.contains(y, x) {
                label != IGNORE_LABEL || !excluded
            } else {
                options.frame_is_edge
            };
            counts.then_some(label == class)
        };
        let mut edges = Vec::new();
        for y in 0..labels.size.height {
            for x in 0..labels.size.width {
                let own = value(y, x);
                let edge = (-reach..=reach).any(|dy| {
                    (-reach..=reach)
                        .filter(|dx| dx * dx + dy * dy <= reach * reach)
                        .any(|dx| {
                            let other = value(y.wrapping_add_signed(dy), x.wrapping_add_signed(dx));
                            own.is_some() && other.is_some() && own != other
                        })
                });
                let masked = excluded && labels.get(y, x) == IGNORE_LABEL;
                edges.push(if masked { IGNORE_LABEL } else { u8::from(edge) });
            }
        }
        edges
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn equals_the_definition(
            (height, width) in (1_usize..10, 1_usize..12),
            edge_radius in 0_usize..5,
            (frame_is_edge, excluded) in any::<(bool, bool)>(),
            values in proptest::collection::vec(0_u8..5, 120),
            wide in any::<bool>(),
        ) {
            let size = Size::new(height, width);
            let pixels = size.pixels();
            let data = values[..pixels].iter().map(|&v| if v == 4 { IGNORE_LABEL } else { v / 2 }).collect();
            let labels = Map { size, data };
            let ignored_pixels = if excluded { IgnoredPixels::Exclude } else { IgnoredPixels::Background };
            let options = TargetsOptions { edge_radius, frame_is_edge, ignored_pixels, ..TargetsOptions::paper() };
            let num_classes = if wide { 40 } else { 2 };
            let each = class_edges(labels.view(), num_classes, &options);
            let mut union = vec![0; pixels];
            for class in 0..2 {
                let expected = slow(&labels, class, &options);
                prop_assert_eq!(&each[usize::from(class) * pixels..][..pixels], &expected);
                union.iter_mut().zip(expected).for_each(|(union, edge)| *union = edge.max(*union));
            }
            prop_assert_eq!(edge_map(labels.view(), num_classes, &options), union);
        }
    }
}
