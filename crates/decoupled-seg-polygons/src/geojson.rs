use serde_json::{Value, json};

use crate::{LabelPolygon, Ring};

/// Makes a GeoJSON `FeatureCollection` with one `Polygon` for each region. A polygon has the properties `label`,
/// `class` and `area` (in pixels). Coordinates are pixels, x to the right and y down. Regions whose label `name_of`
/// does not know are left out.
pub fn to_geojson(polygons: &[LabelPolygon], name_of: impl Fn(u8) -> Option<String>) -> Value {
    let features: Vec<Value> = polygons
        .iter()
        .filter_map(|polygon| {
            let class = name_of(polygon.label)?;
            let rings: Vec<Value> = [&polygon.exterior]
                .into_iter()
                .chain(&polygon.holes)
                .map(closed)
                .collect();
            Some(json!({
                "type": "Feature",
                "properties": { "label": polygon.label, "class": class, "area": polygon.area },
                "geometry": { "type": "Polygon", "coordinates": rings },
            }))
        })
        .collect();
    json!({ "type": "FeatureCollection", "features": features })
}

/// RFC 7946: the last position is the first one, and the outer line has a positive area.
fn closed(ring: &Ring) -> Value {
    let corners = ring.iter().chain(ring.first());
    corners.map(|&[x, y]| json!([x, y])).collect()
}

#[cfg(test)]
mod tests {
    use decoupled_seg_types::Size;

    use super::*;
    use crate::trace;

    #[test]
    fn a_region_is_a_feature_and_unknown_labels_are_left_out() {
        let polygons = trace(&[3, 255], Size::new(1, 2));
        let found = to_geojson(&polygons, |label| (label == 3).then(|| "road".to_string()));
        let expected = json!({
            "type": "FeatureCollection",
            "features": [{
                "type": "Feature",
                "properties": { "label": 3, "class": "road", "area": 1 },
                "geometry": { "type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]] },
            }],
        });
        assert_eq!(found, expected);
    }
}
