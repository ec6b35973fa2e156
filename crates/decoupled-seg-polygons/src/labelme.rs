use decoupled_seg_types::Size;
use serde_json::{Value, json};

use crate::LabelPolygon;
use crate::trace::double_area;

/// LabelMe's name for ignored pixels.
const IGNORE: &str = "__ignore__";

/// Makes the annotation file of LabelMe 5 for the picture `picture`, a path relative to the file.
///
/// LabelMe has no holes, but draws a later shape over an earlier one. So regions are sorted by the area inside their
/// outer lines, the largest first, and a region that lies in a hole is drawn over the hole. Regions whose label
/// `name_of` does not know are called `__ignore__`.
pub fn to_labelme(
    polygons: &[LabelPolygon],
    size: Size,
    picture: &str,
    name_of: impl Fn(u8) -> Option<String>,
) -> Value {
    let mut sorted: Vec<&LabelPolygon> = polygons.iter().collect();
    sorted.sort_by_key(|polygon| std::cmp::Reverse(double_area(&polygon.exterior)));
    let shapes: Vec<Value> = sorted
        .into_iter()
        .map(|polygon| {
            json!({
                "label": name_of(polygon.label).unwrap_or_else(|| IGNORE.to_string()),
                "points": polygon.exterior,
                "group_id": null,
                "shape_type": "polygon",
                "flags": {},
            })
        })
        .collect();
    json!({
        "version": "5.0.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": picture,
        "imageData": null,
        "imageHeight": size.height,
        "imageWidth": size.width,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::trace;
    use crate::trace::tests::encloses;

    proptest! {
        #[test]
        fn shapes_drawn_one_over_the_other_give_the_map(
            (size, labels) in (1_usize..9, 1_usize..9).prop_flat_map(|(height, width)| {
                (Just(Size::new(height, width)), prop::collection::vec(0_u8..3, height * width))
            })
        ) {
            let file = to_labelme(&trace(&labels, size), size, "a.png", |label| {
                (label > 0).then(|| label.to_string())
            });
            let mut drawn = vec![9; size.pixels()];
            for shape in file["shapes"].as_array().expect("shapes") {
                let label = match shape["label"].as_str().expect("a name") {
                    IGNORE => 0,
                    name => name.parse().expect("a number"),
                };
                let ring = serde_json::from_value(shape["points"].clone()).expect("corners");
                for (pixel, drawn) in drawn.iter_mut().enumerate() {
                    if encloses(&ring, pixel / size.width, pixel % size.width) {
                        *drawn = label;
                    }
                }
            }
            prop_assert_eq!(drawn, labels);
        }
    }
}
