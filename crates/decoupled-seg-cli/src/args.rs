use std::path::PathBuf;

use clap::{Args, ValueEnum};
use decoupled_seg::datasets::Split;
use decoupled_seg::engine::{Protocol, RecipeError, Window};

#[derive(Args)]
pub(crate) struct DataArgs {
    /// Folder of the data set.
    #[arg(long, conflicts_with = "synthetic")]
    pub root: Option<PathBuf>,
    /// Another form of the data set; for a run that is there already, the one that it was trained on unless given.
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// Work on a tiny made-up data set of the same layout instead, written into the run's folder.
    #[arg(long)]
    pub synthetic: bool,
    /// Folder of the run.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// How images are shown to the network, where it differs from the run's validation.
#[derive(Args)]
pub(crate) struct ProtocolArgs {
    /// Scales to merge; the one of the run's validation unless given.
    #[arg(long, num_args = 1..)]
    pub scales: Vec<f64>,
    /// Merge with the mirrored image.
    #[arg(long)]
    pub flip: bool,
    /// Slide a window of so many pixels a side over the image, instead of taking it whole.
    #[arg(long, value_name = "PIXELS")]
    pub tile: Option<usize>,
}

impl ProtocolArgs {
    /// The protocol of the run with what the arguments change.
    pub fn apply(&self, mut protocol: Protocol) -> Result<Protocol, RecipeError> {
        if !self.scales.is_empty() {
            protocol.scales = self.scales.clone();
        }
        protocol.flip |= self.flip;
        if let Some(tile) = self.tile {
            protocol.window = Window::sliding(tile);
        }
        protocol.validate()?;
        Ok(protocol)
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SplitName {
    /// The training images.
    Train,
    /// The validation images.
    Val,
    /// The test images.
    Test,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Train => Self::Train,
            SplitName::Val => Self::Val,
            SplitName::Test => Self::Test,
        }
    }
}
