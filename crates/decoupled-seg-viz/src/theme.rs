//! Colours that panels, legends, charts and matrices share.

/// The background.
pub(crate) const PAPER: [u8; 3] = [255, 255, 255];
/// Titles.
pub(crate) const INK: [u8; 3] = [28, 30, 34];
/// Captions and numbers on axes.
pub(crate) const MUTED: [u8; 3] = [92, 97, 105];
/// Frames and lines of a grid.
pub(crate) const RULE: [u8; 3] = [218, 221, 226];

/// Colours of curves, which colour-blind readers can tell apart: Okabe and Ito ("Color Universal Design", 2008),
/// without black and yellow.
pub(crate) const CURVES: [[u8; 3]; 6] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
];
