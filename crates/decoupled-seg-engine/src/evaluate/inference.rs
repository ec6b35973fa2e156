use std::time::{Duration, Instant};

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData, TensorReadError, s};
use decoupled_seg_datasets::LabelMap;
use decoupled_seg_datasets::augment::Normalization;
use decoupled_seg_nn::{Inspection, SegmentationModel, Size, resize};

use super::tiling::tiles;
use super::{InputImage, Tile};
use crate::recipe::{Merge, Protocol, Window};

/// Where the time of predictions goes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Timings {
    /// In the network.
    pub network: Duration,
    /// Scaling and normalising images, merging and resizing logits, arg-max.
    pub resizing: Duration,
    /// Scoring; on a thread of its own, so it passes beside the others.
    pub metrics: Duration,
    /// From the first image to the last.
    pub total: Duration,
}

impl Timings {
    /// Whether an [`Inference`] or [`Evaluator`](super::Evaluator) was told to measure.
    pub fn is_measured(&self) -> bool {
        self.network > Duration::ZERO
    }

    /// Time for an image and the share of each part of the total, in words.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use decoupled_seg_engine::Timings;
    ///
    /// let timings = Timings {
    ///     network: Duration::from_millis(1800),
    ///     resizing: Duration::from_millis(160),
    ///     metrics: Duration::from_millis(90),
    ///     total: Duration::from_millis(2000),
    /// };
    /// let text = "1000.0 ms an image: network 90.0 %, resizing 8.0 %, metrics 4.5 % (beside them)";
    /// assert_eq!(timings.per_image(2), text);
    /// ```
    pub fn per_image(&self, images: usize) -> String {
        let total = self.total.as_secs_f64();
        let share = |part: Duration| 100.0 * part.as_secs_f64() / total;
        format!(
            "{:.1} ms an image: network {:.1} %, resizing {:.1} %, metrics {:.1} % (beside them)",
            1e3 * total / images as f64,
            share(self.network),
            share(self.resizing),
            share(self.metrics),
        )
    }
}

/// Applies a [`Protocol`] to images, one at a time or several of one size in a batch.
#[derive(Debug, Clone)]
pub struct Inference {
    protocol: Protocol,
    normalization: Normalization,
    device: Device,
    timed: bool,
    timings: Timings,
}

impl Inference {
    /// Prepares predictions on `device`, for a network that was trained with `normalization`.
    ///
    /// # Panics
    ///
    /// Panics if the protocol is not [valid](Protocol::validate).
    pub fn new(protocol: Protocol, normalization: Normalization, device: &Device) -> Self {
        if let Err(error) = protocol.validate() {
            panic!("{error}");
        }
        Self {
            protocol,
            normalization,
            device: device.clone().without_autodiff(),
            timed: false,
            timings: Timings::default(),
        }
    }

    /// The same with another protocol.
    ///
    /// # Panics
    ///
    /// Panics if the protocol is not [valid](Protocol::validate).
    pub fn with_protocol(self, protocol: Protocol) -> Self {
        Self {
            timed: self.timed,
            ..Self::new(protocol, self.normalization, &self.device)
        }
    }

    /// Also measures where the time goes. The device is waited for at each change, which costs a little.
    pub fn timed(mut self) -> Self {
        self.timed = true;
        self
    }

