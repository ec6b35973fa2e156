use burn::tensor::{Int, Tensor};

use crate::LabelSets;

/// Stands for "minus infinity" where a difference of two of them has to stay finite.
const FAR_BELOW: f32 = -1e30;

/// `-log softmax(logits)[label]` of every pixel, `[batch, height, width]`.
///
/// ```text
/// m   = max_c x_c                      a constant for the gradient
/// nll = log sum_c exp(x_c - m) - (x_label - m)
/// ```
///
/// Every label has to be a class: ignored pixels get some class here and are left out by the caller.
pub(crate) fn label_nll(logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<3> {
    let top = logits.clone().inner().max_dim(1);
    let shifted = logits - top;
    let picked = shifted.clone().gather(1, labels.unsqueeze_dim(1));
    let nll = shifted.exp().sum_dim(1).log() - picked;
    nll.squeeze_dim(1)
}

/// `-log sum_(c in set) softmax(logits)_c` of every pixel, `[batch, height, width]`; 0, without a gradient, where the
/// set is empty.
///
/// ```text
/// m   = max_c x_c,  m_S = max_(c in S) x_c                    constants for the gradient
/// nll = (m - m_S) + log sum_c exp(x_c - m) - log sum_(c in S) exp(x_c - m_S)
/// ```
///
/// The set has its own maximum, so that a set of classes far below the best one does not underflow to `log 0`.
pub(crate) fn set_nll(logits: Tensor<4>, sets: &LabelSets) -> Tensor<3> {
    let outside = sets.clone().into_multi_hot().bool_not();
    let members = logits.clone().mask_fill(outside, FAR_BELOW);
    let top = logits.clone().inner().max_dim(1);
    let top_member = members.clone().inner().max_dim(1);
    let gap = top.clone() - top_member.clone();

    let all = (logits - top).exp().sum_dim(1).log();
    let inside = (members - top_member).exp().sum_dim(1).log();
    let nll: Tensor<3> = (all - inside + gap).squeeze_dim(1);
    nll.mask_fill(sets.is_empty(), 0)
}
