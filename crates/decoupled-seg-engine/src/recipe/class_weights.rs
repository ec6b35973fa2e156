use decoupled_seg_datasets::{ClassFrequencies, DatasetError, SegmentationDataset};
use decoupled_seg_losses::ClassWeights;
use serde::{Deserialize, Serialize};

use super::values::refused;
use super::{Recipe, RecipeError};

/// Class weights that are taken from the training labels, so that rare classes
/// count as much as common ones. [`WeightedTerms`] says of which losses.
///
/// They are computed when a run begins and written into its recipe, as `fixed` weights of the losses; a resumed run takes
/// them from there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClassWeightsRecipe {
    /// [`ClassFrequencies::median_frequency_weights`].
    MedianFrequency,
    /// [`ClassFrequencies::enet_weights`].
    Enet {
        /// Bounds the weights; above 1. The paper's is 1.02.
        #[serde(default = "enet_offset")]
        offset: f64,
    },
}

/// Which losses [`ClassWeightsRecipe`] weighs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightedTerms {
    /// Those of the final map and of the auxiliary head.
    #[default]
    Segmentation,
    /// Those of the body and of the pixels on edges too. In the body's loss the weights are divided by their mean over the
    /// training pixels, so that its share in the sum stays.
    All,
}

fn enet_offset() -> f64 {
    1.02
}

impl ClassWeightsRecipe {
    /// ENet's, with the offset of its paper.
    pub fn enet() -> Self {
        Self::Enet {
            offset: enet_offset(),
        }
    }

    pub(super) fn validate(self) -> Result<(), RecipeError> {
        match self {
            Self::Enet { offset } if !(offset > 1.0 && offset.is_finite()) => {
                Err(refused("class_weights.offset", offset, "above 1"))
            }
            Self::Enet { .. } | Self::MedianFrequency => Ok(()),
        }
    }

    fn of(self, frequencies: &ClassFrequencies) -> Vec<f64> {
        match self {
            Self::MedianFrequency => frequencies.median_frequency_weights(),
            Self::Enet { offset } => frequencies.enet_weights(offset),
        }
    }
}

impl Recipe {
    /// The recipe with the class weights that it asks for, from the labels of `dataset`.
    pub(crate) fn with_weights_of(
        mut self,
        dataset: &dyn SegmentationDataset,
    ) -> Result<Self, DatasetError> {
        if let Some(recipe) = self.class_weights {
            let frequencies = ClassFrequencies::of(dataset)?;
            let weights = recipe.of(&frequencies);
            self.loss.segmentation.class_weights = fixed(&weights, 1.0);
            self.loss.auxiliary.class_weights = fixed(&weights, 1.0);
            if self.weighted_terms == WeightedTerms::All {
                self.loss.attention.class_weights = Some(fixed(&weights, 1.0));
                self.loss.body.class_weights = fixed(&weights, frequencies.mean_of(&weights));
            }
        }
        Ok(self)
    }

    /// The recipe with the class weights of the run that it goes on with, if both take them from the labels by one rule.
    pub(crate) fn with_weights_of_run(mut self, run: &Self) -> Self {
        let same =
            self.class_weights == run.class_weights && self.weighted_terms == run.weighted_terms;
        if self.class_weights.is_some() && same {
            let (mine, theirs) = (&mut self.loss, run.loss.clone());
            mine.segmentation.class_weights = theirs.segmentation.class_weights;
            mine.auxiliary.class_weights = theirs.auxiliary.class_weights;
            mine.body.class_weights = theirs.body.class_weights;
            mine.attention.class_weights = theirs.attention.class_weights;
        }
        self
    }
}

fn fixed(weights: &[f64], divisor: f64) -> ClassWeights {
    ClassWeights::Fixed(
        weights
            .iter()
            .map(|weight| (weight / divisor) as f32)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use decoupled_seg_datasets::{LabelMap, Size};
    use decoupled_seg_fixtures::{Group, default_folder};

    use super::*;

    /// Sums of a few hundred pixels in f64 on both sides, then f32.
    const TOLERANCE: f64 = 1e-6;

    #[test]
    fn weights_are_those_of_numpy() {
        let group = Group::open(&default_folder(), "training").expect("part of the repository");
        let [maps, height, width] = group.shape("class_weights/labels")[..] else {
            panic!("three axes");
        };
        let labels = group.i64("class_weights/labels");
        let labels: Vec<u8> = labels.into_iter().map(|label| label as u8).collect();
        let mut frequencies = ClassFrequencies::new(6);
        for map in labels.chunks(height * width) {
            frequencies.add(&LabelMap::new(Size::new(height, width), map.to_vec()));
        }
        assert_eq!(labels.len(), maps * height * width);
        for (recipe, name) in [
            (ClassWeightsRecipe::MedianFrequency, "median_frequency"),
            (ClassWeightsRecipe::enet(), "enet"),
        ] {
            let found = recipe.of(&frequencies);
            let expected = group.f64(&format!("class_weights/{name}"));
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                let difference = (*found - expected).abs();
                assert!(
                    difference <= TOLERANCE * expected,
                    "{name}: {found}, {expected}"
                );
            }
        }
    }

    #[test]
    fn files_name_the_rule() {
        let recipe = Recipe::from_toml("class_weights = { kind = \"enet\" }").expect("valid");
        assert_eq!(recipe.class_weights, Some(ClassWeightsRecipe::enet()));
        assert_eq!(
            Recipe::from_toml(&recipe.to_toml()).expect("its own"),
            recipe
        );
        let text = "class_weights = { kind = \"enet\", offset = 1.0 }";
        let error = Recipe::from_toml(text).expect_err("no bound").to_string();
        assert_eq!(error, "class_weights.offset: 1, expected above 1");
    }
}
