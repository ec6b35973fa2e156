//! Eigenvectors of a symmetric matrix.

/// Eigenvalues in descending order, each with its unit eigenvector.
///
/// Householder reflections to tridiagonal form, then implicit QR steps with Wilkinson's shift (Golub and Van Loan,
/// "Matrix Computations", 8.3): `O(n^3)`, and exact to rounding for close and multiple eigenvalues too, where a power
/// iteration stalls.
///
/// `matrix` is `n x n`, row by row; only symmetric input makes sense.
pub(crate) fn symmetric_eigen(mut matrix: Vec<f64>, n: usize) -> Vec<(f64, Vec<f64>)> {
    debug_assert_eq!(matrix.len(), n * n);
    // The rows of `basis` become the eigenvectors.
    let mut basis = vec![0.0; n * n];
    for i in 0..n {
        basis[i * n + i] = 1.0;
    }

    let (mut diagonal, mut beside) = tridiagonalize(&mut matrix, &mut basis, n);
    diagonalize(&mut diagonal, &mut beside, &mut basis, n);

    let mut pairs: Vec<(f64, Vec<f64>)> = diagonal
        .into_iter()
        .zip(basis.chunks_exact(n).map(<[f64]>::to_vec))
        .collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    pairs
}

/// Reflects `matrix` to tridiagonal form and applies the same reflections to the rows of `basis`; returns the diagonal
/// and what stands beside it.
fn tridiagonalize(matrix: &mut [f64], basis: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut beside = vec![0.0; n.saturating_sub(1)];
    for k in 0..n.saturating_sub(1) {
        let first = k + 1;
        // The unit vector `mirror` reflects column k below the diagonal onto its first entry.
        let mut mirror: Vec<f64> = (first..n).map(|row| matrix[row * n + k]).collect();
        let length = norm(&mirror);
        // The sign that avoids cancellation.
        let target = if mirror[0] > 0.0 { -length } else { length };
        if mirror[1..].iter().all(|value| *value == 0.0) {
            beside[k] = mirror[0];
            continue;
        }
        beside[k] = target;
        mirror[0] -= target;
        let length = norm(&mirror);
        mirror.iter_mut().for_each(|value| *value /= length);

        // A - 2 (v w' + w v') with w = A v - (v' A v) v.
        let rest = |row: usize| row * n + first..(row + 1) * n;
        let product: Vec<f64> = (first..n)
            .map(|row| dot(&matrix[rest(row)], &mirror))
            .collect();
        let along = dot(&product, &mirror);
        let update: Vec<f64> = product
            .iter()
            .zip(&mirror)
            .map(|(p, v)| p - along * v)
            .collect();
        for (i, (v, w)) in mirror.iter().zip(&update).enumerate() {
            let row = &mut matrix[rest(first + i)];
            for (value, (vj, wj)) in row.iter_mut().zip(mirror.iter().zip(&update)) {
                *value -= 2.0 * (v * wj + w * vj);
            }
        }

        let mut projection = vec![0.0; n];
        for (v, row) in mirror.iter().zip(basis[first * n..].chunks_exact(n)) {
            for (sum, value) in projection.iter_mut().zip(row) {
                *sum += v * value;
            }
        }
        for (v, row) in mirror.iter().zip(basis[first * n..].chunks_exact_mut(n)) {
            for (value, sum) in row.iter_mut().zip(&projection) {
                *value -= 2.0 * v * sum;
            }
        }
    }

    let diagonal = (0..n).map(|i| matrix[i * n + i]).collect();
    (diagonal, beside)
}

/// Turns the tridiagonal matrix to a diagonal one, and the rows of `basis` with it.
fn diagonalize(diagonal: &mut [f64], beside: &mut [f64], basis: &mut [f64], n: usize) {
    let mut last = n.saturating_sub(1);
    // A few steps per eigenvalue are usual; the bound keeps NaN from going on for ever.
    for _ in 0..60 * n {
        let negligible = |i: usize, diagonal: &[f64], beside: &[f64]| {
            beside[i].abs() <= f64::EPSILON * (diagonal[i].abs() + diagonal[i + 1].abs())
        };
        while last > 0 && negligible(last - 1, diagonal, beside) {
            beside[last - 1] = 0.0;
            last -= 1;
        }
        if last == 0 {
            break;
        }
        let mut first = last - 1;
        while first > 0 && !negligible(first - 1, diagonal, beside) {
            first -= 1;
        }
        qr_step(diagonal, beside, basis, n, first, last);
    }
}

