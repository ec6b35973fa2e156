use burn::backend::ir::{
    BatchNormOpIr, Conv2dOpIr, ConvTranspose2dOpIr, InterpolateModeIr, InterpolateOpIr,
    LayerNormOpIr, LinearOpIr, ModuleOperationIr, OperationIr, ScalarIr, TensorIr,
};

use super::builder::{Builder, unsupported};
use super::pool::{self, pair};
use crate::OnnxError;
use crate::proto::{Attribute, Dim};

pub(super) fn lower(
    builder: &mut Builder,
    operation: &OperationIr,
    module: &ModuleOperationIr,
) -> Result<(), OnnxError> {
    use ModuleOperationIr as Op;
    match module {
        Op::Conv2d(desc) => conv2d(builder, desc),
        Op::ConvTranspose2d(desc) => conv_transpose2d(builder, desc),
        Op::BatchNorm(desc) => batch_norm(builder, desc),
        Op::LayerNorm(desc) => layer_norm(builder, desc),
        Op::Linear(desc) => linear(builder, desc),
        Op::Interpolate(desc) => return interpolate(builder, operation, desc),
        Op::MaxPool2d(desc) => return pool::max(builder, operation, desc),
        Op::AvgPool2d(desc) => return pool::average(builder, operation, desc),
        Op::AdaptiveAvgPool2d(desc) => return pool::adaptive_average(builder, operation, desc),
        Op::Embedding(desc) => {
            let (weights, indices) = (builder.read(&desc.weights), builder.read(&desc.indices));
            let axis = vec![("axis", Attribute::Int(0))];
            builder.compute(&desc.out, "Gather", &[&weights, &indices], axis);
        }
        Op::DeformableConv2d(_) => {
            return Err(unsupported(
                operation,
                "opset 18 has no deformable convolution, and few programs run the one of opset 19",
            ));
        }
        _ => return Err(unsupported(operation, "it is not translated")),
    }
    Ok(())
}

/// The names of the inputs, the optional one last.
fn inputs(
    builder: &mut Builder,
    tensors: [&TensorIr; 2],
    optional: Option<&TensorIr>,
) -> Vec<String> {
    let tensors = tensors.into_iter().chain(optional);
    tensors.map(|tensor| builder.read(tensor)).collect()
}

fn names(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn conv2d(builder: &mut Builder, desc: &Conv2dOpIr) {
    let inputs = inputs(builder, [&desc.x, &desc.weight], desc.bias.as_ref());
    let [(top, bottom), (left, right)] = desc.options.padding;
    let pads = [top, left, bottom, right].map(|side| side as i64);
    let attributes = vec![
        ("kernel_shape", pair(kernel(&desc.weight))),
        ("strides", pair(desc.options.stride)),
        ("pads", Attribute::Ints(pads.to_vec())),
        ("dilations", pair(desc.options.dilation)),
        ("group", Attribute::Int(desc.options.groups as i64)),
    ];
    builder.compute(&desc.out, "Conv", &names(&inputs), attributes);
}

fn conv_transpose2d(builder: &mut Builder, desc: &ConvTranspose2dOpIr) {
    let inputs = inputs(builder, [&desc.x, &desc.weight], desc.bias.as_ref());
    let [vertical, horizontal] = desc.options.padding.map(|side| side as i64);
    let pads = vec![vertical, horizontal, vertical, horizontal];
    let attributes = vec![
        ("kernel_shape", pair(kernel(&desc.weight))),
        ("strides", pair(desc.options.stride)),
        ("pads", Attribute::Ints(pads)),
        ("output_padding", pair(desc.options.padding_out)),
        ("dilations", pair(desc.options.dilation)),
        ("group", Attribute::Int(desc.options.groups as i64)),
    ];
    builder.compute(&desc.out, "ConvTranspose", &names(&inputs), attributes);
}

fn kernel(weight: &TensorIr) -> [usize; 2] {
    [weight.shape[2], weight.shape[3]]
}

fn batch_norm(builder: &mut Builder, desc: &BatchNormOpIr) {
    let inputs = [&desc.x, &desc.gamma, &desc.beta, &desc.mean, &desc.variance];
    let inputs = inputs.map(|tensor| builder.read(tensor));
    let epsilon = vec![("epsilon", float(desc.epsilon))];
    builder.compute(&desc.out, "BatchNormalization", &names(&inputs), epsilon);
}

fn layer_norm(builder: &mut Builder, desc: &LayerNormOpIr) {
    let inputs = inputs(builder, [&desc.input, &desc.gamma], desc.beta.as_ref());
    let attributes = vec![
        ("axis", Attribute::Int(-1)),
        ("epsilon", float(desc.epsilon)),
    ];
    builder.compute(&desc.out, "LayerNormalization", &names(&inputs), attributes);
}

fn linear(builder: &mut Builder, desc: &LinearOpIr) {
    let (x, weight) = (builder.read(&desc.x), builder.read(&desc.weight));
    match &desc.bias {
        None => builder.compute(&desc.out, "MatMul", &[&x, &weight], vec![]),
        Some(bias) => {
            let product = builder.node("MatMul", &[&x, &weight], vec![]);
            let bias = builder.read(bias);
            builder.compute(&desc.out, "Add", &[&product, &bias], vec![]);
        }
    }
}

fn interpolate(
    builder: &mut Builder,
    operation: &OperationIr,
    desc: &InterpolateOpIr,
) -> Result<(), OnnxError> {
    let InterpolateModeIr::Bilinear = desc.options.mode else {
        return Err(unsupported(
            operation,
            "bilinear interpolation alone is translated",
        ));
    };
    let input = builder.read(&desc.x);
    let [height, width] = desc.output_size;
    let from = builder.dims(desc.x.id);
    // A list for all four axes: not every program reads one for the last two only.
    let sizes = [from[0], from[1], Dim::Fixed(height), Dim::Fixed(width)];
    let sizes = builder.shape(&sizes);
    let positions = if desc.options.align_corners {
        "align_corners"
    } else {
        "half_pixel"
    };
    let attributes = vec![
        ("mode", Attribute::Text("linear")),
        ("coordinate_transformation_mode", Attribute::Text(positions)),
    ];
    let inputs = [input.as_str(), "", "", &sizes];
    builder.compute(&desc.out, "Resize", &inputs, attributes);
    Ok(())
}

fn float(value: ScalarIr) -> Attribute {
    Attribute::Float(value.elem())
}
