use super::element::Element;
use super::wire::Message;

/// Length of a tensor's axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Dim {
    /// That many.
    Fixed(usize),
    /// That many for every picture of the batch.
    Batch(usize),
}

/// A number or more that an operation is set up with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
    Text(&'static str),
}

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) op: &'static str,
    pub(crate) name: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
    pub(crate) attributes: Vec<(&'static str, Attribute)>,
}

/// A tensor that is part of the file.
#[derive(Debug, Clone)]
pub(crate) struct Initializer {
    pub(crate) name: String,
    pub(crate) element: Element,
    pub(crate) dims: Vec<usize>,
    /// The numbers, little-endian.
    pub(crate) data: Data,
}

/// Bytes that are shared with the network's recording, or made for the file.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    Recorded(burn::tensor::TensorData),
    Made(Vec<u8>),
}

impl Data {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Recorded(data) => data.as_bytes(),
            Self::Made(bytes) => bytes,
        }
    }
}

/// What goes into the graph, or comes out.
#[derive(Debug, Clone)]
pub(crate) struct ValueInfo {
    pub(crate) name: String,
    pub(crate) element: Element,
    pub(crate) dims: Vec<Dim>,
    /// What it is, in words.
    pub(crate) doc: String,
}

/// Operations in the order of execution.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    pub(crate) name: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) initializers: Vec<Initializer>,
    pub(crate) inputs: Vec<ValueInfo>,
    pub(crate) outputs: Vec<ValueInfo>,
}

impl Attribute {
    fn message(&self, name: &str) -> Message {
        let message = Message::new().text(1, name);
        match self {
            Self::Float(value) => message.float(2, *value).int(20, 1),
            Self::Int(value) => message.int(3, *value).int(20, 2),
            Self::Text(value) => message.text(4, value).int(20, 3),
            Self::Ints(values) => message.ints(8, values).int(20, 7),
        }
    }
}

impl Node {
    pub(super) fn message(&self) -> Message {
        let mut message = Message::new();
        for input in &self.inputs {
            message = message.text(1, input);
        }
        for output in &self.outputs {
            message = message.text(2, output);
        }
        message = message.text(3, &self.name).text(4, self.op);
        for (name, attribute) in &self.attributes {
            message = message.message(5, &attribute.message(name));
        }
        message
    }
}

impl Initializer {
    /// All of it but the numbers, which come behind.
    pub(super) fn head(&self) -> Message {
        let dims: Vec<i64> = self.dims.iter().map(|&dim| dim as i64).collect();
        Message::new()
            .ints(1, &dims)
            .int(2, self.element.code())
            .text(8, &self.name)
            .header(9, self.data.as_bytes().len())
    }
}

impl ValueInfo {
    pub(super) fn message(&self) -> Message {
        let mut shape = Message::new();
        for dim in &self.dims {
            let dim = match dim {
                Dim::Fixed(length) => Message::new().int(1, *length as i64),
                Dim::Batch(1) => Message::new().text(2, "batch"),
                Dim::Batch(times) => Message::new().text(2, &format!("{times}*batch")),
            };
            shape = shape.message(1, &dim);
        }
        let tensor = Message::new()
            .int(1, self.element.code())
            .message(2, &shape);
        Message::new()
            .text(1, &self.name)
            .message(2, &Message::new().message(1, &tensor))
            .text(3, &self.doc)
    }
}
