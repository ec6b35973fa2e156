use decoupled_seg_datasets::Size;
use decoupled_seg_datasets::augment::{Augmentation, Normalization, RandomScale, ResizeFilter};
use decoupled_seg_losses::{DecoupledLossConfig, TargetsOptions};
use serde::{Deserialize, Serialize};

use super::{
    AdamWRecipe, BatchNormMode, CheckpointRecipe, ClassUniformRecipe, ClassWeightsRecipe,
    EvaluationRecipe, OptimizerRecipe, Precision, Recipe, Schedule, SgdRecipe, WarmUpRecipe,
    WeightedTerms,
};

/// Recipes of the paper, of the authors' scripts and of PaddleSeg, and one of ours for small networks.
///
/// | preset | rate | decay | schedule | batch | crop | scales | epochs | by class, tile |
/// |---|---|---|---|---|---|---|---|---|
/// | `paper` | 0.01 | 5e-4 | per iteration, 0.9 | 8 | 832 | 0.75 to 2 | 175 | half, 1024 |
/// | `cityscapes_base` | 0.01 | 1e-4 | per epoch, 1 | 8 | 832 | 0.5 to 2 | 80 | half, 1024 |
/// | `cityscapes_decoupled` | 0.005 | 1e-4 | per epoch, 1 | 8 | 832 | 0.5 to 2 | 175 | half, 1024 |
/// | `cityscapes_wide` | 0.005 | 1e-4 | per epoch, 1 | 16 | 896 | 0.5 to 2 | 175 | half, 1024, coarse |
/// | `camvid` | 0.001 | 1e-4 | per epoch, 1 | 16 | 640 | 1 to 2 | 90 | half, 640 |
/// | `kitti` | 0.001 | 1e-4 | per epoch, 1 | 16 | 360 | 1 to 2 | 90 | half, 300 |
/// | `bdd100k` | 0.001 | 1e-4 | per epoch, 1 | 16 | 688 | 1 to 2 | 100 | half, 720 |
/// | `paddleseg` | 0.01 | 5e-4 | per iteration, 0.9 | 8 | 832 | 0.5 to 2 | 215 | no |
/// | `small` | 0.003 | 0.01, AdamW | cosine, 100 steps of warm-up | 8 | 256 | 0.75 to 1.5 | 60 | half, 256 |
///
/// The scripts train in two stages: `cityscapes_base` on the network without the module, then `cityscapes_decoupled` on
/// the network with it, started from the first one's weights
/// (`decoupled_seg_weights::load` with `LoadPolicy::Partial`). `camvid`, `kitti` and `bdd100k` start from a Cityscapes
/// network. Batches are those of all 8 GPUs of the scripts together. Their schedule runs one epoch ahead
/// ([`Schedule::PolyPerEpoch`]). The loss is [`DecoupledLossConfig::new`] in all but `paper` and `paddleseg`: the
/// terms and factors of the scripts without the slips of their code, whose loss grows with the square of the batch. With them:
/// `recipe.loss = DecoupledLossConfig::official()`.
///
/// "By class" is the share of each epoch that is drawn by class, and the tile of the index ([`ClassUniformRecipe`]). The
/// paper says that its baselines have it (Table 1(a): 75.4 without, 76.6 with), not how much; `paper` takes the figures of
/// the scripts. The script of the first stage for DeepLabV3+ has it off, that for FCN, `cityscapes_base`, on.
/// `cityscapes_wide` draws seven rare classes from coarsely labelled images too, up to epoch 150, where the data set has
/// such images as extra items ([`SegmentationDataset::extra_from`](decoupled_seg_datasets::SegmentationDataset::extra_from));
/// its script trains on fold 2, which holds the official validation cities.
///
/// `small` also weighs rare classes up, as ENet does ([`ClassWeightsRecipe::Enet`]). On CamVid at half size, a ResNet-18 an
/// eighth as wide with an FCN head had a mean IoU of 54.9 with its optimizer, schedule and weights, and 48.3 with SGD at 0.05,
/// 30 epochs each, three seeds (`studies/camvid/small_adam.toml`, `small.toml`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipePreset {
    /// Section 4.1 of the paper. It names no loss mining, so there is none.
    Paper,
    /// First stage of the authors' Cityscapes scripts: the network without the module.
    CityscapesBase,
    /// Second stage: the network with the module, from the first stage's weights.
    CityscapesDecoupled,
    /// Second stage for the wide ResNet-38.
    CityscapesWide,
    /// The authors' CamVid scripts. They train on train and validation images and choose on test.
    Camvid,
    /// The authors' KITTI scripts.
    Kitti,
    /// The authors' BDD100K script for the wide ResNet-38.
    #[serde(rename = "bdd100k")]
    Bdd100k,
    /// PaddleSeg's configuration for 832x832 crops; its 80 000 iterations are 215 epochs of Cityscapes.
    Paddleseg,
    /// For networks of up to a few million parameters that start from nothing. Ours.
    Small,
}

