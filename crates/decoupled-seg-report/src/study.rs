use decoupled_seg_metrics::{BoundaryScore, BoundaryThreshold};

/// The results of several variants of a network or of its training.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// Stands over the report.
    pub title: String,
    /// Paragraphs below the title: the data, the protocol, what counts as success.
    pub notes: Vec<String>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The variants. The first one is the baseline of the differences.
    pub variants: Vec<Variant>,
    /// Pictures, such as predictions side by side.
    pub figures: Vec<Figure>,
}

/// One variant of a [`Study`].
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// A short name.
    pub name: String,
    /// How it differs from the baseline; may be empty.
    pub description: String,
    /// Parameters of the network.
    pub parameters: Option<u64>,
    /// Multiply-accumulate operations of the network for one image.
    pub macs: Option<u64>,
    /// Its finished runs.
    pub runs: Vec<Run>,
}

/// One run of a [`Variant`]. Scores are in `0..=1`, `None` where there was nothing to score.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Seed of the run. Runs of two variants with equal seeds are compared with each other.
    pub seed: u64,
    /// Mean intersection over union.
    pub mean_iou: Option<f64>,
    /// Share of the pixels predicted right.
    pub pixel_accuracy: Option<f64>,
    /// Intersection over union of each class of the study.
    pub class_iou: Vec<Option<f64>>,
    /// Boundary scores, in the same order for all runs.
    pub boundary: Vec<BoundaryResult>,
    /// Scores by size of object, in the same order for all runs.
    pub sizes: Vec<SizeResult>,
    /// What was recorded during the training.
    pub histories: Vec<History>,
    /// Duration of the training in seconds.
    pub seconds: Option<f64>,
}

/// The boundary score of a run at one distance, the mean over classes.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundaryResult {
    /// The distance.
    pub threshold: BoundaryThreshold,
    /// Precision, recall and F.
    pub score: Option<BoundaryScore>,
}

/// The score of a run for objects of one range of sizes.
#[derive(Debug, Clone, PartialEq)]
pub struct SizeResult {
    /// The range, such as "below 100 px".
    pub name: String,
    /// Intersection over union.
    pub iou: Option<f64>,
}

/// A figure recorded during the training, such as the loss by epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Its name; histories of equal names are drawn on one chart.
    pub name: String,
    /// Epoch and value.
    pub points: Vec<[f64; 2]>,
}

/// A picture of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Stands below the picture.
    pub caption: String,
    /// The content of a PNG file.
    pub png: Vec<u8>,
}

impl Variant {
    /// A variant of which only the runs are known.
    pub fn new(name: impl Into<String>, runs: Vec<Run>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            parameters: None,
            macs: None,
            runs,
        }
    }
}

impl Run {
    /// A run without any result.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            mean_iou: None,
            pixel_accuracy: None,
            class_iou: Vec::new(),
            boundary: Vec::new(),
            sizes: Vec::new(),
            histories: Vec::new(),
            seconds: None,
        }
    }
}
