use burn::tensor::{Bool, Device, Int, Tensor, assert_shape};

use crate::tensors::{bit_count, lowest_bit, plain};

/// Classes in one word of a [`LabelSets`]; the sign bit stays free, so that an `i32` device is enough.
pub(crate) const CLASSES_PER_WORD: usize = 31;

/// A set of classes for every pixel, one bit a class: 4 bytes a pixel up to 31 classes, where a multi-hot map takes
/// 4 bytes a pixel *and class*.
///
/// Class `c` is bit `c % 31` of plane `c / 31`. A pixel may belong to no class.
#[derive(Clone, Debug)]
pub struct LabelSets {
    /// `[batch, planes, height, width]`, never negative.
    words: Tensor<4, Int>,
    num_classes: usize,
}

impl LabelSets {
    /// Wraps words that hold the sets already, as a data loader may make them.
    ///
    /// # Shapes
    ///
    /// - `words`: `[batch, num_classes / 31 rounded up, height, width]`, class `c` in bit `c % 31` of plane `c / 31`,
    ///   no other bit set
    ///
    /// # Panics
    ///
    /// Panics if the number of planes does not fit `num_classes`.
    pub fn from_words(words: Tensor<4, Int>, num_classes: usize) -> Self {
        assert!(num_classes > 0, "num_classes must be at least 1");
        assert_shape!(words, [_, num_classes.div_ceil(CLASSES_PER_WORD), _, _]);
        Self {
            words: words.inner(),
            num_classes,
        }
    }

    /// The set `{label}` for every pixel, empty where the label is no class (the ignore index, say).
    ///
    /// # Shapes
    ///
    /// - `labels`: `[batch, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if `num_classes` is 0.
    pub fn from_labels(labels: Tensor<3, Int>, num_classes: usize) -> Self {
        assert!(num_classes > 0, "num_classes must be at least 1");
        let labels = plain(labels);
        let shape = labels.dims();
        let device = labels.device();
        let no_class = is_class(&labels, num_classes).bool_not();
        let indices = labels
            .mask_fill(no_class, num_classes as i64)
            .flatten::<1>(0, 2);
        let plane = |plane: usize| {
            let table =
                Tensor::<1, Int>::from_data(bit_table(plane, num_classes).as_slice(), &device);
            table
                .select(0, indices.clone())
                .reshape(shape)
                .unsqueeze_dim::<4>(1)
        };
        let planes: Vec<_> = (0..num_classes.div_ceil(CLASSES_PER_WORD))
            .map(plane)
            .collect();
        let words = if planes.len() == 1 {
            planes.into_iter().next().expect("one plane")
        } else {
            Tensor::cat(planes, 1)
        };
        Self { words, num_classes }
    }

    /// Packs a multi-hot map: class `c` belongs to a pixel where channel `c` is not 0.
    ///
    /// # Shapes
    ///
    /// - `multi_hot`: `[batch, num_classes, height, width]`
    pub fn from_multi_hot(multi_hot: Tensor<4, Int>) -> Self {
        let [_, num_classes, _, _] = multi_hot.dims();
        let device = multi_hot.device().inner();
        let set = multi_hot.inner().not_equal_elem(0).int();
        let plane = |plane: usize| {
            let first = plane * CLASSES_PER_WORD;
            let classes = CLASSES_PER_WORD.min(num_classes - first);
            let bits = class_bits(first, classes, num_classes, &device);
            (set.clone().narrow(1, first, classes) * bits).sum_dim(1)
        };
        let planes: Vec<_> = (0..num_classes.div_ceil(CLASSES_PER_WORD))
            .map(plane)
            .collect();
        Self {
            words: Tensor::cat(planes, 1),
            num_classes,
        }
    }

    /// The packed words, `[batch, planes, height, width]`.
    pub fn words(&self) -> Tensor<4, Int> {
        self.words.clone()
    }

    /// Number of classes that a set may hold.
    pub fn num_classes(&self) -> usize {
        self.num_classes
    }

    /// `[batch, height, width]` of the map.
    pub fn dims(&self) -> [usize; 3] {
        let [batch, _, height, width] = self.words.dims();
        [batch, height, width]
    }

    pub(crate) fn device(&self) -> Device {
        self.words.device()
    }

    /// Number of classes of every pixel, `[batch, height, width]`.
    pub fn counts(&self) -> Tensor<3, Int> {
        bit_count(self.words.clone()).sum_dim(1).squeeze_dim(1)
    }

    /// Whether a pixel belongs to no class, `[batch, height, width]`.
    pub fn is_empty(&self) -> Tensor<3, Bool> {
        self.words
            .clone()
            .max_dim(1)
            .squeeze_dim::<3>(1)
            .equal_elem(0)
    }

    /// The lowest class of every pixel, -1 where there is none, `[batch, height, width]`.
    pub fn lowest_class(&self) -> Tensor<3, Int> {
        let [_, planes, _, _] = self.words.dims();
        let mut lowest: Option<Tensor<4, Int>> = None;
        for plane in (0..planes).rev() {
            let words = self.words.clone().narrow(1, plane, 1);
            let none = words.clone().equal_elem(0);
            let here = lowest_bit(words) + (plane * CLASSES_PER_WORD) as i64;
            lowest = Some(match lowest {
                Some(above) => here.mask_where(none, above),
                None => here.mask_fill(none, -1),
            });
        }
        lowest.expect("at least one plane").squeeze_dim(1)
    }

