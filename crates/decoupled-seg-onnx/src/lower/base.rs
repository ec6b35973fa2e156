use burn::backend::ir::{
    BaseOperationIr, BinaryOpIr, OperationIr, ScalarIr, ScalarOpIr, ShapeOpIr, SliceAssignOpIr,
    SliceOpIr, TensorIr,
};
use burn::tensor::Slice;

use super::builder::{Builder, unsupported};
use super::numeric::fill;
use crate::OnnxError;
use crate::free_batch::is_whole;
use crate::proto::{Attribute, Dim};

pub(super) fn lower(
    builder: &mut Builder,
    operation: &OperationIr,
    base: &BaseOperationIr,
) -> Result<(), OnnxError> {
    use BaseOperationIr as Op;
    match base {
        Op::Reshape(desc) => reshape(builder, desc),
        Op::Expand(desc) => expand(builder, desc),
        Op::Slice(desc) => return slice(builder, operation, desc),
        Op::SliceAssign(desc) => return slice_assign(builder, operation, desc),
        Op::SwapDims(desc) => {
            let mut axes: Vec<usize> = (0..desc.input.shape.num_dims()).collect();
            axes.swap(desc.dim1, desc.dim2);
            transpose(builder, &desc.input, &desc.out, &axes);
        }
        Op::Permute(desc) => transpose(builder, &desc.input, &desc.out, &desc.axes),
        Op::Flip(desc) => {
            let ranges = desc.axes.iter().map(|&axis| (axis, -1, i64::MIN, -1));
            let ranges: Vec<_> = ranges.collect();
            slice_axes(builder, &desc.input, &desc.out, &ranges);
        }
        Op::Select(desc) => {
            let (tensor, indices) = (builder.read(&desc.tensor), builder.read(&desc.indices));
            let axis = vec![("axis", Attribute::Int(desc.dim as i64))];
            builder.compute(&desc.out, "Gather", &[&tensor, &indices], axis);
        }
        Op::Gather(desc) => {
            let (tensor, indices) = (builder.read(&desc.tensor), builder.read(&desc.indices));
            let axis = vec![("axis", Attribute::Int(desc.dim as i64))];
            builder.compute(&desc.out, "GatherElements", &[&tensor, &indices], axis);
        }
        Op::MaskWhere(desc) => {
            let (mask, value) = (builder.read(&desc.mask), builder.read(&desc.value));
            let tensor = builder.read(&desc.tensor);
            builder.compute(&desc.out, "Where", &[&mask, &value, &tensor], vec![]);
        }
        Op::MaskFill(desc) => {
            let (mask, tensor) = (builder.read(&desc.mask), builder.read(&desc.tensor));
            let value = builder.scalar(desc.value, &desc.tensor);
            builder.compute(&desc.out, "Where", &[&mask, &value, &tensor], vec![]);
        }
        Op::Equal(desc) => equal(builder, desc, false),
        Op::NotEqual(desc) => equal(builder, desc, true),
        Op::EqualElem(desc) => equal_elem(builder, desc, false),
        Op::NotEqualElem(desc) => equal_elem(builder, desc, true),
        Op::RepeatDim(desc) => {
            let tensor = builder.read(&desc.tensor);
            let mut repeats = vec![1; desc.tensor.shape.num_dims()];
            repeats[desc.dim] = desc.times as i64;
            let repeats = builder.ints(&repeats);
            builder.compute(&desc.out, "Tile", &[&tensor, &repeats], vec![]);
        }
        Op::Cat(desc) => {
            let tensors: Vec<String> = desc.tensors.iter().map(|it| builder.read(it)).collect();
            let tensors: Vec<&str> = tensors.iter().map(String::as_str).collect();
            let axis = vec![("axis", Attribute::Int(desc.dim as i64))];
            builder.compute(&desc.out, "Concat", &tensors, axis);
        }
        Op::Cast(desc) => {
            let input = builder.read(&desc.input);
            builder.cast(&desc.out, &input);
        }
        // What is in an empty tensor is nobody's business; zeros are the same each time.
        Op::Zeros(desc) | Op::Empty(desc) => filled(builder, &desc.out, 0),
        Op::Ones(desc) => filled(builder, &desc.out, 1),
        Op::Unfold(_)
        | Op::SelectAssign(_)
        | Op::Scatter(_)
        | Op::ScatterNd(_)
        | Op::GatherNd(_)
        | Op::All(_)
        | Op::Any(_)
        | Op::AllDim(_)
        | Op::AnyDim(_) => return Err(unsupported(operation, "it is not translated")),
    }
    Ok(())
}

