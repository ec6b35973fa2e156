use decoupled_seg_datasets::SegmentationDataset;

use crate::checkpoint::{CheckpointState, TrainingImages};

/// What a run is validated by, as its checkpoints keep it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Judges {
    pub images: Option<TrainingImages>,
    /// Fingerprint of the labels.
    pub labels: Option<u64>,
}

impl Judges {
    /// Those of a data set. Reads the files of the labels.
    pub fn of(validation: &dyn SegmentationDataset) -> Self {
        Self {
            images: Some(TrainingImages::of(validation)),
            // Labels that cannot be read are named when the network is judged by them.
            labels: validation.fingerprint().ok().flatten(),
        }
    }

    /// Those by which a run was validated until it was saved.
    pub fn of_checkpoint(state: &CheckpointState) -> Self {
        Self {
            images: state.validation,
            labels: state.validation_labels,
        }
    }

    /// What a run that goes on with others is told, if both are known: its best checkpoint is chosen by scores.
    pub fn warning(self, before: Self) -> Option<String> {
        let images = before.images.is_some() && before.images != self.images;
        let labels = before.labels.zip(self.labels);
        let others = match labels.is_some_and(|(before, now)| before != now) {
            _ if images => "on other pictures",
            true => "with other labels",
            false => return None,
        };
        Some(format!(
            "warning: until now the run was validated {others}; its best checkpoint is chosen among scores that do not compare"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judges(count: usize, names: u32, labels: Option<u64>) -> Judges {
        Judges {
            images: Some(TrainingImages { count, names }),
            labels,
        }
    }

    #[test]
    fn other_pictures_and_other_labels_are_told() {
        let before = judges(8, 3, Some(5));
        let told = |now: Judges| {
            let warning = now.warning(before)?;
            let (_, rest) = warning.split_once("was validated ").expect("of the past");
            Some(rest.split(';').next().expect("a part").to_string())
        };
        let pictures = Some("on other pictures".to_string());
        assert_eq!(told(before), None);
        assert_eq!(told(judges(8, 4, Some(6))), pictures);
        assert_eq!(told(judges(9, 3, Some(5))), pictures);
        assert_eq!(told(Judges::default()), pictures, "on none");
        let labels = told(judges(8, 3, Some(6)));
        assert_eq!(labels.as_deref(), Some("with other labels"));
        assert_eq!(told(judges(8, 3, None)), None, "not known");
    }

    #[test]
    fn old_checkpoints_say_nothing() {
        let now = judges(8, 3, Some(5));
        assert_eq!(now.warning(Judges::default()), None);
        let no_labels = judges(8, 3, None);
        assert_eq!(now.warning(no_labels), None);
    }
}
