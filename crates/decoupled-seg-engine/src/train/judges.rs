use std::collections::HashSet;

use decoupled_seg_datasets::SegmentationDataset;

use crate::checkpoint::{CheckpointState, TrainingImages};
use crate::recipe::EvaluationRecipe;

/// What a run is validated by, as its checkpoints keep it.
#[derive(Debug, Clone, Default)]
pub(super) struct Judges {
    pub images: Option<TrainingImages>,
    /// Fingerprint of the labels.
    pub labels: Option<u64>,
    /// How they judge.
    pub by: Option<EvaluationRecipe>,
}

impl Judges {
    /// Those of a data set. Reads the files of the labels.
    pub fn of(validation: &dyn SegmentationDataset, recipe: &EvaluationRecipe) -> Self {
        Self {
            images: Some(TrainingImages::of(validation)),
            // Labels that cannot be read are named when the network is judged by them.
            labels: validation.fingerprint().ok().flatten(),
            by: Some(recipe.clone().without_time()),
        }
    }

    /// Those by which a run was validated until it was saved.
    pub fn of_checkpoint(state: &CheckpointState) -> Self {
        Self {
            images: state.validation,
            labels: state.validation_labels,
            by: Some(state.recipe.validation.clone().without_time()),
        }
    }

    /// What a run is told that is judged by what it is trained on, as far as that is known without reading images.
    pub fn overlap(
        train: &dyn SegmentationDataset,
        validation: &dyn SegmentationDataset,
    ) -> Option<String> {
        let keys = |dataset: &dyn SegmentationDataset| -> Vec<Option<u64>> {
            let indices = 0..dataset.len();
            indices.map(|index| dataset.picture_key(index)).collect()
        };
        let trained: HashSet<u64> = keys(train).into_iter().flatten().collect();
        let is_trained = |key: &Option<u64>| key.is_some_and(|key| trained.contains(&key));
        let judges = keys(validation);
        let count = judges.iter().filter(|key| is_trained(key)).count();
        let first = validation.name(judges.iter().position(is_trained)?);
        Some(format!(
            "warning: {count} of the {} images to validate on are trained on, such as `{first}`: scores say little of others",
            judges.len()
        ))
    }

    /// What a run that goes on with others is told, if both are known: its best checkpoint is chosen by scores.
    pub fn warning(&self, before: &Self) -> Option<String> {
        // Without validation nothing was chosen.
        before.images?;
        let labels = before.labels.zip(self.labels);
        let others = if before.images != self.images {
            "on other pictures"
        } else if labels.is_some_and(|(before, now)| before != now) {
            "with other labels"
        } else if before.by != self.by {
            "by another protocol"
        } else {
            return None;
        };
        Some(format!(
            "warning: until now the run was validated {others}; its best checkpoint is chosen among scores that do not compare"
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use decoupled_seg_datasets::{CamVid, Size, Split, Subset};
    use decoupled_seg_synthetic::{SyntheticConfig, write_camvid};
    use image::{GrayImage, RgbImage};

    use super::*;

    fn judges(count: usize, names: u32, labels: Option<u64>) -> Judges {
        Judges {
            images: Some(TrainingImages { count, names }),
            labels,
            by: None,
        }
    }

    #[test]
    fn other_pictures_and_other_labels_are_told() {
        let before = judges(8, 3, Some(5));
        let told = |now: Judges| {
            let warning = now.warning(&before)?;
            let (_, rest) = warning.split_once("was validated ").expect("of the past");
            Some(rest.split(';').next().expect("a part").to_string())
        };
        let pictures = Some("on other pictures".to_string());
        assert_eq!(told(before.clone()), None);
        assert_eq!(told(judges(8, 4, Some(6))), pictures);
        assert_eq!(told(judges(9, 3, Some(5))), pictures);
        assert_eq!(told(Judges::default()), pictures, "on none");
        let labels = told(judges(8, 3, Some(6)));
        assert_eq!(labels.as_deref(), Some("with other labels"));
        assert_eq!(told(judges(8, 3, None)), None, "not known");
        let by = |change: fn(&mut EvaluationRecipe)| {
            let mut recipe = EvaluationRecipe::default();
            change(&mut recipe);
            let by = Some(recipe.without_time());
            Judges {
                by,
                ..before.clone()
            }
        };
        let now = by(|recipe| recipe.protocol.flip = true);
        let warning = now.warning(&by(|_| {})).expect("another protocol");
        assert!(
            warning.contains("validated by another protocol;"),
            "{warning}"
        );
        let now = by(|recipe| recipe.protocol.tile_batch += 1);
        assert_eq!(now.warning(&by(|_| {})), None, "the same, faster");
    }

    #[test]
    fn what_is_trained_on_is_no_judge() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let size = SyntheticConfig {
            train: 3,
            val: 2,
            test: 0,
            size: Size::new(16, 16),
            seed: 0,
        };
        write_camvid(root.path(), &size).expect("writable");
        let open = |split| CamVid::open(root.path(), split).expect("just written");
        let (train, val) = (open(Split::Train), open(Split::Val));
        assert_eq!(Judges::overlap(&train, &val), None);
        let told = Judges::overlap(&train, &train).expect("the same");
        assert!(told.contains("3 of the 3 images"), "{told}");
        let first = train.name(1);
        let one = Subset::by_name(open(Split::Train), |name| name == first);
        let told = Judges::overlap(&one, &train).expect("one of them");
        assert!(
            told.contains("1 of the 3 images to validate on are trained on, such as"),
            "{told}"
        );
    }

    /// Folds are often made of links to one store of pictures.
    #[cfg(unix)]
    #[test]
    fn links_to_what_is_trained_on_are_no_judges() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = |name: &str| root.path().join(name);
        for name in ["train", "trainannot", "val", "valannot"] {
            fs::create_dir(folder(name)).expect("writable");
        }
        for (name, link) in [("a", true), ("b", false)] {
            let file = format!("{name}.png");
            let (train, val) = (folder("train").join(&file), folder("val").join(&file));
            RgbImage::new(4, 4).save(&train).expect("writable");
            match link {
                true => std::os::unix::fs::symlink(train, val).expect("writable"),
                false => fs::hard_link(train, val).expect("writable"),
            }
            for annotations in ["trainannot", "valannot"] {
                let mask = GrayImage::new(4, 4);
                mask.save(folder(annotations).join(&file))
                    .expect("writable");
            }
        }
        let open = |split| CamVid::open(root.path(), split).expect("just written");
        let told = Judges::overlap(&open(Split::Train), &open(Split::Val)).expect("the same");
        assert!(told.contains("2 of the 2 images"), "{told}");
    }

    #[test]
    fn old_checkpoints_say_nothing() {
        let now = judges(8, 3, Some(5));
        assert_eq!(now.warning(&Judges::default()), None);
        let no_labels = judges(8, 3, None);
        assert_eq!(now.warning(&no_labels), None);
    }
}