    /// Which pixels hold the class, `[batch, height, width]`.
    ///
    /// # Panics
    ///
    /// Panics if there is no such class.
    pub fn contains(&self, class: usize) -> Tensor<3, Bool> {
        assert!(
            class < self.num_classes,
            "class {class} of {}",
            self.num_classes
        );
        let words = self
            .words
            .clone()
            .narrow(1, class / CLASSES_PER_WORD, 1)
            .squeeze_dim::<3>(1);
        words
            .bitwise_and_scalar(1_i32 << (class % CLASSES_PER_WORD))
            .not_equal_elem(0)
    }

    /// The sets as a map of one channel a class, `[batch, num_classes, height, width]`.
    pub fn into_multi_hot(self) -> Tensor<4, Bool> {
        let device = self.words.device();
        let plane = |plane: usize| {
            let first = plane * CLASSES_PER_WORD;
            let classes = CLASSES_PER_WORD.min(self.num_classes - first);
            let bits = class_bits(first, classes, self.num_classes, &device);
            let words = self.words.clone().narrow(1, plane, 1);
            words.bitwise_and(bits).not_equal_elem(0)
        };
        let planes: Vec<_> = (0..self.num_classes.div_ceil(CLASSES_PER_WORD))
            .map(plane)
            .collect();
        if planes.len() == 1 {
            planes.into_iter().next().expect("one plane")
        } else {
            Tensor::cat(planes, 1)
        }
    }
}

/// Whether a label is one of the classes.
pub(crate) fn is_class(labels: &Tensor<3, Int>, num_classes: usize) -> Tensor<3, Bool> {
    let not_negative = labels.clone().greater_equal_elem(0);
    not_negative.bool_and(labels.clone().lower_elem(num_classes as i64))
}

/// The word of `plane` for every class, and 0 for "no class" at the end.
fn bit_table(plane: usize, num_classes: usize) -> Vec<i32> {
    let word = |class: usize| {
        if class / CLASSES_PER_WORD == plane {
            1 << (class % CLASSES_PER_WORD)
        } else {
            0
        }
    };
    (0..num_classes).map(word).chain([0]).collect()
}

/// The bits of `classes` classes from `first` on, which all lie in one plane, `[1, classes, 1, 1]`.
fn class_bits(first: usize, classes: usize, num_classes: usize, device: &Device) -> Tensor<4, Int> {
    let table = bit_table(first / CLASSES_PER_WORD, num_classes);
    Tensor::<1, Int>::from_data(&table[first..first + classes], device).reshape([1, classes, 1, 1])
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    fn ints<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i32> {
        tensor.try_into_vec_as::<i32>().expect("i32")
    }

    fn labels(values: &[i32]) -> Tensor<3, Int> {
        Tensor::from_data(
            TensorData::new(values.to_vec(), [1, 1, values.len()]),
            &Device::default(),
        )
    }

    #[test]
    fn one_label_is_one_bit() {
        let sets = LabelSets::from_labels(labels(&[0, 2, 30, 255, -1, 19]), 31);
        assert_eq!(ints(sets.words()), [1, 4, 1 << 30, 0, 0, 1 << 19]);
        assert_eq!(ints(sets.lowest_class()), [0, 2, 30, -1, -1, 19]);
        assert_eq!(ints(sets.counts()), [1, 1, 1, 0, 0, 1]);
        assert_eq!(ints(sets.contains(30).int()), [0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn more_classes_than_one_word_holds() {
        let sets = LabelSets::from_labels(labels(&[0, 30, 31, 64, 65]), 65);
        assert_eq!(sets.words().dims(), [1, 3, 1, 5]);
        assert_eq!(ints(sets.lowest_class()), [0, 30, 31, 64, -1]);
        let back = LabelSets::from_multi_hot(sets.clone().into_multi_hot().int());
        assert_eq!(ints(back.words()), ints(sets.words()));
        assert_eq!(ints(sets.is_empty().int()), [0, 0, 0, 0, 1]);
    }

    #[test]
    fn sets_of_several_classes() {
        let channels = [[1, 0, 0], [0, 2, 0], [1, 1, 0], [0, 1, 0]].concat();
        let multi_hot =
            Tensor::from_data(TensorData::new(channels, [1, 4, 1, 3]), &Device::default());
        let sets = LabelSets::from_multi_hot(multi_hot);
        assert_eq!(ints(sets.words()), [0b0101, 0b1110, 0]);
        assert_eq!(ints(sets.counts()), [2, 3, 0]);
        assert_eq!(ints(sets.lowest_class()), [0, 1, -1]);
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 2, got 1")]
    fn planes_must_fit_the_classes() {
        LabelSets::from_words(Tensor::zeros([1, 1, 2, 2], &Device::default()), 40);
    }
}
