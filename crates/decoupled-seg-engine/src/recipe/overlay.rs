//! Recipes in layers: a preset, a file over it, single values over that.
//!
//! What a layer does not name keeps its value from the layer below, at any depth, whether or not the type behind it has
//! defaults of its own (configs derived by Burn have none when read).

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::RecipeError;

/// The key by which a table says which choice of an enum it is.
const KIND: &str = "kind";

/// Lays `over` on `base`, key by key and at any depth, and reads the result.
///
/// ```
/// use decoupled_seg_engine::{Protocol, overlay};
/// use serde_json::json;
///
/// let changed = overlay(&Protocol::default(), json!({"flip": true}))?;
/// assert_eq!(changed, Protocol { flip: true, ..Protocol::default() });
/// # Ok::<(), decoupled_seg_engine::RecipeError>(())
/// ```
///
/// # Errors
///
/// Returns an error at a key that the result does not have, and where a value is of the wrong kind.
pub fn overlay<T: Serialize + DeserializeOwned>(base: &T, over: Value) -> Result<T, RecipeError> {
    let mut value = serde_json::to_value(base).expect("recipes are plain data");
    check_keys(&over, &value, &mut Vec::new())?;
    merge(&mut value, over.clone());
    let result: T = read(&value).map_err(|(path, error)| {
        RecipeError::value_of(culprit::<T>(&value, path, &error).join("."))(error)
    })?;
    // Once more on what is new in the result: types that skip what they do not know would hide a misspelt key.
    let known = serde_json::to_value(&result).expect("recipes are plain data");
    check_keys(&over, &known, &mut Vec::new())?;
    Ok(result)
}

/// Reads a recipe. An error comes with the keys that lead to it.
fn read<T: DeserializeOwned>(value: &Value) -> Result<T, (Vec<String>, serde_json::Error)> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        // A single dot stands for the whole.
        let keys = path.split('.').filter(|key| !key.is_empty());
        (keys.map(str::to_string).collect(), error.into_inner())
    })
}

/// The keys that lead to the value behind an error. Where enums say by `kind` which they are, serde reads all of their fields
/// at once and names none; the one without which the error is another is to blame.
fn culprit<T: DeserializeOwned>(
    value: &Value,
    mut path: Vec<String>,
    error: &serde_json::Error,
) -> Vec<String> {
    let (first, error) = (path.clone(), error.to_string());
    // What is not there has no key to blame.
    if error.starts_with("missing field") {
        return path;
    }
    while let Some(Value::Object(table)) = value.pointer(&pointer(&path))
        && table.contains_key(KIND)
    {
        let is_to_blame = |key: &&String| {
            let mut rest = value.clone();
            if let Some(Value::Object(table)) = rest.pointer_mut(&pointer(&path)) {
                table.remove(*key);
            }
            match read::<T>(&rest) {
                Ok(_) => true,
                Err((path, other)) => path != first || other.to_string() != error,
            }
        };
        // Without a kind nothing can be read.
        match table.keys().filter(|&key| key != KIND).find(is_to_blame) {
            Some(key) => path.push(key.clone()),
            None => break,
        }
    }
    path
}

fn pointer(path: &[String]) -> String {
    path.iter().map(|key| format!("/{key}")).collect()
}

fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) if same_variant(base, &over) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(slot) => merge(slot, value),
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (base, over) => *base = over,
    }
}

/// Whether the fields of `over` are laid over those of `base`: not where they are two choices of an enum.
fn same_variant(base: &Map<String, Value>, over: &Map<String, Value>) -> bool {
    if let (Some(base), Some(over)) = (base.get(KIND), over.get(KIND)) {
        return base == over;
    }
    // `{"threshold": {..}}` beside `{"hardest": {..}}`: enums as serde writes them by default, one key each.
    base.len() != 1 || over.len() != 1 || base.keys().eq(over.keys())
}

