use burn::tensor::{Bool, Int, Tensor};

use crate::error::required;
use crate::label_sets::{CLASSES_PER_WORD, is_class};
use crate::tensors::{bits_in_window, differs_from_neighbour, plain};
use crate::{IGNORE_INDEX, LabelSets, TargetsOptions};

/// For every pixel the set of the classes near it: the target of the body.
///
/// ```text
/// T_c(p) = 1 if class c occurs in the (2 * border + 1)^2 window around p
/// ```
///
/// Source: boundary label relaxation of Zhu et al., CVPR 2019, which section 3.3 of the paper takes for `L_body`;
/// `relax_onehot` in the authors' code. Beyond the picture nothing but "ignored" is found.
#[derive(Clone, Debug)]
pub struct RelaxedLabels {
    /// The classes in the window of every pixel.
    pub classes: LabelSets,
    /// Whether the window holds an ignored pixel or leaves the picture, `[batch, height, width]`.
    pub touches_ignored: Tensor<3, Bool>,
    /// Pixels that count double, `[batch, height, width]`; only of labels made with
    /// [`border_off`](TargetsOptions::border_off).
    pub doubled: Option<Tensor<3, Bool>>,
}

impl RelaxedLabels {
    /// Relaxes labels on the device they are on, by tensor operations.
    ///
    /// # Shapes
    ///
    /// - `labels`: `[batch, height, width]`, a class; any other value is ignored
    ///
    /// # Panics
    ///
    /// Panics if `num_classes` is 0, and on options that [`TargetsOptions::validate_for`] refuses.
    pub fn from_labels(
        labels: Tensor<3, Int>,
        num_classes: usize,
        options: &TargetsOptions,
    ) -> Self {
        required(options.validate_for(num_classes));
        let labels = plain(labels);
        let valid = is_class(&labels, num_classes);
        let labels = labels.mask_fill(valid.clone().bool_not(), num_classes as i64);
        let own = LabelSets::from_labels(labels.clone(), num_classes).words();
        let own_ignored: Tensor<4, Int> = valid.bool_not().int().unsqueeze_dim(1);

        let border = options.window_reach();
        let mut words = bits_in_window(own.clone(), border, 0);
        let mut ignored = bits_in_window(own_ignored.clone(), border, 1);
        if let Some(strict) = is_one_of(&labels, &options.strict_classes) {
            let strict: Tensor<4, Bool> = strict.unsqueeze_dim(1);
            words = words
                .clone()
                .mask_where(strict.clone().expand(words.dims()), own);
            ignored = ignored.mask_where(strict, own_ignored);
        }
        let doubled = options
            .border_off
            .then(|| differs_from_neighbour(labels.unsqueeze_dim(1)).squeeze_dim(1));

        Self {
            classes: LabelSets::from_words(words, num_classes),
            touches_ignored: ignored.squeeze_dim::<3>(1).not_equal_elem(0),
            doubled,
        }
    }

    /// Takes the multi-hot map of the official data sets: a channel for each class and the ignore channel last.
    /// Values of 2 are the doubled pixels of [`border_off`](TargetsOptions::border_off), and only looked for with it.
    ///
    /// # Shapes
    ///
    /// - `multi_hot`: `[batch, num_classes + 1, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if there are fewer than two channels.
    pub fn from_multi_hot(multi_hot: Tensor<4, Int>, border_off: bool) -> Self {
        let multi_hot = plain(multi_hot);
        let [_, channels, _, _] = multi_hot.dims();
        assert!(
            channels >= 2,
            "a multi-hot map has a channel for each class and one for ignored pixels, got {channels}"
        );
        let classes = channels - 1;
        let doubled = border_off.then(|| {
            multi_hot
                .clone()
                .max_dim(1)
                .squeeze_dim::<3>(1)
                .greater_elem(1)
        });
        Self {
            classes: LabelSets::from_multi_hot(multi_hot.clone().narrow(1, 0, classes)),
            touches_ignored: multi_hot
                .narrow(1, classes, 1)
                .squeeze_dim::<3>(1)
                .not_equal_elem(0),
            doubled,
        }
    }

