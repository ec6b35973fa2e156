/// A set of classes, one bit each.
pub(crate) trait Word: Copy + Eq {
    const EMPTY: Self;
    const ALL: Self;
    fn bit(index: usize) -> Self;
    fn or(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;
    fn and_not(self, other: Self) -> Self;
    fn contains(self, index: usize) -> bool;
    fn lowest(self) -> Option<usize>;
}

/// The constants and operations of [`Word`] in which all integers are alike.
macro_rules! bitwise {
    () => {
        const EMPTY: Self = 0;
        const ALL: Self = !0;

        #[inline(always)]
        fn or(self, other: Self) -> Self {
            self | other
        }

        #[inline(always)]
        fn and(self, other: Self) -> Self {
            self & other
        }

        #[inline(always)]
        fn and_not(self, other: Self) -> Self {
            self & !other
        }
    };
}

/// The code of one class instead of a set, 0 for no class. It tells whether pixels are equal, at a quarter of a set's
/// size.
///
/// As with sets, the OR of several codes equals their AND exactly if all codes are the same.
impl Word for u8 {
    bitwise!();

    fn bit(index: usize) -> Self {
        index as u8 + 1
    }

    #[inline(always)]
    fn contains(self, index: usize) -> bool {
        self == Self::bit(index)
    }

    fn lowest(self) -> Option<usize> {
        (self != 0).then(|| usize::from(self) - 1)
    }
}

impl Word for u32 {
    bitwise!();

    fn bit(index: usize) -> Self {
        1 << index
    }

    #[inline(always)]
    fn contains(self, index: usize) -> bool {
        self >> index & 1 == 1
    }

    fn lowest(self) -> Option<usize> {
        (self != 0).then(|| self.trailing_zeros() as usize)
    }
}

/// A set for data sets with more than 31 classes.
pub(crate) type Wide = [u64; 4];

impl Word for Wide {
    const EMPTY: Self = [0; 4];
    const ALL: Self = [!0; 4];

    fn bit(index: usize) -> Self {
        let mut word = Self::EMPTY;
        word[index / 64] = 1 << (index % 64);
        word
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] | other[i])
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] & other[i])
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] & !other[i])
    }

    #[inline(always)]
    fn contains(self, index: usize) -> bool {
        self[index / 64] >> (index % 64) & 1 == 1
    }

    fn lowest(self) -> Option<usize> {
        let at = self.iter().position(|&part| part != 0)?;
        Some(64 * at + self[at].trailing_zeros() as usize)
    }
}

/// For every label, the set of its class alone; `other` for labels that are no class.
pub(crate) fn class_bits<W: Word>(num_classes: usize, other: W) -> [W; 256] {
    std::array::from_fn(|label| match label < num_classes {
        true => W::bit(label),
        false => other,
    })
}

/// The largest number of classes whose bits fit in a `u32` together with the ignore bit.
pub(crate) const MAX_NARROW: usize = 31;

#[cfg(test)]
mod tests {
    use super::*;

    fn laws<W: Word + std::fmt::Debug>(bits: &[usize]) {
        for &index in bits {
            let word = W::bit(index);
            assert!(word.contains(index) && !W::EMPTY.contains(index) && W::ALL.contains(index));
            assert_eq!(word.lowest(), Some(index));
            assert_eq!(word.and_not(word), W::EMPTY);
            assert_eq!(word.and(W::ALL), word);
            assert_eq!(word.or(W::bit(bits[0])).lowest(), Some(index.min(bits[0])));
        }
        assert_eq!(W::EMPTY.lowest(), None);
    }

    #[test]
    fn both_widths_are_sets() {
        laws::<u32>(&[3, 0, 7, 31]);
        laws::<Wide>(&[70, 0, 63, 64, 200, 255]);
    }
}
