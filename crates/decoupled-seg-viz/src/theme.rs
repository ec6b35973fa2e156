//! Colours and distances that panels, legends, charts and tables share.

/// Behind everything.
pub(crate) const PAPER: [u8; 3] = [255, 255, 255];
/// Headings and titles.
pub(crate) const INK: [u8; 3] = [28, 30, 34];
/// Captions and numbers on axes.
pub(crate) const MUTED: [u8; 3] = [92, 97, 105];
/// Axes.
pub(crate) const AXIS: [u8; 3] = [140, 145, 152];
/// Frames and lines of a grid.
pub(crate) const RULE: [u8; 3] = [218, 221, 226];
