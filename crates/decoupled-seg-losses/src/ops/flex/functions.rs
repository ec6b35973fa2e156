//! Exponential and logarithm, in forms that compile to vector code.

/// `e^x` for `x` up to 88, within two units in the last place, 0 below -87.
///
/// `x = n ln 2 + r`, `e^x = 2^n e^r`, with the polynomial of the Cephes library for `e^r`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it rounds to a whole number, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;

    // Comparisons that NaN passes through.
    let bounded = if x < -87.0 { -87.0 } else { x };
    let rounded = bounded * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = bounded - n * LN_2_HIGH - n * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    for coefficient in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        0.166_666_65,
        0.5,
    ] {
        p = p * r + coefficient;
    }
    let mantissa = p * r * r + r + 1.0;
    let exponent = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let power = f32::from_bits((exponent.wrapping_add(127) << 23) as u32);
    if x < -87.0 { 0.0 } else { mantissa * power }
}

/// `ln(1 + x)` for `x` from `sqrt(1/2) - 1` to `sqrt(2) - 1`, by the polynomial of the Cephes library.
#[inline(always)]
fn ln_near_one(x: f32) -> f32 {
    let mut p = 7.037_683_6e-2;
    for coefficient in [
        -0.115_146_1,
        0.116_769_98,
        -0.124_201_41,
        0.142_493_23,
        -0.166_680_58,
        0.200_007_15,
        -0.249_999_94,
        0.333_333_3,
    ] {
        p = p * x + coefficient;
    }
    let square = x * x;
    x + (square * x * p - 0.5 * square)
}

/// `ln x` for a normal `x` above 0, within two units in the last place. NaN stays NaN.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    const SQRT_HALF: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    // Mantissas from sqrt(1/2) to sqrt(2).
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF) as i32;
    let exponent = shifted >> 23;
    let mantissa = f32::from_bits(((shifted & 0x7f_ffff) as u32).wrapping_add(SQRT_HALF));
    let whole = exponent as f32;
    let sum = ln_near_one(mantissa - 1.0);
    let found = (sum + whole * -2.121_944_4e-4) + whole * 0.693_359_4;
    if x.is_nan() { x } else { found }
}

/// `ln(1 + x)` for `x` in `0..=1`, within two units in the last place. NaN stays NaN.
#[inline(always)]
pub(super) fn ln_1p(x: f32) -> f32 {
    // (1 + x) / 2 - 1 has no rounding either.
    let large = x > std::f32::consts::SQRT_2 - 1.0;
    let near = ln_near_one(if large { 0.5 * x - 0.5 } else { x });
    if large {
        near + std::f32::consts::LN_2
    } else {
        near
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_everywhere() {
        for step in -174_000..=176_000 {
            let x = step as f32 / 2000.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(
                error < 2.5e-7,
                "exp({x}): {} for {exact}, {error:e}",
                exp(x)
            );
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-88.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn logarithms_are_close_everywhere() {
        for step in 0..=200_000 {
            let x = 1.0 + step as f32 / 1000.0;
            let exact = f64::from(x).ln();
            let error = (f64::from(ln(x)) - exact).abs();
            assert!(error <= 2.5e-7 * exact, "ln({x}): {} for {exact}", ln(x));

            let x = step as f32 / 200_000.0;
            for x in [x, x * 1e-6] {
                let exact = f64::from(x).ln_1p();
                let error = (f64::from(ln_1p(x)) - exact).abs();
                assert!(
                    error <= 2.5e-7 * exact,
                    "ln_1p({x}): {} for {exact}",
                    ln_1p(x)
                );
            }
        }
        assert!(ln(f32::NAN).is_nan() && ln_1p(f32::NAN).is_nan());
    }
}
