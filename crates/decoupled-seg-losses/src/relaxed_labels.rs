use burn::config::Config;
use burn::tensor::{Bool, Int, Tensor};

use crate::label_sets::is_class;
use crate::ops::{bits_in_window, differs_from_neighbour};
use crate::{IGNORE_INDEX, LabelSets};

/// How labels are relaxed at the borders between classes.
#[derive(Config, Debug, PartialEq)]
pub struct RelaxationConfig {
    /// Number of classes; every other label but the ignore index is treated as ignored too.
    pub num_classes: usize,
    /// Label of pixels that take no part.
    #[config(default = "IGNORE_INDEX")]
    pub ignore_index: i64,
    /// Pixels that the window reaches to each side: 1 is a window of 3x3.
    #[config(default = 1)]
    pub border: usize,
    /// Classes whose own pixels keep their plain label.
    #[config(default = "Vec::new()")]
    pub strict_classes: Vec<usize>,
    /// The official code after its `rlx_off_epoch`: a window of half the border (none, for 3x3), and pixels beside
    /// another label count double in [`BoundaryRelaxationLoss`](crate::BoundaryRelaxationLoss).
    #[config(default = false)]
    pub switched_off: bool,
}

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
    /// [`switched_off`](RelaxationConfig::switched_off).
    pub doubled: Option<Tensor<3, Bool>>,
}

impl RelaxedLabels {
    /// Relaxes labels on the device they are on.
    ///
    /// # Shapes
    ///
    /// - `labels`: `[batch, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if the configuration has no class, or a strict class that does not exist.
    pub fn from_labels(labels: Tensor<3, Int>, config: &RelaxationConfig) -> Self {
        let classes = config.num_classes;
        for &class in &config.strict_classes {
            assert!(
                class < classes,
                "strict class {class}, but there are {classes} classes"
            );
        }
        let labels = labels.inner();
        let valid =
            is_class(&labels, classes).bool_and(labels.clone().not_equal_elem(config.ignore_index));
        let labels = labels.mask_fill(valid.clone().bool_not(), classes as i64);
        let own = LabelSets::from_labels(labels.clone(), classes).words();
        let own_ignored: Tensor<4, Int> = valid.bool_not().int().unsqueeze_dim(1);

        let border = if config.switched_off {
            config.border / 2
        } else {
            config.border
        };
        let mut words = bits_in_window(own.clone(), border, 0);
        let mut ignored = bits_in_window(own_ignored.clone(), border, 1);
        if let Some(strict) = is_one_of(&labels, &config.strict_classes) {
            let strict: Tensor<4, Bool> = strict.unsqueeze_dim(1);
            words = words
                .clone()
                .mask_where(strict.clone().expand(words.dims()), own);
            ignored = ignored.mask_where(strict, own_ignored);
        }
        let doubled = config
            .switched_off
            .then(|| differs_from_neighbour(labels.unsqueeze_dim(1)).squeeze_dim(1));

        Self {
            classes: LabelSets::from_words(words, classes),
            touches_ignored: ignored.squeeze_dim::<3>(1).not_equal_elem(0),
            doubled,
        }
    }

    /// Takes the multi-hot map of the official data sets: a channel for each class and the ignore channel last.
    /// Values of 2 are the doubled pixels of a switched-off relaxation, and only looked for if `switched_off`.
    ///
    /// # Shapes
    ///
    /// - `multi_hot`: `[batch, num_classes + 1, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if there are fewer than two channels.
    pub fn from_multi_hot(multi_hot: Tensor<4, Int>, switched_off: bool) -> Self {
        let multi_hot = multi_hot.inner();
        let [_, channels, _, _] = multi_hot.dims();
        assert!(
            channels >= 2,
            "a multi-hot map has a channel for each class and one for ignored pixels, got {channels}"
        );
        let classes = channels - 1;
        let doubled = switched_off.then(|| {
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
    /// `ignore_index` wherever the window holds an ignored pixel or leaves the picture.
    ///
    /// `[batch, height, width]`. At every border the lower class grows by the window, around ignored pixels and along
    /// the frame `border` pixels are lost.
    pub fn recovered_labels(&self, ignore_index: i64) -> Tensor<3, Int> {
        let lowest = self.classes.lowest_class();
        let none = lowest.clone().lower_elem(0);
        lowest.mask_fill(none.bool_or(self.touches_ignored.clone()), ignore_index)
    }

    /// How often each pixel counts in each of its classes, `[batch, height, width]`: 2 where doubled, 1 elsewhere.
    pub(crate) fn multiplicity(&self) -> Option<Tensor<3, Int>> {
        self.doubled.clone().map(|doubled| doubled.int() + 1)
    }
}

fn is_one_of(labels: &Tensor<3, Int>, classes: &[usize]) -> Option<Tensor<3, Bool>> {
    classes
        .iter()
        .map(|&class| labels.clone().equal_elem(class as i64))
        .reduce(|all, one| all.bool_or(one))
}
