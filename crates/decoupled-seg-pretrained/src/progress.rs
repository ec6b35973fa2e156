/// Progress of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes on the disk, including those of an earlier attempt.
    pub received: u64,
    /// Bytes of the whole file; an estimate if the server does not tell.
    pub total: u64,
}
