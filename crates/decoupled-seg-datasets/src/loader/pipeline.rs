use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use super::batch::Prepared;
use super::order::EachOnce;
use super::{Batch, LoaderConfig, Pick, Sampling};
use crate::augment::sample_rng;
use crate::{DatasetError, SegmentationDataset};

/// Turns a data set into batches, epoch by epoch.
///
/// The content of a batch depends only on the data set, the configuration and the epoch. It depends neither on the
/// number of workers nor on the batch from which an epoch was resumed.
///
/// ```
/// use std::sync::Arc;
/// use decoupled_seg_datasets::Size;
/// use decoupled_seg_datasets::augment::Augmentation;
/// use decoupled_seg_datasets::loader::{Loader, LoaderConfig};
/// use decoupled_seg_synthetic::{StreetScenes, StreetScenesConfig};
///
/// let scenes = StreetScenes::new(StreetScenesConfig { len: 10, size: Size::new(64, 96), seed: 1 });
/// let augmentation = Augmentation::paper(Size::square(48));
/// let loader = Loader::new(Arc::new(scenes), LoaderConfig::training(4, 7, augmentation));
/// for batch in loader.epoch(0) {
///     let batch = batch?;
///     assert_eq!(batch.images.len(), 4 * 3 * 48 * 48);
/// }
/// assert_eq!(loader.batches(), 2);
/// # Ok::<(), decoupled_seg_datasets::DatasetError>(())
/// ```
#[derive(Clone)]
pub struct Loader {
    dataset: Arc<dyn SegmentationDataset>,
    sampling: Arc<dyn Sampling>,
    config: LoaderConfig,
}

impl Loader {
    /// Makes a loader that takes every sample once an epoch, shuffled or in order as the configuration says.
    ///
    /// # Panics
    ///
    /// Panics if the batch size is 0, or the [normalisation](LoaderConfig::normalization) is of other channels than the
    /// images.
    pub fn new(dataset: Arc<dyn SegmentationDataset>, config: LoaderConfig) -> Self {
        let sampling = EachOnce {
            len: dataset.len(),
            shuffle: config.shuffle,
        };
        Self::with_sampling(dataset, Arc::new(sampling), config)
    }

    /// Makes a loader that takes the samples picked by `sampling`, in its order.
    ///
    /// # Panics
    ///
    /// Panics if the batch size is 0, or the [normalisation](LoaderConfig::normalization) is of other channels than the
    /// images.
    pub fn with_sampling(
        dataset: Arc<dyn SegmentationDataset>,
        sampling: Arc<dyn Sampling>,
        config: LoaderConfig,
    ) -> Self {
        assert!(
            config.batch_size > 0,
            "a batch has samples, got a batch size of 0"
        );
        assert_eq!(
            config.normalization.channels(),
            dataset.bands().unwrap_or(3),
            "a mean and a deviation for each channel of the images"
        );
        Self {
            dataset,
            sampling,
            config,
        }
    }

    /// The data set.
    pub fn dataset(&self) -> &Arc<dyn SegmentationDataset> {
        &self.dataset
    }

    /// The configuration.
    pub fn config(&self) -> &LoaderConfig {
        &self.config
    }

    /// Samples that are drawn in an epoch, with those of a partial batch that is dropped.
    pub fn samples(&self) -> usize {
        self.sampling.len()
    }

    /// Batches in an epoch.
    pub fn batches(&self) -> usize {
        let (samples, size) = (self.samples(), self.config.batch_size);
        if self.config.drop_last {
            samples / size
        } else {
            samples.div_ceil(size)
        }
    }

    /// The batches of an epoch. The threads start at once and end with the iterator.
    pub fn epoch(&self, epoch: u64) -> Batches {
        self.epoch_from(epoch, 0)
    }

