//! Parts of a data set by the names of its items.

use decoupled_seg_datasets::sampling::CentroidIndex;
use decoupled_seg_datasets::{CamVid, Dataset, SegmentationDataset, Size, Split, Subset};
use decoupled_seg_synthetic::{SyntheticConfig, write_camvid};

#[test]
fn a_part_is_a_data_set() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let config = SyntheticConfig {
        train: 5,
        val: 2,
        test: 1,
        size: Size::new(24, 32),
        seed: 0,
    };
    write_camvid(root.path(), &config).expect("writable");
    let open = |split| CamVid::open(root.path(), split).expect("a whole layout");
    let whole = open(Split::Train);
    let names: Vec<String> = (0..5).map(|index| whole.name(index)).collect();
    let part = |kept: [usize; 2]| {
        let kept = kept.map(|index| names[index].clone());
        Subset::by_name(open(Split::Train), move |name| {
            kept.contains(&name.to_string())
        })
    };

    let some = part([1, 4]);
    assert_eq!((some.len(), some.name(1)), (2, names[4].clone()));
    assert_eq!(
        some.get(1).expect("readable"),
        whole.get(4).expect("readable")
    );
    assert_eq!(
        some.labels(0).expect("readable"),
        whole.labels(1).expect("readable")
    );
    assert_eq!(some.classes(), whole.classes());
    // What is cached of a part is not taken for the whole's, nor for another part's.
    let prints = [
        whole.fingerprint(),
        some.fingerprint(),
        part([1, 3]).fingerprint(),
    ]
    .map(|print| print.expect("readable").expect("files have one"));
    assert!(prints[0] != prints[1] && prints[1] != prints[2] && prints[0] != prints[2]);
    assert_eq!(
        some.fingerprint().expect("readable"),
        part([4, 1]).fingerprint().expect("readable")
    );
    CentroidIndex::build(&some, 16, |_, _| ()).expect("readable");

    let none = Subset::by_name(open(Split::Train), |_| false);
    assert!(none.is_empty());

    let with_extra = open(Split::Train).chain_extra(open(Split::Val));
    let odd = |name: &str| name != names[0] && name != names[2];
    let part = Subset::by_name(with_extra, odd);
    assert_eq!((part.len(), part.extra_from()), (5, Some(3)));
}
