//! A network of three convolutions and a data set of coloured rectangles.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use decoupled_seg_datasets::augment::Augmentation;
use decoupled_seg_datasets::{
    Class, ClassTable, Dataset, DatasetError, IGNORE_LABEL, LabelMap, Sample, SegmentationDataset,
    Size,
};
use decoupled_seg_engine::{
    Interrupt, LogEntry, LossValues, Recipe, RecipePreset, SgdRecipe, Trainer, read_log,
};
use decoupled_seg_nn::{BodyEdgeLogits, SegmentationModel, SegmentationOutput, batch_norm};
use image::{Rgb, RgbImage};

pub const CLASSES: usize = 3;

/// Body and edge come straight from the features: what they are does not matter here, that they are supervised does.
#[derive(Module, Debug)]
pub struct TinyNet {
    pub first: Conv2d,
    pub norm: BatchNorm,
    pub dropout: Dropout,
    pub classify: Conv2d,
    pub heads: Option<Heads>,
    pub num_classes: usize,
}

#[derive(Module, Debug)]
pub struct Heads {
    pub body: Conv2d,
    pub edge: Conv2d,
}

impl TinyNet {
    pub fn new(width: usize, decoupled: bool, device: &Device) -> Self {
        let conv = |channels: [usize; 2]| {
            Conv2dConfig::new(channels, [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        Self {
            first: conv([3, width]),
            norm: BatchNormConfig::new(width).init(device),
            dropout: DropoutConfig::new(0.1).init(),
            classify: conv([width, CLASSES]),
            heads: decoupled.then(|| Heads {
                body: conv([width, CLASSES]),
                edge: conv([width, 1]),
            }),
            num_classes: CLASSES,
        }
    }

    fn features(&self, images: Tensor<4>) -> Tensor<4> {
        let features = relu(batch_norm(&self.norm, self.first.forward(images)));
        self.dropout.forward(features)
    }
}

impl SegmentationModel for TinyNet {
    fn num_classes(&self) -> usize {
        self.num_classes
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        let features = self.features(images);
        SegmentationOutput {
            logits: self.classify.forward(features.clone()),
            supervision: self.heads.as_ref().map(|heads| BodyEdgeLogits {
                body_logits: heads.body.forward(features.clone()),
                edge_logits: heads.edge.forward(features),
            }),
            boundary_logits: None,
            aux_logits: None,
        }
    }
}

/// Images of one colour per class: the class can be read off a pixel.
pub struct Rectangles {
    pub len: usize,
    pub size: usize,
    pub classes: ClassTable,
    /// Makes a request when so many samples were read.
    pub interrupt_at: Option<(usize, Interrupt)>,
    /// So many samples can be read, the others cannot.
    pub readable: usize,
    /// Called before each sample is read, with how many were asked for by then.
    pub on_read: Option<Box<dyn Fn(usize) + Send + Sync>>,
    /// That of the labels.
    pub fingerprint: Option<u64>,
    reads: AtomicUsize,
}

pub fn classes() -> ClassTable {
    ClassTable::new(vec![
        Class::new("ground", [128, 64, 128])
            .with_id(7)
            .with_category("flat"),
        Class::new("box", [70, 70, 70])
            .with_id(11)
            .with_category("thing"),
        Class::new("disc", [0, 0, 142])
            .with_id(26)
            .with_category("thing"),
    ])
}

impl Rectangles {
    pub fn new(len: usize, size: usize) -> Self {
        Self {
            len,
            size,
            classes: classes(),
            interrupt_at: None,
            readable: usize::MAX,
            on_read: None,
            fingerprint: None,
            reads: AtomicUsize::new(0),
        }
    }

    /// Samples that were read so far.
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    pub fn sample(&self, index: usize) -> Sample {
        let size = self.size;
        let mut state = index as u64 * 2_654_435_761 + 12_345;
        let mut draw = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let mut labels = vec![0u8; size * size];
        for class in [1, 2] {
            let (x, y) = (draw(size / 2), draw(size / 2));
            let (w, h) = (size / 4 + draw(size / 4), size / 4 + draw(size / 4));
            for row in y..(y + h).min(size) {
                labels[row * size + x..row * size + (x + w).min(size)].fill(class);
            }
        }
        let image = RgbImage::from_fn(size as u32, size as u32, |x, y| {
            let label = usize::from(labels[y as usize * size + x as usize]);
            let noise = draw(32) as u8;
            let base = [[40, 160, 60], [200, 60, 40], [60, 80, 210]][label];
            Rgb(base.map(|value: u8| value.saturating_add(noise)))
        });
        labels[0] = IGNORE_LABEL;
        Sample::new(
            format!("rectangles_{index}"),
            image,
            LabelMap::new(Size::square(size), labels),
        )
    }
}

impl Dataset<Sample, DatasetError> for Rectangles {
    fn get(&self, index: usize) -> Result<Sample, DatasetError> {
        let reads = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(on_read) = &self.on_read {
            on_read(reads);
        }
        if let Some((at, interrupt)) = &self.interrupt_at
            && reads == *at
        {
            interrupt.request();
        }
        if reads > self.readable {
            return Err(DatasetError::Io {
                path: self.name(index).into(),
                source: std::io::ErrorKind::NotFound.into(),
            });
        }
        Ok(self.sample(index))
    }

    fn len(&self) -> usize {
        self.len
    }
}

impl SegmentationDataset for Rectangles {
    fn classes(&self) -> &ClassTable {
        &self.classes
    }

    fn name(&self, index: usize) -> String {
        format!("rectangles_{index}")
    }

    fn fingerprint(&self) -> Result<Option<u64>, DatasetError> {
        Ok(self.fingerprint)
    }
}

/// Small crops, a few steps, everything that a run can do switched on.
pub fn recipe() -> Recipe {
    Recipe {
        seed: 7,
        epochs: 3,
        batch: 2,
        optimizer: SgdRecipe {
            learning_rate: 0.02,
            ..SgdRecipe::default()
        }
        .into(),
        augmentation: Augmentation::paper(Size::square(16)),
        class_uniform: None,
        log_every: 4,
        workers: 1,
        ..RecipePreset::Paper.recipe()
    }
}

/// Flex draws random numbers from one generator for the whole process: what trains or initialises waits for its turn.
pub fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn trainer(recipe: Recipe, folder: Option<&Path>) -> Trainer<TinyNet> {
    let device = Device::default().autodiff();
    let trainer = Trainer::new(recipe, TinyNet::new(8, true, &device), &device);
    match folder {
        Some(folder) => trainer.with_run_folder(folder),
        None => trainer,
    }
}

pub fn train_set() -> Arc<Rectangles> {
    Arc::new(Rectangles::new(12, 24))
}

/// The losses of every step in a run's log.
pub fn logged_losses(folder: &Path) -> Vec<(usize, LossValues)> {
    read_log(folder.join("log.jsonl"))
        .expect("a run writes a log")
        .into_iter()
        .filter_map(|entry| match entry {
            LogEntry::Step { step, loss, .. } => Some((step, loss)),
            _ => None,
        })
        .collect()
}

/// Each epoch in a run's log, with its losses.
pub fn logged_epochs(folder: &Path) -> Vec<(usize, LossValues)> {
    read_log(folder.join("log.jsonl"))
        .expect("a run writes a log")
        .into_iter()
        .filter_map(|entry| match entry {
            LogEntry::Epoch(record) => Some((record.epoch, record.loss)),
            _ => None,
        })
        .collect()
}

/// All weights and running statistics, as bits.
pub fn bits(net: &TinyNet) -> Vec<u32> {
    struct Bits(Vec<u32>);
    impl ModuleVisitor for Bits {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = param.val().try_into_vec_as::<f32>().expect("f32");
            self.0.extend(values.into_iter().map(f32::to_bits));
        }
    }
    let mut bits = Bits(Vec::new());
    net.valid().visit(&mut bits);
    bits.0
}
