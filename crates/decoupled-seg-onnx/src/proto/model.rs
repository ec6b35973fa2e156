use std::io::{self, Write};

use super::graph::Graph;
use super::wire::Message;

/// Of the file format: the one that came with [`OPSET`].
const IR_VERSION: i64 = 8;

/// Of the operations: the first with `Resize`, `GridSample`, `Pad` and the reductions as they are written here; what was
/// made since 2022 reads it.
const OPSET: i64 = 18;

/// All of a file.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) graph: Graph,
    /// Keys and values.
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) doc: String,
}

impl Model {
    /// Writes the file. The weights are written from where they lie: no copy of them is made.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let parts = Parts::of(self);
        out.write_all(parts.before.as_bytes())?;
        out.write_all(parts.graph.as_bytes())?;
        for (head, initializer) in parts.heads.iter().zip(&self.graph.initializers) {
            let data = initializer.data.as_bytes();
            let field = Message::new().header(5, head.len() + data.len());
            out.write_all(field.as_bytes())?;
            out.write_all(head.as_bytes())?;
            out.write_all(data)?;
        }
        out.write_all(parts.after.as_bytes())
    }

    /// Length of the file, in bytes.
    pub(crate) fn len(&self) -> usize {
        let parts = Parts::of(self);
        parts.before.len() + parts.graph_length(&self.graph) + parts.after.len()
    }
}

/// The file without the numbers of its initializers.
struct Parts {
    /// Up to the graph, whose length it ends in.
    before: Message,
    /// The graph without initializers.
    graph: Message,
    heads: Vec<Message>,
    after: Message,
}

impl Parts {
    fn of(model: &Model) -> Self {
        let Graph {
            name,
            nodes,
            initializers,
            inputs,
            outputs,
        } = &model.graph;
        let mut graph = Message::new().text(2, name);
        for node in nodes {
            graph = graph.message(1, &node.message());
        }
        for input in inputs {
            graph = graph.message(11, &input.message());
        }
        for output in outputs {
            graph = graph.message(12, &output.message());
        }
        let opset = Message::new().text(1, "").int(2, OPSET);
        let mut after = Message::new().message(8, &opset);
        for (key, value) in &model.metadata {
            after = after.message(14, &Message::new().text(1, key).text(2, value));
        }
        let mut parts = Self {
            before: Message::new()
                .int(1, IR_VERSION)
                .text(2, env!("CARGO_PKG_NAME"))
                .text(3, env!("CARGO_PKG_VERSION"))
                .text(6, &model.doc),
            graph,
            heads: initializers.iter().map(|it| it.head()).collect(),
            after,
        };
        let length = parts.graph_length(&model.graph);
        parts.before = parts.before.header(7, length);
        parts
    }

    fn graph_length(&self, graph: &Graph) -> usize {
        let initializers = self.heads.iter().zip(&graph.initializers);
        let lengths = initializers.map(|(head, initializer)| {
            let length = head.len() + initializer.data.as_bytes().len();
            Message::new().header(5, length).len() + length
        });
        self.graph.len() + lengths.sum::<usize>()
    }
}
