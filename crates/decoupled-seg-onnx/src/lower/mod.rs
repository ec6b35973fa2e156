//! From Burn's operations to those of ONNX, a file a family.

mod activation;
mod base;
mod builder;
mod float;
mod module;
mod numeric;
mod pool;

use burn::backend::ir::{BoolOperationIr, IntOperationIr, OperationIr};

use crate::OnnxError;

pub(crate) use builder::Builder;
use builder::unsupported;

/// Adds the nodes of an operation to the graph.
pub(crate) fn lower(builder: &mut Builder, operation: &OperationIr) -> Result<(), OnnxError> {
    match operation {
        OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) => {
            base::lower(builder, operation, base)
        }
        OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) => {
            numeric::lower(builder, operation, numeric)
        }
        OperationIr::Float(_, float) => float::lower(builder, operation, float),
        OperationIr::Module(module) => module::lower(builder, operation, module),
        OperationIr::Activation(activation) => activation::lower(builder, operation, activation),
        OperationIr::Bool(boolean) => lower_bool(builder, boolean),
        OperationIr::Int(int) => lower_int(builder, operation, int),
        // Their tensors are constants, which the recording holds.
        OperationIr::Init(_) | OperationIr::Drop(_) => Ok(()),
        OperationIr::Custom(_) | OperationIr::Distributed(_) => Err(unsupported(
            operation,
            "it is no tensor operation of Burn's",
        )),
    }
}

fn lower_bool(builder: &mut Builder, operation: &BoolOperationIr) -> Result<(), OnnxError> {
    let mut binary = |op, desc: &burn::backend::ir::BinaryOpIr| {
        let (lhs, rhs) = (builder.read(&desc.lhs), builder.read(&desc.rhs));
        builder.compute(&desc.out, op, &[&lhs, &rhs], vec![]);
    };
    match operation {
        BoolOperationIr::And(desc) => binary("And", desc),
        BoolOperationIr::Or(desc) => binary("Or", desc),
        BoolOperationIr::Xor(desc) => binary("Xor", desc),
        BoolOperationIr::Not(desc) => {
            let input = builder.read(&desc.input);
            builder.compute(&desc.out, "Not", &[&input], vec![]);
        }
        BoolOperationIr::IntoFloat(desc) | BoolOperationIr::IntoInt(desc) => {
            let input = builder.read(&desc.input);
            builder.cast(&desc.out, &input);
        }
    }
    Ok(())
}

fn lower_int(
    builder: &mut Builder,
    operation: &OperationIr,
    int: &IntOperationIr,
) -> Result<(), OnnxError> {
    match int {
        IntOperationIr::IntoFloat(desc) => {
            let input = builder.read(&desc.input);
            builder.cast(&desc.out, &input);
            Ok(())
        }
        IntOperationIr::Matmul(desc) => {
            let (lhs, rhs) = (builder.read(&desc.lhs), builder.read(&desc.rhs));
            builder.compute(&desc.out, "MatMul", &[&lhs, &rhs], vec![]);
            Ok(())
        }
        _ => Err(unsupported(
            operation,
            "operations on bits are not translated",
        )),
    }
}
