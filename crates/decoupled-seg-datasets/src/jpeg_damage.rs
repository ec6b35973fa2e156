/// What is wrong with the data of a JPEG whose beginning and end are there.
///
/// A scan writes the picture block by block, in codes whose length is known only when they are read. Where bytes are
/// missing or strange, what follows is read as other blocks, and their number comes out wrong. Blocks are counted in
/// the units of the scan: several blocks of each colour, or one block of one colour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JpegDamage {
    /// The data of a scan end before its last block.
    #[error("the data end after {found} of {expected} blocks")]
    EndsEarly {
        /// Whole blocks.
        found: usize,
        /// Blocks of the scan.
        expected: usize,
    },
    /// Data remain behind the last block, or before a restart.
    #[error("{bytes} bytes are left over behind block {block} of {expected}")]
    LeftOver {
        /// Bytes left over.
        bytes: usize,
        /// Blocks read so far.
        block: usize,
        /// Blocks of the scan.
        expected: usize,
    },
    /// The bits of a block are no code of the file, or code more values than a block has.
    #[error("block {block} of {expected} cannot be read")]
    BadBlock {
        /// The block, from 1.
        block: usize,
        /// Blocks of the scan.
        expected: usize,
    },
    /// A header between the scans contradicts itself.
    #[error("a header between the data cannot be read")]
    BadHeader,
    /// A scan is missing, so that colours or bits of them are.
    #[error("a scan of colour {component} is missing")]
    MissingScan {
        /// The colour (1: brightness), from 1.
        component: usize,
    },
    /// A colour has more samples than the brightness. The standard allows it, cameras do the reverse, and the decoder panics
    /// on it.
    #[error("colour {component} is sampled finer than the brightness, which is not supported")]
    FineColour {
        /// The colour, from 2.
        component: usize,
    },
    /// There are so many scans that reading them would take long.
    #[error("more than {limit} scans")]
    TooManyScans {
        /// The limit.
        limit: usize,
    },
}
