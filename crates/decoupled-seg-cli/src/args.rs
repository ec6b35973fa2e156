use std::path::PathBuf;

use clap::{Args, ValueEnum};
use decoupled_seg::datasets::{MAX_PIXELS, ResizedCacheConfig, ResizedTo, Split};
use decoupled_seg::engine::{Protocol, RecipeError, Window};
use decoupled_seg_types::{ParseSizeError, Size};

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

/// A scale to which images can be resized: the cache knows.
pub(crate) fn scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|_| "expected a number".to_string())?;
    let cache = ResizedCacheConfig::new("", ResizedTo::Scale(scale));
    cache.validate().map_err(|error| error.to_string())?;
    Ok(scale)
}

/// The size of a picture: no more pixels than a picture that is read.
pub(crate) fn picture_size(text: &str) -> Result<Size, String> {
    let size: Size = text
        .parse()
        .map_err(|error: ParseSizeError| error.to_string())?;
    if size.height as u128 * size.width as u128 > u128::from(MAX_PIXELS) {
        return Err("expected 2^26 pixels at most, as of an image".to_string());
    }
    Ok(size)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_a_size_that_memory_can_hold() {
        assert_eq!(picture_size("1024x2048"), Ok(Size::new(1024, 2048)));
        for size in ["8193x8192", "99999999x99999999", "4294967296x4294967296"] {
            let error = picture_size(size).expect_err(size);
            assert!(error.contains("2^26 pixels at most"), "{error}");
        }
    }
}
