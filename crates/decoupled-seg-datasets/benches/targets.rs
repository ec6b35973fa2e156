//! How long do the targets of a training crop take? Peer: `benches/peers/datasets.py targets`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use decoupled_seg_datasets::targets::{
    EdgeOptions, EdgeSource, RelaxOptions, class_edges, edge_map, relaxed_labels,
};
use decoupled_seg_datasets::{IGNORE, LabelMap};

const SIDE: usize = 832;
const CLASSES: usize = 19;

/// 400 cells of 19 classes and ignored ones; the peer makes the same.
fn labels() -> LabelMap {
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
            IGNORE
        } else {
            class as u8
        }
    };
    LabelMap::new(SIDE, SIDE, (0..SIDE * SIDE).map(label).collect())
}

fn targets(criterion: &mut Criterion) {
    let labels = labels();
    let size = format!("{CLASSES}x{SIDE}x{SIDE}");
    let plain = EdgeOptions::official().with_source(EdgeSource::Plain);
    let official = EdgeOptions::official();
    let relax = RelaxOptions::default();

    // The peer prints the same counts.
    let count = |edges: &[u8]| edges.iter().filter(|&&edge| edge == 1).count();
    println!(
        "edge pixels: plain {}, official {}",
        count(&edge_map(&labels, CLASSES, &plain)),
        { count(&edge_map(&labels, CLASSES, &official)) }
    );

    criterion.bench_function(&format!("edge_map/plain_r2/{size}"), |bencher| {
        bencher.iter(|| edge_map(black_box(&labels), CLASSES, &plain));
    });
    criterion.bench_function(&format!("edge_map/default_r2/{size}"), |bencher| {
        bencher.iter(|| edge_map(black_box(&labels), CLASSES, &EdgeOptions::default()));
    });
    criterion.bench_function(&format!("edge_map/official_r2/{size}"), |bencher| {
        bencher.iter(|| edge_map(black_box(&labels), CLASSES, &official));
    });
    criterion.bench_function(&format!("edge_map/plain_r8/{size}"), |bencher| {
        let options = plain.clone().with_radius(8);
        bencher.iter(|| edge_map(black_box(&labels), CLASSES, &options));
    });
    criterion.bench_function(&format!("class_edges/plain_r2/{size}"), |bencher| {
        bencher.iter(|| class_edges(black_box(&labels), CLASSES, &plain));
    });
    criterion.bench_function(&format!("relaxed_labels/sets/{size}"), |bencher| {
        bencher.iter(|| relaxed_labels(black_box(&labels), CLASSES, &relax));
    });
    criterion.bench_function(&format!("relaxed_labels/multi_hot/{size}"), |bencher| {
        bencher.iter(|| relaxed_labels(black_box(&labels), CLASSES, &relax).multi_hot());
    });
    criterion.bench_function(&format!("relaxed_labels/recovered/{size}"), |bencher| {
        let relaxed = relaxed_labels(&labels, CLASSES, &relax);
        bencher.iter(|| black_box(&relaxed).recovered_labels());
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = targets
}
criterion_main!(benches);
