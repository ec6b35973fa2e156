//! Targets against the golden fixtures, bit for bit.

use decoupled_seg_datasets::targets::{
    EdgeOptions, EdgeSource, RelaxOptions, class_edges, edge_map, relaxed_labels,
};
use decoupled_seg_datasets::{IGNORE, LabelMap};
use decoupled_seg_fixtures::{Group, group};

struct Case {
    name: String,
    labels: LabelMap,
    num_classes: usize,
    ignore: u8,
    relax: RelaxOptions,
}

fn cases(group: &Group) -> Vec<Case> {
    let case = |record: &serde_json::Value| {
        let name = record["case"].as_str().expect("a name").to_string();
        let number = |key: &str| record[key].as_u64().expect("a number");
        let ignore = number("ignore") as u8;
        let shape = group.shape(&format!("{name}/labels"));
        let data = group.u8(&format!("{name}/labels"));
        let data = data
            .into_iter()
            .map(|label| if label == ignore { IGNORE } else { label })
            .collect();
        let strict = record["strict_classes"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        Case {
            labels: LabelMap::new(shape[1], shape[0], data),
            num_classes: number("classes") as usize,
            ignore,
            relax: RelaxOptions {
                border: number("border") as usize,
                strict_classes: strict
                    .iter()
                    .map(|class| class.as_u64().expect("a class") as u8)
                    .collect(),
                border_off: record["border_off"].as_bool().expect("a flag"),
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
    for Case {
        name,
        labels,
        num_classes,
        ignore,
        relax,
    } in cases(&group)
    {
        let relaxed = relaxed_labels(&labels, num_classes, &relax);
        assert_exact(&group, &format!("{name}/multihot"), &relaxed.multi_hot());
        let recovered = relaxed.recovered_labels().data;
        let recovered: Vec<u8> = recovered
            .into_iter()
            .map(|label| if label == IGNORE { ignore } else { label })
            .collect();
        assert_exact(&group, &format!("{name}/recovered_labels"), &recovered);
    }
}

#[test]
fn edges_equal_the_reference() {
    let Some(group) = group("targets") else {
        return;
    };
    for Case {
        name,
        labels,
        num_classes,
        relax,
        ..
    } in cases(&group)
    {
        for (kind, source) in [
            ("relaxed", EdgeSource::Relaxed(relax.clone())),
            ("plain", EdgeSource::Plain),
        ] {
            let mut found = 0;
            for radius in 1..10 {
                let options = EdgeOptions::official()
                    .with_radius(radius)
                    .with_source(source.clone());
                let union = format!("{name}/edges_{kind}_r{radius}");
                if group.has(&union) {
                    assert_exact(&group, &union, &edge_map(&labels, num_classes, &options));
                    found += 1;
                }
                let each = format!("{name}/class_edges_{kind}_r{radius}");
                if group.has(&each) {
                    assert_exact(&group, &each, &class_edges(&labels, num_classes, &options));
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
    for Case {
        name,
        labels,
        num_classes,
        relax,
        ..
    } in cases(&group)
    {
        let golden = group.u8(&format!("{name}/edges_relaxed_r3_reference"));
        let source = EdgeSource::Relaxed(relax);
        let edges = edge_map(
            &labels,
            num_classes,
            &EdgeOptions::official().with_radius(3).with_source(source),
        );
        for (at, (golden, edge)) in golden.into_iter().zip(edges).enumerate() {
            assert!(
                golden == edge || at < 2 && golden > edge,
                "{name}[{at}]: {edge}, reference {golden}"
            );
        }
    }
}
