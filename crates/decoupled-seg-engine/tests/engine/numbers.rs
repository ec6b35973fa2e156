//! No number in the file of a recipe makes it panic: it is refused, or a run can begin with it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use decoupled_seg_engine::{Recipe, RecipePreset, SchedulePoint};
use serde_json::{Value, json};

/// The pointers to all numbers.
fn numbers(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(_) => found.push(at.to_string()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                numbers(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(entries) => {
            for (key, item) in entries {
                numbers(item, &format!("{at}/{key}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Does with a recipe what a run begins with. Returns whether it was not refused.
fn begin(text: &str) -> bool {
    let Ok(recipe) = Recipe::from_json(text) else {
        return false;
    };
    recipe.loss.init();
    for (step, epoch) in [(0, 0), (7, 3), (20, 5)] {
        recipe.learning_rate(SchedulePoint {
            step,
            total_steps: 20,
            epoch,
            epochs: 5,
        });
    }
    assert_eq!(
        Recipe::from_toml(&recipe.to_toml()).expect("it was written by a recipe"),
        recipe
    );
    true
}

#[test]
fn no_number_of_a_recipe_makes_it_panic() {
    let (mut panicked, mut begun, mut refused) = (Vec::new(), 0, 0);
    for preset in RecipePreset::ALL {
        let whole = serde_json::to_value(preset.recipe()).expect("plain data");
        let mut places = Vec::new();
        numbers(&whole, "", &mut places);
        for place in &places {
            let others = match whole.pointer(place) {
                Some(Value::Number(number)) if number.is_f64() => {
                    json!([0.0, 1.0, -1.0, 1e6, 1e300])
                }
                // The largest integer of TOML.
                _ => json!([0, 1, 1_000_000, i64::MAX]),
            };
            for other in others.as_array().expect("a list") {
                let mut changed = whole.clone();
                *changed.pointer_mut(place).expect("found") = other.clone();
                match catch_unwind(AssertUnwindSafe(|| begin(&changed.to_string()))) {
                    Ok(true) => begun += 1,
                    Ok(false) => refused += 1,
                    Err(_) => panicked.push(format!("{}: {place} = {other}", preset.name())),
                }
            }
        }
    }
    assert!(panicked.is_empty(), "panics: {panicked:#?}");
    assert!(
        begun > 100 && refused > 100,
        "{begun} begun, {refused} refused"
    );
}
