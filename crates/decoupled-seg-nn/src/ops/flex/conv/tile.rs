//! The inner loops: a tile of the result at a time, held in registers.

use std::ptr;

#[cfg(target_arch = "x86_64")]
use super::vector::{Avx2, Avx512};
use super::vector::{Portable, Vector};

/// Output channels of a tile, at most.
pub(super) const PANEL: usize = 8;

/// A tile of a convolution: `rows` output channels by `vectors` vectors of points that lie side by side.
///
/// ```text
/// out[row][point] = start + sum over taps and channels of weights[tap][channel][row] * source[offset + channel * plane + point]
/// ```
pub(super) struct Tile<'a> {
    /// `[tap][channel][row]`.
    pub(super) weights: *const f32,
    /// Where tap offset 0 of the first channel meets the first point.
    pub(super) source: *const f32,
    /// Number and offset of every tap that sees more than padding.
    pub(super) taps: &'a [(u32, u32)],
    pub(super) channels: usize,
    /// From one channel of the source to the next.
    pub(super) plane: usize,
    /// Sums over earlier channels, `[row][vector]` without gaps; null for none.
    pub(super) partial: *const f32,
    /// A number a row to start from; null for zero.
    pub(super) bias: *const f32,
    pub(super) out: *mut f32,
    /// From one row of `out` to the next.
    pub(super) out_row: usize,
    /// What is added in the end, laid out as `out`; null for nothing.
    pub(super) addend: *const f32,
    /// Whether negative results become zero.
    pub(super) relu: bool,
}

/// # Safety
///
/// The pointers reach what the fields of [`Tile`] say: every read of `source` and `weights`, `ROWS * COLUMNS` vectors at
/// `partial`, `ROWS` numbers at `bias`, `ROWS` rows of `COLUMNS` vectors at `out` and `addend`, unless null is allowed.
/// `V` is a vector that the processor has.
#[inline(always)]
unsafe fn product<V: Vector, const ROWS: usize, const COLUMNS: usize>(tile: &Tile<'_>) {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let mut sums = [[V::splat(0.0); COLUMNS]; ROWS];
        if !tile.partial.is_null() {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (column, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(tile.partial.add((row * COLUMNS + column) * V::LANES));
                }
            }
        } else if !tile.bias.is_null() {
            for (row, sums) in sums.iter_mut().enumerate() {
                *sums = [V::splat(*tile.bias.add(row)); COLUMNS];
            }
        }
        for &(tap, offset) in tile.taps {
            let mut weights = tile.weights.add(tap as usize * tile.channels * ROWS);
            let mut source = tile.source.add(offset as usize);
            for _ in 0..tile.channels {
                let mut values = [V::splat(0.0); COLUMNS];
                for (column, value) in values.iter_mut().enumerate() {
                    *value = V::load(source.add(column * V::LANES));
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    let weight = V::splat(*weights.add(row));
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = sum.add_product(weight, value);
                    }
                }
                weights = weights.add(ROWS);
                source = source.wrapping_add(tile.plane);
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (column, mut sum) in sums.into_iter().enumerate() {
                let place = row * tile.out_row + column * V::LANES;
                if !tile.addend.is_null() {
                    sum = sum.add(V::load(tile.addend.add(place)));
                }
                if tile.relu {
                    sum = sum.at_least(V::splat(0.0));
                }
                sum.store(tile.out.add(place));
            }
        }
    }
}

/// A tile of a weight gradient: products of `rows` output gradients with `columns` shifted inputs, summed over points.
pub(super) struct Dots {
    /// Output gradient of the first row.
    pub(super) grads: *const f32,
    /// From one row to the next.
    pub(super) grads_row: usize,
    /// The input as each column sees it.
    pub(super) columns: [*const f32; DOT_COLUMNS],
    /// Points, in vectors.
    pub(super) vectors: usize,
    /// `[row][column]`, added to.
    pub(super) sums: *mut f32,
    /// From one row of `sums` to the next.
    pub(super) sums_row: usize,
}

/// Columns of [`Dots`], at most.
pub(super) const DOT_COLUMNS: usize = 6;

