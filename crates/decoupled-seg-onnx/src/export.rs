use decoupled_seg_nn::{SegmentationModel, Size};
use serde_json::json;

use crate::free_batch::{BATCHES, Program};
use crate::lower::{Builder, lower};
use crate::proto::{Attribute, Dim, Element, Graph, Model, ValueInfo};
use crate::recording::{Pictures, Recording, Role};
use crate::{OnnxError, OnnxFile, OnnxInput};

/// Writes networks as ONNX.
///
/// | | name | type | shape |
/// |---|---|---|---|
/// | input | `image` | `u8`, or `f32` for [`OnnxInput::Normalised`] | `[batch, height, width, channels]`, or `[batch, channels, height, width]`, with those of the [`OnnxInput`] |
/// | output | `labels` | `u8` | `[batch, height, width]`: the class of each pixel |
/// | | `logits` | `f32` | `[batch, classes, height, width]` |
/// | [inspected](Self::with_inspection) | `edge` | `f32` | `[batch, 1, height, width]`: probability of an edge |
/// | | `body` | `u8` | `[batch, height, width]`: the class as the body alone sees it |
/// | | `flow` | `f32` | `[batch, 2, feature_height, feature_width]`, channel 0 along the width, in the unit of the network's warp |
///
/// Bands of 16 bits go into the file as bytes, which is less than the network was trained on; as [`OnnxInput::Normalised`] they
/// go in whole.
///
/// The number of pictures in a batch is free. Height and width are fixed: pooling over bins, padding and the places that
/// a warp reads are calculated for one size.
///
/// Batch norms are written as the network has them. Fold them first, with
/// [`for_inference`](decoupled_seg_nn::for_inference), and the file is smaller.
///
/// A flow that is not finite reads what the program that runs the file makes of it; ours reads the padding.
#[derive(Debug, Clone)]
pub struct OnnxExport {
    pub(crate) size: Size,
    pub(crate) padded: Size,
    pub(crate) input: OnnxInput,
    pub(crate) inspect: bool,
    batch: Option<usize>,
    metadata: Vec<(String, String)>,
}

impl OnnxExport {
    /// For images of a size, as RGB bytes that are normalised with the statistics of ImageNet.
    ///
    /// # Panics
    ///
    /// Panics if a side is 0.
    pub fn new(size: Size) -> Self {
        assert!(size.pixels() > 0, "an image of {size} has no pixels");
        Self {
            size,
            padded: size,
            input: OnnxInput::imagenet(),
            inspect: false,
            batch: None,
            metadata: Vec::new(),
        }
    }

    /// For another input.
    ///
    /// # Panics
    ///
    /// Panics if there are no channels, not as many means as deviations, or a deviation is not positive.
    pub fn with_input(mut self, input: OnnxInput) -> Self {
        assert!(input.channels() > 0, "an image needs a channel");
        if let OnnxInput::Bytes { mean, std } = &input {
            assert_eq!(
                mean.len(),
                std.len(),
                "every channel needs a mean and a deviation"
            );
            assert!(
                std.iter().all(|&std| std > 0.0),
                "deviations must be positive, got {std:?}"
            );
        }
        self.input = input;
        self
    }

    /// Shows the network a larger image, filled up with zeros right and below, and cuts the outputs back: for networks that need
    /// a multiple of a number of pixels, or more pixels than the images have.
    ///
    /// # Panics
    ///
    /// Panics if `padded` is smaller than the images.
    pub fn with_padding_to(mut self, padded: Size) -> Self {
        assert!(
            padded.height >= self.size.height && padded.width >= self.size.width,
            "images of {} cannot be padded to {padded}",
            self.size
        );
        self.padded = padded;
        self
    }

    /// With body, edge and flow among the outputs.
    pub fn with_inspection(mut self, inspect: bool) -> Self {
        self.inspect = inspect;
        self
    }

    /// For batches of so many pictures only. Free unless given.
    ///
    /// # Panics
    ///
    /// Panics if `batch` is 0.
    pub fn with_batch(mut self, batch: usize) -> Self {
        assert!(batch > 0, "a batch needs a picture");
        self.batch = Some(batch);
        self
    }