impl RecipePreset {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Paper,
        Self::CityscapesBase,
        Self::CityscapesDecoupled,
        Self::CityscapesWide,
        Self::Camvid,
        Self::Kitti,
        Self::Bdd100k,
        Self::Paddleseg,
        Self::Small,
    ];

    /// What a recipe's file calls it: `cityscapes_base`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::CityscapesBase => "cityscapes_base",
            Self::CityscapesDecoupled => "cityscapes_decoupled",
            Self::CityscapesWide => "cityscapes_wide",
            Self::Camvid => "camvid",
            Self::Kitti => "kitti",
            Self::Bdd100k => "bdd100k",
            Self::Paddleseg => "paddleseg",
            Self::Small => "small",
        }
    }

    /// The preset of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// The recipe.
    pub fn recipe(self) -> Recipe {
        match self {
            Self::Paper => paper(),
            Self::CityscapesBase => script(0.01, 8, 832, [0.5, 2.0], 80, 1024),
            Self::CityscapesDecoupled => script(0.005, 8, 832, [0.5, 2.0], 175, 1024),
            Self::CityscapesWide => Recipe {
                class_uniform: Some(ClassUniformRecipe::new(1024).with_extra(COARSE_BOOST, 150)),
                ..script(0.005, 16, 896, [0.5, 2.0], 175, 1024)
            },
            Self::Camvid => script(0.001, 16, 640, [1.0, 2.0], 90, 640),
            Self::Kitti => script(0.001, 16, 360, [1.0, 2.0], 90, 300),
            Self::Bdd100k => script(0.001, 16, 688, [1.0, 2.0], 100, 720),
            Self::Paddleseg => paddleseg(),
            Self::Small => small(),
        }
    }
}

/// Truck, bus, train, wall, rider, motorcycle and fence of Cityscapes.
const COARSE_BOOST: [u8; 7] = [14, 15, 16, 3, 12, 17, 4];

fn paper() -> Recipe {
    Recipe {
        seed: 0,
        epochs: 175,
        batch: 8,
        accumulate: 1,
        optimizer: OptimizerRecipe::default(),
        schedule: Schedule::Poly { power: 0.9 },
        warm_up: None,
        rate_groups: Vec::new(),
        clip_norm: None,
        batch_norm: BatchNormMode::Train,
        precision: Precision::Full,
        ema: None,
        augmentation: Augmentation::paper(Size::square(832)),
        class_uniform: Some(ClassUniformRecipe::new(1024)),
        normalization: Normalization::default(),
        loss: DecoupledLossConfig::paper(),
        class_weights: None,
        weighted_terms: WeightedTerms::Segmentation,
        targets: TargetsOptions::paper(),
        validate_every: 1,
        validation: EvaluationRecipe::default(),
        patience: None,
        checkpoints: CheckpointRecipe::default(),
        log_every: 10,
        workers: 2,
    }
}

