//! Checks of single numbers.

use super::RecipeError;

pub(super) fn refused(field: &'static str, found: f64, expected: &'static str) -> RecipeError {
    RecipeError::Value {
        field,
        found: found.to_string(),
        expected,
    }
}

pub(super) fn refuse_unless_above_zero(field: &'static str, value: f64) -> Result<(), RecipeError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(refused(field, value, "above 0"))
}

/// Refuses numbers that no machine could hold to.
pub(super) fn refuse_above(
    field: &'static str,
    value: usize,
    (most, expected): (usize, &'static str),
) -> Result<(), RecipeError> {
    match value > most {
        true => Err(RecipeError::Value {
            field,
            found: value.to_string(),
            expected,
        }),
        false => Ok(()),
    }
}

/// At least 0 and below 1.
pub(super) fn refuse_unless_share(field: &'static str, value: f64) -> Result<(), RecipeError> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(refused(field, value, "at least 0 and below 1"))
}