    /// Writes names and colours of the classes into the file, as JSON: `class_names` and `class_colors`.
    pub fn with_classes<N: AsRef<str>>(self, classes: &[(N, [u8; 3])]) -> Self {
        let names: Vec<&str> = classes.iter().map(|(name, _)| name.as_ref()).collect();
        let colors: Vec<[u8; 3]> = classes.iter().map(|(_, color)| *color).collect();
        self.with_metadata("class_names", json!(names).to_string())
            .with_metadata("class_colors", json!(colors).to_string())
    }

    /// Writes a text into the file, for whoever looks it up by its key. A key that is there already gets the new text; `input`
    /// is the file's own, whatever is given.
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let key = key.into();
        self.metadata.retain(|(known, _)| *known != key);
        self.metadata.push((key, value.into()));
        self
    }

    /// Translates a network.
    ///
    /// # Errors
    ///
    /// Returns an error if the network uses an operation that is not translated ([`OnnxError::Unsupported`]), treats a
    /// picture by its place in a batch of free size, has parameters other than `f32`, more than 256 classes, nothing to
    /// inspect though it is asked for, or more numbers than a file holds.
    ///
    /// # Panics
    ///
    /// Panics where the network does: on images that are too small for it. Panics as well if the network reads a number
    /// from a tensor that it computed, calls an operation of its own that the capture device does not know, or returns
    /// logits of another shape than `[batch, classes, height, width]`.
    pub fn export<M: SegmentationModel>(&self, network: &M) -> Result<OnnxFile, OnnxError> {
        let classes = network.num_classes();
        if classes > 256 {
            return Err(OnnxError::TooManyClasses { found: classes });
        }
        let mut program = self.program(network)?;
        let images = program.input;
        let outputs = std::mem::take(&mut program.outputs);

        let mut graph = Graph {
            name: "segmentation".to_string(),
            ..Graph::default()
        };
        graph.inputs.push(self.image());
        let mut builder = Builder::new(&mut program, graph, IMAGE, &RESERVED);
        let normalised = self.normalise(&mut builder);
        builder.call(images, normalised);
        for operation in &program.operations {
            lower(&mut builder, operation)?;
        }
        self.name_outputs(&mut builder, &outputs);

        OnnxFile::new(Model {
            graph: builder.graph,
            metadata: self.texts(),
            doc: format!("Semantic segmentation into {classes} classes."),
        })
    }

    fn program<M: SegmentationModel>(&self, network: &M) -> Result<Program, OnnxError> {
        let record = |batch| {
            let pictures = Pictures {
                batch,
                channels: self.input.channels(),
                size: self.size,
                padded: self.padded,
            };
            Recording::of(network, pictures, self.inspect)
        };
        let mut input = vec![self.batch_dim(), Dim::Fixed(self.input.channels())];
        input.extend(self.sides());
        match self.batch {
            Some(batch) => Ok(Program::fixed(record(batch)?, input)),
            None => {
                let [first, second] = BATCHES;
                Program::free(record(first)?, &record(second)?, input)
            }
        }
    }

    fn batch_dim(&self) -> Dim {
        self.batch.map_or(Dim::Batch(1), Dim::Fixed)
    }

    fn sides(&self) -> [Dim; 2] {
        [self.size.height, self.size.width].map(Dim::Fixed)
    }

    fn image(&self) -> ValueInfo {
        let (batch, [height, width]) = (self.batch_dim(), self.sides());
        let channels = Dim::Fixed(self.input.channels());
        let (element, dims, doc) = match self.input {
            OnnxInput::Bytes { .. } => (
                Element::U8,
                vec![batch, height, width, channels],
                "Pictures as they are read, a byte a channel.",
            ),
            OnnxInput::Normalised { .. } => (
                Element::F32,
                vec![batch, channels, height, width],
                "Pictures, normalised as in training.",
            ),
        };
        ValueInfo {
            name: IMAGE.to_string(),
            element,
            dims,
            doc: doc.to_string(),
        }
    }

    /// The texts of the file: those that were given, and its own.
    fn texts(&self) -> Vec<(String, String)> {
        let note = self.input_note().to_string();
        self.clone().with_metadata(INPUT_KEY, note).metadata
    }

    /// What a program has to know to feed the file.
    fn input_note(&self) -> serde_json::Value {
        let [height, width] = [self.size.height, self.size.width];
        match &self.input {
            OnnxInput::Bytes { mean, std } => json!({
                "layout": "NHWC", "type": "uint8", "height": height, "width": width,
                "normalised_inside": { "mean": mean, "std": std },
            }),
            OnnxInput::Normalised { .. } => json!({
                "layout": "NCHW", "type": "float32", "height": height, "width": width,
            }),
        }
    }

    /// Adds the nodes in front of the network, and returns the name of what it reads. The operations are those of training
    /// in their order, so that the numbers are the same where a division is one.
    fn normalise(&self, builder: &mut Builder) -> String {
        let OnnxInput::Bytes { mean, std } = &self.input else {
            return IMAGE.to_string();
        };
        let to = vec![("to", Attribute::Int(Element::F32.code()))];
        let image = builder.node("Cast", &[IMAGE], to);
        let whole = builder.floats(vec![], &[255.0]);
        let image = builder.node("Div", &[&image, &whole], vec![]);
        let mean = builder.floats(vec![mean.len()], mean);
        let image = builder.node("Sub", &[&image, &mean], vec![]);
        let std = builder.floats(vec![std.len()], std);
        let image = builder.node("Div", &[&image, &std], vec![]);
        let order = vec![("perm", Attribute::Ints(vec![0, 3, 1, 2]))];
        builder.node("Transpose", &[&image], order)
    }

    fn name_outputs(
        &self,
        builder: &mut Builder,
        outputs: &[(Role, burn::backend::capture::TensorId)],
    ) {
        let mut labels = vec![self.batch_dim()];
        labels.extend(self.sides());
        for &(role, id) in outputs {
            let (tensor, dims) = (builder.read_id(id), builder.dims(id).to_vec());
            match role {
                Role::Logits => {
                    best(builder, &tensor, LABELS);
                    describe(
                        builder,
                        LABELS,
                        Element::U8,
                        &labels,
                        "The class of each pixel.",
                    );
                    copy(builder, &tensor, "logits");
                    let doc = "How much each class is believed in, before a softmax.";
                    describe(builder, "logits", Element::F32, &dims, doc);
                }
                Role::BodyLogits => {
                    best(builder, &tensor, "body");
                    let doc = "The class of each pixel as the body alone sees it.";
                    describe(builder, "body", Element::U8, &labels, doc);
                }
                Role::EdgeProbability => {
                    copy(builder, &tensor, "edge");
                    describe(
                        builder,
                        "edge",
                        Element::F32,
                        &dims,
                        "Probability of an edge.",
                    );
                }
                Role::Flow => {
                    copy(builder, &tensor, "flow");
                    let doc = "Where the body is read, channel 0 along the width, in the unit of the network's warp.";
                    describe(builder, "flow", Element::F32, &dims, doc);
                }
            }
        }
    }
}

