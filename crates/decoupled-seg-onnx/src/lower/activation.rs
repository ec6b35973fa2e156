use burn::backend::ir::{ActivationOperationIr, DimOpIr, OperationIr, ScalarIr, UnaryOpIr};

use super::builder::{Builder, unsupported};
use crate::OnnxError;
use crate::proto::Attribute;

pub(super) fn lower(
    builder: &mut Builder,
    operation: &OperationIr,
    activation: &ActivationOperationIr,
) -> Result<(), OnnxError> {
    match activation {
        ActivationOperationIr::Relu(desc) => unary(builder, "Relu", desc),
        ActivationOperationIr::Sigmoid(desc) => unary(builder, "Sigmoid", desc),
        ActivationOperationIr::LeakyRelu(desc) => {
            let input = builder.read(&desc.lhs);
            let alpha = vec![("alpha", float(desc.rhs))];
            builder.compute(&desc.out, "LeakyRelu", &[&input], alpha);
        }
        // Burn gives the slopes as many axes as the input has.
        ActivationOperationIr::PRelu(desc) => {
            let (input, alpha) = (builder.read(&desc.lhs), builder.read(&desc.rhs));
            builder.compute(&desc.out, "PRelu", &[&input, &alpha], vec![]);
        }
        ActivationOperationIr::Gelu(desc) => gelu(builder, desc),
        ActivationOperationIr::HardSigmoid(desc) => {
            let input = builder.read(&desc.tensor);
            let line = vec![("alpha", float(desc.alpha)), ("beta", float(desc.beta))];
            builder.compute(&desc.out, "HardSigmoid", &[&input], line);
        }
        // ln(sigmoid(x)) = -softplus(-x)
        ActivationOperationIr::LogSigmoid(desc) => {
            let input = builder.read(&desc.input);
            let minus = builder.node("Neg", &[&input], vec![]);
            let softplus = builder.node("Softplus", &[&minus], vec![]);
            builder.compute(&desc.out, "Neg", &[&softplus], vec![]);
        }
        ActivationOperationIr::Softmax(desc) => {
            let input = builder.read(&desc.input);
            builder.compute(&desc.out, "Softmax", &[&input], axis(desc));
        }
        ActivationOperationIr::LogSoftmax(desc) => {
            let input = builder.read(&desc.input);
            builder.compute(&desc.out, "LogSoftmax", &[&input], axis(desc));
        }
        ActivationOperationIr::Softmin(desc) => {
            let input = builder.read(&desc.input);
            let minus = builder.node("Neg", &[&input], vec![]);
            builder.compute(&desc.out, "Softmax", &[&minus], axis(desc));
        }
        ActivationOperationIr::ReluBackward(_)
        | ActivationOperationIr::GeluBackward(_)
        | ActivationOperationIr::SigmoidBackward(_)
        | ActivationOperationIr::LogSigmoidBackward(_) => {
            return Err(unsupported(operation, "it belongs to training"));
        }
    }
    Ok(())
}

fn unary(builder: &mut Builder, op: &'static str, desc: &UnaryOpIr) {
    let input = builder.read(&desc.input);
    builder.compute(&desc.out, op, &[&input], vec![]);
}

/// `x / 2 * (1 + erf(x / sqrt(2)))`: ONNX has an operation of its own from opset 20 on only.
fn gelu(builder: &mut Builder, desc: &UnaryOpIr) {
    let input = builder.read(&desc.input);
    let mut scalar = |value| builder.scalar(ScalarIr::Float(value), &desc.input);
    let (root, one, half) = (
        scalar(std::f64::consts::FRAC_1_SQRT_2),
        scalar(1.0),
        scalar(0.5),
    );
    let scaled = builder.node("Mul", &[&input, &root], vec![]);
    let erf = builder.node("Erf", &[&scaled], vec![]);
    let sum = builder.node("Add", &[&erf, &one], vec![]);
    let halved = builder.node("Mul", &[&input, &half], vec![]);
    builder.compute(&desc.out, "Mul", &[&halved, &sum], vec![]);
}

fn axis(desc: &DimOpIr) -> Vec<(&'static str, Attribute)> {
    vec![("axis", Attribute::Int(desc.axis as i64))]
}

fn float(value: ScalarIr) -> Attribute {
    Attribute::Float(value.elem())
}
