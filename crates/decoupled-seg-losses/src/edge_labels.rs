use burn::tensor::{Bool, Int, Tensor};
use decoupled_seg_targets::{EdgeSource, IgnoredPixels, TargetsOptions};

use crate::label_sets::is_class;
use crate::tensors::{DiskValues, differs_within};
use crate::{IGNORE_INDEX, LabelSets};

/// Edge labels `[batch, height, width]`, 0, 1 or [`IGNORE_INDEX`], by tensor operations on any device.
///
/// `relaxed` are the sets of the relaxed labels, drawn on if the options say so.
pub(crate) fn edge_labels(
    labels: Tensor<3, Int>,
    relaxed: &LabelSets,
    options: &TargetsOptions,
) -> Tensor<3, Int> {
    let ignored = is_class(&labels, relaxed.num_classes()).bool_not();
    let edges = match options.edge_source {
        EdgeSource::Labels => {
            // Class c is c + 1, so that 0 is left for pixels of no class.
            let codes = labels.mask_fill(ignored.clone(), -1) + 1;
            differs(codes.unsqueeze_dim(1), ignored.clone(), options)
        }
        EdgeSource::Relaxed => {
            let planes = differs(relaxed.words(), relaxed.is_empty(), options);
            planes.int().max_dim(1).equal_elem(1)
        }
    };
    let edges = edges.squeeze_dim::<3>(1).int();
    match options.ignored_pixels {
        IgnoredPixels::Exclude => edges.mask_fill(ignored, IGNORE_INDEX),
        IgnoredPixels::Background => edges,
    }
}

/// Whether the values within the radius differ; `nothing` are pixels of no class.
fn differs(
    values: Tensor<4, Int>,
    nothing: Tensor<3, Bool>,
    options: &TargetsOptions,
) -> Tensor<4, Bool> {
    let excluded = match options.ignored_pixels {
        IgnoredPixels::Exclude => Some(nothing.unsqueeze_dim(1)),
        IgnoredPixels::Background => None,
    };
    let outside = options.frame_is_edge.then_some(0);
    differs_within(
        DiskValues {
            values,
            excluded,
            outside,
        },
        options.edge_radius,
    )
}
