//! FNV-1a with 64 bits. Unlike the standard library's hasher, it is stable across machines and releases.

use std::hash::{Hash, Hasher};

use fnv::FnvHasher;

/// A hash of the values that it was given, in order.
#[derive(Default)]
pub(crate) struct Fnv(FnvHasher);

impl Fnv {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.write(bytes);
        self
    }

    pub(crate) fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Any value; the number is that of this release and kind of machine only.
    pub(crate) fn value(mut self, value: &impl Hash) -> Self {
        value.hash(&mut self.0);
        self
    }

    pub(crate) fn finish(self) -> u64 {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_vectors() {
        assert_eq!(Fnv::new().finish(), 0xCBF2_9CE4_8422_2325);
        assert_eq!(Fnv::new().bytes(b"a").finish(), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(Fnv::new().bytes(b"foobar").finish(), 0x8594_4171_F739_67E8);
    }
}
