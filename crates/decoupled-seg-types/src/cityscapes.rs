use crate::IGNORE_LABEL;

/// A label of Cityscapes, as its files and benchmark define it.
///
/// Source: Cordts et al., CVPR 2016, section 2, and the benchmark's published label definition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CityscapesLabel {
    /// The value in `*_labelIds.png`; -1 occurs in polygons only.
    pub id: i16,
    /// The class index in training and in `*_labelTrainIds.png`; [`IGNORE_LABEL`] for labels that are neither trained
    /// nor evaluated.
    pub train_id: u8,
    /// The name.
    pub name: &'static str,
    /// The group that the benchmark scores together, an index into [`CITYSCAPES_CATEGORIES`].
    pub category: usize,
    /// Mean size of its objects in the training set, in pixels; `None` for a label without single objects.
    pub average_instance_size: Option<f64>,
    /// The colour in pictures: red, green, blue.
    pub color: [u8; 3],
}

impl CityscapesLabel {
    /// Whether instance files tell single objects of this label apart.
    pub const fn has_instances(&self) -> bool {
        self.average_instance_size.is_some()
    }

    /// Whether the benchmark scores this label.
    pub const fn is_evaluated(&self) -> bool {
        self.train_id != IGNORE_LABEL
    }

    /// The name of its [`category`](Self::category).
    pub const fn category_name(&self) -> &'static str {
        CITYSCAPES_CATEGORIES[self.category]
    }
}

/// The groups of labels of Cityscapes; the first one is not evaluated.
pub const CITYSCAPES_CATEGORIES: [&str; 8] = [
    "void",
    "flat",
    "construction",
    "object",
    "nature",
    "sky",
    "human",
    "vehicle",
];

const fn label(
    id: i16,
    train_id: u8,
    name: &'static str,
    category: usize,
    average_instance_size: Option<f64>,
    color: [u8; 3],
) -> CityscapesLabel {
    CityscapesLabel {
        id,
        train_id,
        name,
        category,
        average_instance_size,
        color,
    }
}

const VOID: usize = 0;
const FLAT: usize = 1;
const CONSTRUCTION: usize = 2;
const OBJECT: usize = 3;
const NATURE: usize = 4;
const SKY: usize = 5;
const HUMAN: usize = 6;
const VEHICLE: usize = 7;

/// All labels of Cityscapes by id, with the license plate (-1) at the end. KITTI's semantic labels use the same ids.
#[rustfmt::skip]
pub const CITYSCAPES_LABELS: [CityscapesLabel; 35] = [
    label(0, IGNORE_LABEL, "unlabeled", VOID, None, [0, 0, 0]),
    label(1, IGNORE_LABEL, "ego vehicle", VOID, None, [0, 0, 0]),
    label(2, IGNORE_LABEL, "rectification border", VOID, None, [0, 0, 0]),
    label(3, IGNORE_LABEL, "out of roi", VOID, None, [0, 0, 0]),
    label(4, IGNORE_LABEL, "static", VOID, None, [0, 0, 0]),
    label(5, IGNORE_LABEL, "dynamic", VOID, None, [111, 74, 0]),
    label(6, IGNORE_LABEL, "ground", VOID, None, [81, 0, 81]),
    label(7, 0, "road", FLAT, None, [128, 64, 128]),
    label(8, 1, "sidewalk", FLAT, None, [244, 35, 232]),
    label(9, IGNORE_LABEL, "parking", FLAT, None, [250, 170, 160]),
    label(10, IGNORE_LABEL, "rail track", FLAT, None, [230, 150, 140]),
    label(11, 2, "building", CONSTRUCTION, None, [70, 70, 70]),
    label(12, 3, "wall", CONSTRUCTION, None, [102, 102, 156]),
    label(13, 4, "fence", CONSTRUCTION, None, [190, 153, 153]),
    label(14, IGNORE_LABEL, "guard rail", CONSTRUCTION, None, [180, 165, 180]),
    label(15, IGNORE_LABEL, "bridge", CONSTRUCTION, None, [150, 100, 100]),
    label(16, IGNORE_LABEL, "tunnel", CONSTRUCTION, None, [150, 120, 90]),
    label(17, 5, "pole", OBJECT, None, [153, 153, 153]),
    label(18, IGNORE_LABEL, "polegroup", OBJECT, None, [153, 153, 153]),
    label(19, 6, "traffic light", OBJECT, None, [250, 170, 30]),
    label(20, 7, "traffic sign", OBJECT, None, [220, 220, 0]),
    label(21, 8, "vegetation", NATURE, None, [107, 142, 35]),
    label(22, 9, "terrain", NATURE, None, [152, 251, 152]),
    label(23, 10, "sky", SKY, None, [70, 130, 180]),
    label(24, 11, "person", HUMAN, Some(3462.4756337644), [220, 20, 60]),
    label(25, 12, "rider", HUMAN, Some(3930.4788056518), [255, 0, 0]),
    label(26, 13, "car", VEHICLE, Some(12794.0202738185), [0, 0, 142]),
    label(27, 14, "truck", VEHICLE, Some(27855.1264367816), [0, 0, 70]),
    label(28, 15, "bus", VEHICLE, Some(35732.1511111111), [0, 60, 100]),
    label(29, IGNORE_LABEL, "caravan", VEHICLE, Some(36771.8241758242), [0, 0, 90]),
    label(30, IGNORE_LABEL, "trailer", VEHICLE, Some(16926.9763133609), [0, 0, 110]),
    label(31, 16, "train", VEHICLE, Some(67583.7075812274), [0, 80, 100]),
    label(32, 17, "motorcycle", VEHICLE, Some(6298.7200839748), [0, 0, 230]),
    label(33, 18, "bicycle", VEHICLE, Some(4672.3249222261), [119, 11, 32]),
    label(-1, IGNORE_LABEL, "license plate", VEHICLE, None, [0, 0, 142]),
];

/// The cities of Cityscapes' fine training images.
pub const CITYSCAPES_TRAIN_CITIES: [&str; 18] = [
    "aachen",
    "bochum",
    "bremen",
    "cologne",
    "darmstadt",
    "dusseldorf",
    "erfurt",
    "hamburg",
    "hanover",
    "jena",
    "krefeld",
    "monchengladbach",
    "strasbourg",
    "stuttgart",
    "tubingen",
    "ulm",
    "weimar",
    "zurich",
];

/// The cities of Cityscapes' validation images.
pub const CITYSCAPES_VAL_CITIES: [&str; 3] = ["frankfurt", "lindau", "munster"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_order_and_train_ids_complete() {
        for (id, label) in (0..).zip(&CITYSCAPES_LABELS[..34]) {
            assert_eq!(label.id, id);
        }
        let evaluated = CITYSCAPES_LABELS.iter().filter(|it| it.is_evaluated());
        let ids: Vec<u8> = evaluated.map(|label| label.train_id).collect();
        assert_eq!(ids, (0..19).collect::<Vec<u8>>());
    }

    #[test]
    fn ten_labels_have_instances() {
        let with_instances: Vec<&str> = CITYSCAPES_LABELS
            .iter()
            .filter(|label| label.has_instances())
            .map(|label| label.name)
            .collect();
        assert_eq!(with_instances.len(), 10);
        assert_eq!(CITYSCAPES_LABELS[26].category_name(), "vehicle");
    }
}
