use burn::tensor::{Int, Tensor};

/// Number of set bits of every element; elements are in `0..2^31`.
///
/// The classic sums of neighbouring 1-, 2-, 4-, 8- and 16-bit fields, which every backend can do.
pub(crate) fn bit_count<const D: usize>(words: Tensor<D, Int>) -> Tensor<D, Int> {
    let fields = |x: Tensor<D, Int>, shift: i32, mask: i32| {
        let high = x
            .clone()
            .bitwise_right_shift_scalar(shift)
            .bitwise_and_scalar(mask);
        x.bitwise_and_scalar(mask) + high
    };
    let x = fields(words, 1, 0x5555_5555);
    let x = fields(x, 2, 0x3333_3333);
    let x = fields(x, 4, 0x0f0f_0f0f);
    let x = fields(x, 8, 0x00ff_00ff);
    fields(x, 16, 0x0000_ffff)
}

/// Index of the lowest set bit of every element, -1 where none is set; elements are in `0..2^31`.
pub(crate) fn lowest_bit<const D: usize>(words: Tensor<D, Int>) -> Tensor<D, Int> {
    // The bits below the lowest one set: x & -x is that bit alone, one less has all bits below it.
    let alone = words.clone().bitwise_and(words.clone().neg());
    let below = bit_count((alone - 1).bitwise_and_scalar(i32::MAX));
    below.mask_fill(words.equal_elem(0), -1)
}
