use std::collections::{BTreeMap, HashMap, HashSet};

use burn::backend::capture::TensorId;
use burn::backend::ir::{OperationIr, ScalarIr, TensorIr};
use burn::tensor::{DType, TensorData};

use crate::OnnxError;
use crate::free_batch::{Program, operation_name};
use crate::proto::{Attribute, Data, Dim, Element, Graph, Initializer, Node};

/// Attributes of a node.
pub(crate) type Attributes = Vec<(&'static str, Attribute)>;

/// Collects the nodes and constants of a graph, and knows the tensors of the recording by their names in it.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) graph: Graph,
    dims: HashMap<TensorId, Vec<Dim>>,
    names: HashMap<TensorId, String>,
    /// Recorded constants that no node has read yet.
    values: BTreeMap<TensorId, TensorData>,
    parameters: HashMap<TensorId, String>,
    made: HashMap<(Element, Vec<usize>, Vec<u8>), String>,
    counts: HashMap<&'static str, usize>,
    taken: HashSet<String>,
    image: String,
    batch: Option<String>,
}

impl Builder {
    /// A graph of nothing but the input `image`, whose first axis is the batch. No tensor gets a name that is `reserved`.
    pub(crate) fn new(program: &mut Program, graph: Graph, image: &str, reserved: &[&str]) -> Self {
        let mut parameters = std::mem::take(&mut program.names);
        for path in parameters.values_mut() {
            if reserved.contains(&path.as_str()) {
                *path = format!("parameter.{path}");
            }
        }
        let reserved = reserved.iter().map(ToString::to_string);
        Self {
            graph,
            dims: std::mem::take(&mut program.dims),
            names: HashMap::new(),
            values: std::mem::take(&mut program.values),
            made: HashMap::new(),
            counts: HashMap::new(),
            taken: reserved.chain(parameters.values().cloned()).collect(),
            parameters,
            image: image.to_string(),
            batch: None,
        }
    }

    /// From now on the recorded tensor has this name.
    pub(crate) fn call(&mut self, tensor: TensorId, name: impl Into<String>) {
        self.names.insert(tensor, name.into());
    }

    /// The shape of a recorded tensor.
    pub(crate) fn dims(&self, tensor: TensorId) -> &[Dim] {
        &self.dims[&tensor]
    }

    /// The length of an axis that does not grow with the batch.
    pub(crate) fn fixed(
        &self,
        operation: &OperationIr,
        tensor: &TensorIr,
        axis: usize,
    ) -> Result<usize, OnnxError> {
        match self.dims(tensor.id)[axis] {
            Dim::Fixed(length) => Ok(length),
            Dim::Batch(_) => Err(unsupported(operation, "along the axis of the batch")),
        }
    }

    /// The name of a recorded tensor that is there already: an output of a node, the input, or a constant, which this
    /// puts into the file.
    pub(crate) fn read(&mut self, tensor: &TensorIr) -> String {
        self.read_id(tensor.id)
    }

    pub(crate) fn read_id(&mut self, tensor: TensorId) -> String {
        if let Some(name) = self.names.get(&tensor) {
            return name.clone();
        }
        let data = self
            .values
            .remove(&tensor)
            .expect("a recording writes or holds every tensor before it is read");
        let name = match self.parameters.get(&tensor) {
            Some(path) => path.clone(),
            None => self.unique("constant"),
        };
        let element = element(data.dtype());
        let dims = data.shape().iter().copied().collect();
        let data = match data.dtype() {
            // One byte each in the file.
            DType::Bool(_) => Data::Made(data.iter::<bool>().map(u8::from).collect()),
            _ => Data::Recorded(data),
        };
        self.graph.initializers.push(Initializer {
            name: name.clone(),
            element,
            dims,
            data,
        });
        self.names.insert(tensor, name.clone());
        name
    }

    /// A name that no other tensor has.
    fn unique(&mut self, kind: &'static str) -> String {
        let count = self.counts.entry(kind).or_default();
        loop {
            *count += 1;
            let name = format!("{}.{count}", kind.to_lowercase());
            // A parameter may be called like that.
            if !self.taken.contains(&name) {
                return name;
            }
        }
    }

    /// Adds a node with one output, and returns the name of that.
    pub(crate) fn node(
        &mut self,
        op: &'static str,
        inputs: &[&str],
        attributes: Attributes,
    ) -> String {
        let output = self.unique(op);
        self.named_node(op, inputs, attributes, output.clone());
        output
    }

    /// Adds a node whose output has a name of its own.
    pub(crate) fn named_node(
        &mut self,
        op: &'static str,
        inputs: &[&str],
        attributes: Attributes,
        output: String,
    ) {
        self.graph.nodes.push(Node {
            op,
            name: output.clone(),
            inputs: inputs.iter().map(ToString::to_string).collect(),
            outputs: vec![output],
            attributes,
        });
    }

