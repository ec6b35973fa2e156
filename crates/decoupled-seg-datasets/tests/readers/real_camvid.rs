//! Facts of the real CamVid, in the folder that `DECOUPLED_SEG_CAMVID` names.

use decoupled_seg_datasets::{CamVid, Dataset, IGNORE_LABEL, SegmentationDataset, Split};

/// Class shares in percent of all pixels, as counted by hand on the SegNet release; void last.
#[test]
#[ignore = "needs DECOUPLED_SEG_CAMVID"]
fn the_real_camvid() {
    let root = std::env::var_os("DECOUPLED_SEG_CAMVID").expect("the folder of the release");
    let golden = [
        (
            Split::Train,
            367,
            [
                16.9, 23.3, 0.98, 31.7, 4.5, 9.7, 1.17, 1.13, 5.9, 0.64, 0.29, 4.0,
            ],
        ),
        (
            Split::Val,
            101,
            [
                9.2, 26.0, 0.56, 29.0, 8.7, 16.3, 0.89, 3.08, 1.8, 0.65, 2.22, 1.7,
            ],
        ),
    ];
    for (split, len, shares) in golden {
        let dataset = CamVid::open(&root, split).expect("the release");
        assert_eq!(dataset.len(), len);
        let mut counts = [0_u64; 256];
        for index in 0..len {
            let labels = dataset.labels(index).expect("readable");
            counts
                .iter_mut()
                .zip(labels.histogram())
                .for_each(|(sum, count)| *sum += count);
        }
        let total = counts.iter().sum::<u64>() as f64;
        for (class, share) in shares.into_iter().enumerate() {
            let count = counts[if class == 11 {
                usize::from(IGNORE_LABEL)
            } else {
                class
            }];
            let found = 100.0 * count as f64 / total;
            // One unit of the last published digit.
            let unit = if share < 1.2 || class == 7 || class == 10 {
                0.01
            } else {
                0.1
            };
            assert!(
                (found - share).abs() < unit,
                "{split}, class {class}: {found} %, expected {share} %"
            );
        }
    }
}
