//! A network's operations on a batch of one size, as Burn's capture device records them.

use std::collections::{BTreeMap, HashMap};

use burn::backend::Capture;
use burn::backend::capture::TensorId;
use burn::backend::ir::OperationIr;
use burn::module::{ModuleVisitor, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::ops::PadMode;
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData, s};
use decoupled_seg_nn::{Inspection, SegmentationModel, Size};

use crate::OnnxError;

/// What a network is recorded on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pictures {
    pub(crate) batch: usize,
    pub(crate) channels: usize,
    pub(crate) size: Size,
    /// The size that the network is shown: zeros fill the rest, right and below.
    pub(crate) padded: Size,
}

/// What a recorded tensor is to the user of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Logits,
    BodyLogits,
    EdgeProbability,
    Flow,
}

/// Operations in their order, with what they start from.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) operations: Vec<OperationIr>,
    /// Parameters and other constants.
    pub(crate) values: BTreeMap<TensorId, TensorData>,
    /// Paths of the parameters in the network.
    pub(crate) names: HashMap<TensorId, String>,
    pub(crate) input: TensorId,
    pub(crate) outputs: Vec<(Role, TensorId)>,
}

impl Recording {
    /// Records `model` on images of normalised `f32` numbers.
    pub(crate) fn of<M: SegmentationModel>(
        model: &M,
        pictures: Pictures,
        inspect: bool,
    ) -> Result<Self, OnnxError> {
        // Burn draws a parameter when it is first read: now, or the recording would draw numbers of its own.
        let mut kinds = Parameters::default();
        model.visit(&mut kinds);
        if let Some((parameter, found)) = kinds.not_f32 {
            return Err(OnnxError::NotF32 { parameter, found });
        }
        let device = Device::capture();
        let plain = model
            .devices()
            .into_iter()
            .next()
            .unwrap_or_default()
            .without_autodiff();
        let model = model.clone().valid();
        let Pictures {
            batch,
            channels,
            size,
            ..
        } = pictures;
        let images = Tensor::<4>::zeros(
            [batch, channels, size.height, size.width],
            (&plain, DType::F32),
        );

        let mut found = None;
        let captured = device
            .capture_scope(|scope| {
                let model = model.to_device(&device);
                let mut paths = Paths::default();
                model.visit(&mut paths);
                let images = images.to_device(&device);
                let input = id(&images);
                let outputs = outputs(&model, images, pictures, inspect);
                // A network may return one tensor twice.
                let mut ids: Vec<TensorId> = Vec::new();
                for (_, tensor) in outputs.iter().flatten() {
                    let id = id(tensor);
                    if !ids.contains(&id) {
                        ids.push(id);
                    }
                }
                found = outputs.map(|outputs| {
                    let outputs = outputs.iter().map(|(role, tensor)| (*role, id(tensor)));
                    (input, outputs.collect::<Vec<_>>(), paths.names)
                });
                scope.complete([input], ids)
            })
            .map_err(OnnxError::NotRecorded)?;
        let (_, outputs, names) = found.ok_or(OnnxError::NothingToInspect)?;
        Ok(Self {
            operations: captured.graph.operations,
            values: captured.values,
            names,
            input: captured.graph.inputs[0],
            outputs,
        })
    }
}

/// What the network says about the images; `None` if it is to be looked into and shows nothing.
pub(crate) fn outputs<M: SegmentationModel>(
    model: &M,
    images: Tensor<4>,
    pictures: Pictures,
    inspect: bool,
) -> Option<Vec<(Role, Tensor<4>)>> {
    let Pictures {
        batch,
        size,
        padded,
        ..
    } = pictures;
    let images = if padded == size {
        images
    } else {
        // 0 is the mean colour after normalisation.
        let below = padded.height - size.height;
        let right = padded.width - size.width;
        images.pad([(0, below), (0, right)], PadMode::Constant(0.0))
    };
    // Of maps at the size of the images the part over them, of smaller ones as much, rounded up.
    let cut = |map: Tensor<4>| {
        if padded == size {
            return map;
        }
        let [_, _, rows, columns] = map.dims();
        let rows = (rows * size.height).div_ceil(padded.height);
        let columns = (columns * size.width).div_ceil(padded.width);
        map.slice(s![.., .., 0..rows, 0..columns])
    };
    let outputs = if inspect {
        let Inspection {
            logits,
            body_logits,
            edge_logits,
            flow,
            ..
        } = model.inspect(images)?;
        let mut outputs = vec![
            (Role::Logits, cut(logits)),
            (Role::BodyLogits, cut(body_logits)),
            (Role::EdgeProbability, sigmoid(cut(edge_logits))),
        ];
        outputs.extend(flow.map(|flow| (Role::Flow, cut(flow))));
        outputs
    } else {
        vec![(Role::Logits, cut(model.predict(images)))]
    };
    assert_eq!(
        outputs[0].1.dims(),
        [batch, model.num_classes(), size.height, size.width],
        "the logits of a network must be [batch, classes, height, width] at the size of the images"
    );
    Some(outputs)
}

fn id<const D: usize>(tensor: &Tensor<D>) -> TensorId {
    tensor
        .clone()
        .try_into_primitive::<Capture>()
        .expect("a network keeps what it is given on its device")
        .id()
}

/// Reads every parameter, and looks for one that is not `f32`.
#[derive(Default)]
struct Parameters {
    path: Vec<String>,
    not_f32: Option<(String, DType)>,
}

impl ModuleVisitor for Parameters {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let found = param.val().dtype();
        if found != DType::F32 && self.not_f32.is_none() {
            self.not_f32 = Some((self.path.join("."), found));
        }
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        let _ = param.val();
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        let _ = param.val();
    }

    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }
}

/// The paths of the parameters.
#[derive(Default)]
struct Paths {
    path: Vec<String>,
    names: HashMap<TensorId, String>,
}

impl ModuleVisitor for Paths {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.names.insert(id(&param.val()), self.path.join("."));
    }

    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }
}
