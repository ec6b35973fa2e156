//! As `strangers.rs`: recipes, checkpoints and weights.

use std::fs;

use decoupled_seg::datasets::{Class, ClassTable};
use decoupled_seg::engine::{
    Checkpoint, CheckpointState, EpochRecord, FileDigest, LossMeans, LossValues, Position, Recipe,
    RecipePreset, Scores, TrainingImages,
};
use decoupled_seg_weights::WeightsFile;

use crate::strangers::{Target, texts, with_file};

/// All kinds that need Burn.
pub const TARGETS: [Target; 4] = [
    Target {
        name: "recipes",
        read: recipes,
        seeds: recipe_seeds,
    },
    Target {
        name: "pth",
        read: weights,
        seeds: pth_seeds,
    },
    Target {
        name: "safetensors",
        read: weights,
        seeds: safetensors_seeds,
    },
    Target {
        name: "states",
        read: states,
        seeds: state_seeds,
    },
];

fn recipes(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for recipe in [Recipe::from_toml(text), Recipe::from_json(text)] {
        let Ok(recipe) = recipe else {
            continue;
        };
        if recipe.validate().is_ok() {
            let again = Recipe::from_toml(&recipe.to_toml());
            assert_eq!(again.expect("written by this program"), recipe);
        }
    }
}

fn weights(bytes: &[u8]) {
    with_file("weights", bytes, |path| {
        let Ok(file) = WeightsFile::open(path) else {
            return;
        };
        for entry in file.entries() {
            let _ = file.read(&entry.key);
        }
    });
}

fn states(bytes: &[u8]) {
    with_file("state.json", bytes, |path| {
        let folder = path.parent().expect("in a folder");
        if let Ok(checkpoint) = Checkpoint::open(folder) {
            let _ = checkpoint.check_classes(&classes());
            let _ = checkpoint.state().recipe.validate();
        }
    });
}

fn recipe_seeds() -> Vec<Vec<u8>> {
    let presets = RecipePreset::ALL.map(RecipePreset::recipe);
    let mut seeds: Vec<_> = presets.iter().map(|it| it.to_toml().into_bytes()).collect();
    let json = serde_json::to_vec(&Recipe::default()).expect("plain data");
    seeds.push(json);
    seeds.extend(texts(&[
        "preset = \"paper\"\nepochs = 3\nnone = [\"class_uniform\"]\n[optimizer]\nkind = \"adam_w\"\n",
        "preset = \"cityscapes\"\n[augmentation]\ncrop = { height = 64, width = 96 }\n",
    ]));
    seeds
}

fn fixtures(names: &[&str]) -> Vec<Vec<u8>> {
    let folder = decoupled_seg_fixtures::default_folder();
    let read = |name: &&str| fs::read(folder.join(name)).expect("part of the repository");
    names.iter().map(read).collect()
}

fn pth_seeds() -> Vec<Vec<u8>> {
    let mut seeds = fixtures(&[
        "interop_checkpoint.pth",
        "interop_checkpoint_legacy.pth",
        "interop_bare_state.pth",
    ]);
    // Containers of classes of their own and keys that are no text, of which a copy is read. A legacy file has no checksum that
    // a change would break.
    const OBJECTS: [&[u8]; 6] = [
        b"cyacs.config\nCfgNode\nq\x00)\x81q\x01(X\x05\x00\x00\x00widthq\x02K0u}q\x03X\x04\x00\x00\x00openq\x04\x89sb",
        b"ccollections\ndefaultdict\nq\x00c__builtin__\nlist\nq\x01\x85q\x02Rq\x03X\x04\x00\x00\x00lossq\x04]q\x05K\x01as",
        b"ccollections\ndeque\nq\x00)K\x14\x86q\x01Rq\x02(K\x01K\x02e",
        b"caddict.addict\nDict\nq\x00X\x01\x00\x00\x00aq\x01K\x01\x86q\x02\x85q\x03\x81q\x04h\x01K\x01s}q\x05b",
        b"}q\x00(cpl.callbacks\nEarly\nq\x01}q\x02X\x04\x00\x00\x00waitq\x03K\x01scpl.callbacks\nBest\nq\x04Nu",
        b"}q\x00(NK\x01\x88K\x02G?\xe0\x00\x00\x00\x00\x00\x00K\x03K\x01K\x02\x86q\x01K\x04u",
    ];
    seeds.extend(OBJECTS.map(|object| {
        [
            &b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."[..],
            b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.",
            b"\x80\x02}X\x04\x00\x00\x00metaq\x06",
            object,
            b"s.\x80\x02].",
        ]
        .concat()
    }));
    seeds
}

fn safetensors_seeds() -> Vec<Vec<u8>> {
    let mut seeds = fixtures(&["interop_checkpoint.safetensors"]);
    let header = r#"{"__metadata__":{"a":"b"},"module.w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"n":{"dtype":"I64","shape":[],"data_offsets":[8,16]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    seeds.push([length.as_slice(), header.as_bytes(), &[0; 16]].concat());
    seeds
}

fn classes() -> ClassTable {
    ClassTable::new(vec![
        Class::new("road", [128, 64, 128]),
        Class::new("car", [0, 0, 142]),
    ])
}

fn state_seeds() -> Vec<Vec<u8>> {
    let scores = Scores {
        mean_iou: 0.5,
        pixel_accuracy: 0.75,
        boundary_f: Vec::new(),
        class_iou: vec![Some(0.25), None],
    };
    let record = EpochRecord {
        epoch: 0,
        step: 4,
        loss: LossValues::default(),
        learning_rate: 0.01,
        scores: Some(scores.clone()),
        seconds: 1.5,
    };
    let state = CheckpointState {
        format: 1,
        position: Position {
            epoch: 1,
            batch: 0,
            step: 4,
        },
        recipe: Recipe::default(),
        classes: classes(),
        network: serde_json::json!({ "kind": "tiny" }),
        images: Some(TrainingImages { count: 4, names: 7 }),
        validation: Some(TrainingImages { count: 2, names: 5 }),
        validation_labels: Some(11),
        scores: Some(scores),
        running: LossMeans::default(),
        history: vec![record],
        seconds: 1.5,
        parameters: [("head.weight".to_string(), 7)].into(),
        // Empty, as the file of this name in the folder.
        files: [("a.png".to_string(), FileDigest { bytes: 0, crc32: 0 })].into(),
    };
    vec![serde_json::to_vec(&state).expect("plain data")]
}
