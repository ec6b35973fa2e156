//! FNV-1a, 64 bits: stable across machines and releases, which the standard library's hasher is not.

/// Hashes what is fed to it, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fnv(u64);

impl Fnv {
    pub(crate) fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        self
    }

    pub(crate) fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    pub(crate) fn finish(self) -> u64 {
        self.0
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
