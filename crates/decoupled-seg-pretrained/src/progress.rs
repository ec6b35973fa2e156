/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes on the disk, those of an earlier attempt included.
    pub received: u64,
    /// Bytes of the whole file; about that many where the server does not say.
    pub total: u64,
}