    /// The batches of an epoch from number `first` on. They equal the batches of the whole epoch; skipped batches are
    /// not read.
    ///
    /// # Panics
    ///
    /// Panics if the epoch has fewer than `first` batches.
    pub fn epoch_from(&self, epoch: u64, first: usize) -> Batches {
        let batches = self.batches();
        assert!(
            first <= batches,
            "epoch has {batches} batches, asked to start at {first}"
        );
        let size = self.config.batch_size;
        let picks = count_repeats(self.sampling.epoch(self.config.seed, epoch));
        let end = picks.len().min(batches * size);
        let shared = Arc::new(Shared {
            dataset: Arc::clone(&self.dataset),
            config: self.config.clone(),
            picks,
            epoch,
            end,
            state: Mutex::new(State {
                next: first * size,
                allowed: (first + self.config.prefetch + 1) * size,
                ready: HashMap::new(),
                stop: false,
            }),
            changed: Condvar::new(),
        });
        let threads = self
            .config
            .threads()
            .min((end - (first * size).min(end)).max(1));
        let workers = (0..threads).map(|number| {
            let shared = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name(format!("loader-{number}"));
            builder
                .spawn(move || shared.work())
                .expect("the system can start a thread")
        });
        Batches {
            workers: workers.collect(),
            shared,
            next: first,
            batches,
        }
    }
}

/// Numbers the repeated picks of each item, so that an item picked twice does not get the same crop twice.
fn count_repeats(picks: Vec<Pick>) -> Vec<(Pick, u64)> {
    let mut counts: HashMap<usize, u64> = HashMap::new();
    let with_count = |pick: Pick| {
        let count = counts.entry(pick.index).or_default();
        *count += 1;
        (pick, *count - 1)
    };
    picks.into_iter().map(with_count).collect()
}

/// The batches of one epoch, in order. If an item cannot be read, its batch is an error, and the next batch follows.
pub struct Batches {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    next: usize,
    batches: usize,
}

type Outcome = std::thread::Result<Result<Prepared, DatasetError>>;

