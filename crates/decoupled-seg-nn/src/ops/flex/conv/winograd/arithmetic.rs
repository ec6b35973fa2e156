//! The three transforms, for vectors of tiles side by side.

use super::super::vector::Vector;

/// Points of a tile along an axis, and pixels that they are made from.
pub(super) const POINTS: usize = 4;
pub(super) const PIXELS: usize = POINTS + 2;
/// Numbers of a transformed tile.
pub(super) const NUMBERS: usize = PIXELS * PIXELS;

/// A transform along an axis. No function item: what calls one is not compiled for the vector's instructions.
pub(super) trait Axis<const FROM: usize, const TO: usize> {
    fn apply<V: Vector>(numbers: [V; FROM]) -> [V; TO];
}

/// `B^T x`
///
/// ```text
///  1 -3/2   -2  3/2   1
///      -1  1/2  5/2   1
///       1 -5/2  1/2   1
///      -2   -1    2   1
///     1/2   -1 -1/2   1
///       1 -3/2   -2  3/2   1
/// ```
pub(super) struct OfPixels;

impl Axis<PIXELS, PIXELS> for OfPixels {
    #[inline(always)]
    fn apply<V: Vector>([a, b, c, d, e, f]: [V; PIXELS]) -> [V; PIXELS] {
        let (two, half) = (V::splat(2.0), V::splat(-0.5));
        let step = V::splat(1.5);
        // All but two rows have the factor (x - 1/2) (x + 2) = x^2 + 3/2 x - 1.
        let q0 = c.sub(a).add_product(step, b);
        let q1 = d.sub(b).add_product(step, c);
        let q2 = e.sub(c).add_product(step, d);
        let q3 = f.sub(d).add_product(step, e);
        let (even, odd) = (e.sub(c), d.sub(b));
        [
            q2.sub(q0),
            q2.add(q1),
            q2.sub(q1),
            even.add_product(two, odd),
            even.add_product(half, odd),
            q3.sub(q1),
        ]
    }
}

/// `A^T x`
///
/// ```text
/// 1  1  1    1   1
///    1 -1  1/2  -2
///    1  1  1/4   4
///    1 -1  1/8  -8  1
/// ```
pub(super) struct OfPoints;

impl Axis<PIXELS, POINTS> for OfPoints {
    #[inline(always)]
    fn apply<V: Vector>([a, b, c, d, e, f]: [V; PIXELS]) -> [V; POINTS] {
        let (sum, difference) = (b.add(c), b.sub(c));
        [
            a.add(sum).add(d.add(e)),
            plus(difference, [(0.5, d), (-2.0, e)]),
            plus(sum, [(0.25, d), (4.0, e)]),
            plus(difference.add(f), [(0.125, d), (-8.0, e)]),
        ]
    }
}

/// `G x`
///
/// ```text
///      1
///    1/3   1/3    1/3
///   -1/3   1/3   -1/3
/// -16/15 -8/15  -4/15
///   1/15 -2/15   4/15
///                   1
/// ```
pub(super) struct OfWeights;

impl Axis<3, PIXELS> for OfWeights {
    #[inline(always)]
    fn apply<V: Vector>([a, b, c]: [V; 3]) -> [V; PIXELS] {
        let third = V::splat(1.0 / 3.0);
        let outer = a.add(c);
        let step = a.mul(V::splat(1.0 / 15.0));
        [
            a,
            outer.add(b).mul(third),
            b.sub(outer).mul(third),
            plus(
                step.mul(V::splat(-16.0)),
                [(-8.0 / 15.0, b), (-4.0 / 15.0, c)],
            ),
            plus(step, [(-2.0 / 15.0, b), (4.0 / 15.0, c)]),
            c,
        ]
    }
}

/// `start` and two products.
#[inline(always)]
fn plus<V: Vector>(start: V, [(a, x), (b, y)]: [(f32, V); 2]) -> V {
    start
        .add_product(V::splat(a), x)
        .add_product(V::splat(b), y)
}

/// Applies a transform to the columns of a square of `FROM` by `FROM`, then to the rows of what comes out, which `store` takes
/// one at a time.
#[inline(always)]
pub(super) fn both_axes<A: Axis<FROM, TO>, V: Vector, const FROM: usize, const TO: usize>(
    _: A,
    load: impl Fn(usize, usize) -> V,
    mut store: impl FnMut(usize, [V; TO]),
) {
    let mut half = [[V::splat(0.0); FROM]; TO];
    for column in 0..FROM {
        let mut numbers = [V::splat(0.0); FROM];
        for (row, number) in numbers.iter_mut().enumerate() {
            *number = load(row, column);
        }
        let found = A::apply(numbers);
        for (half, found) in half.iter_mut().zip(found) {
            half[column] = found;
        }
    }
    for (row, half) in half.into_iter().enumerate() {
        store(row, A::apply(half));
    }
}
