use std::fmt;

use serde::{Deserialize, Serialize};

/// Part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Images to train on.
    Train,
    /// Images to choose checkpoints, thresholds and hyper-parameters by.
    Val,
    /// Images to report a result on, once.
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

    /// The splits that make up this one; each of them has a folder of its own.
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
