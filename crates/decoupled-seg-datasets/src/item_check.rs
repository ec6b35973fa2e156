use std::collections::BTreeMap;

use decoupled_seg_types::Size;

use crate::{BandStatistics, DatasetError, LabelMap, MaskFormat, MaskMeaning};

/// If all images of a split are this dark or darker, they are of another range than 0 to 255: a photo has a light pixel.
/// Photos of 14 bits that are stored with 16 have no value above it.
pub const DARK: u8 = 63;

/// The findings in one item: all problems, not just the first.
#[derive(Debug, Default)]
pub struct ItemCheck {
    /// Size of the image, if it can be read.
    pub size: Option<Size>,
    /// Hash of the decoded image, for duplicates.
    pub image_hash: Option<u64>,
    /// Whether no value of the image is above [`DARK`].
    pub dark: bool,
    /// Whether the image was turned, as the orientation tag of its file says.
    pub turned: bool,
    /// Mean and deviation of each band, for images of bands.
    pub bands: Option<BandStatistics>,
    /// The labels, if they can be read.
    pub labels: Option<LabelMap>,
    /// How the mask is stored, if it is a file.
    pub mask_format: Option<MaskFormat>,
    /// The values in the mask file, before they are mapped, with their pixel counts; also those of a colour mask that is
    /// read as a grey one.
    pub raw_values: BTreeMap<u16, u64>,
    /// What the mask file says about the meaning of its values; `None` if masks are read by their colours.
    pub meaning: Option<MaskMeaning>,
    /// All problems.
    pub problems: Vec<DatasetError>,
}
