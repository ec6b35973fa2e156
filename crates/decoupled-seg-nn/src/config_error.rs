use std::fmt::{self, Debug, Display};
use std::ops::RangeInclusive;

/// Most channels of a feature map, and most classes: sixteen times as many as the widest published network has. Far above,
/// sizes of tensors overflow.
pub const MAX_CHANNELS: usize = 1 << 16;

/// Most entries of a list, such as dilations, and most blocks of a stage.
const MAX_LENGTH: usize = 1000;

/// Why a network cannot be built from its configuration.
///
/// The configuration of each part has a `validate` that returns it; `init` panics with its text. A configuration from a file
/// is to be validated first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that the part cannot be built with, or that does not fit the part in front.
    #[error("`{key}` is {found}, expected {expected}")]
    Value {
        /// Its key, with those above it: `context.aspp.atrous_rates`.
        key: String,
        /// The value.
        found: String,
        /// What it may be, in words.
        expected: String,
    },
    /// Each number is possible, and all together are not.
    #[error("the network has {found} parameters, expected at most {limit}: make it narrower")]
    TooLarge {
        /// Its parameters.
        found: u64,
        /// The most that are possible.
        limit: u64,
    },
}

impl ConfigError {
    /// A wrong value.
    pub fn value(key: &str, found: impl Display, expected: impl Display) -> Self {
        Self::Value {
            key: key.to_string(),
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }

    /// The error as the configuration says it that holds the one with the error under `table`.
    #[must_use]
    pub fn inside(mut self, table: impl Display) -> Self {
        if let Self::Value { key, .. } = &mut self {
            *key = format!("{table}.{key}");
        }
        self
    }

    /// Checks that a number lies in a range.
    ///
    /// # Errors
    ///
    /// It does not, or is NaN.
    pub fn check<N: PartialOrd + Display>(
        key: &str,
        found: N,
        expected: RangeInclusive<N>,
    ) -> Result<(), Self> {
        match expected.contains(&found) {
            true => Ok(()),
            false => Err(Self::value(key, found, in_words(&expected))),
        }
    }

    /// Checks that every number of a list lies in a range, and that the list is no longer than any network needs.
    ///
    /// # Errors
    ///
    /// The list is too long, or a number does not lie in the range.
    pub fn check_all<N: PartialOrd + Display + Debug>(
        key: &str,
        found: &[N],
        expected: RangeInclusive<N>,
    ) -> Result<(), Self> {
        if found.len() > MAX_LENGTH {
            let found = format!("a list of {}", found.len());
            return Err(Self::value(
                key,
                found,
                format!("at most {MAX_LENGTH} numbers"),
            ));
        }
        match found.iter().all(|number| expected.contains(number)) {
            true => Ok(()),
            false => Err(Self::value(
                key,
                format!("{found:?}"),
                format!("numbers of {}", in_words(&expected)),
            )),
        }
    }

    /// Checks numbers of channels, or of classes: 1 to [`MAX_CHANNELS`].
    ///
    /// # Errors
    ///
    /// One of them is 0 or larger.
    pub fn check_channels(key: &str, found: &[usize]) -> Result<(), Self> {
        match found {
            [one] => Self::check(key, *one, 1..=MAX_CHANNELS),
            _ => Self::check_all(key, found, 1..=MAX_CHANNELS),
        }
    }

    /// Checks the share that a dropout drops: at least 0 and below 1.
    ///
    /// # Errors
    ///
    /// It is not, or NaN.
    pub fn check_dropout(key: &str, found: f64) -> Result<(), Self> {
        match (0.0..1.0).contains(&found) {
            true => Ok(()),
            false => Err(Self::value(key, found, "at least 0 and below 1")),
        }
    }

    /// Panics with the error, as `init` does on a configuration that is not valid.
    ///
    /// # Panics
    ///
    /// Panics if there is an error.
    #[track_caller]
    pub fn assert_none(result: Result<(), Self>) {
        if let Err(error) = result {
            panic!("{error}");
        }
    }
}

fn in_words<N: Display>(range: &RangeInclusive<N>) -> impl fmt::Display {
    format!("{} to {}", range.start(), range.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_key_value_and_range() {
        let error = ConfigError::check("width", 0, 1..=8).expect_err("0 is below 1");
        let error = error.inside("resnet").inside("backbone");
        assert_eq!(
            error.to_string(),
            "`backbone.resnet.width` is 0, expected 1 to 8"
        );
        let error = ConfigError::check_all("bins", &[1, 0], 1..=8).expect_err("0 is below 1");
        assert_eq!(
            error.to_string(),
            "`bins` is [1, 0], expected numbers of 1 to 8"
        );
        let error = ConfigError::check_all("bins", &[1; 1001], 1..=8).expect_err("too long");
        assert_eq!(
            error.to_string(),
            "`bins` is a list of 1001, expected at most 1000 numbers"
        );
    }

    #[test]
    fn what_is_no_number_is_in_no_range() {
        assert!(ConfigError::check("width", f64::NAN, 0.0..=1.0).is_err());
        assert!(ConfigError::check_dropout("dropout", f64::NAN).is_err());
        assert!(ConfigError::check_dropout("dropout", 1.0).is_err());
        assert_eq!(ConfigError::check_dropout("dropout", 0.0), Ok(()));
    }

    #[test]
    fn channels_are_counted_up_to_a_limit() {
        assert_eq!(
            ConfigError::check_channels("channels", &[1, MAX_CHANNELS]),
            Ok(())
        );
        assert!(ConfigError::check_channels("channels", &[MAX_CHANNELS + 1]).is_err());
        assert!(ConfigError::check_channels("channels", &[8, 0]).is_err());
    }
}
