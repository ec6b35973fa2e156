use decoupled_seg_types::{CITYSCAPES_LABELS, CityscapesLabel};

use crate::{Class, ClassTable};

/// The 19 classes that are trained and scored, by train id.
pub(super) fn train_classes() -> ClassTable {
    let mut trained: Vec<_> = CITYSCAPES_LABELS
        .iter()
        .filter(|label| label.is_evaluated())
        .collect();
    trained.sort_by_key(|label| label.train_id);
    let class = |label: &CityscapesLabel| {
        Class::new(label.name, label.color)
            .with_id(u8::try_from(label.id).expect("trained labels have ids from 7 to 33"))
            .with_category(label.category_name())
            .with_instances(label.has_instances())
    };
    ClassTable::new(trained.into_iter().map(class).collect())
}

/// What each value of an id file stands for.
pub(super) fn id_pairs() -> impl Iterator<Item = (u8, u8)> {
    CITYSCAPES_LABELS
        .iter()
        .filter_map(|label| Some((u8::try_from(label.id).ok()?, label.train_id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_in_the_order_of_their_ids() {
        let ids: Vec<u8> = train_classes()
            .classes
            .iter()
            .filter_map(|class| class.id)
            .collect();
        assert_eq!(
            ids,
            [
                7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33
            ]
        );
        assert_eq!(id_pairs().count(), 34);
    }

    #[test]
    fn categories_of_the_benchmark() {
        let table = train_classes();
        let categories = table.categories();
        let names: Vec<&str> = categories.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            [
                "flat",
                "construction",
                "object",
                "nature",
                "sky",
                "human",
                "vehicle"
            ]
        );
        assert_eq!(categories[2].1, [5, 6, 7]);
        assert_eq!(categories[6].1, [13, 14, 15, 16, 17, 18]);
        assert_eq!(
            table
                .classes
                .iter()
                .filter(|class| class.has_instances)
                .count(),
            8
        );
    }
}