    /// Takes sets that are packed already, one word a pixel: class `c` in bit `c`, "ignored" in bit `num_classes`, as
    /// [`RelaxedMap::bits`](decoupled_seg_targets::RelaxedMap::bits) has them. An unsigned word is to be handed over with
    /// the same bits.
    ///
    /// # Shapes
    ///
    /// - `words`: `[batch, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if there are more than 31 classes, which do not fit.
    pub fn from_packed(words: Tensor<3, Int>, num_classes: usize) -> Self {
        assert!(
            num_classes <= CLASSES_PER_WORD,
            "a word holds {CLASSES_PER_WORD} classes, got {num_classes}"
        );
        let words = words.inner();
        let touches_ignored = if num_classes == CLASSES_PER_WORD {
            // The sign bit.
            words.clone().lower_elem(0)
        } else {
            words
                .clone()
                .bitwise_and_scalar(1_i32 << num_classes)
                .not_equal_elem(0)
        };
        let classes = words
            .bitwise_and_scalar(i32::MAX >> (CLASSES_PER_WORD - num_classes))
            .unsqueeze_dim(1);
        Self {
            classes: LabelSets::from_words(classes, num_classes),
            touches_ignored,
            doubled: None,
        }
    }

    /// The multi-hot map of [`from_multi_hot`](Self::from_multi_hot), `[batch, num_classes + 1, height, width]`.
    pub fn to_multi_hot(&self) -> Tensor<4, Int> {
        let classes = self.classes.clone().into_multi_hot().int();
        let ignored = self.touches_ignored.clone().int().unsqueeze_dim(1);
        let multi_hot = Tensor::cat(vec![classes, ignored], 1);
        match &self.doubled {
            Some(doubled) => multi_hot * (doubled.clone().int().unsqueeze_dim(1) + 1),
            None => multi_hot,
        }
    }

    /// The labels that the official code trains its segmentation losses with: the lowest class in the window, and
    /// [`IGNORE_INDEX`] wherever the window holds an ignored pixel or leaves the picture.
    ///
    /// `[batch, height, width]`. At every border the lower class grows by the window, around ignored pixels and along
    /// the frame `border` pixels are lost.
    pub fn recovered_labels(&self) -> Tensor<3, Int> {
        let lowest = self.classes.lowest_class();
        let none = lowest.clone().lower_elem(0);
        lowest.mask_fill(none.bool_or(self.touches_ignored.clone()), IGNORE_INDEX)
    }

    /// How often each pixel counts in each of its classes, `[batch, height, width]`: 2 where doubled, 1 elsewhere.
    pub(crate) fn multiplicity(&self) -> Option<Tensor<3, Int>> {
        self.doubled.clone().map(|doubled| doubled.int() + 1)
    }
}

fn is_one_of(labels: &Tensor<3, Int>, classes: &[u8]) -> Option<Tensor<3, Bool>> {
    classes
        .iter()
        .map(|&class| labels.clone().equal_elem(i64::from(class)))
        .reduce(|all, one| all.bool_or(one))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use rstest::rstest;

    use super::*;

    fn unrelaxed() -> TargetsOptions {
        TargetsOptions {
            border: 0,
            ..TargetsOptions::paper()
        }
    }

    #[rstest]
    #[case(3)]
    #[case(30)]
    #[case(31)]
    fn packed_words_are_the_same_sets(#[case] classes: usize) {
        let last = classes as i32 - 1;
        let labels = TensorData::new(vec![0, 0, last, 255, 1, 1, 1, last], [1, 2, 4]);
        let labels = Tensor::<3, Int>::from_data(labels, &Device::default());
        let relaxed = RelaxedLabels::from_labels(labels, classes, &unrelaxed());
        let own: Vec<i32> = relaxed.classes.words().try_into_vec_as().expect("integers");
        let ignored: Vec<bool> = relaxed
            .touches_ignored
            .clone()
            .try_into_vec_as()
            .expect("booleans");
        let words: Vec<i32> = own
            .iter()
            .zip(ignored)
            .map(|(&own, ignored)| if ignored { own | 1 << classes } else { own })
            .collect();

        let words = Tensor::from_data(TensorData::new(words, [1, 2, 4]), &Device::default());
        let packed = RelaxedLabels::from_packed(words, classes);
        packed
            .to_multi_hot()
            .into_data()
            .assert_eq(&relaxed.to_multi_hot().into_data(), true);
    }

    #[test]
    #[should_panic(expected = "a word holds 31 classes, got 32")]
    fn packed_words_hold_31_classes() {
        RelaxedLabels::from_packed(Tensor::zeros([1, 1, 1], &Device::default()), 32);
    }

    #[test]
    #[should_panic(expected = "strict class 7, but there are 3 classes")]
    fn strict_classes_must_exist() {
        let labels = Tensor::zeros([1, 1, 1], &Device::default());
        let options = TargetsOptions {
            strict_classes: vec![7],
            ..TargetsOptions::paper()
        };
        RelaxedLabels::from_labels(labels, 3, &options);
    }
}