fn script(
    rate: f64,
    batch: usize,
    crop: usize,
    scales: [f64; 2],
    epochs: usize,
    tile: usize,
) -> Recipe {
    let [min, max] = scales;
    Recipe {
        epochs,
        batch,
        optimizer: SgdRecipe {
            learning_rate: rate,
            weight_decay: 1e-4,
            ..SgdRecipe::default()
        }
        .into(),
        schedule: Schedule::PolyPerEpoch {
            power: 1.0,
            epoch_offset: 1,
        },
        augmentation: Augmentation::official(Size::square(crop))
            .with_scale(Some(RandomScale::new(min, max))),
        class_uniform: Some(ClassUniformRecipe::new(tile)),
        loss: DecoupledLossConfig::new(),
        targets: TargetsOptions::official(),
        ..paper()
    }
}

fn paddleseg() -> Recipe {
    Recipe {
        epochs: 215,
        augmentation: Augmentation {
            scale: Some(RandomScale {
                filter: ResizeFilter::Bilinear,
                ..RandomScale::new(0.5, 2.0)
            }),
            fill: [127; 3],
            ..Augmentation::paper(Size::square(832))
        },
        class_uniform: None,
        normalization: Normalization::half(),
        loss: DecoupledLossConfig::paddleseg(),
        targets: TargetsOptions::paddleseg(),
        ..paper()
    }
}

fn small() -> Recipe {
    Recipe {
        epochs: 60,
        optimizer: AdamWRecipe {
            learning_rate: 0.003,
            ..AdamWRecipe::default()
        }
        .into(),
        schedule: Schedule::Cosine { floor: 0.0 },
        warm_up: Some(WarmUpRecipe::new(100)),
        class_weights: Some(ClassWeightsRecipe::enet()),
        augmentation: Augmentation::default()
            .with_scale(Some(RandomScale::new(0.75, 1.5)))
            .with_crop(Some(Size::square(256)))
            .with_flip(0.5),
        class_uniform: Some(ClassUniformRecipe::new(256)),
        loss: DecoupledLossConfig::new(),
        ..paper()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_presets_can_be_trained_with_and_written() {
        for preset in RecipePreset::ALL {
            let recipe = preset.recipe();
            recipe.validate().expect("presets are valid");
            let file = format!("preset = \"{}\"", preset.name());
            assert_eq!(Recipe::from_toml(&file).expect("its name"), recipe);
            assert_eq!(RecipePreset::from_name(preset.name()), Some(preset));
            let text = recipe.to_toml();
            assert_eq!(Recipe::from_toml(&text).expect("written by us"), recipe);
            let text = serde_json::to_string(&recipe).expect("plain data");
            assert_eq!(Recipe::from_json(&text).expect("written by us"), recipe);
        }
    }

    #[test]
    fn all_but_paddleseg_draw_half_by_class_and_one_boosts_coarse_ones() {
        for preset in RecipePreset::ALL {
            let rule = preset.recipe().class_uniform;
            assert_eq!(
                rule.is_none(),
                preset == RecipePreset::Paddleseg,
                "{preset:?}"
            );
            let Some(rule) = rule else { continue };
            assert_eq!(rule.draw.fraction, 0.5, "{preset:?}");
            let boost = (rule.draw.extra_classes.len(), rule.draw.extra_until);
            let expected = match preset {
                RecipePreset::CityscapesWide => (7, Some(150)),
                _ => (0, None),
            };
            assert_eq!(boost, expected, "{preset:?}");
        }
        let names = decoupled_seg_datasets::Cityscapes::classes();
        let boosted = COARSE_BOOST.map(|class| names.classes[usize::from(class)].name.as_str());
        let expected = [
            "truck",
            "bus",
            "train",
            "wall",
            "rider",
            "motorcycle",
            "fence",
        ];
        assert_eq!(boosted, expected);
    }

    #[test]
    fn a_file_names_its_preset() {
        let recipe = Recipe::from_toml("preset = \"cityscapes_base\"\nbatch = 2").expect("valid");
        let base = RecipePreset::CityscapesBase.recipe();
        assert_eq!(recipe, Recipe { batch: 2, ..base });
    }
}
