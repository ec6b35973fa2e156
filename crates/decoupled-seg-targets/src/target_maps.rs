use decoupled_seg_types::LabelView;

use crate::edge_map::edge_map_of;
use crate::{RelaxedMap, TargetsOptions, relaxed_map};

/// The training targets of body and edge for one label map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetMaps {
    /// The target of the body: the classes near every pixel.
    pub relaxed: RelaxedMap,
    /// The target of the edge, `[height, width]`: 1 near a border between classes, 0 elsewhere, or
    /// [`IGNORE_LABEL`](crate::IGNORE_LABEL).
    pub edges: Vec<u8>,
}

/// Makes the [`relaxed_map`] and the [`edge_map`](crate::edge_map) of a label map, and relaxes the labels only once.
///
/// # Panics
///
/// Panics if a label is neither below `num_classes` nor [`IGNORE_LABEL`](crate::IGNORE_LABEL).
pub fn target_maps<'a>(
    labels: impl Into<LabelView<'a>>,
    num_classes: usize,
    options: &TargetsOptions,
) -> TargetMaps {
    let labels = labels.into();
    let relaxed = relaxed_map(labels, num_classes, options);
    let edges = edge_map_of(labels, Some(&relaxed), num_classes, options);
    TargetMaps { relaxed, edges }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LABEL_A, map};
    use crate::{edge_map, relaxed_map};

    #[test]
    fn both_are_those_made_alone() {
        let labels = map(&LABEL_A);
        for options in [TargetsOptions::paper(), TargetsOptions::official()] {
            for num_classes in [3, 100] {
                let targets = target_maps(labels.view(), num_classes, &options);
                assert_eq!(
                    targets.edges,
                    edge_map(labels.view(), num_classes, &options)
                );
                assert_eq!(
                    targets.relaxed,
                    relaxed_map(labels.view(), num_classes, &options)
                );
            }
        }
    }
}
