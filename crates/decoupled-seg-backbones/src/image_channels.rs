/// Channels of the images that a backbone reads: those configured, or the three of RGB.
///
/// # Panics
///
/// Panics if it is 0.
pub(crate) fn image_channels(configured: Option<usize>) -> usize {
    let channels = configured.unwrap_or(3);
    assert!(channels > 0, "in_channels must be at least 1, got 0");
    channels
}
