use std::fmt;

/// Where many values of a mask that are no class may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtherValues {
    /// They lie along borders, as mixed values do.
    Smoothed,
    /// All colours of the mask are in the class table once red and blue are exchanged.
    RedAndBlue,
    /// They fill areas, and are 1, 2, 3, and so on without a gap.
    Numbers,
    /// They fill areas.
    Areas,
}

impl fmt::Display for OtherValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smoothed => "smoothed, or saved as JPEG?",
            Self::RedAndBlue => {
                "colours of the class table with red and blue exchanged: written by OpenCV, as BGR?"
            }
            Self::Numbers => "1, 2, 3, ... in whole areas: do the masks number objects?",
            Self::Areas => "in whole areas: classes that are not listed?",
        })
    }
}