    /// Adds the node that computes a recorded tensor.
    pub(crate) fn compute(
        &mut self,
        out: &TensorIr,
        op: &'static str,
        inputs: &[&str],
        attributes: Attributes,
    ) {
        let name = self.node(op, inputs, attributes);
        self.call(out.id, name);
    }

    /// The same, of a node whose results are of type `made` whatever the recorded tensor's.
    pub(crate) fn compute_as(
        &mut self,
        out: &TensorIr,
        made: Element,
        op: &'static str,
        inputs: &[&str],
        attributes: Attributes,
    ) {
        let name = self.node(op, inputs, attributes);
        if made == element(out.dtype) {
            self.call(out.id, name);
        } else {
            self.cast(out, &name);
        }
    }

    /// Adds the cast to the type of a recorded tensor.
    pub(crate) fn cast(&mut self, out: &TensorIr, input: &str) {
        let to = Attribute::Int(element(out.dtype).code());
        self.compute(out, "Cast", &[input], vec![("to", to)]);
    }

    /// A constant that is made for the file; the same numbers are stored once.
    fn constant(&mut self, element: Element, dims: Vec<usize>, bytes: Vec<u8>) -> String {
        let key = (element, dims, bytes);
        if let Some(name) = self.made.get(&key) {
            return name.clone();
        }
        let name = self.unique("constant");
        let (element, dims, bytes) = key.clone();
        self.graph.initializers.push(Initializer {
            name: name.clone(),
            element,
            dims,
            data: Data::Made(bytes),
        });
        self.made.insert(key, name.clone());
        name
    }

    /// A list of integers, as shapes and axes are.
    pub(crate) fn ints(&mut self, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(Element::I64, vec![values.len()], bytes.collect())
    }

    /// An integer without axes.
    pub(crate) fn int(&mut self, value: i64) -> String {
        self.constant(Element::I64, vec![], value.to_le_bytes().to_vec())
    }

    /// Numbers of type `f32`.
    pub(crate) fn floats(&mut self, dims: Vec<usize>, values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(Element::F32, dims, bytes.collect())
    }

    /// Truth values.
    pub(crate) fn bools(&mut self, dims: Vec<usize>, values: &[bool]) -> String {
        let bytes = values.iter().map(|&value| u8::from(value));
        self.constant(Element::Bool, dims, bytes.collect())
    }

    /// A number without axes, of the type of a recorded tensor.
    pub(crate) fn scalar(&mut self, value: ScalarIr, like: &TensorIr) -> String {
        let data = match value {
            ScalarIr::Float(value) => TensorData::new(vec![value], [1]),
            ScalarIr::Int(value) => TensorData::new(vec![value], [1]),
            ScalarIr::UInt(value) => TensorData::new(vec![value], [1]),
            ScalarIr::Bool(value) => TensorData::new(vec![value], [1]),
        };
        let element = element(like.dtype);
        let bytes = match like.dtype {
            DType::Bool(_) => data.iter::<bool>().map(u8::from).collect(),
            dtype => data.convert_dtype(dtype).as_bytes().to_vec(),
        };
        self.constant(element, vec![], bytes)
    }

    /// A shape as a tensor: a constant, or, if it grows with the batch, computed from the shape of the images.
    pub(crate) fn shape(&mut self, dims: &[Dim]) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut run: Vec<i64> = Vec::new();
        for &dim in dims {
            match dim {
                Dim::Fixed(length) => run.push(length as i64),
                Dim::Batch(times) => {
                    if !run.is_empty() {
                        parts.push(self.ints(&std::mem::take(&mut run)));
                    }
                    parts.push(self.batch(times));
                }
            }
        }
        if !run.is_empty() || parts.is_empty() {
            parts.push(self.ints(&run));
        }
        if let [shape] = &parts[..] {
            return shape.clone();
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.node("Concat", &parts, vec![("axis", Attribute::Int(0))])
    }

    /// `times` the number of pictures, as a list of one.
    fn batch(&mut self, times: usize) -> String {
        let batch = match &self.batch {
            Some(batch) => batch.clone(),
            None => {
                let ends = vec![("start", Attribute::Int(0)), ("end", Attribute::Int(1))];
                let batch = self.node("Shape", &[&self.image.clone()], ends);
                self.batch = Some(batch.clone());
                batch
            }
        };
        match times {
            1 => batch,
            times => {
                let times = self.ints(&[times as i64]);
                self.node("Mul", &[&batch, &times], vec![])
            }
        }
    }
}

/// The type of a recorded tensor. Burn's capture device has none that ONNX lacks: it refuses quantized tensors.
pub(crate) fn element(dtype: DType) -> Element {
    Element::of(dtype).expect("the capture device takes no quantized tensors")
}

/// The error of an operation that is not translated.
pub(crate) fn unsupported(operation: &OperationIr, reason: &str) -> OnnxError {
    OnnxError::Unsupported {
        operation: operation_name(operation),
        reason: reason.to_string(),
    }
}