/// The key under which the file says how it is fed.
const INPUT_KEY: &str = "input";
const IMAGE: &str = "image";
const LABELS: &str = "labels";

/// Names that users of the file know.
const RESERVED: [&str; 6] = [IMAGE, LABELS, "logits", "edge", "body", "flow"];

/// The class with the largest logit, as a byte.
fn best(builder: &mut Builder, logits: &str, name: &str) {
    let over_classes = vec![("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
    let classes = builder.node("ArgMax", &[logits], over_classes);
    let to = vec![("to", Attribute::Int(Element::U8.code()))];
    builder.named_node("Cast", &[&classes], to, name.to_string());
}

fn copy(builder: &mut Builder, tensor: &str, name: &str) {
    builder.named_node("Identity", &[tensor], vec![], name.to_string());
}

fn describe(builder: &mut Builder, name: &str, element: Element, dims: &[Dim], doc: &str) {
    builder.graph.outputs.push(ValueInfo {
        name: name.to_string(),
        element,
        dims: dims.to_vec(),
        doc: doc.to_string(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_in_the_file_once() {
        let export = OnnxExport::new(Size::new(4, 6))
            .with_metadata("input", "mine")
            .with_metadata("note", "old")
            .with_metadata("note", "new");
        let texts = export.texts();
        let keys: Vec<&str> = texts.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["note", "input"]);
        assert_eq!(texts[0].1, "new");
        assert!(texts[1].1.contains("\"layout\":\"NHWC\""), "{texts:?}");
    }
}
