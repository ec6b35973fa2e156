use crate::conv_norm_act::ConvNormActConfig;

/// One tensor of a PyTorch `state_dict` and where it lives here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Key in the `state_dict`, without a `module.` prefix: `squeeze_body_edge.down.0.weight`.
    pub official: String,
    /// Path of the parameter in our module, as a visitor walks it with enum variants left out:
    /// `body_edge.generator.down.0.conv.weight`. `None` for what has no counterpart, such as `num_batches_tracked`.
    pub path: Option<String>,
}

/// The names that the authors' PyTorch code gives to the tensors of a module, in their order within a part.
///
/// Every module's config writes its own map (`official_keys`), and [`nest`](KeyMap::nest) joins them to the map of a
/// whole network, so importing, exporting and the parity tests share one source. The map is complete: a key that it
/// does not know belongs to another network.
///
/// # Example
///
/// ```
/// use decoupled_seg_nn::KeyMap;
///
/// let block = KeyMap::new().conv("0", "conv", false).norm("1", "norm");
/// let keys = KeyMap::new().nest("fcn_head", "context", block);
///
/// assert_eq!(keys.path_of("fcn_head.1.weight"), Some("context.norm.gamma"));
/// assert_eq!(keys.official_of("context.conv.weight"), Some("fcn_head.0.weight"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyMap {
    keys: Vec<Key>,
    /// Paths of weights that read the image.
    image_weights: Vec<String>,
}

impl KeyMap {
    /// A map without a key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one tensor.
    #[must_use]
    pub fn tensor(mut self, official: &str, path: &str) -> Self {
        self.keys.push(Key {
            official: official.to_string(),
            path: Some(path.to_string()),
        });
        self
    }

    /// Adds a key that checkpoints hold and our modules do not.
    #[must_use]
    pub fn without_counterpart(mut self, official: &str) -> Self {
        self.keys.push(Key {
            official: official.to_string(),
            path: None,
        });
        self
    }

    /// Adds the tensors of a `Conv2d`.
    #[must_use]
    pub fn conv(self, official: &str, path: &str, bias: bool) -> Self {
        let map = self.tensor(&join(official, "weight"), &join(path, "weight"));
        if bias {
            map.tensor(&join(official, "bias"), &join(path, "bias"))
        } else {
            map
        }
    }

    /// Marks the weight of a convolution that reads the image, by its path. Weights for images of other channels are then
    /// fitted when a file is loaded.
    #[must_use]
    pub fn image_weight(mut self, path: &str) -> Self {
        self.image_weights.push(path.to_string());
        self
    }

    /// Whether a path is that of a weight that reads the image.
    pub fn reads_image(&self, path: &str) -> bool {
        self.image_weights.iter().any(|weight| weight == path)
    }

    /// Adds the tensors of a `BatchNorm`.
    #[must_use]
    pub fn norm(self, official: &str, path: &str) -> Self {
        [
            ("weight", "gamma"),
            ("bias", "beta"),
            ("running_mean", "running_mean"),
            ("running_var", "running_var"),
        ]
        .into_iter()
        .fold(self, |map, (theirs, ours)| {
            map.tensor(&join(official, theirs), &join(path, ours))
        })
        .without_counterpart(&join(official, "num_batches_tracked"))
    }

    /// Adds the tensors of a [`ConvNormAct`](crate::ConvNormAct), whose convolution and norm are two entries of an
    /// official `nn.Sequential` (`official_norm` is not looked at if the block has none).
    #[must_use]
    pub fn conv_norm_act(
        self,
        official_conv: &str,
        official_norm: &str,
        path: &str,
        config: &ConvNormActConfig,
    ) -> Self {
        let map = self.conv(official_conv, &join(path, "conv"), config.bias);
        if config.norm {
            map.norm(official_norm, &join(path, "norm"))
        } else {
            map
        }
    }

    /// Adds the keys of a part: `official` and `path` go in front of its names. An empty one changes nothing.
    #[must_use]
    pub fn nest(mut self, official: &str, path: &str, part: KeyMap) -> Self {
        self.keys.extend(part.keys.into_iter().map(|key| Key {
            official: join(official, &key.official),
            path: key.path.map(|inner| join(path, &inner)),
        }));
        let weights = part.image_weights.iter();
        self.image_weights
            .extend(weights.map(|inner| join(path, inner)));
        self
    }

    /// All keys, in the order they were added.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Whether an official key belongs to the network, with or without a counterpart here.
    pub fn knows(&self, official: &str) -> bool {
        self.keys.iter().any(|key| key.official == official)
    }

    /// Where the tensor of an official key lives here.
    pub fn path_of(&self, official: &str) -> Option<&str> {
        self.keys
            .iter()
            .find(|key| key.official == official)
            .and_then(|key| key.path.as_deref())
    }

    /// The official key of one of our tensors.
    pub fn official_of(&self, path: &str) -> Option<&str> {
        self.keys
            .iter()
            .find(|key| key.path.as_deref() == Some(path))
            .map(|key| key.official.as_str())
    }
}

fn join(prefix: &str, name: &str) -> String {
    match (prefix, name) {
        ("", name) => name.to_string(),
        (prefix, "") => prefix.to_string(),
        (prefix, name) => format!("{prefix}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nests_in_order() {
        let block = ConvNormActConfig::new([2, 2], [3, 3]).with_bias(true);
        let inner = KeyMap::new().conv_norm_act("0", "1", "down.0", &block);
        let map = KeyMap::new()
            .nest("squeeze", "generator", inner)
            .conv("flow", "flow", false);

        let official: Vec<&str> = map.keys().iter().map(|key| key.official.as_str()).collect();
        assert_eq!(
            official,
            [
                "squeeze.0.weight",
                "squeeze.0.bias",
                "squeeze.1.weight",
                "squeeze.1.bias",
                "squeeze.1.running_mean",
                "squeeze.1.running_var",
                "squeeze.1.num_batches_tracked",
                "flow.weight",
            ]
        );
        assert_eq!(
            map.path_of("squeeze.1.bias"),
            Some("generator.down.0.norm.beta")
        );
    }

    #[test]
    fn knows_counters_but_gives_them_no_path() {
        let map = KeyMap::new().norm("bn", "norm");
        assert!(map.knows("bn.num_batches_tracked"));
        assert_eq!(map.path_of("bn.num_batches_tracked"), None);
        assert!(!map.knows("bn.weight_g"));
    }

    #[test]
    fn an_empty_prefix_changes_nothing() {
        let inner = KeyMap::new().conv("final.0", "layers.0.conv", false);
        assert_eq!(KeyMap::new().nest("", "", inner.clone()), inner);
    }
}
