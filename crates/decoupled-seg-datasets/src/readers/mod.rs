//! Readers of the data sets' official layouts. Each opens a [`FileDataset`](crate::FileDataset).

mod camvid;

pub use camvid::CamVid;
