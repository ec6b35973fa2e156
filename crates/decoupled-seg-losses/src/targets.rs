use burn::tensor::{Int, Tensor, assert_shape};
use decoupled_seg_targets::TargetsOptions;

use crate::RelaxedLabels;
use crate::body_edge_targets::BodyEdgeTargets;
use crate::edge_labels::edge_labels;
use crate::error::required;
use crate::ops;
use crate::tensors::plain;

/// What [`DecoupledLoss`](crate::DecoupledLoss) is trained towards, on the device of the labels.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Class of every pixel, `[batch, height, width]`; any other value is ignored.
    pub labels: Tensor<3, Int>,
    /// What body and edge are trained towards, for networks that predict them.
    pub supervision: Option<BodyEdgeTargets>,
}

impl Targets {
    /// Makes all targets of a batch from its labels, on the device that holds them.
    ///
    /// On the CPU by the loops of `decoupled-seg-targets`, which are several times as fast there, elsewhere (and above 31
    /// classes) by tensor operations, which leave the labels where they are. The targets are the same.
    ///
    /// # Shapes
    ///
    /// - `labels`: `[batch, height, width]`, a class; any other value is ignored
    ///
    /// # Panics
    ///
    /// Panics if `num_classes` is 0, and on options that [`TargetsOptions::validate_for`] refuses.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::{Device, Int, Tensor};
    /// use decoupled_seg_losses::{Targets, TargetsOptions};
    ///
    /// let device = Device::default();
    /// let labels = Tensor::<3, Int>::from_data([[[0, 0, 0, 1, 1, 1, 255]]], &device);
    /// let options = TargetsOptions { edge_radius: 1, ..TargetsOptions::paper() };
    /// let targets = Targets::from_labels(labels, 2, &options).supervision.unwrap();
    ///
    /// let edges: Vec<i32> = targets.edge_labels.try_into_vec_as().unwrap();
    /// assert_eq!(edges, [0, 0, 1, 1, 0, 0, 255]);
    /// let classes: Vec<i32> = targets.relaxed.classes.counts().try_into_vec_as().unwrap();
    /// assert_eq!(classes, [1, 1, 2, 2, 1, 1, 1]);
    /// ```
    pub fn from_labels(
        labels: Tensor<3, Int>,
        num_classes: usize,
        options: &TargetsOptions,
    ) -> Self {
        assert!(num_classes > 0, "num_classes must be at least 1");
        required(options.validate_for(num_classes));
        let labels = plain(labels);
        let supervision = ops::host_targets(&labels, num_classes, options)
            .unwrap_or_else(|| composed(&labels, num_classes, options));
        Self {
            labels,
            supervision: Some(supervision),
        }
    }

    /// The targets of networks that predict the segmentation only.
    ///
    /// # Shapes
    ///
    /// - `labels`: `[batch, height, width]`, a class; any other value is ignored
    pub fn plain(labels: Tensor<3, Int>) -> Self {
        Self {
            labels: plain(labels),
            supervision: None,
        }
    }

    /// Puts together targets that were made elsewhere.
    ///
    /// # Shapes
    ///
    /// - `labels`, `relaxed`, `edge_labels`: `[batch, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if the sizes differ.
    pub fn new(
        labels: Tensor<3, Int>,
        relaxed: RelaxedLabels,
        edge_labels: Tensor<3, Int>,
    ) -> Self {
        let [batch, height, width] = labels.dims();
        assert_shape!(edge_labels, [batch, height, width]);
        assert_eq!(
            relaxed.classes.dims(),
            labels.dims(),
            "relaxed labels and labels must have the same size"
        );
        Self {
            labels: plain(labels),
            supervision: Some(BodyEdgeTargets {
                relaxed,
                edge_labels: plain(edge_labels),
            }),
        }
    }
}

/// The targets by tensor operations, on any device.
fn composed(
    labels: &Tensor<3, Int>,
    num_classes: usize,
    options: &TargetsOptions,
) -> BodyEdgeTargets {
    let relaxed = RelaxedLabels::from_labels(labels.clone(), num_classes, options);
    let edge_labels = edge_labels(labels.clone(), &relaxed.classes, options);
    BodyEdgeTargets {
        relaxed,
        edge_labels,
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use decoupled_seg_targets::{EdgeSource, IgnoredPixels};
    use proptest::prelude::*;

    use super::*;

    fn integers(tensor: Tensor<4, Int>) -> Vec<i32> {
        tensor.try_into_vec_as().expect("integers")
    }

    fn options() -> impl Strategy<Value = TargetsOptions> {
        let source = prop_oneof![Just(EdgeSource::Labels), Just(EdgeSource::Relaxed)];
        let ignored = prop_oneof![
            Just(IgnoredPixels::Exclude),
            Just(IgnoredPixels::Background)
        ];
        (0..4usize, 1..6usize, source, ignored, any::<[bool; 3]>()).prop_map(
            |(
                border,
                edge_radius,
                edge_source,
                ignored_pixels,
                [frame_is_edge, strict, border_off],
            )| {
                TargetsOptions {
                    border,
                    strict_classes: if strict { vec![1] } else { vec![] },
                    border_off,
                    edge_radius,
                    edge_source,
                    frame_is_edge,
                    ignored_pixels,
                }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_path_in_use_makes_what_tensor_operations_make(
            (batch, height, width) in (1..4usize, 1..12usize, 1..12usize),
            labels in prop::collection::vec(prop_oneof![8 => 0..5i32, 1 => Just(255), 1 => -9..600i32], 400),
            num_classes in prop_oneof![Just(2usize), Just(5), Just(31), Just(40)],
            options in options(),
        ) {
            let shape = [batch, height, width];
            let labels = labels[..shape.iter().product()].to_vec();
            let labels = Tensor::<3, Int>::from_data(TensorData::new(labels, shape), &Device::default());
            let used = Targets::from_labels(labels.clone(), num_classes, &options).supervision.expect("all targets");
            let composed = composed(&plain(labels), num_classes, &options);
            prop_assert_eq!(
                integers(used.edge_labels.unsqueeze_dim(1)),
                integers(composed.edge_labels.unsqueeze_dim(1))
            );
            prop_assert_eq!(integers(used.relaxed.to_multi_hot()), integers(composed.relaxed.to_multi_hot()));
        }
    }
}
