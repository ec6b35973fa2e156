use serde::{Deserialize, Serialize};

use super::check_labels;
use super::disc::{Rules, changing_classes};
use super::relaxed::{RelaxOptions, Sets, relaxed_labels};
use super::word::{MAX_NARROW, Wide, Word};
use crate::{IGNORE, LabelView};

/// Which masks the edges are the borders of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeSource {
    /// The labels as they are; an edge band of radius `r` is `2 r` pixels wide.
    #[default]
    Plain,
    /// The relaxed labels, which overlap: the band is `2 (r + border)` pixels wide, with a gap if `r < border`.
    Relaxed(RelaxOptions),
}

/// How edge maps are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EdgeOptions {
    /// A pixel is an edge if the other side of a border is at most this many pixels away (Euclidean distance between
    /// pixel centres).
    pub radius: usize,
    /// The masks whose borders count.
    pub source: EdgeSource,
    /// Whether objects end at the border of the picture. In the authors' code they do, so that the outer `radius`
    /// pixels of every crop are edge.
    pub frame_is_edge: bool,
    /// Whether a border between a class and ignored pixels is an edge, on both sides.
    pub ignore_borders: bool,
    /// Whether pixels that are ignored in the labels are [`IGNORE`] in the edge map too, instead of 0 or 1.
    pub mask_ignored: bool,
}

impl Default for EdgeOptions {
    /// Radius 2 on the labels as they are; only borders between two classes are edges, and nothing is claimed where
    /// the labels say nothing.
    fn default() -> Self {
        Self {
            radius: 2,
            source: EdgeSource::Plain,
            frame_is_edge: false,
            ignore_borders: false,
            mask_ignored: true,
        }
    }
}

impl EdgeOptions {
    /// As the authors' code: radius 2 on relaxed masks, the frame and borders of ignored regions are edges.
    pub fn official() -> Self {
        Self {
            radius: 2,
            source: EdgeSource::Relaxed(RelaxOptions::default()),
            frame_is_edge: true,
            ignore_borders: true,
            mask_ignored: false,
        }
    }

    /// Sets [`radius`](Self::radius).
    pub fn with_radius(mut self, radius: usize) -> Self {
        self.radius = radius;
        self
    }

    /// Sets [`source`](Self::source).
    pub fn with_source(mut self, source: EdgeSource) -> Self {
        self.source = source;
        self
    }

    /// Sets [`frame_is_edge`](Self::frame_is_edge).
    pub fn with_frame_is_edge(mut self, frame_is_edge: bool) -> Self {
        self.frame_is_edge = frame_is_edge;
        self
    }
}

/// Marks the pixels near a border of any class, given a [`LabelMap`](crate::LabelMap) or a [`LabelView`] of a slice: 1 for edge, 0 for none, [`IGNORE`] as
/// [`mask_ignored`](EdgeOptions::mask_ignored) asks; `[height, width]` in row-major order.
///
/// `O(pixels * radius)`, whatever the number of classes. Equal to the distance transform of every class mask and of
/// its complement, thresholded and united, but for absent classes at radii from 3 on, where SciPy's transform marks a
/// corner that has no border.
///
/// # Panics
///
/// Panics if a label is neither below `num_classes` nor [`IGNORE`].
pub fn edge_map<'a>(
    labels: impl Into<LabelView<'a>>,
    num_classes: usize,
    options: &EdgeOptions,
) -> Vec<u8> {
    let labels = labels.into();
    check_labels(labels, num_classes);
    let mut edges = vec![0; labels.data.len()];
    match &options.source {
        EdgeSource::Plain => mark_any(&codes(labels), labels, options, &mut edges),
        EdgeSource::Relaxed(_) => match class_sets(labels, num_classes, &options.source) {
            Sets::Narrow(sets) => mark_any(&sets, labels, options, &mut edges),
            Sets::Wide(sets) => mark_any(&sets, labels, options, &mut edges),
        },
    }
    mask_ignored(&mut edges, labels, options);
    edges
}

/// As [`edge_map`], with a map of its own for each class: `[num_classes, height, width]`.
///
/// # Panics
///
/// Panics if a label is neither below `num_classes` nor [`IGNORE`].
pub fn class_edges<'a>(
    labels: impl Into<LabelView<'a>>,
    num_classes: usize,
    options: &EdgeOptions,
) -> Vec<u8> {
    let labels = labels.into();
    check_labels(labels, num_classes);
    let pixels = labels.data.len();
    let mut edges = vec![0; num_classes * pixels];
    match class_sets(labels, num_classes, &options.source) {
        Sets::Narrow(sets) => mark_each(&sets, labels, options, &mut edges),
        Sets::Wide(sets) => mark_each(&sets, labels, options, &mut edges),
    }
    for plane in edges.chunks_exact_mut(pixels.max(1)) {
        mask_ignored(plane, labels, options);
    }
    edges
}