/// # Safety
///
/// `vectors` vectors can be read at every row of `grads` and at the first `COLUMNS` of `columns`; `ROWS` rows of
/// `COLUMNS` numbers can be read and written at `sums`. `V` is a vector that the processor has.
#[inline(always)]
unsafe fn dots<V: Vector, const ROWS: usize, const COLUMNS: usize>(job: &Dots) {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let mut sums = [[V::splat(0.0); COLUMNS]; ROWS];
        let mut columns = [ptr::null(); COLUMNS];
        columns.copy_from_slice(&job.columns[..COLUMNS]);
        for step in 0..job.vectors {
            let place = step * V::LANES;
            let mut grads = [V::splat(0.0); ROWS];
            for (row, grad) in grads.iter_mut().enumerate() {
                *grad = V::load(job.grads.add(row * job.grads_row + place));
            }
            for (column, &values) in columns.iter().enumerate() {
                let value = V::load(f32_at(values, place));
                for (row, &grad) in grads.iter().enumerate() {
                    sums[row][column] = sums[row][column].add_product(grad, value);
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (column, sum) in sums.into_iter().enumerate() {
                *job.sums.add(row * job.sums_row + column) += sum.sum();
            }
        }
    }
}

/// # Safety
///
/// As for [`pointer::add`].
#[inline(always)]
unsafe fn f32_at(start: *const f32, place: usize) -> *const f32 {
    // SAFETY: as the caller vouches.
    unsafe { start.add(place) }
}

/// A tile of a weight gradient: outer products of `vectors` vectors with `columns` numbers, summed over points.
pub(super) struct Outer<'a> {
    /// The vectors of point 0.
    pub(super) vectors: *const f32,
    /// From one point to the next.
    pub(super) vector_row: usize,
    /// The numbers of each column.
    pub(super) columns: [*const f32; OUTER_COLUMNS],
    /// From one point to the next.
    pub(super) step: usize,
    pub(super) runs: &'a [OuterRun],
    /// `[column][vector]`, added to.
    pub(super) sums: *mut f32,
    /// From one column of `sums` to the next.
    pub(super) sums_row: usize,
}

/// Points that follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct OuterRun {
    /// Where the first lies, from `vectors` on.
    pub(super) vector: usize,
    /// Where the first lies, from the start of each column on.
    pub(super) other: usize,
    pub(super) len: usize,
}

/// Columns of [`Outer`], at most.
pub(super) const OUTER_COLUMNS: usize = 12;

/// # Safety
///
/// Every point of the runs has `VECTORS` vectors at `vectors` and a number at the first `COLUMNS` of `columns`. There are
/// `VECTORS` vectors in each of `COLUMNS` rows of `sums`. `V` is a vector that the processor has.
#[inline(always)]
unsafe fn outer<V: Vector, const VECTORS: usize, const COLUMNS: usize>(job: &Outer<'_>) {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let mut sums = [[V::splat(0.0); VECTORS]; COLUMNS];
        let mut columns = [ptr::null(); COLUMNS];
        columns.copy_from_slice(&job.columns[..COLUMNS]);
        let (row, step) = (job.vector_row, job.step);
        for run in job.runs {
            let mut vectors = job.vectors.add(run.vector);
            let mut place = run.other;
            for _ in 0..run.len {
                let mut values = [V::splat(0.0); VECTORS];
                for (index, value) in values.iter_mut().enumerate() {
                    *value = V::load(vectors.add(index * V::LANES));
                }
                for (sums, &column) in sums.iter_mut().zip(&columns) {
                    let number = V::splat(*f32_at(column, place));
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = sum.add_product(number, value);
                    }
                }
                vectors = vectors.wrapping_add(row);
                place += step;
            }
        }
        for (column, sums) in sums.into_iter().enumerate() {
            for (index, sum) in sums.into_iter().enumerate() {
                let place = job.sums.add(column * job.sums_row + index * V::LANES);
                V::load(place).add(sum).store(place);
            }
        }
    }
}

/// Work that is written for any vector, and compiled for each.
pub(super) trait Work {
    /// Does it. Everything that it calls must be inlined, closures too: only then it is compiled for the vector's instructions.
    ///
    /// # Safety
    ///
    /// `V` is a vector that the processor has.
    unsafe fn run<V: Vector>(self);
}

/// Which vectors.
#[derive(Clone, Copy)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

