use burn::backend::ir::{AdaptiveAvgPool2dOpIr, AvgPool2dOpIr, MaxPool2dOpIr, OperationIr};

use super::builder::{Attributes, Builder, unsupported};
use crate::OnnxError;
use crate::proto::Attribute;

/// Runtimes and PyTorch differ in which windows at the end they leave out.
const CEIL: &str = "sizes that are rounded up mean different things to different programs";

pub(super) fn max(
    builder: &mut Builder,
    operation: &OperationIr,
    desc: &MaxPool2dOpIr,
) -> Result<(), OnnxError> {
    if desc.ceil_mode {
        return Err(unsupported(operation, CEIL));
    }
    let input = builder.read(&desc.x);
    let mut attributes = windows(desc.kernel_size, desc.stride, desc.padding);
    if desc.dilation != [1, 1] {
        attributes.push(("dilations", pair(desc.dilation)));
    }
    builder.compute(&desc.out, "MaxPool", &[&input], attributes);
    Ok(())
}

pub(super) fn average(
    builder: &mut Builder,
    operation: &OperationIr,
    desc: &AvgPool2dOpIr,
) -> Result<(), OnnxError> {
    if desc.ceil_mode {
        return Err(unsupported(operation, CEIL));
    }
    let input = builder.read(&desc.x);
    let mut attributes = windows(desc.kernel_size, desc.stride, desc.padding);
    attributes.push((
        "count_include_pad",
        Attribute::Int(desc.count_include_pad.into()),
    ));
    builder.compute(&desc.out, "AveragePool", &[&input], attributes);
    Ok(())
}

/// Averages over bins, which ONNX does not have: as two matrix products, one over the rows and one over the columns of
/// the map.
pub(super) fn adaptive_average(
    builder: &mut Builder,
    operation: &OperationIr,
    desc: &AdaptiveAvgPool2dOpIr,
) -> Result<(), OnnxError> {
    let input = builder.read(&desc.x);
    if desc.output_size == [1, 1] {
        builder.compute(&desc.out, "GlobalAveragePool", &[&input], vec![]);
        return Ok(());
    }
    let height = builder.fixed(operation, &desc.x, 2)?;
    let width = builder.fixed(operation, &desc.x, 3)?;
    let [rows, columns] = desc.output_size;
    let left = builder.floats(vec![rows, height], &averages(height, rows));
    let right = transposed(&averages(width, columns), width);
    let right = builder.floats(vec![width, columns], &right);
    let by_column = builder.node("MatMul", &[&input, &right], vec![]);
    builder.compute(&desc.out, "MatMul", &[&left, &by_column], vec![]);
    Ok(())
}

/// The matrix `[bins, length]` that takes a line of pixels to the means of its bins: bin `i` goes from
/// `floor(i * length / bins)` to `ceil((i + 1) * length / bins)`, so that bins overlap where the length is no multiple.
fn averages(length: usize, bins: usize) -> Vec<f32> {
    let mut matrix = vec![0.0; bins * length];
    for bin in 0..bins {
        let bounds = bin * length / bins..((bin + 1) * length).div_ceil(bins);
        let share = 1.0 / bounds.len() as f32;
        matrix[bin * length..][bounds].fill(share);
    }
    matrix
}

fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    let places = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
    places.map(|place| matrix[place]).collect()
}

fn windows(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Attributes {
    let [vertical, horizontal] = padding.map(|side| side as i64);
    vec![
        ("kernel_shape", pair(kernel)),
        ("strides", pair(stride)),
        (
            "pads",
            Attribute::Ints(vec![vertical, horizontal, vertical, horizontal]),
        ),
    ]
}

pub(super) fn pair(values: [usize; 2]) -> Attribute {
    Attribute::Ints(values.map(|value| value as i64).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_overlap_where_the_length_is_no_multiple() {
        let (third, half) = (1.0 / 3.0, 0.5);
        assert_eq!(averages(4, 2), [half, half, 0.0, 0.0, 0.0, 0.0, half, half]);
        let expected = [third, third, third, 0.0, 0.0, 0.0, 0.0, third, third, third];
        assert_eq!(averages(5, 2), expected);
        assert_eq!(averages(1, 2), [1.0, 1.0]);
    }

    #[test]
    fn rows_become_columns() {
        assert_eq!(
            transposed(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3),
            [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]
        );
    }
}