/// The class bits of each pixel, without the ignore bit.
fn class_sets(labels: LabelView<'_>, num_classes: usize, source: &EdgeSource) -> Sets {
    match source {
        EdgeSource::Plain if num_classes <= MAX_NARROW => {
            Sets::Narrow(own_class(labels, num_classes))
        }
        EdgeSource::Plain => Sets::Wide(own_class(labels, num_classes)),
        EdgeSource::Relaxed(options) => {
            let mut sets = relaxed_labels(labels, num_classes, options).sets;
            match &mut sets {
                Sets::Narrow(sets) => drop_bit(sets, u32::bit(num_classes)),
                Sets::Wide(sets) => drop_bit(sets, Wide::bit(num_classes)),
            }
            sets
        }
    }
}

/// A code for each pixel's class, 0 for none: equal for equal classes, which is all that a border needs.
fn codes(labels: LabelView<'_>) -> Vec<u8> {
    // IGNORE is the last value, and the one before it is no class.
    labels
        .data
        .iter()
        .map(|label| label.wrapping_add(1))
        .collect()
}

fn own_class<W: Word>(labels: LabelView<'_>, num_classes: usize) -> Vec<W> {
    let mut table = [W::EMPTY; 256];
    for (class, word) in table.iter_mut().enumerate().take(num_classes) {
        *word = W::bit(class);
    }
    labels
        .data
        .iter()
        .map(|&label| table[usize::from(label)])
        .collect()
}

fn drop_bit<W: Word>(sets: &mut [W], bit: W) {
    sets.iter_mut().for_each(|set| *set = set.and_not(bit));
}

fn rules(options: &EdgeOptions) -> Rules {
    Rules {
        radius: options.radius,
        frame: options.frame_is_edge,
        empty: options.ignore_borders,
    }
}

fn mark_any<W: Word>(sets: &[W], labels: LabelView<'_>, options: &EdgeOptions, edges: &mut [u8]) {
    let width = labels.width;
    changing_classes(sets, width, labels.height, rules(options), |y, changing| {
        let row = &mut edges[y * width..(y + 1) * width];
        row.iter_mut()
            .zip(changing)
            .for_each(|(edge, &classes)| *edge = u8::from(classes != W::EMPTY));
    });
}

fn mark_each<W: Word>(sets: &[W], labels: LabelView<'_>, options: &EdgeOptions, edges: &mut [u8]) {
    let (width, pixels) = (labels.width, labels.data.len());
    changing_classes(sets, width, labels.height, rules(options), |y, changing| {
        for (x, mut classes) in changing.iter().copied().enumerate() {
            while let Some(class) = classes.lowest() {
                edges[class * pixels + y * width + x] = 1;
                classes = classes.and_not(W::bit(class));
            }
        }
    });
}

