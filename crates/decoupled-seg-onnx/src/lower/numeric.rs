use burn::backend::ir::{
    BinaryOpIr, NumericOperationIr, OperationIr, PadModeIr, PadOpIr, ReduceDimOpIr, ReduceOpIr,
    ScalarOpIr, TensorIr, UnaryOpIr,
};

use super::builder::{Builder, unsupported};
use crate::OnnxError;
use crate::proto::{Attribute, Dim, Element};

pub(super) fn lower(
    builder: &mut Builder,
    operation: &OperationIr,
    numeric: &NumericOperationIr,
) -> Result<(), OnnxError> {
    use NumericOperationIr as Op;
    match numeric {
        Op::Add(desc) => binary(builder, "Add", desc),
        Op::Sub(desc) => binary(builder, "Sub", desc),
        Op::Mul(desc) => binary(builder, "Mul", desc),
        Op::Div(desc) => binary(builder, "Div", desc),
        Op::Powi(desc) => binary(builder, "Pow", desc),
        Op::Greater(desc) => binary(builder, "Greater", desc),
        Op::GreaterEqual(desc) => binary(builder, "GreaterOrEqual", desc),
        Op::Lower(desc) => binary(builder, "Less", desc),
        Op::LowerEqual(desc) => binary(builder, "LessOrEqual", desc),
        Op::AddScalar(desc) => with_scalar(builder, "Add", desc),
        Op::SubScalar(desc) => with_scalar(builder, "Sub", desc),
        Op::MulScalar(desc) => with_scalar(builder, "Mul", desc),
        Op::DivScalar(desc) => with_scalar(builder, "Div", desc),
        Op::PowiScalar(desc) => with_scalar(builder, "Pow", desc),
        Op::GreaterElem(desc) => with_scalar(builder, "Greater", desc),
        Op::GreaterEqualElem(desc) => with_scalar(builder, "GreaterOrEqual", desc),
        Op::LowerElem(desc) => with_scalar(builder, "Less", desc),
        Op::LowerEqualElem(desc) => with_scalar(builder, "LessOrEqual", desc),
        Op::Abs(desc) => unary(builder, "Abs", desc),
        Op::Neg(desc) => unary(builder, "Neg", desc),
        Op::Sign(desc) => unary(builder, "Sign", desc),
        Op::Rem(desc) => {
            let (lhs, rhs) = (builder.read(&desc.lhs), builder.read(&desc.rhs));
            remainder(builder, &desc.out, &lhs, &rhs);
        }
        Op::RemScalar(desc) => {
            let lhs = builder.read(&desc.lhs);
            let rhs = builder.scalar(desc.rhs, &desc.lhs);
            remainder(builder, &desc.out, &lhs, &rhs);
        }
        Op::Clamp(desc) => {
            let input = builder.read(&desc.tensor);
            let min = builder.scalar(desc.min, &desc.tensor);
            let max = builder.scalar(desc.max, &desc.tensor);
            builder.compute(&desc.out, "Clip", &[&input, &min, &max], vec![]);
        }
        Op::ClampMin(desc) => with_scalar(builder, "Clip", desc),
        Op::ClampMax(desc) => {
            let input = builder.read(&desc.lhs);
            let max = builder.scalar(desc.rhs, &desc.lhs);
            builder.compute(&desc.out, "Clip", &[&input, "", &max], vec![]);
        }
        Op::Full(desc) => {
            let value = builder.scalar(desc.value, &desc.out);
            fill(builder, &desc.out, &value);
        }
        Op::MeanDim(desc) if desc.input.dtype.is_float() => {
            along(builder, "ReduceMean", &desc.input, &desc.out, &[desc.axis]);
        }
        Op::SumDim(desc) => along(builder, "ReduceSum", &desc.input, &desc.out, &[desc.axis]),
        Op::ProdDim(desc) => along(builder, "ReduceProd", &desc.input, &desc.out, &[desc.axis]),
        Op::MaxDim(desc) => along(builder, "ReduceMax", &desc.input, &desc.out, &[desc.axis]),
        Op::MinDim(desc) => along(builder, "ReduceMin", &desc.input, &desc.out, &[desc.axis]),
        Op::SumDims(desc) => along(builder, "ReduceSum", &desc.input, &desc.out, &desc.axes),
        Op::Mean(desc) if desc.input.dtype.is_float() => all(builder, "ReduceMean", desc),
        Op::Sum(desc) => all(builder, "ReduceSum", desc),
        Op::Prod(desc) => all(builder, "ReduceProd", desc),
        Op::Max(desc) => all(builder, "ReduceMax", desc),
        Op::Min(desc) => all(builder, "ReduceMin", desc),
        Op::MaxAbs(desc) => {
            let input = builder.read(&desc.input);
            let magnitudes = builder.node("Abs", &[&input], vec![]);
            all_of(builder, "ReduceMax", &magnitudes, &desc.out);
        }
        Op::MaxAbsDim(desc) => {
            let input = builder.read(&desc.input);
            let magnitudes = builder.node("Abs", &[&input], vec![]);
            let axes = builder.ints(&[desc.axis as i64]);
            builder.compute(&desc.out, "ReduceMax", &[&magnitudes, &axes], vec![]);
        }
        Op::ArgMax(desc) => arg(builder, "ArgMax", desc),
        Op::ArgMin(desc) => arg(builder, "ArgMin", desc),
        Op::MaxDimWithIndices(desc) => {
            along(builder, "ReduceMax", &desc.tensor, &desc.out, &[desc.dim]);
            arg_of(builder, "ArgMax", &desc.tensor, &desc.out_indices, desc.dim);
        }
        Op::MinDimWithIndices(desc) => {
            along(builder, "ReduceMin", &desc.tensor, &desc.out, &[desc.dim]);
            arg_of(builder, "ArgMin", &desc.tensor, &desc.out_indices, desc.dim);
        }
        Op::CumSum(desc) => {
            let input = builder.read(&desc.input);
            let axis = builder.int(desc.axis as i64);
            builder.compute(&desc.out, "CumSum", &[&input, &axis], vec![]);
        }
        Op::Pad(desc) => pad(builder, desc),
        Op::IntRandom(_) => {
            return Err(unsupported(
                operation,
                "a network that draws numbers says something else each time",
            ));
        }
        Op::MeanDim(_)
        | Op::Mean(_)
        | Op::ArgTopK(_)
        | Op::TopK(_)
        | Op::TopKWithIndices(_)
        | Op::CumProd(_)
        | Op::CumMin(_)
        | Op::CumMax(_)
        | Op::Sort(_)
        | Op::SortWithIndices(_)
        | Op::ArgSort(_) => return Err(unsupported(operation, "it is not translated")),
    }
    Ok(())
}

