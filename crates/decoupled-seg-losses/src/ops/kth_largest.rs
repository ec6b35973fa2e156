use burn::tensor::{Int, Tensor};

/// Exponents of the powers of two that the search starts from: `2^LOWEST ..= 2^-LOWEST`.
const LOWEST: i32 = -31;
/// Explicit bits of an f32 mantissa.
const MANTISSA_BITS: u32 = 23;

/// The `k`-th largest value of every row, or `at_most` if that is smaller, or -1 where fewer than `k` values are at
/// least 0.
///
/// `rows` is `[rows, values]` with values that are losses: at least 0, or -1 for "not a candidate". The result is
/// `[rows, 1]`.
///
/// Found without sorting and without reading anything back: sorting copies to the host on every CubeCL backend. The
/// answer is the largest f32 `t` with `count(value >= t) >= k`, so its bits are settled from the top, each by one
/// count over the row: 6 counts for the power of two, 23 for the mantissa. That is exact for values from `2^-31` up
/// to `2^32`. Smaller ones count as 0, which is no loss at all: the losses of this crate are 0 or at least `2^-24`,
/// the smallest logarithm of an f32 above 1. NaN is never counted.
pub(crate) fn kth_largest(rows: Tensor<2>, k: usize, at_most: f32) -> Tensor<2> {
    assert!(k > 0, "the k-th largest value starts at k = 1");
    let [count, length] = rows.dims();
    if k > length {
        return Tensor::full([count, 1], -1.0, &rows.device());
    }
    #[cfg(feature = "flex")]
    if super::flex::serves(&rows.device()) {
        return super::flex::kth_largest(rows, k, at_most);
    }
    search(rows, k, at_most)
}

fn search(rows: Tensor<2>, k: usize, at_most: f32) -> Tensor<2> {
    let [count, _] = rows.dims();
    let device = rows.device();
    let enough = |limit: Tensor<2>| {
        let reached = rows.clone().greater_equal(limit).int().sum_dim(1);
        reached.greater_equal_elem(k as i64)
    };

    // powers[0] = 0, powers[i] = 2^(LOWEST + i - 1)
    let powers: Vec<f32> = std::iter::once(0.0)
        .chain((LOWEST..=-LOWEST).map(|exponent| 2f32.powi(exponent)))
        .collect();
    debug_assert_eq!(powers.len(), 64);
    let powers = Tensor::<1>::from_floats(powers.as_slice(), &device);
    let power_at = |index: Tensor<2, Int>| {
        powers
            .clone()
            .select(0, index.reshape([count]))
            .reshape([count, 1])
    };

    let mut index = Tensor::<2, Int>::zeros([count, 1], &device);
    for step in [32, 16, 8, 4, 2, 1] {
        let candidate = index.clone() + step;
        let reached = enough(power_at(candidate.clone()));
        index = index.mask_where(reached, candidate);
    }
    let mut limit: Tensor<2> = power_at(index);
    let mut step = limit.clone();
    for _ in 0..MANTISSA_BITS {
        step = step * 0.5;
        // Exact: the bits of the sum below this one are still 0.
        let candidate = limit.clone() + step.clone();
        let reached = enough(candidate.clone());
        limit = limit.mask_where(reached, candidate);
    }
    let too_few = enough(limit.zeros_like()).bool_not();
    limit.clamp_max(at_most).mask_fill(too_few, -1.0)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;

    use super::*;

    /// By the function in use on this device and by the one of all devices, which have to agree.
    fn find(rows: &[Vec<f32>], k: usize, at_most: f32) -> Vec<f32> {
        let data = TensorData::new(rows.concat(), [rows.len(), rows[0].len()]);
        let rows = Tensor::from_data(data, &Device::default());
        let used = kth_largest(rows.clone(), k, at_most)
            .try_into_vec_as::<f32>()
            .expect("f32");
        if k <= rows.dims()[1] {
            let searched = search(rows, k, at_most)
                .try_into_vec_as::<f32>()
                .expect("f32");
            assert_eq!(used, searched, "k = {k}");
        }
        used
    }

    fn sorted(row: &[f32], k: usize) -> f32 {
        let mut row = row.to_vec();
        row.sort_by(|a, b| b.total_cmp(a));
        row.get(k - 1).copied().unwrap_or(-1.0)
    }

    #[test]
    fn exact_at_the_extremes() {
        let row = vec![
            0.0,
            20_000.0,
            1.0,
            1.0 - f32::EPSILON / 2.0,
            1.1920929e-7,
            -1.0,
            3.5,
        ];
        for k in 1..=8 {
            assert_eq!(
                find(std::slice::from_ref(&row), k, f32::MAX),
                [sorted(&row, k)],
                "k = {k}"
            );
        }
    }

    #[test]
    fn rows_are_searched_separately() {
        let rows = [vec![1.0, 5.0, 3.0], vec![-1.0, 2.0, -1.0]];
        assert_eq!(find(&rows, 2, f32::MAX), [3.0, -1.0]);
    }

    #[test]
    fn ties_and_zeros() {
        assert_eq!(find(&[vec![0.5, 0.5, 0.5, 0.1]], 3, f32::MAX), [0.5]);
        assert_eq!(find(&[vec![0.0, 0.0, 0.0]], 2, f32::MAX), [0.0]);
    }

    #[test]
    fn no_more_than_the_bound() {
        assert_eq!(find(&[vec![3.0, 2.0, 1.0]], 2, 1.5), [1.5]);
        assert_eq!(find(&[vec![3.0, 2.0, 1.0]], 2, 2.5), [2.0]);
        assert_eq!(find(&[vec![3.0, -1.0, -1.0]], 2, 2.5), [-1.0]);
    }

    #[test]
    fn nan_is_not_counted() {
        assert_eq!(find(&[vec![f32::NAN, 2.0, 1.0]], 2, f32::MAX), [1.0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn equals_sorting(row in prop::collection::vec(prop_oneof![0.0f32..30.0, Just(-1.0f32), 0.0f32..1e-6], 1..60), k in 1usize..70) {
            let row: Vec<f32> = row.into_iter().map(|value| if value > 0.0 && value < 2f32.powi(-31) { 0.0 } else { value }).collect();
            prop_assert_eq!(find(std::slice::from_ref(&row), k, f32::MAX), [sorted(&row, k)]);
        }
    }
}