fn mask_ignored(edges: &mut [u8], labels: LabelView<'_>, options: &EdgeOptions) {
    if options.mask_ignored {
        let ignored = edges
            .iter_mut()
            .zip(labels.data)
            .filter(|(_, label)| **label == IGNORE);
        ignored.for_each(|(edge, _)| *edge = IGNORE);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::LabelMap;

    /// The first label map of the reference's golden values; `.` is ignored.
    pub const LABEL_A: [&str; 6] = [
        "00001111", "00001111", "00011111", "00222111", "22222211", "22222..1",
    ];

    pub fn map(rows: &[&str]) -> LabelMap {
        let data = rows
            .concat()
            .bytes()
            .map(|byte| if byte == b'.' { IGNORE } else { byte - b'0' })
            .collect();
        LabelMap::new(rows[0].len(), rows.len(), data)
    }

    fn official(radius: usize, source: EdgeSource) -> EdgeOptions {
        EdgeOptions::official()
            .with_radius(radius)
            .with_source(source)
    }

    #[test]
    fn golden_edges() {
        let label_b = [
            "22222222", "22222222", "22200222", "22200222", "11111111", "11111111",
        ];
        let plain_a = [
            "11111111", "10011001", "10111001", "11111101", "11000111", "11111111",
        ];
        let plain_b = [
            "11111111", "10011001", "10111101", "11111111", "11111111", "11111111",
        ];
        let relaxed_a = [
            "11111111", "11111101", "11111111", "11111011", "11111011", "11111111",
        ];
        let relaxed = EdgeSource::Relaxed(RelaxOptions::default());
        let a = map(&LABEL_A);
        assert_eq!(
            edge_map(&a, 3, &official(1, EdgeSource::Plain)),
            map(&plain_a).data
        );
        assert_eq!(
            edge_map(&map(&label_b), 3, &official(1, EdgeSource::Plain)),
            map(&plain_b).data
        );
        assert_eq!(
            edge_map(&a, 3, &official(1, relaxed.clone())),
            map(&relaxed_a).data
        );
        assert_eq!(edge_map(&a, 3, &official(2, EdgeSource::Plain)), [1; 48]);
        assert_eq!(edge_map(&a, 3, &official(2, relaxed)), [1; 48]);
    }

    #[test]
    fn only_borders_between_two_classes_count_by_default() {
        let labels = map(&["0001111", "0001111", "000..11", "000...."]);
        let edges = edge_map(&labels, 2, &EdgeOptions::default().with_radius(1));
        assert_eq!(
            edges,
            map(&["0011000", "0011000", "000..00", "000...."]).data
        );
        let keep = EdgeOptions {
            mask_ignored: false,
            ..EdgeOptions::default()
        };
        assert!(edge_map(&labels, 2, &keep).iter().all(|&edge| edge <= 1));
    }

    #[test]
    fn a_band_is_as_wide_as_documented() {
        let labels = LabelMap::new(40, 3, (0..120).map(|i| u8::from(i % 40 >= 20)).collect());
        let width = |options: &EdgeOptions| {
            edge_map(&labels, 2, options)[40..80]
                .iter()
                .filter(|&&e| e == 1)
                .count()
        };
        for radius in 0..6 {
            let options = EdgeOptions::default().with_radius(radius);
            assert_eq!(width(&options), 2 * radius);
            for border in 0..4 {
                let source = EdgeSource::Relaxed(RelaxOptions::default().with_border(border));
                let expected = if radius < border {
                    4 * radius
                } else {
                    2 * (radius + border)
                };
                assert_eq!(width(&options.clone().with_source(source)), expected);
            }
        }
    }

    /// The definition, pixel by pixel.
    fn slow(labels: &LabelMap, class: u8, options: &EdgeOptions) -> Vec<u8> {
        let reach = options.radius as isize;
        let value = |x: usize, y: usize| {
            let inside = x < labels.width && y < labels.height;
            let label = if inside { labels.get(x, y) } else { IGNORE };
            let counts = if inside {
                label != IGNORE || options.ignore_borders
            } else {
                options.frame_is_edge
            };
            counts.then_some(label == class)
        };
        let mut edges = Vec::new();
        for y in 0..labels.height {
            for x in 0..labels.width {
                let own = value(x, y);
                let edge = (-reach..=reach).any(|dy| {
                    (-reach..=reach)
                        .filter(|dx| dx * dx + dy * dy <= reach * reach)
                        .any(|dx| {
                            let other = value(x.wrapping_add_signed(dx), y.wrapping_add_signed(dy));
                            own.is_some() && other.is_some() && own != other
                        })
                });
                let masked = options.mask_ignored && labels.get(x, y) == IGNORE;
                edges.push(if masked { IGNORE } else { u8::from(edge) });
            }
        }
        edges
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn equals_the_definition(
            (width, height) in (1_usize..12, 1_usize..10),
            radius in 0_usize..5,
            (frame_is_edge, ignore_borders, mask_ignored) in any::<(bool, bool, bool)>(),
            values in proptest::collection::vec(0_u8..5, 120),
            wide in any::<bool>(),
        ) {
            let data = values[..width * height].iter().map(|&v| if v == 4 { IGNORE } else { v / 2 }).collect();
            let labels = LabelMap::new(width, height, data);
            let options =
                EdgeOptions { radius, source: EdgeSource::Plain, frame_is_edge, ignore_borders, mask_ignored };
            let num_classes = if wide { 40 } else { 2 };
            let each = class_edges(&labels, num_classes, &options);
            let mut union = vec![0; width * height];
            for class in 0..2 {
                let expected = slow(&labels, class, &options);
                prop_assert_eq!(&each[usize::from(class) * width * height..][..width * height], &expected);
                union.iter_mut().zip(expected).for_each(|(union, edge)| *union = edge.max(*union));
            }
            prop_assert_eq!(edge_map(&labels, num_classes, &options), union);
        }
    }
}
