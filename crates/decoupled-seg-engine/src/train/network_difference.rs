use serde_json::Value;

/// Where two descriptions of a network differ.
#[derive(Debug, PartialEq)]
pub(super) struct NetworkDifference {
    /// The first key that differs, with those above it: `network.align_corners`.
    pub key: String,
    /// What the run says there.
    pub run: String,
    /// What the network to go on with says there.
    pub new: String,
}

impl NetworkDifference {
    /// The first difference between the description in a checkpoint and the one of the network to go on with. Without one of
    /// the two there is nothing to compare. A key that the run does not know may be one of a later version, so that it is no
    /// difference.
    pub fn find(run: &Value, new: &Value) -> Option<Self> {
        if run.is_null() || new.is_null() {
            return None;
        }
        // The run's was read from a file, and serde_json reads some numbers of 17 digits not quite as they were written.
        let text = serde_json::to_string(new).expect("a description is plain data");
        let new = serde_json::from_str(&text).expect("just written");
        Self::at("network".to_string(), run, &new)
    }

    fn at(key: String, run: &Value, new: &Value) -> Option<Self> {
        match (run, new) {
            (Value::Object(ours), Value::Object(theirs)) => {
                let is_lost = |&(name, value): &(&String, &Value)| {
                    !theirs.contains_key(name) && !value.is_null()
                };
                if ours.iter().any(|pair| is_lost(&pair)) {
                    return Some(Self::between(key, run, new));
                }
                ours.iter().find_map(|(name, value)| {
                    Self::at(format!("{key}.{name}"), value, theirs.get(name)?)
                })
            }
            (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
                let pairs = ours.iter().zip(theirs).enumerate();
                let mut differences = pairs.filter_map(|(index, (run, new))| {
                    Self::at(format!("{key}[{index}]"), run, new)
                });
                differences.next()
            }
            _ if run == new => None,
            _ => Some(Self::between(key, run, new)),
        }
    }

    fn between(key: String, run: &Value, new: &Value) -> Self {
        Self {
            key,
            run: shown(run),
            new: shown(new),
        }
    }
}

/// A value as a message shows it: of a table the keys.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(table) => {
            let keys: Vec<&str> = table.keys().map(String::as_str).collect();
            keys.join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({ "corners": true, "stride": 8 }), json!({ "corners": true, "stride": 32 }), "network.stride: 8, 32")]
    #[case(json!({ "head": { "rates": [6, 12] } }), json!({ "head": { "rates": [6, 18] } }), "network.head.rates[1]: 12, 18")]
    #[case(json!({ "rates": [6] }), json!({ "rates": [6, 12] }), "network.rates: [6], [6,12]")]
    #[case(json!({ "head": { "aspp": { "a": 1 } } }), json!({ "head": { "pyramid": {} } }), "network.head: aspp, pyramid")]
    #[case(json!({ "head": "fcn" }), json!({ "head": { "aspp": {} } }), "network.head: \"fcn\", aspp")]
    #[case(json!({ "edge": { "fine": 48 } }), json!({ "edge": null }), "network.edge: fine, null")]
    fn the_first_difference_is_named(#[case] run: Value, #[case] new: Value, #[case] told: &str) {
        let found = NetworkDifference::find(&run, &new).expect("they differ");
        assert_eq!(format!("{}: {}, {}", found.key, found.run, found.new), told);
        assert_eq!(NetworkDifference::find(&run, &run), None);
    }

    #[rstest]
    // A later version has settings that the run's had not.
    #[case(json!({ "stride": 8 }), json!({ "stride": 8, "gates": null, "corners": true }))]
    #[case(json!({ "stride": 8, "gates": null }), json!({ "stride": 8 }))]
    // A run in Rust need not describe its network.
    #[case(Value::Null, json!({ "stride": 8 }))]
    #[case(json!({ "stride": 8 }), Value::Null)]
    fn what_cannot_be_compared_is_no_difference(#[case] run: Value, #[case] new: Value) {
        assert_eq!(NetworkDifference::find(&run, &new), None);
    }

    #[test]
    fn numbers_survive_the_file() {
        for i in 1..2_000 {
            let new = json!({ "rate": f64::from(i) * 1e-4 / 3.0 });
            let run = serde_json::from_str(&new.to_string()).expect("just written");
            assert_eq!(NetworkDifference::find(&run, &new), None, "{new}");
        }
    }
}