/// One implicit QR step on the block from `first` to `last`.
fn qr_step(
    diagonal: &mut [f64],
    beside: &mut [f64],
    basis: &mut [f64],
    n: usize,
    first: usize,
    last: usize,
) {
    let corner = beside[last - 1];
    let half = (diagonal[last - 1] - diagonal[last]) / 2.0;
    let shift = diagonal[last] - corner * corner / (half + half.hypot(corner).copysign(half));
    let (mut x, mut z) = (diagonal[first] - shift, beside[first]);
    for k in first..last {
        let r = x.hypot(z);
        let (c, s) = if r > 0.0 { (x / r, z / r) } else { (1.0, 0.0) };
        if k > first {
            beside[k - 1] = r;
        }
        let (a, b, e) = (diagonal[k], diagonal[k + 1], beside[k]);
        diagonal[k] = c * c * a + 2.0 * c * s * e + s * s * b;
        diagonal[k + 1] = s * s * a - 2.0 * c * s * e + c * c * b;
        beside[k] = c * s * (b - a) + (c * c - s * s) * e;
        if k + 1 < last {
            x = beside[k];
            z = s * beside[k + 1];
            beside[k + 1] *= c;
        }

        let (upper, lower) = basis[k * n..(k + 2) * n].split_at_mut(n);
        for (u, l) in upper.iter_mut().zip(lower) {
            (*u, *l) = (c * *u + s * *l, c * *l - s * *u);
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// A symmetric matrix of `n x n` numbers in -0.5..0.5 that looks random.
    fn matrix(n: usize) -> Vec<f64> {
        let mut state = 1_u64;
        let mut matrix = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                let value = (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
                matrix[i * n + j] = value;
                matrix[j * n + i] = value;
            }
        }
        matrix
    }

    fn check(matrix: &[f64], n: usize, tolerance: f64) -> Vec<(f64, Vec<f64>)> {
        let pairs = symmetric_eigen(matrix.to_vec(), n);
        assert_eq!(pairs.len(), n);
        assert!(pairs.is_sorted_by(|a, b| a.0 >= b.0));
        for (i, (value, vector)) in pairs.iter().enumerate() {
            for (row, entry) in matrix.chunks_exact(n).zip(vector) {
                assert!((dot(row, vector) - value * entry).abs() < tolerance);
            }
            for (j, (_, other)) in pairs.iter().enumerate() {
                let expected = f64::from(i == j);
                assert!((dot(vector, other) - expected).abs() < tolerance);
            }
        }
        pairs
    }

    #[rstest]
    fn random_matrices(#[values(1, 2, 3, 4, 7, 40)] n: usize) {
        check(&matrix(n), n, 1e-12);
    }

    #[test]
    fn a_matrix_by_hand() {
        // Eigenvalues 3 with (1, 1) and 1 with (1, -1).
        let pairs = check(&[2.0, 1.0, 1.0, 2.0], 2, 1e-14);

        assert!((pairs[0].0 - 3.0).abs() < 1e-14);
        assert!((pairs[1].0 - 1.0).abs() < 1e-14);
        assert!((pairs[0].1[0] - pairs[0].1[1]).abs() < 1e-14);
    }

    #[test]
    fn equal_eigenvalues_and_zeros() {
        let mut identity = vec![0.0; 25];
        (0..5).for_each(|i| identity[i * 5 + i] = 2.0);
        check(&identity, 5, 1e-14);
        check(&[0.0; 16], 4, 1e-14);

        // Rank one: 1 1' has the eigenvalues 6 and five times 0.
        let pairs = check(&[1.0; 36], 6, 1e-12);
        assert!((pairs[0].0 - 6.0).abs() < 1e-12);
    }

    #[test]
    fn scales_far_apart() {
        let n = 6;
        let mut wide = matrix(n);
        for (i, value) in wide.iter_mut().enumerate() {
            *value *= 10.0_f64.powi(-3 * (i / n + i % n) as i32);
        }
        check(&wide, n, 1e-14);
    }

    #[test]
    fn not_a_number_ends() {
        assert_eq!(symmetric_eigen(vec![f64::NAN; 9], 3).len(), 3);
    }
}
