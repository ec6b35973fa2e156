use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn_dataset::DatasetError as BurnDatasetError;
use decoupled_seg_datasets::loader::{Batches, Loader, LoaderConfig};
use decoupled_seg_datasets::{
    ClassTable, Dataset, DatasetError, LabelMap, Sample, SegmentationDataset,
};

/// Images and labels on a device.
#[derive(Debug, Clone)]
pub struct SegmentationBatch {
    /// Normalised, `[batch, 3, height, width]`.
    pub images: Tensor<4>,
    /// Class indices or 255, `[batch, height, width]`.
    pub labels: Tensor<3, Int>,
}

/// The project's [`Loader`] as a burn data loader: same order, same crops. Each pass over it is the next epoch.
#[derive(Clone)]
pub struct SegmentationLoader {
    dataset: Arc<dyn SegmentationDataset>,
    config: LoaderConfig,
    device: Device,
    epoch: Arc<AtomicU64>,
}

impl SegmentationLoader {
    /// Loads `dataset` as `config` says.
    pub fn new(dataset: Arc<dyn SegmentationDataset>, config: LoaderConfig) -> Self {
        Self {
            dataset,
            config,
            device: Device::default(),
            epoch: Arc::new(AtomicU64::new(0)),
        }
    }
}

impl DataLoader<SegmentationBatch> for SegmentationLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<SegmentationBatch> + 'a> {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        let loader = Loader::new(Arc::clone(&self.dataset), self.config.clone());
        let total = match self.config.drop_last {
            true => loader.batches() * self.config.batch_size,
            false => self.dataset.len(),
        };
        Box::new(Pass {
            batches: loader.epoch(epoch),
            device: self.device.clone(),
            done: 0,
            total,
        })
    }

    fn num_items(&self) -> usize {
        self.dataset.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<SegmentationBatch>> {
        Arc::new(Self {
            device: device.clone(),
            ..self.clone()
        })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<SegmentationBatch>> {
        let part = Part {
            whole: Arc::clone(&self.dataset),
            start,
            end,
        };
        Arc::new(Self {
            dataset: Arc::new(part),
            epoch: Arc::new(AtomicU64::new(self.epoch.load(Ordering::Relaxed))),
            ..self.clone()
        })
    }
}

struct Pass {
    batches: Batches,
    device: Device,
    done: usize,
    total: usize,
}

impl Iterator for Pass {
    type Item = Result<SegmentationBatch, BurnDatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.batches.next()? {
            Ok(batch) => batch,
            Err(error) => return Some(Err(BurnDatasetError::new(error))),
        };
        self.done += batch.batch;
        let (size, height, width) = (batch.batch, batch.height, batch.width);
        let images = TensorData::new(batch.images, [size, 3, height, width]);
        let labels = TensorData::new(batch.labels, [size, height, width]);
        Some(Ok(SegmentationBatch {
            images: Tensor::from_data(images, &self.device),
            labels: Tensor::from_data(labels, &self.device.clone().without_autodiff()),
        }))
    }
}

impl DataLoaderIterator<SegmentationBatch> for Pass {
    fn progress(&self) -> Progress {
        Progress::new(self.done, self.total, Some("images".to_string()))
    }
}

/// Some neighbouring items of a data set: what one of several devices gets.
struct Part {
    whole: Arc<dyn SegmentationDataset>,
    start: usize,
    end: usize,
}

impl Part {
    fn place(&self, index: usize) -> usize {
        assert!(index < self.len(), "item {index} of {}", self.len());
        self.start + index
    }
}

impl Dataset<Sample, DatasetError> for Part {
    fn get(&self, index: usize) -> Result<Sample, DatasetError> {
        self.whole.get(self.place(index))
    }

    fn len(&self) -> usize {
        self.end - self.start
    }
}

impl SegmentationDataset for Part {
    fn classes(&self) -> &ClassTable {
        self.whole.classes()
    }

    fn name(&self, index: usize) -> String {
        self.whole.name(self.place(index))
    }

    fn labels(&self, index: usize) -> Result<LabelMap, DatasetError> {
        self.whole.labels(self.place(index))
    }

    fn is_labelled(&self) -> bool {
        self.whole.is_labelled()
    }
}
