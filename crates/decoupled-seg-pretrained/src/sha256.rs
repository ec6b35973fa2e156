use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Bytes read at a time.
pub(crate) const CHUNK: usize = 1 << 16;

/// A SHA-256 in lower-case hexadecimal digits: all 64, or only the first ones where no more are published.
///
/// torchvision puts the first 8 digits into its file names, and its own downloader checks only these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256Hex(&'static str);

impl Sha256Hex {
    /// The hash with the digits `digits`, or that begins with them.
    ///
    /// # Panics
    ///
    /// Panics unless `digits` are 8 to 64 lower-case hexadecimal digits.
    pub const fn new(digits: &'static str) -> Self {
        let bytes = digits.as_bytes();
        assert!(
            bytes.len() >= 8 && bytes.len() <= 64,
            "a SHA-256 has 64 digits, and at least 8 must be known"
        );
        let mut i = 0;
        while i < bytes.len() {
            assert!(
                matches!(bytes[i], b'0'..=b'9' | b'a'..=b'f'),
                "a SHA-256 is written in lower-case hexadecimal digits"
            );
            i += 1;
        }
        Self(digits)
    }

    /// The known digits.
    pub const fn digits(self) -> &'static str {
        self.0
    }

    /// Whether all 64 digits are known.
    pub const fn is_whole(self) -> bool {
        self.0.len() == 64
    }

    /// Whether the hash `digits` of a file (64 lower-case digits) agrees with the known digits.
    pub fn matches(self, digits: &str) -> bool {
        digits.len() == 64 && digits.starts_with(self.0)
    }
}

impl fmt::Display for Sha256Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        if !self.is_whole() {
            f.write_str("...")?;
        }
        Ok(())
    }
}

pub(crate) fn hash_all(file: &mut File, hasher: &mut Sha256) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(crate) fn digits(hasher: Sha256) -> String {
    let mut digits = String::with_capacity(64);
    for byte in hasher.finalize() {
        write!(digits, "{byte:02x}").expect("a String takes what is written");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    // The SHA-256 of an empty file.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn the_first_digits_are_enough_and_all_are_better() {
        let first = Sha256Hex::new("e3b0c442");
        assert!(first.matches(EMPTY) && !first.is_whole());
        assert_eq!(first.to_string(), "e3b0c442...");
        let all = Sha256Hex::new(EMPTY);
        assert!(all.matches(EMPTY) && all.is_whole());
        assert!(!all.matches(&EMPTY.replace("b855", "b856")));
        assert!(!first.matches("e3b0c442"), "a hash has 64 digits");
    }

    #[test]
    #[should_panic(expected = "lower-case")]
    fn capitals_are_refused() {
        Sha256Hex::new("E3B0C442");
    }

    #[test]
    #[should_panic(expected = "at least 8")]
    fn seven_digits_are_too_few() {
        Sha256Hex::new("e3b0c44");
    }
}