    /// What was measured since the start; all zero unless [`timed`](Self::timed).
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// The protocol.
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// The class of every pixel of `image`, which has as many channels as `model` and the normalisation. `model` is out of
    /// training and on the device of the inference.
    ///
    /// # Panics
    ///
    /// Panics if the device does not answer.
    pub fn labels<'a, M: SegmentationModel>(
        &mut self,
        model: &M,
        image: impl Into<InputImage<'a>>,
    ) -> LabelMap {
        answered(self.try_labels(model, image.into()))
    }

    pub(super) fn try_labels<M: SegmentationModel>(
        &mut self,
        model: &M,
        image: InputImage<'_>,
    ) -> Result<LabelMap, TensorReadError> {
        let mut labels = self.try_labels_of_batch(model, &[image])?;
        Ok(labels.pop().expect("a map for an image"))
    }

    /// [`labels`](Self::labels) of several images in one batch. On a CPU they are those of one by one; to rounding on a GPU, and
    /// from a network that was folded with fast arithmetic, which chooses it by the size of a layer and the batch.
    ///
    /// # Panics
    ///
    /// Panics without an image, if they are not of one size, or if the device does not answer.
    pub fn labels_of_batch<M: SegmentationModel>(
        &mut self,
        model: &M,
        images: &[InputImage<'_>],
    ) -> Vec<LabelMap> {
        answered(self.try_labels_of_batch(model, images))
    }

    pub(crate) fn try_labels_of_batch<M: SegmentationModel>(
        &mut self,
        model: &M,
        images: &[InputImage<'_>],
    ) -> Result<Vec<LabelMap>, TensorReadError> {
        let merged = self.merged_of_batch(model, images)?;
        let start = self.tick()?;
        let labels = merged.argmax(1).try_into_vec_as::<u8>()?;
        self.timings.resizing += self.since(start)?;
        Ok(label_maps(images[0].size(), &labels))
    }

    /// The class of every pixel of `image`, and its probability. Where logits are merged, their softmax is taken.
    ///
    /// # Panics
    ///
    /// Panics if the device does not answer.
    pub fn labels_with_confidence<'a, M: SegmentationModel>(
        &mut self,
        model: &M,
        image: impl Into<InputImage<'a>>,
    ) -> (LabelMap, Vec<f32>) {
        let mut found = self.labels_with_confidence_of_batch(model, &[image.into()]);
        found.pop().expect("a map for an image")
    }

    /// [`labels_with_confidence`](Self::labels_with_confidence) of several images in one batch.
    ///
    /// # Panics
    ///
    /// As [`labels_of_batch`](Self::labels_of_batch).
    pub fn labels_with_confidence_of_batch<M: SegmentationModel>(
        &mut self,
        model: &M,
        images: &[InputImage<'_>],
    ) -> Vec<(LabelMap, Vec<f32>)> {
        answered(self.try_labels_with_confidence_of_batch(model, images))
    }

    pub(crate) fn try_labels_with_confidence_of_batch<M: SegmentationModel>(
        &mut self,
        model: &M,
        images: &[InputImage<'_>],
    ) -> Result<Vec<(LabelMap, Vec<f32>)>, TensorReadError> {
        let merged = self.merged_of_batch(model, images)?;
        let probs = match self.protocol.merge {
            Merge::Logits => softmax(merged, 1),
            Merge::Probabilities => merged,
        };
        let (confidence, labels) = probs.max_dim_with_indices(1);
        let labels = labels.try_into_vec_as::<u8>()?;
        let confidence = confidence.try_into_vec_as::<f32>()?;
        let size = images[0].size();
        let confidence = confidence.chunks_exact(size.pixels()).map(<[f32]>::to_vec);
        let maps = label_maps(size, &labels).into_iter();
        Ok(maps.zip(confidence).collect())
    }

    /// The merged logits of `image`, or probabilities if the protocol merges those: `[1, classes, height, width]`.
    ///
    /// # Panics
    ///
    /// Panics if [times are measured](Self::timed) and the device does not answer.
    pub fn merged<'a, M: SegmentationModel>(
        &mut self,
        model: &M,
        image: impl Into<InputImage<'a>>,
    ) -> Tensor<4> {
        answered(self.merged_of_batch(model, &[image.into()]))
    }

    /// [`merged`](Self::merged) of several images of one size, `[batch, classes, height, width]`. `Err` only where the
    /// device is waited for.
    fn merged_of_batch<M: SegmentationModel>(
        &mut self,
        model: &M,
        images: &[InputImage<'_>],
    ) -> Result<Tensor<4>, TensorReadError> {
        let size = size_of_all(images);
        let size = [size.height, size.width];
        let scales = self.protocol.scales.clone();
        let mut sum: Option<Tensor<4>> = None;
        for &scale in &scales {
            let start = self.tick()?;
            let images = self.normalised(images, scale);
            self.timings.resizing += self.since(start)?;

            let map = self.at_scale(model, images, scale)?;

            let start = self.tick()?;
            let map = if map.dims()[2..] == size {
                map
            } else {
                // Whole maps come from a network that aligns corners, tiles are counted in pixels.
                let align_corners = self.protocol.window == Window::Whole;
                resize(map, Size::new(size[0], size[1]), align_corners)
            };
            sum = Some(match sum {
                Some(sum) => sum + map,
                None => map,
            });
            self.timings.resizing += self.since(start)?;
        }
        let sum = sum.expect("a valid protocol has a scale");
        Ok(sum.div_scalar(scales.len() as f64))
    }

    /// What happens inside the network on the whole image at scale 1; `None` if it has nothing to show. A small image is
    /// padded as for a prediction; of the maps the part over the image is returned, for those of features rounded up.
    pub fn inspect<'a, M: SegmentationModel>(
        &self,
        model: &M,
        image: impl Into<InputImage<'a>>,
    ) -> Option<Inspection> {
        self.inspect_batch(model, &[image.into()])
    }

    /// [`inspect`](Self::inspect) of several images in one batch.
    ///
    /// # Panics
    ///
    /// As [`labels_of_batch`](Self::labels_of_batch).
    pub fn inspect_batch<M: SegmentationModel>(
        &self,
        model: &M,
        images: &[InputImage<'_>],
    ) -> Option<Inspection> {
        size_of_all(images);
        let images = self.normalised(images, 1.0);
        let [_, _, height, width] = images.dims();
        let images = self.padded(images, model.min_image_side());
        let [_, _, padded_height, padded_width] = images.dims();
        let inspection = model.inspect(images)?;
        let cut = |map: Tensor<4>| {
            let [_, _, rows, columns] = map.dims();
            let rows = (rows * height).div_ceil(padded_height);
            let columns = (columns * width).div_ceil(padded_width);
            map.slice(s![.., .., 0..rows, 0..columns])
        };
        Some(Inspection {
            body: cut(inspection.body),
            edge: cut(inspection.edge),
            refined_edge: cut(inspection.refined_edge),
            flow: inspection.flow.map(cut),
            logits: cut(inspection.logits),
            body_logits: cut(inspection.body_logits),
            edge_logits: cut(inspection.edge_logits),
        })
    }

    /// The mean over the image and its mirror image at one scale, at the size of the scaled image.
    fn at_scale<M: SegmentationModel>(
        &mut self,
        model: &M,
        images: Tensor<4>,
        scale: f64,
    ) -> Result<Tensor<4>, TensorReadError> {
        let map = self.windowed(model, images.clone(), scale)?;
        if !self.protocol.flip {
            return Ok(map);
        }
        let mirrored = self.windowed(model, images.flip([3]), scale)?;
        let start = self.tick()?;
        let mean = (map + mirrored.flip([3])).div_scalar(2.0);
        self.timings.resizing += self.since(start)?;
        Ok(mean)
    }

    fn windowed<M: SegmentationModel>(
        &mut self,
        model: &M,
        images: Tensor<4>,
        scale: f64,
    ) -> Result<Tensor<4>, TensorReadError> {
        let logits = match self.protocol.window {
            Window::Whole => self.forward(model, images)?,
            Window::Sliding {
                tile,
                overlap,
                grow_with_scale,
                ..
            } => {
                let growth = if grow_with_scale { scale.max(1.0) } else { 1.0 };
                let tile = tile.map(|side| (side as f64 * growth) as usize);
                let [_, _, height, width] = images.dims();
                let tiles = tiles(height, width, tile, overlap);
                self.tiled(model, images, &tiles)?
            }
        };
        match self.protocol.merge {
            Merge::Logits => Ok(logits),
            Merge::Probabilities => {
                let start = self.tick()?;
                let probabilities = softmax(logits, 1);
                self.timings.resizing += self.since(start)?;
                Ok(probabilities)
            }
        }
    }

    /// Sums the logits of the tiles where they lie and divides by how often each pixel was seen.
    fn tiled<M: SegmentationModel>(
        &mut self,
        model: &M,
        images: Tensor<4>,
        tiles: &[Tile],
    ) -> Result<Tensor<4>, TensorReadError> {
        let Window::Sliding { count, .. } = self.protocol.window else {
            unreachable!("only sliding windows have tiles");
        };
        let [batch, _, height, width] = images.dims();
        if let [_] = tiles {
            return self.forward(model, images);
        }
        let classes = model.num_classes();
        let mut sum = Tensor::<4>::zeros([batch, classes, height, width], &self.device);
        // A tile of each image of the batch goes through the network at once, with so many tiles in all if they are few.
        for group in tiles.chunks((self.protocol.tile_batch / batch).max(1)) {
            let crops = group
                .iter()
                .map(|t| images.clone().slice(s![.., .., t.y1..t.y2, t.x1..t.x2]))
                .collect();
            let logits = self.forward(model, Tensor::cat(crops, 0))?;
            let start = self.tick()?;
            for (i, t) in group.iter().enumerate() {
                let place = s![.., .., t.y1..t.y2, t.x1..t.x2];
                let images = i * batch..(i + 1) * batch;
                let tile = logits.clone().slice(s![images, .., .., ..]);
                // The old values are read before the write, so that the sum is not shared when it is written to.
                let both = sum.clone().slice(place) + tile;
                sum = sum.slice_assign(place, both);
            }
            self.timings.resizing += self.since(start)?;
        }
        let start = self.tick()?;
        let divisor = count.divisor(tiles, classes, height, width);
        let [channels, rows, columns] = divisor.shape;
        let divisor = Tensor::<4>::from_data(
            TensorData::new(divisor.values, [1, channels, rows, columns]),
            &self.device,
        );
        let mean = sum / divisor;
        self.timings.resizing += self.since(start)?;
        Ok(mean)
    }

    /// The network on images of one size, padded where it needs more pixels, the logits cut back.
    fn forward<M: SegmentationModel>(
        &mut self,
        model: &M,
        images: Tensor<4>,
    ) -> Result<Tensor<4>, TensorReadError> {
        let start = self.tick()?;
        let [_, _, height, width] = images.dims();
        let logits = model.predict(self.padded(images, model.min_image_side()));
        let logits = if logits.dims()[2..] == [height, width] {
            logits
        } else {
            logits.slice(s![.., .., 0..height, 0..width])
        };
        self.timings.network += self.since(start)?;
        Ok(logits)
    }

    /// Images with as many pixels as the protocol asks for, and the network, which takes `least` a side.
    fn padded(&self, images: Tensor<4>, least: usize) -> Tensor<4> {
        let [batch, channels, height, width] = images.dims();
        let Protocol {
            pad_to_multiple,
            min_size,
            ..
        } = self.protocol;
        let least = least.max(min_size);
        let padded = [height, width].map(|side| side.max(least).next_multiple_of(pad_to_multiple));
        if padded == [height, width] {
            return images;
        }
        // 0 is the mean colour after normalisation.
        let canvas = Tensor::zeros([batch, channels, padded[0], padded[1]], &self.device);
        canvas.slice_assign(s![.., .., 0..height, 0..width], images)
    }

    fn normalised(&self, images: &[InputImage<'_>], scale: f64) -> Tensor<4> {
        let image = images[0];
        let side = |side: usize| match scale == 1.0 {
            true => side,
            false => ((side as f64 * scale) as usize).max(1),
        };
        let size = Size::new(side(image.size().height), side(image.size().width));
        let mut values = Vec::new();
        for image in images {
            let normalised = image.normalised(size, &self.normalization);
            match values.is_empty() {
                true => values = normalised,
                false => values.extend(normalised),
            }
        }
        let shape = [images.len(), image.channels(), size.height, size.width];
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    fn tick(&self) -> Result<Option<Instant>, TensorReadError> {
        if !self.timed {
            return Ok(None);
        }
        self.device.sync()?;
        Ok(Some(Instant::now()))
    }

    fn since(&self, start: Option<Instant>) -> Result<Duration, TensorReadError> {
        let Some(start) = start else {
            return Ok(Duration::ZERO);
        };
        self.device.sync()?;
        Ok(start.elapsed())
    }
}

/// For callers that have nothing to do about a lost device.
pub(crate) fn answered<T>(read: Result<T, TensorReadError>) -> T {
    read.unwrap_or_else(|error| panic!("the device does not answer: {error}"))
}

/// The size of images that share a batch.
fn size_of_all(images: &[InputImage<'_>]) -> Size {
    let size = images.first().expect("a batch has an image").size();
    for image in images {
        assert_eq!(image.size(), size, "the images of a batch are of one size");
    }
    size
}

/// The maps of a batch, one an image.
fn label_maps(size: Size, labels: &[u8]) -> Vec<LabelMap> {
    let maps = labels.chunks_exact(size.pixels());
    maps.map(|labels| LabelMap::new(size, labels.to_vec()))
        .collect()
}
