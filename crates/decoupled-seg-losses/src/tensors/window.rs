use burn::tensor::{Bool, Int, Tensor};

/// Bitwise or over the `(2 * border + 1)^2` window of every pixel; `outside` stands beyond the picture.
///
/// `[batch, planes, height, width]`. Separable: rows, then columns.
pub(crate) fn bits_in_window(words: Tensor<4, Int>, border: usize, outside: i32) -> Tensor<4, Int> {
    let along = |words: Tensor<4, Int>, dim: usize| {
        let views = shifted_views(words, dim, border, outside);
        views
            .into_iter()
            .reduce(|all, view| all.bitwise_or(view))
            .expect("2 * border + 1 views")
    };
    if border == 0 {
        return words;
    }
    along(along(words, 3), 2)
}

/// Whether a pixel has one of its four neighbours inside the picture with another value.
pub(crate) fn differs_from_neighbour(values: Tensor<4, Int>) -> Tensor<4, Bool> {
    let [_, _, height, width] = values.dims();
    let mut differs = values.zeros_like().not_equal_elem(0);
    for (dim, length) in [(2, height), (3, width)] {
        if length < 2 {
            continue;
        }
        let step = values
            .clone()
            .narrow(dim, 1, length - 1)
            .not_equal(values.clone().narrow(dim, 0, length - 1));
        let mut shape = values.dims();
        shape[dim] = 1;
        let none = Tensor::<4, Int>::zeros(shape, &values.device()).not_equal_elem(0);
        let after = Tensor::cat(vec![none.clone(), step.clone()], dim);
        let before = Tensor::cat(vec![step, none], dim);
        differs = differs.bool_or(after).bool_or(before);
    }
    differs
}

/// The `2 * reach + 1` copies of `values` that are shifted by `-reach..=reach` along `dim`, in that order;
/// `outside` moves in.
pub(super) fn shifted_views(
    values: Tensor<4, Int>,
    dim: usize,
    reach: usize,
    outside: i32,
) -> Vec<Tensor<4, Int>> {
    let length = values.dims()[dim];
    let mut shape = values.dims();
    shape[dim] = reach;
    let margin = Tensor::<4, Int>::full(shape, outside, &values.device());
    let padded = Tensor::cat(vec![margin.clone(), values, margin], dim);
    (0..=2 * reach)
        .map(|start| padded.clone().narrow(dim, start, length))
        .collect()
}
