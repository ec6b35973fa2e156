#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod aggregation;
mod bands;
mod boundary_counts;
mod boundary_f_score;
mod boundary_iou;
mod boundary_threshold;
mod class_boundaries;
mod confusion_matrix;
mod contour_levels;
mod distance;
mod error;
mod instance_iou;
mod label_space;
mod label_table;
mod object_recall;
mod pair_histogram;
mod proximity;
mod segmentation_report;
mod trimap_iou;

pub use aggregation::Aggregation;
pub use boundary_counts::{AbsentClass, BoundaryCounts, BoundaryScore};
pub use boundary_f_score::{BoundaryFScore, boundary_counts};
pub use boundary_iou::BoundaryIou;
pub use boundary_threshold::BoundaryThreshold;
pub use class_boundaries::ClassBoundaries;
pub use confusion_matrix::ConfusionMatrix;
pub use contour_levels::ImageFrame;
pub use error::MetricsError;
pub use instance_iou::InstanceIou;
pub use label_space::LabelSpace;
pub use label_table::{EvaluationLabel, LabelTable};
pub use object_recall::ObjectRecall;
pub use segmentation_report::{ReportRow, SegmentationReport};
pub use trimap_iou::TrimapIou;
