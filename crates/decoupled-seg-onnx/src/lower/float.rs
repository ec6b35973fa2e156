use burn::backend::ir::{
    FloatOperationIr, GridSample2dOpIr, GridSamplePaddingModeIr, InterpolateModeIr, OperationIr,
    ScalarIr, UnaryOpIr,
};

use super::builder::{Builder, unsupported};
use crate::OnnxError;
use crate::proto::Attribute;

pub(super) fn lower(
    builder: &mut Builder,
    operation: &OperationIr,
    float: &FloatOperationIr,
) -> Result<(), OnnxError> {
    let mut unary = |op, desc: &UnaryOpIr| {
        let input = builder.read(&desc.input);
        builder.compute(&desc.out, op, &[&input], vec![]);
    };
    match float {
        FloatOperationIr::Exp(desc) => unary("Exp", desc),
        FloatOperationIr::Log(desc) => unary("Log", desc),
        FloatOperationIr::Erf(desc) => unary("Erf", desc),
        FloatOperationIr::Sqrt(desc) => unary("Sqrt", desc),
        FloatOperationIr::Cos(desc) => unary("Cos", desc),
        FloatOperationIr::Cosh(desc) => unary("Cosh", desc),
        FloatOperationIr::Sin(desc) => unary("Sin", desc),
        FloatOperationIr::Sinh(desc) => unary("Sinh", desc),
        FloatOperationIr::Tan(desc) => unary("Tan", desc),
        FloatOperationIr::Tanh(desc) => unary("Tanh", desc),
        FloatOperationIr::ArcCos(desc) => unary("Acos", desc),
        FloatOperationIr::ArcCosh(desc) => unary("Acosh", desc),
        FloatOperationIr::ArcSin(desc) => unary("Asin", desc),
        FloatOperationIr::ArcSinh(desc) => unary("Asinh", desc),
        FloatOperationIr::ArcTan(desc) => unary("Atan", desc),
        FloatOperationIr::ArcTanh(desc) => unary("Atanh", desc),
        FloatOperationIr::Round(desc) => unary("Round", desc),
        FloatOperationIr::Floor(desc) => unary("Floor", desc),
        FloatOperationIr::Ceil(desc) => unary("Ceil", desc),
        FloatOperationIr::Recip(desc) => unary("Reciprocal", desc),
        FloatOperationIr::IsNan(desc) => unary("IsNaN", desc),
        FloatOperationIr::IsInf(desc) => unary("IsInf", desc),
        FloatOperationIr::Log1p(desc) => {
            let input = builder.read(&desc.input);
            let one = builder.scalar(ScalarIr::Float(1.0), &desc.input);
            let sum = builder.node("Add", &[&input, &one], vec![]);
            builder.compute(&desc.out, "Log", &[&sum], vec![]);
        }
        FloatOperationIr::PowfScalar(desc) => {
            let input = builder.read(&desc.lhs);
            let power = builder.scalar(desc.rhs, &desc.lhs);
            builder.compute(&desc.out, "Pow", &[&input, &power], vec![]);
        }
        FloatOperationIr::Powf(desc) => {
            let (lhs, rhs) = (builder.read(&desc.lhs), builder.read(&desc.rhs));
            builder.compute(&desc.out, "Pow", &[&lhs, &rhs], vec![]);
        }
        FloatOperationIr::Matmul(desc) => {
            let (lhs, rhs) = (builder.read(&desc.lhs), builder.read(&desc.rhs));
            builder.compute(&desc.out, "MatMul", &[&lhs, &rhs], vec![]);
        }
        FloatOperationIr::IntoInt(desc) => {
            let input = builder.read(&desc.input);
            builder.cast(&desc.out, &input);
        }
        FloatOperationIr::GridSample2d(desc) => return grid_sample(builder, operation, desc),
        FloatOperationIr::Random(_) => {
            return Err(unsupported(
                operation,
                "a network that draws numbers says something else each time",
            ));
        }
        FloatOperationIr::ArcTan2(_)
        | FloatOperationIr::Trunc(_)
        | FloatOperationIr::Cross(_)
        | FloatOperationIr::Quantize(_)
        | FloatOperationIr::Dequantize(_)
        | FloatOperationIr::Hypot(_) => {
            return Err(unsupported(operation, "it is not translated"));
        }
    }
    Ok(())
}

fn grid_sample(
    builder: &mut Builder,
    operation: &OperationIr,
    desc: &GridSample2dOpIr,
) -> Result<(), OnnxError> {
    let InterpolateModeIr::Bilinear = desc.options.mode else {
        return Err(unsupported(
            operation,
            "bilinear sampling alone is translated",
        ));
    };
    let padding = match desc.options.padding_mode {
        GridSamplePaddingModeIr::Zeros => "zeros",
        GridSamplePaddingModeIr::Border => "border",
        GridSamplePaddingModeIr::Reflection => "reflection",
    };
    let (input, grid) = (builder.read(&desc.tensor), builder.read(&desc.grid));
    let attributes = vec![
        // The word of opsets 16 to 19; readers of later ones know it too.
        ("mode", Attribute::Text("bilinear")),
        ("padding_mode", Attribute::Text(padding)),
        (
            "align_corners",
            Attribute::Int(desc.options.align_corners.into()),
        ),
    ];
    builder.compute(&desc.out, "GridSample", &[&input, &grid], attributes);
    Ok(())
}
