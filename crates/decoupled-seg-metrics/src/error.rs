/// Why a pair of label maps cannot be evaluated. An update that returns an error has counted nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// The length of a slice is not the number of pixels of the image.
    #[error("`{name}` holds {found} pixels, expected {expected}: give maps of one size")]
    LengthMismatch {
        /// The slice: `labels`, `predictions` or `instances`.
        name: &'static str,
        /// Pixels it should have.
        expected: usize,
        /// Pixels it has.
        found: usize,
    },
    /// A label is neither a class nor the ignore index.
    #[error("label {label} at pixel {index}, expected a class below {num_classes}{}: map the values of the data set to classes first", or_ignore(.ignore_index))]
    UnknownLabel {
        /// Row-major index of the first such pixel.
        index: usize,
        /// The value found.
        label: u8,
        /// Classes of the metric.
        num_classes: usize,
        /// The value that marks ignored pixels, if any does.
        ignore_index: Option<u8>,
    },
    /// The prediction of a pixel that is not ignored is not a class.
    #[error(
        "prediction {prediction} at pixel {index}, expected a class below {num_classes}: predict the classes of the labels"
    )]
    UnknownPrediction {
        /// Row-major index of the first such pixel.
        index: usize,
        /// The value found.
        prediction: u8,
        /// Classes of the metric.
        num_classes: usize,
    },
}

fn or_ignore(ignore_index: &Option<u8>) -> String {
    ignore_index.map_or(String::new(), |value| format!(" or {value} (ignored)"))
}
