//! Targets by the loops of `decoupled-seg-targets`, an image a core.

use burn::tensor::{Int, Tensor, TensorData};
use decoupled_seg_targets::{
    IGNORE_LABEL, LabelView, Size, TargetMaps, TargetsOptions, target_maps,
};
use rayon::prelude::*;

use crate::label_sets::CLASSES_PER_WORD;
use crate::{BodyEdgeTargets, RelaxedLabels};

/// `None` where the sets do not fit a word, or pixels are to be counted twice.
pub(in crate::ops) fn host_targets(
    labels: &Tensor<3, Int>,
    num_classes: usize,
    options: &TargetsOptions,
) -> Option<BodyEdgeTargets> {
    let [batch, height, width] = labels.dims();
    let size = Size::new(height, width);
    if num_classes > CLASSES_PER_WORD || options.border_off || size.pixels() == 0 {
        return None;
    }
    let values: Vec<i64> = labels.clone().try_into_vec_as().expect("integers");
    let class = |&value: &i64| match u8::try_from(value) {
        Ok(label) if usize::from(label) < num_classes => label,
        _ => IGNORE_LABEL,
    };
    let of_image = |image: &[i64]| {
        let labels: Vec<u8> = image.iter().map(class).collect();
        target_maps(LabelView::new(size, &labels), num_classes, options)
    };
    let images: Vec<TargetMaps> = values.par_chunks(size.pixels()).map(of_image).collect();

    let mut words = Vec::with_capacity(values.len());
    let mut edges = Vec::with_capacity(values.len());
    for image in images {
        let bits = image.relaxed.bits().expect("31 classes fit");
        words.extend(bits.iter().map(|&bits| bits as i32));
        edges.extend(image.edges.into_iter().map(i32::from));
    }
    let device = labels.device();
    let tensor = |values: Vec<i32>| {
        Tensor::<3, Int>::from_data(TensorData::new(values, [batch, height, width]), &device)
    };
    Some(BodyEdgeTargets {
        relaxed: RelaxedLabels::from_packed(tensor(words), num_classes),
        edge_labels: tensor(edges),
    })
}
