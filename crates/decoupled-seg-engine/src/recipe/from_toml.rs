use serde_json::Value;

use super::RecipeError;

/// Reads TOML as JSON values. JSON has no number for NaN or infinity, which would silently become `null`: no value.
pub(super) fn value(text: &str) -> Result<Value, RecipeError> {
    let wrong = |source| RecipeError::Toml {
        path: None,
        source: Box::new(source),
    };
    let table: toml::Table = toml::from_str(text).map_err(wrong)?;
    for (key, value) in &table {
        check(key, value)?;
    }
    toml::from_str(text).map_err(wrong)
}

fn check(key: &str, value: &toml::Value) -> Result<(), RecipeError> {
    match value {
        toml::Value::Float(number) if !number.is_finite() => Err(RecipeError::NotFinite {
            path: None,
            key: key.to_string(),
            found: *number,
        }),
        toml::Value::Array(values) => values.iter().try_for_each(|value| check(key, value)),
        toml::Value::Table(table) => table
            .iter()
            .try_for_each(|(inner, value)| check(&format!("{key}.{inner}"), value)),
        _ => Ok(()),
    }
}
