//! The messages of an ONNX file, and how they are written.
//!
//! Written by hand: ONNX takes ten message types, and a generator for them would cost every build more than these lines.
//! Field numbers are those of
//! [`onnx.proto`](https://github.com/onnx/onnx/blob/v1.13.0/onnx/onnx.proto), IR version 8.

mod element;
mod graph;
mod model;
mod wire;

pub(crate) use element::Element;
pub(crate) use graph::{Attribute, Data, Dim, Graph, Initializer, Node, ValueInfo};
pub(crate) use model::Model;
