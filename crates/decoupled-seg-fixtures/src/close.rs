/// Checks that values agree to a share of the largest expected one.
///
/// The measure for sums of many terms of either sign: their error grows with the terms, and where the terms cancel the sum
/// tells nothing of them.
///
/// # Panics
///
/// Panics if the lengths differ, a value is not finite, or two values differ by more than `share` of the largest magnitude.
pub fn assert_close_to_largest(actual: &[f32], expected: &[f32], share: f32) {
    assert_eq!(actual.len(), expected.len(), "numbers of values");
    let largest = expected
        .iter()
        .fold(0.0_f32, |most, value| most.max(value.abs()));
    for (at, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        let difference = (actual - expected).abs();
        // Written so that NaN fails.
        assert!(
            difference <= share * largest,
            "value {at}: {actual} instead of {expected}; {difference:e} apart, {:e} of the largest ({largest})",
            difference / largest
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_value_is_the_measure() {
        assert_close_to_largest(&[100.0, 0.0009], &[100.0, 0.0], 1e-5);
    }

    #[test]
    #[should_panic(expected = "value 1: 0.002 instead of 0")]
    fn more_than_the_share_is_refused() {
        assert_close_to_largest(&[100.0, 0.002], &[100.0, 0.0], 1e-5);
    }

    #[test]
    #[should_panic(expected = "value 0: NaN")]
    fn nan_is_refused() {
        assert_close_to_largest(&[f32::NAN], &[1.0], 1.0);
    }
}
