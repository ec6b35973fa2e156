//! Whether a file says what the network says: both are run, the file by rten.

use std::collections::HashMap;
use std::fmt;

use burn::tensor::{DType, Tensor, TensorData};
use decoupled_seg_nn::SegmentationModel;
use rten::{Model, Value};

use crate::recording::{Pictures, Role, outputs};
use crate::{OnnxError, OnnxExport, OnnxFile, OnnxInput};

/// How far the numbers of an output are from the network's.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputParity {
    /// The output.
    pub name: &'static str,
    /// Largest magnitude that the network has in it.
    pub largest: f32,
    /// Largest difference.
    pub difference: f32,
}

/// How far the labels of an output are from the network's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelParity {
    /// The output.
    pub name: &'static str,
    /// Number of pixels.
    pub pixels: usize,
    /// Pixels with another class.
    pub differing: usize,
    /// Those of them where the network's two best classes are closer than [`OnnxParity::TOLERANCE`] of the largest logit: it
    /// could have said either.
    pub ties: usize,
}

/// How far a file is from the network that it was made of, on some pictures. Made by [`OnnxExport::compare`].
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxParity {
    /// Logits, and edge and flow where the file has them.
    pub numbers: Vec<OutputParity>,
    /// The labels, and the body where the file has it.
    pub labels: Vec<LabelParity>,
}

impl OnnxParity {
    /// What counts as the same, as a share of the largest magnitude: sums of `f32` in another order, through all layers of a
    /// network.
    pub const TOLERANCE: f32 = 1e-4;

    /// Whether the file says what the network says.
    pub fn holds(&self) -> bool {
        let close = |it: &OutputParity| it.difference <= Self::TOLERANCE * it.largest;
        self.numbers.iter().all(close) && self.labels.iter().all(|it| it.differing == it.ties)
    }
}

/// A line for each output.
impl fmt::Display for OnnxParity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for it in &self.numbers {
            let share = it.difference / it.largest;
            writeln!(
                f,
                "{:<7} differs by {:.1e} at most, {share:.1e} of the largest",
                it.name, it.difference
            )?;
        }
        for it in &self.labels {
            writeln!(
                f,
                "{:<7} differs in {} of {} pixels, {} of them ties",
                it.name, it.differing, it.pixels, it.ties
            )?;
        }
        Ok(())
    }
}

impl OnnxExport {
    /// Runs a network and the file that this made of it on pictures, given as bytes `[batch, height, width, channels]`, which
    /// are normalised with the statistics of the input; with mean 0.45 and deviation 0.225 where the caller normalises.
    ///
    /// # Errors
    ///
    /// Returns an error if rten cannot read or run the file, or if there is nothing to inspect though it is asked for.
    ///
    /// # Panics
    ///
    /// Panics if the bytes are not those of a whole number of pictures, or as [`export`](Self::export).
    pub fn compare<M: SegmentationModel>(
        &self,
        network: &M,
        file: &OnnxFile,
        pictures: &[u8],
    ) -> Result<OnnxParity, OnnxError> {
        let channels = self.input.channels();
        let picture = self.size.pixels() * channels;
        let batch = pictures.len() / picture;
        assert!(
            batch > 0 && pictures.len() == batch * picture,
            "pictures of {} take a multiple of {picture} bytes, got {}",
            self.size,
            pictures.len()
        );
        let shape = [batch, channels, self.size.height, self.size.width];
        let images = TensorData::new(self.normalised(pictures), shape);
        let mut theirs = self.run(file, pictures, &images)?;
        let mut take = |name| theirs.remove(name).expect("the file has this output");

        let device = network.devices().into_iter().next().unwrap_or_default();
        let images = Tensor::from_data(images, (&device.without_autodiff(), DType::F32));
        let shown = Pictures {
            batch,
            channels,
            size: self.size,
            padded: self.padded,
        };
        let ours = outputs(&network.clone().valid(), images, shown, self.inspect)
            .ok_or(OnnxError::NothingToInspect)?;

        let mut parity = OnnxParity {
            numbers: Vec::new(),
            labels: Vec::new(),
        };
        for (role, ours) in ours {
            let classes = ours.dims()[1];
            let ours: Vec<f32> = ours.into_data().iter::<f32>().collect();
            let tolerance = OnnxParity::TOLERANCE * largest(&ours);
            let (of_numbers, of_labels) = match role {
                Role::Logits => (Some("logits"), Some("labels")),
                Role::BodyLogits => (None, Some("body")),
                Role::EdgeProbability => (Some("edge"), None),
                Role::Flow => (Some("flow"), None),
            };
            if let Some(name) = of_numbers {
                parity.numbers.push(numbers(name, &ours, take(name)));
            }
            if let Some(name) = of_labels {
                let planes = Planes {
                    values: &ours,
                    classes,
                    pixels: self.size.pixels(),
                };
                parity
                    .labels
                    .push(planes.compare(name, take(name), tolerance));
            }
        }
        Ok(parity)
    }

