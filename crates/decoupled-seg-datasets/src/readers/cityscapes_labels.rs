use crate::{Class, ClassTable, IGNORE_LABEL};

/// A label of Cityscapes, as its files and benchmark define it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CityscapesLabel {
    /// The value in `*_labelIds.png`; -1 occurs in polygons only.
    pub id: i16,
    /// The class index in training and in `*_labelTrainIds.png`; [`IGNORE_LABEL`] for labels without one.
    pub train_id: u8,
    /// The name.
    pub name: &'static str,
    /// The group that the benchmark scores together.
    pub category: &'static str,
    /// Number of that group.
    pub category_id: u8,
    /// Whether single objects are told apart.
    pub has_instances: bool,
    /// The colour in pictures.
    pub color: [u8; 3],
}

const fn label(
    id: i16,
    train_id: u8,
    name: &'static str,
    (category, category_id): (&'static str, u8),
    has_instances: bool,
    color: [u8; 3],
) -> CityscapesLabel {
    CityscapesLabel {
        id,
        train_id,
        name,
        category,
        category_id,
        has_instances,
        color,
    }
}

const VOID: (&str, u8) = ("void", 0);
const FLAT: (&str, u8) = ("flat", 1);
const CONSTRUCTION: (&str, u8) = ("construction", 2);
const OBJECT: (&str, u8) = ("object", 3);
const NATURE: (&str, u8) = ("nature", 4);
const SKY: (&str, u8) = ("sky", 5);
const HUMAN: (&str, u8) = ("human", 6);
const VEHICLE: (&str, u8) = ("vehicle", 7);

/// All labels of Cityscapes, by id; the license plate (-1) last. KITTI's semantic labels use the same ids.
pub const CITYSCAPES_LABELS: [CityscapesLabel; 35] = [
    label(0, IGNORE_LABEL, "unlabeled", VOID, false, [0, 0, 0]),
    label(1, IGNORE_LABEL, "ego vehicle", VOID, false, [0, 0, 0]),
    label(
        2,
        IGNORE_LABEL,
        "rectification border",
        VOID,
        false,
        [0, 0, 0],
    ),
    label(3, IGNORE_LABEL, "out of roi", VOID, false, [0, 0, 0]),
    label(4, IGNORE_LABEL, "static", VOID, false, [0, 0, 0]),
    label(5, IGNORE_LABEL, "dynamic", VOID, false, [111, 74, 0]),
    label(6, IGNORE_LABEL, "ground", VOID, false, [81, 0, 81]),
    label(7, 0, "road", FLAT, false, [128, 64, 128]),
    label(8, 1, "sidewalk", FLAT, false, [244, 35, 232]),
    label(9, IGNORE_LABEL, "parking", FLAT, false, [250, 170, 160]),
    label(10, IGNORE_LABEL, "rail track", FLAT, false, [230, 150, 140]),
    label(11, 2, "building", CONSTRUCTION, false, [70, 70, 70]),
    label(12, 3, "wall", CONSTRUCTION, false, [102, 102, 156]),
    label(13, 4, "fence", CONSTRUCTION, false, [190, 153, 153]),
    label(
        14,
        IGNORE_LABEL,
        "guard rail",
        CONSTRUCTION,
        false,
        [180, 165, 180],
    ),
    label(
        15,
        IGNORE_LABEL,
        "bridge",
        CONSTRUCTION,
        false,
        [150, 100, 100],
    ),
    label(
        16,
        IGNORE_LABEL,
        "tunnel",
        CONSTRUCTION,
        false,
        [150, 120, 90],
    ),
    label(17, 5, "pole", OBJECT, false, [153, 153, 153]),
    label(
        18,
        IGNORE_LABEL,
        "polegroup",
        OBJECT,
        false,
        [153, 153, 153],
    ),
    label(19, 6, "traffic light", OBJECT, false, [250, 170, 30]),
    label(20, 7, "traffic sign", OBJECT, false, [220, 220, 0]),
    label(21, 8, "vegetation", NATURE, false, [107, 142, 35]),
    label(22, 9, "terrain", NATURE, false, [152, 251, 152]),
    label(23, 10, "sky", SKY, false, [70, 130, 180]),
    label(24, 11, "person", HUMAN, true, [220, 20, 60]),
    label(25, 12, "rider", HUMAN, true, [255, 0, 0]),
    label(26, 13, "car", VEHICLE, true, [0, 0, 142]),
    label(27, 14, "truck", VEHICLE, true, [0, 0, 70]),
    label(28, 15, "bus", VEHICLE, true, [0, 60, 100]),
    label(29, IGNORE_LABEL, "caravan", VEHICLE, true, [0, 0, 90]),
    label(30, IGNORE_LABEL, "trailer", VEHICLE, true, [0, 0, 110]),
    label(31, 16, "train", VEHICLE, true, [0, 80, 100]),
    label(32, 17, "motorcycle", VEHICLE, true, [0, 0, 230]),
    label(33, 18, "bicycle", VEHICLE, true, [119, 11, 32]),
    label(
        -1,
        IGNORE_LABEL,
        "license plate",
        VEHICLE,
        false,
        [0, 0, 142],
    ),
];

/// The 19 classes that are trained and scored, by train id.
pub(super) fn train_classes() -> ClassTable {
    let mut trained: Vec<_> = CITYSCAPES_LABELS
        .iter()
        .filter(|label| label.train_id != IGNORE_LABEL)
        .collect();
    trained.sort_by_key(|label| label.train_id);
    let class = |label: &CityscapesLabel| {
        Class::new(label.name, label.color)
            .with_id(u8::try_from(label.id).expect("trained labels have ids from 7 to 33"))
            .with_category(label.category)
            .with_instances(label.has_instances)
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
    fn ids_are_in_order_and_train_ids_complete() {
        for (id, label) in (0..).zip(&CITYSCAPES_LABELS[..34]) {
            assert_eq!(label.id, id);
        }
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
