//! How long do the targets of a training crop take? Peer: `benches/peers/datasets.py targets`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use decoupled_seg_targets::{
    IGNORE_LABEL, LabelView, Size, TargetsOptions, class_edges, edge_map, relaxed_map, target_maps,
};

const SIDE: usize = 832;
const CLASSES: usize = 19;

/// A map of 400 cells, of 19 classes or ignored. The peer makes the same map.
fn labels() -> Vec<u8> {
    let cells: Vec<[i64; 2]> = (0..400)
        .map(|k: i64| [(k * 7919) % SIDE as i64, (k * 104_729) % SIDE as i64])
        .collect();
    let label = |at: usize| {
        let (x, y) = ((at % SIDE) as i64, (at / SIDE) as i64);
        let distance = |cell: &[i64; 2]| (cell[0] - x).pow(2) + (cell[1] - y).pow(2);
        let nearest = (0..cells.len())
            .min_by_key(|&k| distance(&cells[k]))
            .expect("400 cells");
        let class = nearest % (CLASSES + 1);
        if class == CLASSES {
            IGNORE_LABEL
        } else {
            class as u8
        }
    };
    (0..SIDE * SIDE).map(label).collect()
}

fn targets(criterion: &mut Criterion) {
    let labels = labels();
    let labels = LabelView::new(Size::square(SIDE), &labels);
    let size = format!("{CLASSES}x{SIDE}x{SIDE}");
    let plain = TargetsOptions::paddleseg();
    let official = TargetsOptions::official();

    // The peer prints the same counts.
    let count = |edges: &[u8]| edges.iter().filter(|&&edge| edge == 1).count();
    println!(
        "edge pixels: plain {}, official {}",
        count(&edge_map(labels, CLASSES, &plain)),
        count(&edge_map(labels, CLASSES, &official))
    );

    criterion.bench_function(&format!("edge_map/plain_r2/{size}"), |bencher| {
        bencher.iter(|| edge_map(black_box(labels), CLASSES, &plain));
    });
    criterion.bench_function(&format!("edge_map/default_r2/{size}"), |bencher| {
        bencher.iter(|| edge_map(black_box(labels), CLASSES, &TargetsOptions::paper()));
    });
    criterion.bench_function(&format!("edge_map/official_r2/{size}"), |bencher| {
        bencher.iter(|| edge_map(black_box(labels), CLASSES, &official));
    });
    criterion.bench_function(&format!("edge_map/plain_r8/{size}"), |bencher| {
        let options = TargetsOptions {
            edge_radius: 8,
            ..plain.clone()
        };
        bencher.iter(|| edge_map(black_box(labels), CLASSES, &options));
    });
    criterion.bench_function(&format!("class_edges/plain_r2/{size}"), |bencher| {
        bencher.iter(|| class_edges(black_box(labels), CLASSES, &plain));
    });
    criterion.bench_function(&format!("relaxed_map/sets/{size}"), |bencher| {
        bencher.iter(|| relaxed_map(black_box(labels), CLASSES, &official));
    });
    criterion.bench_function(&format!("relaxed_map/multi_hot/{size}"), |bencher| {
        bencher.iter(|| relaxed_map(black_box(labels), CLASSES, &official).multi_hot());
    });
    criterion.bench_function(&format!("target_maps/official_r2/{size}"), |bencher| {
        bencher.iter(|| target_maps(black_box(labels), CLASSES, &official));
    });
    criterion.bench_function(&format!("relaxed_map/recovered/{size}"), |bencher| {
        let relaxed = relaxed_map(labels, CLASSES, &official);
        bencher.iter(|| black_box(&relaxed).recovered_labels());
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = targets
}
criterion_main!(benches);
