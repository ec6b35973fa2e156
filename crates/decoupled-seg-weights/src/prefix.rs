//! The prefixes that training scripts put in front of the names of a network's tensors.

use std::collections::{BTreeMap, BTreeSet};

/// Keys under which scripts keep the state dict, and the prefixes that wrappers of PyTorch put in front of every name.
const WRAPPERS: [&str; 9] = [
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "ema",
    "model_ema",
    "module",
    "_orig_mod",
];

/// Keys that scripts keep beside the state dict. They are no part of the network.
const COMPANY: [&str; 8] = [
    "optim",
    "model_ema",
    "ema",
    "criterion",
    "loss",
    "scheduler",
    "lr_scheduler",
    "scaler",
];

/// Words in the names of weights that are an average over the training: `encoder_k` of MoCo, `target_network` of BYOL.
const AVERAGES: [&str; 7] = ["ema", "k", "momentum", "shadow", "swa", "target", "teacher"];

/// How many tensors at least must fit behind an unknown prefix: one tensor may fit by chance.
const LEAST: usize = 2;

/// The prefix of all names in the state dict: the wrappers, from the outermost to the innermost.
pub(crate) fn wrapper<'a>(keys: impl Iterator<Item = &'a String>) -> String {
    let mut keys: Vec<&str> = keys.map(String::as_str).collect();
    let mut wrapper = String::new();
    while let Some(found) = WRAPPERS.iter().find(|name| wraps(name, &keys)) {
        wrapper.push_str(found);
        wrapper.push('.');
        keys = keys.iter().filter_map(|key| inside(key, found)).collect();
    }
    wrapper
}

/// Whether all tensors lie under `name`, except for the [`COMPANY`] beside the state dict. Other tensors beside it
/// would mean that `name` (such as `model`) is a part of the network.
fn wraps(name: &str, keys: &[&str]) -> bool {
    let is_company = |key: &str| COMPANY.iter().any(|company| key.starts_with(company));
    let is_inside = |key: &str| inside(key, name).is_some();
    keys.iter().any(|key| is_inside(key))
        && keys.iter().all(|key| is_inside(key) || is_company(key))
}

fn inside<'a>(key: &'a str, name: &str) -> Option<&'a str> {
    key.strip_prefix(name)?.strip_prefix('.')
}

/// The prefixes behind which most of `keys` are among `names`. Of equals, plain weights come before averaged ones, then
/// the shorter prefix before the longer; the first is the one to take.
pub(crate) fn of_names<'a>(
    keys: impl Iterator<Item = &'a str>,
    names: BTreeSet<&str>,
) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for key in keys {
        let dots = key.match_indices('.').map(|(at, _)| at + 1);
        for start in std::iter::once(0).chain(dots) {
            if names.contains(&key[start..]) {
                *counts.entry(&key[..start]).or_default() += 1;
            }
        }
    }
    let known_or_many = counts.into_iter().filter(|(prefix, count)| {
        let known = prefix
            .split_terminator('.')
            .all(|it| WRAPPERS.contains(&it));
        known || *count >= LEAST
    });
    let mut found: Vec<(&str, usize)> = known_or_many.collect();
    let most = found.iter().map(|(_, count)| *count).max();
    found.retain(|(_, count)| Some(*count) == most);
    found.sort_by_key(|(prefix, _)| (is_averaged(prefix), prefix.len()));
    found.iter().map(|(prefix, _)| prefix.to_string()).collect()
}

/// Whether a prefix names an average, in any spelling: `model_EMA`, `emaModel`.
fn is_averaged(prefix: &str) -> bool {
    let mut spaced = String::new();
    let mut was_lower = false;
    for letter in prefix.chars() {
        if letter.is_uppercase() && was_lower {
            spaced.push('.');
        }
        was_lower = letter.is_lowercase();
        spaced.extend(letter.to_lowercase());
    }
    let mut words = spaced.split(['.', '_']);
    words.any(|word| AVERAGES.contains(&word) || word.starts_with("averag"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn names(prefixes: &[&str]) -> Vec<String> {
        let tensors = ["conv.weight", "conv.bias"];
        prefixes
            .iter()
            .flat_map(|prefix| tensors.map(|tensor| format!("{prefix}{tensor}")))
            .collect()
    }

    #[rstest]
    #[case::plain(&[""], "")]
    #[case::state_dict(&["state_dict."], "state_dict.")]
    #[case::beside_an_optimizer(&["model.", "optimizer.state."], "model.")]
    #[case::beside_its_average(&["model.", "model_ema.module."], "model.")]
    #[case::parallel_twice(&["state_dict.module.module."], "state_dict.module.module.")]
    #[case::compiled(&["_orig_mod."], "_orig_mod.")]
    #[case::a_part_of_a_network(&["model.", "head."], "")]
    fn wrappers_are_taken_off(#[case] prefixes: &[&str], #[case] expected: &str) {
        assert_eq!(wrapper(names(prefixes).iter()), expected);
    }

    #[rstest]
    #[case::plain(&[""], &[""])]
    #[case::unheard_of(&["encoder_q."], &["encoder_q."])]
    #[case::the_plain_one_first(&["average.", "weights."], &["weights.", "average."])]
    #[case::ema_is_a_word(&["ema.", "semantic."], &["semantic.", "ema."])]
    #[case::moco(&["encoder_k.", "encoder_q."], &["encoder_q.", "encoder_k."])]
    #[case::byol(&["online_network.", "target_network."], &["online_network.", "target_network."])]
    #[case::lightly(&["backbone.", "backbone_momentum."], &["backbone.", "backbone_momentum."])]
    #[case::in_any_spelling(&["emaModel.", "model_EMA.", "the_very_own_model."], &["the_very_own_model.", "emaModel.", "model_EMA."])]
    #[case::mean_teacher(&["mean_teacher.", "the_student_of_it."], &["the_student_of_it.", "mean_teacher."])]
    #[case::the_short_one_first(&["a.b.", "b."], &["b.", "a.b."])]
    #[case::none(&["encoder.features."], &["encoder.features."])]
    fn the_prefix_that_fits_is_found(#[case] prefixes: &[&str], #[case] expected: &[&str]) {
        let keys = names(prefixes);
        let keys = keys.iter().map(String::as_str);
        let prefix = of_names(keys, BTreeSet::from(["conv.weight", "conv.bias", "other"]));
        assert_eq!(prefix, expected);
    }

    #[test]
    fn one_tensor_may_fit_by_chance() {
        let keys = ["features.0.weight", "features.1.bias"];
        let prefix = of_names(keys.into_iter(), BTreeSet::from(["weight", "gain"]));
        assert_eq!(prefix, [""; 0]);
    }
}