fn filled(builder: &mut Builder, out: &TensorIr, value: i64) {
    let value = builder.scalar(ScalarIr::Int(value), out);
    fill(builder, out, &value);
}

fn transpose(builder: &mut Builder, input: &TensorIr, out: &TensorIr, axes: &[usize]) {
    let input = builder.read(input);
    let axes = axes.iter().map(|&axis| axis as i64).collect();
    builder.compute(
        out,
        "Transpose",
        &[&input],
        vec![("perm", Attribute::Ints(axes))],
    );
}

fn reshape(builder: &mut Builder, desc: &ShapeOpIr) {
    let input = builder.read(&desc.input);
    let dims = builder.dims(desc.out.id).to_vec();
    let free = dims.iter().filter(|dim| matches!(dim, Dim::Batch(_)));
    let shape = if free.count() == 1 && !dims.contains(&Dim::Fixed(0)) {
        // -1 stands for what is left.
        let lengths = dims.iter().map(|dim| match dim {
            Dim::Fixed(length) => *length as i64,
            Dim::Batch(_) => -1,
        });
        let lengths: Vec<i64> = lengths.collect();
        builder.ints(&lengths)
    } else {
        builder.shape(&dims)
    };
    builder.compute(&desc.out, "Reshape", &[&input, &shape], vec![]);
}

fn expand(builder: &mut Builder, desc: &ShapeOpIr) {
    let input = builder.read(&desc.input);
    let mut dims = builder.dims(desc.out.id).to_vec();
    let from = builder.dims(desc.input.id);
    // ONNX keeps the length of an axis that 1 is asked of.
    let offset = dims.len() - from.len();
    for (dim, from) in dims[offset..].iter_mut().zip(from) {
        if dim == from {
            *dim = Dim::Fixed(1);
        }
    }
    let shape = builder.shape(&dims);
    builder.compute(&desc.out, "Expand", &[&input, &shape], vec![]);
}

fn equal(builder: &mut Builder, desc: &BinaryOpIr, not: bool) {
    let (lhs, rhs) = (builder.read(&desc.lhs), builder.read(&desc.rhs));
    equal_names(builder, &desc.out, &lhs, &rhs, not);
}

fn equal_elem(builder: &mut Builder, desc: &ScalarOpIr, not: bool) {
    let lhs = builder.read(&desc.lhs);
    let rhs = builder.scalar(desc.rhs, &desc.lhs);
    equal_names(builder, &desc.out, &lhs, &rhs, not);
}

fn equal_names(builder: &mut Builder, out: &TensorIr, lhs: &str, rhs: &str, not: bool) {
    if not {
        let equal = builder.node("Equal", &[lhs, rhs], vec![]);
        builder.compute(out, "Not", &[&equal], vec![]);
    } else {
        builder.compute(out, "Equal", &[lhs, rhs], vec![]);
    }
}

/// `(axis, start, end, step)` as ONNX has them.
type Range = (usize, i64, i64, i64);