fn check_keys(over: &Value, known: &Value, path: &mut Vec<String>) -> Result<(), RecipeError> {
    let (Value::Object(over), Value::Object(known)) = (over, known) else {
        return Ok(());
    };
    if !same_variant(known, over) {
        return Ok(());
    }
    for (key, value) in over {
        path.push(key.clone());
        match known.get(key) {
            Some(known) => check_keys(value, known, path)?,
            None => {
                return Err(RecipeError::UnknownKey {
                    path: None,
                    key: path.join("."),
                    expected: known.keys().cloned().collect(),
                });
            }
        }
        path.pop();
    }
    Ok(())
}

/// The keys that have a value in `base` and none in `value`, as dotted paths.
pub(super) fn emptied<T: Serialize>(value: &T, base: &T) -> Vec<String> {
    let plain = |recipe| serde_json::to_value(recipe).expect("recipes are plain data");
    let mut keys = Vec::new();
    collect_emptied(&plain(value), &plain(base), &mut Vec::new(), &mut keys);
    keys
}

fn collect_emptied(value: &Value, base: &Value, path: &mut Vec<String>, keys: &mut Vec<String>) {
    match (value, base) {
        (Value::Null, base) if !base.is_null() => keys.push(path.join(".")),
        (Value::Object(value), Value::Object(base)) if same_variant(base, value) => {
            for (key, value) in value {
                path.push(key.clone());
                collect_emptied(value, base.get(key).unwrap_or(&Value::Null), path, keys);
                path.pop();
            }
        }
        _ => {}
    }
}

/// `a.b.c` and a value, as an object in an object in an object.
pub(super) fn nested(key: &str, value: Value) -> Value {
    key.split('.').rev().fold(value, |value, part| {
        Value::Object(Map::from_iter([(part.to_string(), value)]))
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Config {
        a: usize,
        inner: Inner,
        choice: Choice,
        maybe: Option<usize>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inner {
        x: f64,
        y: f64,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Choice {
        Off,
        One { p: f64, q: f64 },
        Two { r: f64 },
    }

    fn base() -> Config {
        Config {
            a: 1,
            inner: Inner { x: 2.0, y: 3.0 },
            choice: Choice::One { p: 4.0, q: 5.0 },
            maybe: Some(6),
        }
    }

    #[test]
    fn what_is_not_named_stays() {
        let over = json!({"inner": {"y": 30.0}, "choice": {"one": {"q": 50.0}}});
        let result = overlay(&base(), over).expect("known keys");
        assert_eq!(result.inner, Inner { x: 2.0, y: 30.0 });
        assert_eq!(result.choice, Choice::One { p: 4.0, q: 50.0 });
        assert_eq!((result.a, result.maybe), (1, Some(6)));
    }

    #[test]
    fn another_variant_replaces_the_old_one() {
        let result = overlay(
            &base(),
            json!({"choice": {"two": {"r": 1.0}}, "maybe": null}),
        );
        let result = result.expect("known keys");
        assert_eq!(
            (result.choice, result.maybe),
            (Choice::Two { r: 1.0 }, None)
        );
        let result = overlay(&base(), json!({"choice": "off"})).expect("known keys");
        assert_eq!(result.choice, Choice::Off);
    }

    #[test]
    fn emptied_keys_are_found() {
        let empty = Config {
            maybe: None,
            ..base()
        };
        assert_eq!(emptied(&empty, &base()), ["maybe"]);
        assert_eq!(emptied(&base(), &empty), [""; 0]);
        let laid = overlay(&base(), nested("maybe", Value::Null)).expect("a known key");
        assert_eq!(laid, empty);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_path() {
        let error = overlay(&base(), json!({"inner": {"z": 1.0}})).expect_err("no such key");
        assert_eq!(
            error.to_string(),
            "unknown key `inner.z`, expected one of x, y"
        );
    }

    #[test]
    fn dotted_keys_nest() {
        assert_eq!(nested("a.b", json!(1)), json!({"a": {"b": 1}}));
    }
}
