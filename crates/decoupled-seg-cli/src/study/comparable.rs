//! What keeps runs from being compared.

use std::collections::BTreeMap;

use decoupled_seg::engine::{CheckpointState, Recipe, TrainingImages};
use serde_json::{Map, Value};

/// What decides how a run ends but its seed.
pub(super) struct Kind {
    settings: Value,
    images: [Option<TrainingImages>; 2],
}

impl Kind {
    /// `scale` is that of the training images, if they were resized.
    pub fn of(state: &CheckpointState, scale: Option<f64>) -> Self {
        let mut recipe = state.recipe.clone();
        recipe.seed = 0;
        Self {
            settings: serde_json::json!([recipe, state.network, state.classes, scale]),
            images: [state.images, state.validation],
        }
    }

    /// Whether runs of both kinds differ in nothing but their seeds. Old checkpoints do not know their pictures.
    pub fn is_as(&self, other: &Self) -> bool {
        let mut pictures = self.images.iter().zip(&other.images);
        let same = pictures.all(|(one, two)| one == two || one.is_none() || two.is_none());
        same && self.settings == other.settings
    }
}

/// A run and what its best checkpoint says.
pub(super) struct Run {
    pub folder: String,
    pub state: CheckpointState,
    /// The scale of the training images, if they were resized.
    pub scale: Option<f64>,
}

