use serde::{Deserialize, Serialize};

/// Parameters that train at a rate of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateGroup {
    /// Start of the names of its parameters, whole parts: `backbone` takes `backbone.layer1.conv.weight`.
    pub prefix: String,
    /// Factor on the scheduled rate; 0 leaves them as they are.
    pub factor: f64,
}

impl RateGroup {
    /// The parameters whose names start with `prefix` train at `factor` times the rate.
    pub fn new(prefix: impl Into<String>, factor: f64) -> Self {
        Self {
            prefix: prefix.into(),
            factor,
        }
    }

    /// Whether a parameter belongs to the group.
    pub fn matches(&self, name: &str) -> bool {
        name.strip_prefix(self.prefix.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_takes_whole_parts() {
        let group = RateGroup::new("backbone.stem", 0.1);
        assert!(group.matches("backbone.stem.weight"));
        assert!(group.matches("backbone.stem"));
        assert!(!group.matches("backbone.stem2.weight"));
        assert!(!group.matches("head.backbone.stem.weight"));
    }
}
