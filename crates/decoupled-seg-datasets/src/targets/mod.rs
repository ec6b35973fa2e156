//! Training targets made from a label map: relaxed labels for the body, edge maps for the edge branch.
//!
//! Both are exact, for any window and radius, and made at load time for any data set. A pixel's classes are a set of
//! bits, so the work is proportional to the pixels, not to pixels times classes.

mod disc;
mod edges;
mod relaxed;
mod word;

pub use edges::{EdgeOptions, EdgeSource, class_edges, edge_map};
pub use relaxed::{RelaxOptions, RelaxedLabels, relaxed_labels};

use crate::{IGNORE, LabelView};

/// Panics unless every label is a class or [`IGNORE`]: readers promise it, and bits need it.
fn check_labels(labels: LabelView<'_>, num_classes: usize) {
    assert!(
        (1..=crate::MAX_CLASSES).contains(&num_classes),
        "1 to {} classes, got {num_classes}",
        crate::MAX_CLASSES
    );
    // Without a way out, so that the loop takes many labels at once.
    let strange =
        |strange: bool, &label: &u8| strange | ((label >= num_classes as u8) & (label != IGNORE));
    let known = !labels.data.iter().fold(false, strange);
    assert!(
        known,
        "labels must be below {num_classes} or {IGNORE}, got {:?}",
        stranger(labels, num_classes)
    );
}

fn stranger(labels: LabelView<'_>, num_classes: usize) -> Option<u8> {
    labels
        .data
        .iter()
        .copied()
        .find(|&label| usize::from(label) >= num_classes && label != IGNORE)
}