/// In what runs differ that makes their scores those of different things, with the runs' names.
pub(super) fn warnings(runs: &[Run]) -> Vec<String> {
    let judged = groups(runs, |state| {
        let images = state.validation?;
        let most = state.recipe.validation.max_images;
        Some((images, most.unwrap_or(images.count).min(images.count)))
    });
    let judged = told(&judged, |(images, seen)| match images.count {
        all if all == *seen => Some(format!("{all} pictures")),
        all => Some(format!("{seen} of {all} pictures")),
    });
    let protocols = groups(runs, |state| Some(protocol(&state.recipe)));
    let apart = apart(protocols.iter().map(|(protocol, _)| protocol));
    let protocols = told(&protocols, |protocol| {
        let values = apart.iter().map(|key| format!("{key} = {}", protocol[key]));
        Some(values.collect::<Vec<_>>().join(", "))
    });
    let classes = groups(runs, |state| Some(state.classes.names().join(", ")));
    let classes = told(&classes, |names| {
        let mut first = names.split(", ");
        let shown: Vec<&str> = first.by_ref().take(4).collect();
        let more = if first.next().is_some() { ", …" } else { "" };
        Some(format!("{}{more}", shown.join(", ")))
    });
    // Other pictures have other labels, and other classes too.
    let alike = judged.is_none() && classes.is_none();
    let labels = groups(runs, |state| state.validation_labels.filter(|_| alike));
    let labels = told(&labels, |_| None);
    let trained = groups(runs, |state| state.images);
    let trained = told(&trained, |images| {
        Some(format!("{} pictures", images.count))
    });
    let seeds = twice(runs);
    let with = |groups: Option<String>, begin: &str, end: &str| {
        groups.map(|groups| format!("{begin}: {groups}. {end}"))
    };
    [
        with(
            judged,
            "these runs are validated on different pictures",
            "Their scores do not compare.",
        ),
        with(
            labels,
            "these runs are validated with different labels",
            "Their scores do not compare; `eval` judges them alike.",
        ),
        with(
            protocols,
            "these runs are validated by different protocols",
            "Their scores do not compare; `eval` judges them alike.",
        ),
        with(
            classes,
            "these runs have different classes",
            "Their scores do not compare.",
        ),
        with(
            trained,
            "these runs are trained on different pictures",
            "A difference may come from these.",
        ),
        with(
            seeds,
            "these runs have the same settings, pictures and seed",
            "What differs between them is not the spread of seeds.",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The runs by what they have, where that is known.
fn groups<T: PartialEq>(
    runs: &[Run],
    of: impl Fn(&CheckpointState) -> Option<T>,
) -> Vec<(T, Vec<&str>)> {
    let mut groups: Vec<(T, Vec<&str>)> = Vec::new();
    for run in runs {
        let Some(value) = of(&run.state) else {
            continue;
        };
        match groups.iter_mut().find(|(other, _)| *other == value) {
            Some((_, names)) => names.push(&run.folder),
            None => groups.push((value, vec![&run.folder])),
        }
    }
    groups
}

/// The groups in words, if there are several.
fn told<T>(groups: &[(T, Vec<&str>)], describe: impl Fn(&T) -> Option<String>) -> Option<String> {
    let texts = groups.iter().map(|(value, names)| {
        let value = describe(value).map(|value| format!(" ({value})"));
        quoted(names) + &value.unwrap_or_default()
    });
    (groups.len() > 1).then(|| texts.collect::<Vec<_>>().join("; "))
}

fn quoted(names: &[&str]) -> String {
    let names = names.iter().map(|name| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

/// How images are judged, without what changes the time alone.
fn protocol(recipe: &Recipe) -> Map<String, Value> {
    let validation = recipe.validation.clone().without_time();
    let validation = serde_json::to_value(validation).expect("a recipe is plain data");
    let mut whole = Map::new();
    for (key, value) in validation.as_object().expect("a table") {
        match value {
            Value::Object(inner) if key == "protocol" => whole.extend(inner.clone()),
            value => drop(whole.insert(key.clone(), value.clone())),
        }
    }
    // Told with the pictures.
    whole.remove("max_images");
    whole
}

/// The keys whose values are not all the same.
fn apart<'a>(protocols: impl Iterator<Item = &'a Map<String, Value>>) -> Vec<String> {
    let mut values: BTreeMap<&String, Vec<&Value>> = BTreeMap::new();
    for (key, value) in protocols.flatten() {
        let values = values.entry(key).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let several = values.into_iter().filter(|(_, values)| values.len() > 1);
    several.map(|(key, _)| key.clone()).collect()
}

/// Runs that should be one.
fn twice(runs: &[Run]) -> Option<String> {
    let kinds: Vec<Kind> = runs
        .iter()
        .map(|run| Kind::of(&run.state, run.scale))
        .collect();
    let mut texts = Vec::new();
    for (second, run) in runs.iter().enumerate() {
        let same = |&first: &usize| {
            runs[first].state.recipe.seed == run.state.recipe.seed
                && kinds[first].is_as(&kinds[second])
        };
        if let Some(first) = (0..second).find(same) {
            texts.push(quoted(&[&runs[first].folder, &run.folder]));
        }
    }
    (!texts.is_empty()).then(|| texts.join("; "))
}

#[cfg(test)]
mod tests {
    use decoupled_seg::datasets::{CamVid, Cityscapes, ClassTable};
    use decoupled_seg::engine::{Position, RecipePreset};
    use serde_json::json;

    use super::*;

    fn run(folder: &str, seed: u64, classes: ClassTable, more: Value) -> Run {
        let mut recipe = RecipePreset::Paper.recipe();
        recipe.seed = seed;
        let mut state = json!({
            "format": 1,
            "position": Position::default(),
            "recipe": recipe,
            "classes": classes,
            "images": {"count": 20, "names": 7},
            "validation": {"count": 8, "names": 9},
            "validation_labels": 5,
            "parameters": {},
            "files": {},
        });
        for (path, value) in more.as_object().expect("pointers") {
            *state.pointer_mut(path).expect("there") = value.clone();
        }
        Run {
            folder: folder.to_string(),
            state: serde_json::from_value(state).expect("a state"),
            scale: None,
        }
    }

    fn said(more: Value) -> Vec<String> {
        warnings(&[
            run("a1", 1, CamVid::classes(), json!({})),
            run("a2", 2, CamVid::classes(), json!({})),
            run("b1", 1, CamVid::classes(), more),
        ])
    }

    #[test]
    fn runs_that_differ_in_settings_or_seeds_are_compared_without_a_word() {
        assert_eq!(said(json!({"/recipe/epochs": 3})), [""; 0]);
        assert_eq!(said(json!({"/recipe/seed": 3})), [""; 0]);
        // Takes another time only.
        let batch = json!({"/recipe/validation/protocol/tile_batch": 3, "/recipe/seed": 3});
        assert_eq!(said(batch), [""; 0]);
        // A checkpoint of before they were noted.
        let old = json!({"/validation": null, "/validation_labels": null, "/images": null, "/recipe/seed": 3});
        assert_eq!(said(old), [""; 0]);
    }

    #[test]
    fn runs_of_other_pictures_protocols_and_classes_are_named() {
        assert_eq!(
            said(json!({"/validation/count": 4})),
            [
                "these runs are validated on different pictures: `a1`, `a2` (8 pictures); `b1` (4 pictures). Their scores do \
                 not compare."
            ]
        );
        let labels = said(json!({"/validation_labels": 6, "/recipe/seed": 3}));
        assert_eq!(
            labels,
            [
                "these runs are validated with different labels: `a1`, `a2`; `b1`. Their scores do not compare; `eval` judges \
                 them alike."
            ]
        );
        // As many, others.
        let others = said(json!({"/validation/names": 1}));
        assert!(others[0].contains("`b1` (8 pictures)"), "{others:?}");
        let part = said(json!({"/recipe/validation/max_images": 1}));
        assert!(part[0].contains("`b1` (1 of 8 pictures)"), "{part:?}");
        assert_eq!(part.len(), 1);
        // More than there are is all.
        let all = json!({"/recipe/validation/max_images": 8, "/recipe/seed": 3});
        assert_eq!(said(all), [""; 0]);
        let flipped = said(json!({"/recipe/validation/protocol/flip": true}));
        assert_eq!(
            flipped,
            [
                "these runs are validated by different protocols: `a1`, `a2` (flip = false); `b1` (flip = true). Their \
                 scores do not compare; `eval` judges them alike."
            ]
        );
        let trained = said(json!({"/images/count": 19}));
        assert_eq!(trained.len(), 1);
        assert!(
            trained[0].contains("trained on different pictures"),
            "{trained:?}"
        );
        assert!(trained[0].contains("`b1` (19 pictures)"), "{trained:?}");
        let classes = warnings(&[
            run("a", 1, CamVid::classes(), json!({})),
            run("b", 1, Cityscapes::classes(), json!({})),
        ]);
        assert_eq!(classes.len(), 1);
        assert!(
            classes[0].contains("`b` (road, sidewalk, building, wall, …)"),
            "{classes:?}"
        );
    }

    #[test]
    fn one_training_made_twice_is_no_spread_of_seeds() {
        let twice = said(json!({}));
        assert_eq!(twice.len(), 1);
        assert!(twice[0].contains("and seed: `a1`, `b1`."), "{twice:?}");
    }
}