fn slice_axes(builder: &mut Builder, input: &TensorIr, out: &TensorIr, ranges: &[Range]) {
    let input = builder.read(input);
    let mut list = |part: fn(&Range) -> i64| {
        let values: Vec<i64> = ranges.iter().map(part).collect();
        builder.ints(&values)
    };
    let (starts, ends) = (list(|range| range.1), list(|range| range.2));
    let (axes, steps) = (list(|range| range.0 as i64), list(|range| range.3));
    let inputs = [&input, &starts, &ends, &axes, &steps].map(String::as_str);
    builder.compute(out, "Slice", &inputs, vec![]);
}

fn slice(
    builder: &mut Builder,
    operation: &OperationIr,
    desc: &SliceOpIr,
) -> Result<(), OnnxError> {
    let mut ranges = Vec::new();
    for (axis, range) in desc.ranges.iter().enumerate() {
        let dim = builder.dims(desc.tensor.id)[axis];
        if let Some((start, end, step)) = onnx_range(operation, range, dim, &desc.tensor, axis)? {
            ranges.push((axis, start, end, step));
        }
    }
    if ranges.is_empty() {
        let input = builder.read(&desc.tensor);
        builder.compute(&desc.out, "Identity", &[&input], vec![]);
    } else {
        slice_axes(builder, &desc.tensor, &desc.out, &ranges);
    }
    Ok(())
}

/// `None` for a whole axis.
fn onnx_range(
    operation: &OperationIr,
    range: &Slice,
    dim: Dim,
    tensor: &TensorIr,
    axis: usize,
) -> Result<Option<(i64, i64, i64)>, OnnxError> {
    if is_whole(range, tensor.shape[axis]) {
        return Ok(None);
    }
    if let Dim::Batch(_) = dim {
        if range.step != 1 {
            return Err(unsupported(
                operation,
                "with a step along the axis of the batch",
            ));
        }
        let end = range.end.map_or(i64::MAX, |end| end as i64);
        return Ok(Some((range.start as i64, end, 1)));
    }
    let bounds = range.to_range(tensor.shape[axis]);
    let (start, end) = (bounds.start as i64, bounds.end as i64);
    Ok(Some(if range.step > 0 {
        (start, end, range.step as i64)
    } else {
        // From the last one down, and past the first one.
        let past = if start == 0 { i64::MIN } else { start - 1 };
        (end - 1, past, range.step as i64)
    }))
}

/// The new values, padded to the size of the tensor, where they are; the tensor elsewhere.
fn slice_assign(
    builder: &mut Builder,
    operation: &OperationIr,
    desc: &SliceAssignOpIr,
) -> Result<(), OnnxError> {
    let rank = desc.tensor.shape.num_dims();
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    let mut mask: Option<String> = None;
    for (axis, range) in desc.ranges.iter().enumerate() {
        if is_whole(range, desc.tensor.shape[axis]) {
            continue;
        }
        if range.step != 1 {
            return Err(unsupported(operation, "with a step"));
        }
        let length = builder.fixed(operation, &desc.tensor, axis)?;
        let bounds = range.to_range(length);
        before[axis] = bounds.start as i64;
        after[axis] = (length - bounds.end) as i64;
        let inside: Vec<bool> = (0..length).map(|index| bounds.contains(&index)).collect();
        let mut dims = vec![1; rank];
        dims[axis] = length;
        let inside = builder.bools(dims, &inside);
        mask = Some(match mask {
            None => inside,
            Some(mask) => builder.node("And", &[&mask, &inside], vec![]),
        });
    }
    let value = builder.read(&desc.value);
    let Some(mask) = mask else {
        builder.compute(&desc.out, "Identity", &[&value], vec![]);
        return Ok(());
    };
    let tensor = builder.read(&desc.tensor);
    before.extend(after);
    let pads = builder.ints(&before);
    let zero = builder.scalar(ScalarIr::Int(0), &desc.value);
    let padded = builder.node("Pad", &[&value, &pads, &zero], vec![]);
    builder.compute(&desc.out, "Where", &[&mask, &padded, &tensor], vec![]);
    Ok(())
}
