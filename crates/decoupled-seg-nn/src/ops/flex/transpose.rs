//! 8x8 transposition.

/// A tile of eight rows.
pub(super) type Tile<R> = [[R; 8]; 8];

/// Transposes number by number.
#[inline(always)]
pub(super) fn plain<R: Copy>(tile: Tile<R>) -> Tile<R> {
    let mut transposed = tile;
    for (row, pixels) in transposed.iter_mut().enumerate() {
        for (column, pixel) in pixels.iter_mut().enumerate() {
            *pixel = tile[column][row];
        }
    }
    transposed
}

/// Transposes by shuffles of four numbers, which compilers do not find by themselves.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn shuffled(tile: Tile<f32>) -> Tile<f32> {
    use std::arch::x86_64::{
        __m128, _mm_movehl_ps, _mm_movelh_ps, _mm_unpackhi_ps, _mm_unpacklo_ps,
    };

    #[inline(always)]
    fn quarter([a, b, c, d]: [__m128; 4]) -> [__m128; 4] {
        // SAFETY: SSE is part of every x86-64.
        unsafe {
            let (ab_low, cd_low) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
            let (ab_high, cd_high) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
            [
                _mm_movelh_ps(ab_low, cd_low),
                _mm_movehl_ps(cd_low, ab_low),
                _mm_movelh_ps(ab_high, cd_high),
                _mm_movehl_ps(cd_high, ab_high),
            ]
        }
    }

    // SAFETY: both are 256 bytes of `f32`, of which every bit pattern is one.
    let m: [[__m128; 2]; 8] = unsafe { std::mem::transmute(tile) };
    let [r0, r1, r2, r3] = quarter([m[0][0], m[1][0], m[2][0], m[3][0]]);
    let [r4, r5, r6, r7] = quarter([m[0][1], m[1][1], m[2][1], m[3][1]]);
    let [s0, s1, s2, s3] = quarter([m[4][0], m[5][0], m[6][0], m[7][0]]);
    let [s4, s5, s6, s7] = quarter([m[4][1], m[5][1], m[6][1], m[7][1]]);
    let transposed = [
        [r0, s0],
        [r1, s1],
        [r2, s2],
        [r3, s3],
        [r4, s4],
        [r5, s5],
        [r6, s6],
        [r7, s7],
    ];
    // SAFETY: as above.
    unsafe { std::mem::transmute(transposed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered() -> Tile<f32> {
        std::array::from_fn(|row| std::array::from_fn(|column| (row * 8 + column) as f32))
    }

    #[test]
    fn rows_become_columns() {
        let transposed = plain(numbered());
        for (row, numbers) in transposed.iter().enumerate() {
            for (column, number) in numbers.iter().enumerate() {
                assert_eq!(*number, numbered()[column][row]);
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn shuffles_do_the_same() {
        assert_eq!(shuffled(numbered()), plain(numbered()));
    }
}
