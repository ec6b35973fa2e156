use decoupled_seg_nn::ConfigError;

/// Channels of the images that a backbone reads: those configured, or the three of RGB.
pub(crate) fn image_channels(configured: Option<usize>) -> usize {
    configured.unwrap_or(3)
}

/// Checks the configured number.
pub(crate) fn validate(configured: Option<usize>) -> Result<(), ConfigError> {
    ConfigError::check_channels("in_channels", &[image_channels(configured)])
}
