use std::path::PathBuf;
use std::sync::Arc;

use decoupled_seg_datasets::loader::Sampling;
use decoupled_seg_datasets::sampling::{CentroidIndex, ClassUniform};
use decoupled_seg_datasets::{DatasetError, SegmentationDataset};

use super::Progress;
use crate::recipe::ClassUniformRecipe;

/// The sampling that a recipe asks for: reads where the classes are in all labels of `dataset`, or finds it in one of
/// `folders`, and says which. Extra items that the recipe does not tell are those of the data set.
pub(super) fn class_uniform(
    recipe: &ClassUniformRecipe,
    dataset: &dyn SegmentationDataset,
    folders: &[PathBuf],
    progress: Progress,
) -> Result<Arc<dyn Sampling>, DatasetError> {
    let images = dataset.len();
    let counter = progress.count("class index", images);
    let read = CentroidIndex::cached(dataset, recipe.tile, folders, |done, _| counter.at(done));
    counter.finish();
    let (index, state) = read?;
    progress.note(&format!("class index of {images} images: {state}"));

    let mut draw = recipe.draw.clone();
    draw.extra_from = draw.extra_from.or(dataset.extra_from());
    match (draw.extra_from, draw.extra_classes.is_empty()) {
        (None, false) => progress.note("class-uniform sampling: the data set has no extra images to draw"),
        (Some(first), true) => progress.note(&format!(
            "class-uniform sampling: the {} extra images are not drawn; `class_uniform.draw.extra_classes` is empty",
            images.saturating_sub(first)
        )),
        _ => {}
    }
    Ok(Arc::new(ClassUniform::new(Arc::new(index), draw)))
}

#[cfg(test)]
mod tests {
    use decoupled_seg_datasets::sampling::ClassUniformConfig;
    use decoupled_seg_datasets::{CamVid, Size, Split};
    use decoupled_seg_synthetic::{SyntheticConfig, write_camvid};

    use super::*;

    #[test]
    fn extra_items_are_those_of_the_data_set() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let config = SyntheticConfig {
            train: 20,
            val: 4,
            test: 1,
            size: Size::new(24, 32),
            seed: 0,
        };
        write_camvid(root.path(), &config).expect("writable");
        let open = |split| CamVid::open(root.path(), split).expect("a whole layout");
        let dataset = open(Split::Train).chain_extra(open(Split::Val));
        let recipe = ClassUniformRecipe {
            draw: ClassUniformConfig {
                fraction: 1.0,
                ..ClassUniformConfig::default()
            },
            ..ClassUniformRecipe::new(1024)
        };
        let drawn = |recipe: &ClassUniformRecipe, epoch| {
            let sampling =
                class_uniform(recipe, &dataset, &[], Progress::Silent).expect("readable");
            assert!(sampling.len() <= 20, "extra items make no epoch longer");
            let picks = sampling.epoch(0, epoch);
            picks.iter().filter(|pick| pick.index >= 20).count()
        };
        assert_eq!(drawn(&recipe, 0), 0);
        // Roads and buildings are everywhere.
        let boosted = recipe.with_extra([1, 3], 30);
        assert!((0..30).map(|epoch| drawn(&boosted, epoch)).sum::<usize>() > 0);
        assert_eq!(drawn(&boosted, 30), 0);
    }
}
