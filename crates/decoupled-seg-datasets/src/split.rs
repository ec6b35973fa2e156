use std::fmt;

use serde::{Deserialize, Serialize};

/// Part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// For training.
    Train,
    /// For choosing: checkpoints, thresholds, hyper-parameters.
    Val,
    /// For reporting, once.
    Test,
    /// Training and validation images together, as some papers train on CamVid.
    TrainVal,
}

impl Split {
    /// The word used in folder and list names: `train`, `val`, `test`, `trainval`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
            Self::TrainVal => "trainval",
        }
    }

    /// The splits with a folder of their own that this one is made of.
    pub const fn parts(self) -> &'static [Self] {
        match self {
            Self::Train => &[Self::Train],
            Self::Val => &[Self::Val],
            Self::Test => &[Self::Test],
            Self::TrainVal => &[Self::Train, Self::Val],
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