struct Shared {
    dataset: Arc<dyn SegmentationDataset>,
    config: LoaderConfig,
    /// The picks, each with the number of earlier picks of its item in this epoch.
    picks: Vec<(Pick, u64)>,
    epoch: u64,
    /// Picks from here on belong to no batch.
    end: usize,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The pick that the next free worker takes.
    next: usize,
    /// Picks from here on wait until batches are taken.
    allowed: usize,
    /// Finished samples that no batch has taken yet, by pick.
    ready: HashMap<usize, Outcome>,
    stop: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no thread panics while it holds the lock")
    }

    fn work(&self) {
        while let Some(position) = self.take() {
            let prepare = || {
                let (pick, repeat) = self.picks[position];
                let rng = sample_rng(self.config.seed, self.epoch, pick.index as u64, repeat);
                Prepared::new(self.dataset.as_ref(), &self.config, pick, rng)
            };
            // A panic is a bug in the data set. Pass it to the thread that asked for the batch.
            let outcome = catch_unwind(AssertUnwindSafe(prepare));
            self.lock().ready.insert(position, outcome);
            self.changed.notify_all();
        }
    }

    /// The next pick to make; `None` when there is nothing left to do.
    fn take(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.stop || state.next >= self.end {
                return None;
            }
            if state.next < state.allowed {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self
                .changed
                .wait(state)
                .expect("no thread panics while it holds the lock");
        }
    }

    /// Waits for a pick to be made.
    fn await_ready(&self, position: usize) -> Outcome {
        let mut state = self.lock();
        loop {
            if let Some(outcome) = state.ready.remove(&position) {
                return outcome;
            }
            state = self
                .changed
                .wait(state)
                .expect("no thread panics while it holds the lock");
        }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.batches {
            return None;
        }
        let size = self.shared.config.batch_size;
        let (start, end) = (
            self.next * size,
            ((self.next + 1) * size).min(self.shared.end),
        );
        self.next += 1;
        let mut samples = Vec::with_capacity(size);
        let mut failed = None;
        for position in start..end {
            match self.shared.await_ready(position) {
                Ok(Ok(sample)) => samples.push(sample),
                Ok(Err(error)) => failed = failed.or(Some(error)),
                Err(panic) => resume_unwind(panic),
            }
        }
        self.shared.lock().allowed += size;
        self.shared.changed.notify_all();
        Some(match failed {
            Some(error) => Err(error),
            None => Batch::collect(samples),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.batches - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches {}

impl Drop for Batches {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // Workers catch panics. If a worker panicked all the same, do not panic a second time here.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use burn_dataset::Dataset;
    use decoupled_seg_types::Size;
    use image::RgbImage;

    use super::*;
    use crate::augment::{Augmentation, Normalization};
    use crate::{BandImage, BandStatistics, Class, ClassTable, LabelMap, Sample};

    /// Counts its reads. Items in `broken` fail; items in `panicking` panic.
    struct Probe {
        len: usize,
        classes: ClassTable,
        reads: AtomicUsize,
        broken: Vec<usize>,
        panicking: Vec<usize>,
    }

    impl Probe {
        fn new(len: usize) -> Self {
            let classes = ClassTable::new(vec![Class::new("a", [0; 3]), Class::new("b", [255; 3])]);
            Self {
                len,
                classes,
                reads: AtomicUsize::new(0),
                broken: Vec::new(),
                panicking: Vec::new(),
            }
        }
    }

    impl Dataset<Sample, DatasetError> for Probe {
        fn get(&self, index: usize) -> Result<Sample, DatasetError> {
            self.reads.fetch_add(1, Ordering::SeqCst);
            assert!(!self.panicking.contains(&index), "item {index} panics");
            if self.broken.contains(&index) {
                return Err(DatasetError::EmptyFile {
                    path: index.to_string().into(),
                    expected: "PNG",
                });
            }
            let image =
                RgbImage::from_fn(20, 16, |x, y| image::Rgb([index as u8, x as u8, y as u8]));
            let labels = (0..320).map(|i| u8::from(i % 20 > index % 20));
            let labels = LabelMap::new(Size::new(16, 20), labels.collect());
            Ok(Sample::new(index.to_string(), image, labels))
        }

        fn len(&self) -> usize {
            self.len
        }
    }

    impl SegmentationDataset for Probe {
        fn classes(&self) -> &ClassTable {
            &self.classes
        }

        fn name(&self, index: usize) -> String {
            index.to_string()
        }
    }

    fn config() -> LoaderConfig {
        LoaderConfig::training(3, 11, Augmentation::official(Size::square(12)))
    }

    fn all(loader: &Loader, epoch: u64, first: usize) -> Vec<Batch> {
        loader
            .epoch_from(epoch, first)
            .map(|batch| batch.expect("nothing is broken"))
            .collect()
    }

    #[test]
    fn the_number_of_workers_does_not_show() {
        let dataset: Arc<dyn SegmentationDataset> = Arc::new(Probe::new(11));
        let one = all(
            &Loader::new(dataset.clone(), config().with_workers(1).with_prefetch(0)),
            2,
            0,
        );
        assert_eq!(one.len(), 3);
        for workers in [2, 5] {
            assert_eq!(
                all(
                    &Loader::new(dataset.clone(), config().with_workers(workers)),
                    2,
                    0
                ),
                one
            );
        }
        assert_ne!(
            all(&Loader::new(dataset, config()), 3, 0),
            one,
            "another epoch is another order"
        );
    }

    #[test]
    fn resuming_continues_without_reading_what_was_done() {
        let probe = Arc::new(Probe::new(12));
        let loader = Loader::new(probe.clone(), config());
        let whole = all(&loader, 0, 0);
        let before = probe.reads.load(Ordering::SeqCst);
        assert_eq!(all(&loader, 0, 3), whole[3..]);
        assert_eq!(probe.reads.load(Ordering::SeqCst) - before, 3);
        assert_eq!(all(&loader, 0, 4), []);
    }

    #[test]
    fn shapes_order_and_the_last_batch() {
        let config = LoaderConfig {
            batch_size: 4,
            ..LoaderConfig::default()
        };
        let loader = Loader::new(Arc::new(Probe::new(6)), config.clone());
        let batches = all(&loader, 0, 0);
        assert_eq!(
            batches.iter().map(|batch| batch.batch).collect::<Vec<_>>(),
            [4, 2]
        );
        assert_eq!(batches[1].names, ["4", "5"]);
        assert_eq!((batches[0].width, batches[0].height), (20, 16));
        assert_eq!(
            (batches[0].images.len(), batches[0].labels.len()),
            (4 * 3 * 320, 4 * 320)
        );
        let loader = Loader::new(
            Arc::new(Probe::new(6)),
            LoaderConfig {
                drop_last: true,
                ..config
            },
        );
        assert_eq!((loader.batches(), all(&loader, 0, 0).len()), (1, 1));
    }

    #[test]
    fn memory_is_bounded_by_prefetch() {
        let probe = Arc::new(Probe::new(100));
        let loader = Loader::new(probe.clone(), config().with_prefetch(2).with_workers(4));
        let mut batches = loader.epoch(0);
        for taken in 1..=5 {
            batches
                .next()
                .expect("33 batches")
                .expect("nothing is broken");
            let reads = probe.reads.load(Ordering::SeqCst);
            assert!(
                reads <= 3 * (taken + 3),
                "{reads} samples read after {taken} batches of 3"
            );
        }
        drop(batches);
        let reads = probe.reads.load(Ordering::SeqCst);
        assert!(
            reads <= 3 * 8,
            "dropping stops the workers, {reads} samples read"
        );
    }

    #[test]
    fn errors_come_in_order_and_the_rest_follows() {
        let mut probe = Probe::new(9);
        probe.broken = vec![4, 5];
        let config = LoaderConfig {
            batch_size: 3,
            ..LoaderConfig::default()
        };
        let outcomes: Vec<_> = Loader::new(Arc::new(probe), config).epoch(0).collect();
        assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
        let Err(DatasetError::EmptyFile { path, .. }) = &outcomes[1] else {
            panic!("item 4 is broken")
        };
        assert_eq!(path.to_str(), Some("4"));
    }

    #[test]
    #[should_panic(expected = "item 2 panics")]
    fn a_panic_reaches_the_training_loop() {
        let mut probe = Probe::new(6);
        probe.panicking = vec![2];
        Loader::new(Arc::new(probe), LoaderConfig::default())
            .epoch(0)
            .for_each(drop);
    }

    #[test]
    fn batches_of_bands_hold_as_many_planes() {
        struct Banded(Probe);
        impl Dataset<Sample, DatasetError> for Banded {
            fn get(&self, index: usize) -> Result<Sample, DatasetError> {
                let sample = self.0.get(index)?;
                let size = sample.size();
                let data = (0..5 * size.pixels()).map(|value| value as u16);
                let bands = BandImage::new(size, 5, data.collect());
                Ok(Sample::of_bands(sample.name, bands, sample.labels))
            }

            fn len(&self) -> usize {
                self.0.len
            }
        }
        impl SegmentationDataset for Banded {
            fn classes(&self) -> &ClassTable {
                &self.0.classes
            }

            fn name(&self, index: usize) -> String {
                index.to_string()
            }

            fn bands(&self) -> Option<usize> {
                Some(5)
            }
        }
        let dataset = Banded(Probe::new(3));
        let statistics = BandStatistics::of_dataset(&dataset).expect("readable");
        let statistics = statistics.expect("it has bands");
        let config = LoaderConfig::training(3, 0, Augmentation::paper(Size::square(8)))
            .with_normalization(Normalization::from(&statistics));
        let loader = Loader::new(Arc::new(dataset), config);
        let batches = all(&loader, 0, 0);
        assert_eq!(
            (batches[0].channels, batches[0].images.len()),
            (5, 3 * 5 * 64)
        );
        assert!(batches[0].images.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn differing_sizes_need_a_crop() {
        struct Growing(Probe);
        impl Dataset<Sample, DatasetError> for Growing {
            fn get(&self, index: usize) -> Result<Sample, DatasetError> {
                let size = Size::new(8, 10 + index);
                let image = RgbImage::new(size.width as u32, size.height as u32);
                let labels = LabelMap::filled(size, 0);
                Ok(Sample::new(index.to_string(), image, labels))
            }

            fn len(&self) -> usize {
                4
            }
        }
        impl SegmentationDataset for Growing {
            fn classes(&self) -> &ClassTable {
                &self.0.classes
            }

            fn name(&self, index: usize) -> String {
                index.to_string()
            }
        }
        let dataset: Arc<dyn SegmentationDataset> = Arc::new(Growing(Probe::new(0)));
        let config = LoaderConfig {
            batch_size: 2,
            ..LoaderConfig::default()
        };
        let error = Loader::new(dataset.clone(), config.clone())
            .epoch(0)
            .next()
            .expect("a batch")
            .expect_err("sizes");
        assert_eq!(
            error.to_string(),
            "`1`: 8x11 (height x width), expected the 8x10 of the batch's first sample; set a crop size or a batch of one"
        );
        let augmentation = Augmentation::default().with_crop(Some(Size::square(12)));
        let config = LoaderConfig {
            augmentation,
            ..config
        };
        assert!(
            Loader::new(dataset, config)
                .epoch(0)
                .all(|batch| batch.is_ok())
        );
    }
}