fn unary(builder: &mut Builder, op: &'static str, desc: &UnaryOpIr) {
    let input = builder.read(&desc.input);
    builder.compute(&desc.out, op, &[&input], vec![]);
}

fn binary(builder: &mut Builder, op: &'static str, desc: &BinaryOpIr) {
    let (lhs, rhs) = (builder.read(&desc.lhs), builder.read(&desc.rhs));
    builder.compute(&desc.out, op, &[&lhs, &rhs], vec![]);
}

fn with_scalar(builder: &mut Builder, op: &'static str, desc: &ScalarOpIr) {
    let lhs = builder.read(&desc.lhs);
    let rhs = builder.scalar(desc.rhs, &desc.lhs);
    builder.compute(&desc.out, op, &[&lhs, &rhs], vec![]);
}

/// With the sign of the divisor, as Burn has it. ONNX has it for integers only.
fn remainder(builder: &mut Builder, out: &TensorIr, lhs: &str, rhs: &str) {
    if !out.dtype.is_float() {
        builder.compute(out, "Mod", &[lhs, rhs], vec![]);
        return;
    }
    let quotient = builder.node("Div", &[lhs, rhs], vec![]);
    let whole = builder.node("Floor", &[&quotient], vec![]);
    let multiple = builder.node("Mul", &[&whole, rhs], vec![]);
    builder.compute(out, "Sub", &[lhs, &multiple], vec![]);
}

/// A tensor of one number over and over.
pub(super) fn fill(builder: &mut Builder, out: &TensorIr, value: &str) {
    let dims: Vec<Dim> = builder.dims(out.id).to_vec();
    let shape = builder.shape(&dims);
    builder.compute(out, "Expand", &[value, &shape], vec![]);
}

fn along(
    builder: &mut Builder,
    op: &'static str,
    input: &TensorIr,
    out: &TensorIr,
    axes: &[usize],
) {
    let input = builder.read(input);
    let axes: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
    let axes = builder.ints(&axes);
    builder.compute(out, op, &[&input, &axes], vec![]);
}

fn all(builder: &mut Builder, op: &'static str, desc: &ReduceOpIr) {
    let input = builder.read(&desc.input);
    all_of(builder, op, &input, &desc.out);
}

/// Over all axes: the result has one axis, of length 1.
fn all_of(builder: &mut Builder, op: &'static str, input: &str, out: &TensorIr) {
    let (flat, first) = (builder.ints(&[-1]), builder.ints(&[0]));
    let flat = builder.node("Reshape", &[input, &flat], vec![]);
    builder.compute(out, op, &[&flat, &first], vec![]);
}

fn arg(builder: &mut Builder, op: &'static str, desc: &ReduceDimOpIr) {
    arg_of(builder, op, &desc.input, &desc.out, desc.axis);
}

fn arg_of(builder: &mut Builder, op: &'static str, input: &TensorIr, out: &TensorIr, axis: usize) {
    let input = builder.read(input);
    let axis = vec![("axis", Attribute::Int(axis as i64))];
    builder.compute_as(out, Element::I64, op, &[&input], axis);
}

fn pad(builder: &mut Builder, desc: &PadOpIr) {
    let input = builder.read(&desc.input);
    let before = desc.padding.iter().map(|pair| pair.0 as i64);
    let after = desc.padding.iter().map(|pair| pair.1 as i64);
    let pads: Vec<i64> = before.chain(after).collect();
    let pads = builder.ints(&pads);
    let (mode, value) = match desc.mode {
        PadModeIr::Constant(value) => ("constant", Some(builder.scalar(value, &desc.input))),
        PadModeIr::Reflect => ("reflect", None),
        PadModeIr::Edge => ("edge", None),
    };
    let mut inputs = vec![input.as_str(), pads.as_str()];
    inputs.extend(value.as_deref());
    let mode = vec![("mode", Attribute::Text(mode))];
    builder.compute(&desc.out, "Pad", &inputs, mode);
}
