use std::path::PathBuf;

use crate::MaskFormat;

/// What a mask file says about the meaning of its values: how they are stored, and the colours of its palette.
///
/// Where values or indices are ids, colours have no say. But files of one data set that contradict each other in them were
/// changed by a program that keeps the picture and gives its values another order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskMeaning {
    /// The file.
    pub path: PathBuf,
    /// How its values are to be understood. Grey of one bit stands for a mask whose white may be 1 or 255.
    pub format: MaskFormat,
    /// The values, or palette indices, that some pixel has, in rising order.
    pub values: Vec<u8>,
    /// The palette's colours, if there is one.
    pub palette: Vec<[u8; 3]>,
}

impl MaskMeaning {
    /// The colour that a viewer shows for a value.
    pub(crate) fn color(&self, value: u8) -> Option<[u8; 3]> {
        match self.format {
            MaskFormat::Palette(_) => self.palette.get(usize::from(value)).copied(),
            _ => Some([value; 3]),
        }
    }

    /// The values that some pixel has, with their colours.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (u8, [u8; 3])> {
        let colors = self.values.iter();
        colors.filter_map(|&value| Some((value, self.color(value)?)))
    }

    /// Whether all colours are greys, at least two.
    pub(crate) fn is_grey(&self) -> bool {
        let is_grey = |(_, [red, green, blue]): (u8, [u8; 3])| red == green && green == blue;
        self.values.len() > 1 && self.shown().all(is_grey)
    }

    /// Whether each value is shown as the grey of that value, as in a mask without palette.
    pub(crate) fn is_plain(&self) -> bool {
        let is_own = |&value: &u8| self.color(value) == Some([value; 3]);
        // Every palette may have black at its beginning.
        let has_some = self.values.iter().any(|&value| value > 0);
        !matches!(self.format, MaskFormat::Palette(_)) || has_some && self.values.iter().all(is_own)
    }

    /// Whether the mask is of one bit, has white, and white may be 1 or 255.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.format == MaskFormat::Grey(1) && self.values.contains(&1)
    }
}