type OuterProducts = unsafe fn(&Outer<'_>);
type Product = unsafe fn(&Tile<'_>);
type DotProducts = unsafe fn(&Dots);

/// The loops of one instruction set.
#[derive(Clone, Copy)]
pub(super) struct Isa {
    set: Set,
    /// Numbers in a vector.
    pub(super) lanes: usize,
    /// See [`Vector::PAIRS`].
    pub(super) pairs: usize,
    product: fn(usize, usize) -> Product,
    dots: fn(usize, usize) -> DotProducts,
    /// Vectors in a tile, at most, by its rows less one.
    widest: [usize; PANEL],
    /// Rows and columns of a tile of dot products, at most.
    pub(super) dot_tile: [usize; 2],
    outer: fn(usize, usize) -> OuterProducts,
    /// Columns of a tile of outer products, at most, by its vectors less one.
    outer_columns: [usize; 4],
}

impl Isa {
    /// The best that the processor has.
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return avx512::ISA;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return avx2::ISA;
            }
        }
        portable::ISA
    }

    /// All that the processor has.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        let mut all = vec![portable::ISA];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(avx2::ISA);
            }
            if is_x86_feature_detected!("avx512f") {
                all.push(avx512::ISA);
            }
        }
        all
    }

    /// Does `work` in the vectors of this set.
    pub(super) fn run(&self, work: impl Work) {
        match self.set {
            // SAFETY: every processor has it.
            Set::Portable => unsafe { work.run::<Portable>() },
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => {
                #[target_feature(enable = "avx2,fma")]
                fn run(work: impl Work) {
                    // SAFETY: the function is only called where both are there.
                    unsafe { work.run::<Avx2>() }
                }
                // SAFETY: the processor has them, `detect` asked it.
                unsafe { run(work) }
            }
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => {
                #[target_feature(enable = "avx512f")]
                fn run(work: impl Work) {
                    // SAFETY: the function is only called where it is there.
                    unsafe { work.run::<Avx512>() }
                }
                // SAFETY: as above.
                unsafe { run(work) }
            }
        }
    }

    /// Vectors in a tile of `rows` rows, at most.
    pub(super) fn widest(&self, rows: usize) -> usize {
        self.widest[rows - 1]
    }

    /// Output channels of a tile, at most.
    pub(super) fn panel(&self) -> usize {
        self.widest.iter().filter(|&&widest| widest > 0).count()
    }

    /// Calculates a tile of `rows` by `vectors`.
    ///
    /// # Safety
    ///
    /// As for [`product`].
    pub(super) unsafe fn product(&self, rows: usize, vectors: usize, tile: &Tile<'_>) {
        // SAFETY: the processor has the vectors, `detect` asked it; the caller vouches for the rest.
        unsafe { (self.product)(rows, vectors)(tile) }
    }

    /// Calculates dot products of `rows` with `columns`.
    ///
    /// # Safety
    ///
    /// As for [`dots`].
    pub(super) unsafe fn dots(&self, rows: usize, columns: usize, job: &Dots) {
        // SAFETY: the processor has the vectors, `detect` asked it; the caller vouches for the rest.
        unsafe { (self.dots)(rows, columns)(job) }
    }

    /// Vectors of a tile of outer products, at most.
    pub(super) fn outer_vectors(&self) -> usize {
        self.outer_columns
            .iter()
            .filter(|&&columns| columns > 0)
            .count()
    }

    /// Columns of a tile of outer products with `vectors` vectors, at most.
    pub(super) fn outer_columns(&self, vectors: usize) -> usize {
        self.outer_columns[vectors - 1]
    }

    /// Calculates outer products of `vectors` with `columns`.
    ///
    /// # Safety
    ///
    /// As for [`outer`].
    pub(super) unsafe fn outer(&self, vectors: usize, columns: usize, job: &Outer<'_>) {
        // SAFETY: the processor has the vectors, `detect` asked it; the caller vouches for the rest.
        unsafe { (self.outer)(vectors, columns)(job) }
    }
}