    /// What the file says, by the names of its outputs.
    fn run(
        &self,
        file: &OnnxFile,
        pictures: &[u8],
        images: &TensorData,
    ) -> Result<HashMap<String, Value>, OnnxError> {
        let model = Model::load(file.to_bytes()).map_err(OnnxError::NotLoaded)?;
        let [batch, channels, height, width] = images.shape().dims();
        let as_many = "as many values as the shape says";
        let input = match self.input {
            OnnxInput::Bytes { .. } => {
                let shape = [batch, height, width, channels];
                Value::from_shape(shape, pictures.to_vec()).expect(as_many)
            }
            OnnxInput::Normalised { .. } => {
                let shape = [batch, channels, height, width];
                Value::from_shape(shape, images.iter::<f32>().collect()).expect(as_many)
            }
        };
        let outputs = model.output_ids();
        let results = model
            .run(vec![(model.input_ids()[0], input.into())], outputs, None)
            .map_err(OnnxError::NotRun)?;
        let names = outputs.iter().map(|&id| {
            let name = model
                .node_info(id)
                .and_then(|info| info.name().map(str::to_string));
            name.expect("the file names its outputs")
        });
        Ok(names.zip(results).collect())
    }

    fn normalised(&self, pictures: &[u8]) -> Vec<f32> {
        let (mean, std) = match &self.input {
            OnnxInput::Bytes { mean, std } => (mean.clone(), std.clone()),
            // About those of ImageNet.
            OnnxInput::Normalised { channels } => (vec![0.45; *channels], vec![0.225; *channels]),
        };
        let channels = mean.len();
        let pixels = self.size.pixels();
        let mut values = Vec::with_capacity(pictures.len());
        for picture in pictures.chunks_exact(pixels * channels) {
            for channel in 0..channels {
                let plane = picture.iter().skip(channel).step_by(channels);
                values.extend(
                    plane.map(|&byte| (f32::from(byte) / 255.0 - mean[channel]) / std[channel]),
                );
            }
        }
        values
    }
}

/// Logits of whole pictures, `[batch, classes, pixels]`.
struct Planes<'a> {
    values: &'a [f32],
    classes: usize,
    pixels: usize,
}

impl Planes<'_> {
    fn compare(&self, name: &'static str, theirs: Value, tolerance: f32) -> LabelParity {
        let (_, theirs) = theirs
            .into_shape_vec::<u8, 3>()
            .expect("labels are bytes [batch, height, width]");
        let mut parity = LabelParity {
            name,
            pixels: theirs.len(),
            differing: 0,
            ties: 0,
        };
        for (index, &theirs) in theirs.iter().enumerate() {
            let (picture, pixel) = (index / self.pixels, index % self.pixels);
            let logit =
                |class: usize| self.values[(picture * self.classes + class) * self.pixels + pixel];
            let best = (0..self.classes)
                .max_by(|&a, &b| logit(a).total_cmp(&logit(b)))
                .expect("a network has classes");
            if logit(best) == logit(usize::from(theirs)) {
                continue;
            }
            parity.differing += 1;
            parity.ties += usize::from(logit(best) - logit(usize::from(theirs)) <= tolerance);
        }
        parity
    }
}

fn numbers(name: &'static str, ours: &[f32], theirs: Value) -> OutputParity {
    let (_, theirs) = theirs
        .into_shape_vec::<f32, 4>()
        .expect("these outputs are f32 [batch, channels, height, width]");
    assert_eq!(ours.len(), theirs.len(), "numbers in {name}");
    let differences = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
    OutputParity {
        name,
        largest: largest(ours),
        difference: differences.fold(0.0, largest_of),
    }
}

fn largest(values: &[f32]) -> f32 {
    values.iter().map(|value| value.abs()).fold(0.0, largest_of)
}

/// NaN if one of them is: nothing is close to it.
fn largest_of(a: f32, b: f32) -> f32 {
    if a.is_nan() || a > b { a } else { b }
}
