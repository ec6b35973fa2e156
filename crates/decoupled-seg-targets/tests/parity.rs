//! Targets against the golden fixtures, bit for bit.

use decoupled_seg_fixtures::{Group, group};
use decoupled_seg_targets::{
    EdgeSource, IGNORE_LABEL, LabelView, Size, TargetsOptions, class_edges, edge_map, relaxed_map,
};

struct Case {
    name: String,
    size: Size,
    labels: Vec<u8>,
    num_classes: usize,
    ignore: u8,
    options: TargetsOptions,
}

impl Case {
    fn labels(&self) -> LabelView<'_> {
        LabelView::new(self.size, &self.labels)
    }

    fn options(&self, edge_source: EdgeSource, edge_radius: usize) -> TargetsOptions {
        TargetsOptions {
            edge_source,
            edge_radius,
            ..self.options.clone()
        }
    }
}

fn cases(group: &Group) -> Vec<Case> {
    let case = |record: &serde_json::Value| {
        let name = record["case"].as_str().expect("a name").to_string();
        let number = |key: &str| record[key].as_u64().expect("a number");
        let ignore = number("ignore") as u8;
        let shape = group.shape(&format!("{name}/labels"));
        let data = group.u8(&format!("{name}/labels"));
        let labels = data
            .into_iter()
            .map(|label| if label == ignore { IGNORE_LABEL } else { label })
            .collect();
        let strict = record["strict_classes"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        Case {
            size: Size::new(shape[0], shape[1]),
            labels,
            num_classes: number("classes") as usize,
            ignore,
            options: TargetsOptions {
                border: number("border") as usize,
                strict_classes: strict
                    .iter()
                    .map(|class| class.as_u64().expect("a class") as u8)
                    .collect(),
                border_off: record["border_off"].as_bool().expect("a flag"),
                ..TargetsOptions::official()
            },
            name,
        }
    };
    group.cases().iter().map(case).collect()
}

#[track_caller]
fn assert_exact(group: &Group, name: &str, actual: &[u8]) {
    let actual: Vec<f32> = actual.iter().map(|&value| f32::from(value)).collect();
    group.assert_close(name, &actual);
}

#[test]
fn relaxed_labels_equal_the_reference() {
    let Some(group) = group("targets") else {
        return;
    };
    for case in cases(&group) {
        let name = &case.name;
        let relaxed = relaxed_map(case.labels(), case.num_classes, &case.options);
        assert_exact(&group, &format!("{name}/multihot"), &relaxed.multi_hot());
        let recovered: Vec<u8> = relaxed
            .recovered_labels()
            .into_iter()
            .map(|label| {
                if label == IGNORE_LABEL {
                    case.ignore
                } else {
                    label
                }
            })
            .collect();
        assert_exact(&group, &format!("{name}/recovered_labels"), &recovered);
    }
}

#[test]
fn edges_equal_the_reference() {
    let Some(group) = group("targets") else {
        return;
    };
    for case in cases(&group) {
        let (name, labels, classes) = (&case.name, case.labels(), case.num_classes);
        for (kind, source) in [
            ("relaxed", EdgeSource::Relaxed),
            ("plain", EdgeSource::Labels),
        ] {
            let mut found = 0;
            for radius in 1..10 {
                let options = case.options(source, radius);
                let union = format!("{name}/edges_{kind}_r{radius}");
                if group.has(&union) {
                    assert_exact(&group, &union, &edge_map(labels, classes, &options));
                    found += 1;
                }
                let each = format!("{name}/class_edges_{kind}_r{radius}");
                if group.has(&each) {
                    assert_exact(&group, &each, &class_edges(labels, classes, &options));
                    found += 1;
                }
            }
            assert!(found > 0, "{name}: no {kind} edges in the set");
        }
    }
}

#[test]
fn the_false_corner_of_the_reference_is_the_only_difference() {
    let Some(group) = group("targets") else {
        return;
    };
    for case in cases(&group) {
        let name = &case.name;
        let golden = group.u8(&format!("{name}/edges_relaxed_r3_reference"));
        let options = case.options(EdgeSource::Relaxed, 3);
        let edges = edge_map(case.labels(), case.num_classes, &options);
        for (at, (golden, edge)) in golden.into_iter().zip(edges).enumerate() {
            assert!(
                golden == edge || at < 2 && golden > edge,
                "{name}[{at}]: {edge}, reference {golden}"
            );
        }
    }
}