/// Compiles the loops for an instruction set.
macro_rules! isa {
    (
        $name:ident, $vector:ident, [$($feature:meta)?], widest $widest:expr, dots $dot_tile:expr,
        products [$($rows:literal: $($columns:literal)+;)+], dot_products [$($dot_rows:literal: $($dot_columns:literal)+;)+],
        outer $outer_columns:expr, outer_products [$($vectors:literal: $($outer:literal)+;)+]
    ) => {
        mod $name {
            use super::*;

            $(#[target_feature($feature)])?
            unsafe fn product<const ROWS: usize, const COLUMNS: usize>(tile: &Tile<'_>) {
                // SAFETY: the caller vouches for it.
                unsafe { super::product::<$vector, ROWS, COLUMNS>(tile) }
            }

            $(#[target_feature($feature)])?
            unsafe fn dots<const ROWS: usize, const COLUMNS: usize>(job: &Dots) {
                // SAFETY: the caller vouches for it.
                unsafe { super::dots::<$vector, ROWS, COLUMNS>(job) }
            }

            $(#[target_feature($feature)])?
            unsafe fn outer<const VECTORS: usize, const COLUMNS: usize>(job: &Outer<'_>) {
                // SAFETY: the caller vouches for it.
                unsafe { super::outer::<$vector, VECTORS, COLUMNS>(job) }
            }

            fn find_outer(vectors: usize, columns: usize) -> OuterProducts {
                match (vectors, columns) {
                    $($(($vectors, $outer) => outer::<$vectors, $outer>,)+)+
                    _ => unreachable!("no outer products of {vectors} by {columns}"),
                }
            }

            fn find_product(rows: usize, columns: usize) -> Product {
                match (rows, columns) {
                    $($(($rows, $columns) => product::<$rows, $columns>,)+)+
                    _ => unreachable!("no tile of {rows} by {columns} vectors"),
                }
            }

            fn find_dots(rows: usize, columns: usize) -> DotProducts {
                match (rows, columns) {
                    $($(($dot_rows, $dot_columns) => dots::<$dot_rows, $dot_columns>,)+)+
                    _ => unreachable!("no dot products of {rows} by {columns}"),
                }
            }

            pub(super) const ISA: Isa = Isa {
                set: Set::$vector,
                pairs: <$vector as Vector>::PAIRS,
                lanes: <$vector as Vector>::LANES,
                product: find_product,
                dots: find_dots,
                widest: $widest,
                dot_tile: $dot_tile,
                outer: find_outer,
                outer_columns: $outer_columns,
            };
        }
    };
}

// Sums, one row of values and a weight fill the registers: 32 with AVX-512, 16 otherwise. Few rows get more vectors, so
// that enough sums are in flight to hide the latency of a product.
#[cfg(target_arch = "x86_64")]
isa!(
    avx512, Avx512, [enable = "avx512f"], widest [8, 6, 4, 4, 3, 3, 3, 3], dots [4, 6],
    products [
        1: 1 2 3 4 5 6 7 8;
        2: 1 2 3 4 5 6;
        3: 1 2 3 4;
        4: 1 2 3 4;
        5: 1 2 3;
        6: 1 2 3;
        7: 1 2 3;
        8: 1 2 3;
    ],
    dot_products [1: 1 2 3 4 5 6; 2: 1 2 3 4 5 6; 3: 1 2 3 4 5 6; 4: 1 2 3 4 5 6;],
    outer [12, 12, 8, 6],
    outer_products [
        1: 1 2 3 4 5 6 7 8 9 10 11 12;
        2: 1 2 3 4 5 6 7 8 9 10 11 12;
        3: 1 2 3 4 5 6 7 8;
        4: 1 2 3 4 5 6;
    ]
);
#[cfg(target_arch = "x86_64")]
isa!(
    avx2, Avx2, [enable = "avx2,fma"], widest [8, 5, 3, 3, 2, 2, 0, 0], dots [3, 4],
    products [1: 1 2 3 4 5 6 7 8; 2: 1 2 3 4 5; 3: 1 2 3; 4: 1 2 3; 5: 1 2; 6: 1 2;],
    dot_products [1: 1 2 3 4; 2: 1 2 3 4; 3: 1 2 3 4;],
    outer [10, 6, 4, 0],
    outer_products [1: 1 2 3 4 5 6 7 8 9 10; 2: 1 2 3 4 5 6; 3: 1 2 3 4;]
);
isa!(
    portable, Portable, [], widest [4, 2, 2, 2, 0, 0, 0, 0], dots [2, 3],
    products [1: 1 2 3 4; 2: 1 2; 3: 1 2; 4: 1 2;],
    dot_products [1: 1 2 3; 2: 1 2 3;],
    outer [4, 2, 0, 0],
    outer_products [1: 1 2 3 4; 2: 1 2;]
);
