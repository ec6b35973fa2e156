use std::fs;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use decoupled_seg_datasets::augment::Normalization;
use decoupled_seg_datasets::{CamVid, FileDataset, SegmentationDataset, Size, Split};
use decoupled_seg_engine::{
    EngineError, PredictionKind, Predictor, Protocol, Submission, Window, write_label_overlays,
};
use decoupled_seg_nn::{Inspection, SegmentationModel, SegmentationOutput};
use decoupled_seg_synthetic::{SyntheticConfig, write_camvid};
use image::{GenericImageView, ImageReader};

use super::common::*;

/// The brightest channel, in the order of the classes, with something to show inside.
#[derive(burn::module::Module, Debug)]
struct Shows {
    /// Whether there is a flow.
    flow: bool,
}

impl SegmentationModel for Shows {
    fn num_classes(&self) -> usize {
        CLASSES
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        SegmentationOutput {
            logits: images.select(1, Tensor::from_data([1, 0, 2], &Device::default())),
            supervision: None,
            boundary_logits: None,
            aux_logits: None,
        }
    }

    fn inspect(&self, images: Tensor<4>) -> Option<Inspection> {
        let logits = self.predict(images.clone());
        let [batch, _, height, width] = images.dims();
        let feature = images.clone();
        Some(Inspection {
            body: feature.clone(),
            edge: feature.clone(),
            refined_edge: feature,
            flow: self
                .flow
                .then(|| Tensor::ones([batch, 2, height / 4, width / 4], &Device::default())),
            logits: logits.clone(),
            body_logits: logits.neg(),
            edge_logits: images.narrow(1, 0, 1).mul_scalar(10.0),
        })
    }
}

const ALL: [PredictionKind; 7] = [
    PredictionKind::ClassIndex,
    PredictionKind::LabelId,
    PredictionKind::Color,
    PredictionKind::Overlay,
    PredictionKind::Edge,
    PredictionKind::Body,
    PredictionKind::Flow,
];

fn predictor(flow: bool) -> Predictor<Shows> {
    Predictor::new(
        Shows { flow },
        classes(),
        Normalization::half(),
        &Device::default(),
    )
    .with_kinds(ALL)
}

/// Writes images of [`Rectangles`] as files.
fn images(folder: &Path, count: usize) {
    let data = Rectangles::new(count, 24);
    for index in 0..count {
        let path = folder.join(format!("rectangles_{index}.png"));
        data.sample(index).image.save(path).expect("writable");
    }
}

fn gray(path: &Path) -> Vec<u8> {
    let image = ImageReader::open(path)
        .expect("written")
        .decode()
        .expect("a PNG");
    assert_eq!(image.color(), image::ColorType::L8);
    image.into_luma8().into_raw()
}

#[test]
fn a_folder_is_predicted_in_every_form() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir(&input).expect("writable");
    images(&input, 2);
    let inputs = predictor(true)
        .predict_path(&input, &output)
        .expect("predicts");
    assert_eq!(inputs.images.len(), 2);

    let labels = Rectangles::new(2, 24).sample(1).labels;
    let index = gray(&output.join("class_index/rectangles_1.png"));
    let wrong = index
        .iter()
        .zip(&labels.data)
        .filter(|(found, label)| **label != 255 && found != label)
        .count();
    assert_eq!(wrong, 0);
    let ids = gray(&output.join("label_id/rectangles_1.png"));
    for (index, id) in index.iter().zip(ids) {
        assert_eq!(id, [7, 11, 26][usize::from(*index)]);
    }
    let open = |name: &str| {
        let path = output.join(name).join("rectangles_0.png");
        ImageReader::open(path)
            .expect("written")
            .decode()
            .expect("a PNG")
    };
    let color = open("color").into_rgb8();
    let known = classes().colors();
    assert!(color.pixels().all(|pixel| known.contains(&pixel.0)));
    assert_eq!(open("overlay").dimensions(), (24, 24));
    assert_eq!(open("edge").dimensions(), (24, 24));
    assert_ne!(open("body").into_rgb8(), color);
    assert_eq!(open("flow").dimensions(), (6, 6));
    let unfinished = walk(&output)
        .into_iter()
        .filter(|name| name.contains(".tmp-"))
        .count();
    assert_eq!(unfinished, 0);
}

fn walk(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            names.extend(walk(&path));
        } else {
            names.push(path.display().to_string());
        }
    }
    names
}

#[test]
fn a_network_without_flow_leaves_it_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    images(folder.path(), 1);
    let output = folder.path().join("out");
    predictor(false)
        .predict_path(folder.path().join("*.png"), &output)
        .expect("predicts");
    assert!(output.join("edge/rectangles_0.png").exists());
    assert!(!output.join("flow").exists());
}

#[test]
fn bad_input_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = folder.path().join("out");
    let mut predictor = predictor(false);

    images(folder.path(), 1);
    let whole = fs::read(folder.path().join("rectangles_0.png")).expect("written");
    let cut = folder.path().join("cut.png");
    fs::write(&cut, &whole[..whole.len() / 2]).expect("writable");
    // The others are predicted all the same.
    let predicted = predictor
        .predict_path(folder.path().join("*.png"), &output)
        .expect("one is whole");
    assert_eq!(predicted.images, [folder.path().join("rectangles_0.png")]);
    let [failed] = &predicted.failed[..] else {
        panic!("{predicted:?}");
    };
    assert_eq!(failed.path, cut);
    assert!(failed.source.to_string().contains("cut.png"), "{failed:?}");
    assert!(output.join("color/rectangles_0.png").exists());

    let error = predictor
        .predict_path(folder.path().join("missing.png"), &output)
        .expect_err("missing");
    assert!(error.to_string().contains("missing.png"), "{error}");

    fs::copy(
        folder.path().join("rectangles_0.png"),
        folder.path().join("rectangles_0.jpg"),
    )
    .expect("writable");
    let error = predictor
        .predict_path(folder.path().join("rect*"), &output)
        .expect_err("both would be rectangles_0.png");
    assert!(matches!(error, EngineError::SameOutput { .. }), "{error:?}");

    // A file where the output folder should be.
    fs::write(output.with_extension("txt"), b"x").expect("writable");
    let error = predictor
        .predict_path(
            folder.path().join("rectangles_0.png"),
            output.with_extension("txt"),
        )
        .expect_err("not a folder");
    assert!(matches!(error, EngineError::File(_)), "{error:?}");
}

/// Batches of files, of two sizes and with one that cannot be read among them, are written as one by one.
#[test]
fn batches_are_predicted_as_single_images() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("in");
    fs::create_dir(&input).expect("writable");
    for (index, size) in [24, 24, 24, 24, 32, 32, 24].into_iter().enumerate() {
        let image = Rectangles::new(index + 1, size).sample(index).image;
        let path = input.join(format!("{index}.png"));
        image.save(path).expect("writable");
    }
    let whole = fs::read(input.join("2.png")).expect("written");
    fs::write(input.join("2.png"), &whole[..whole.len() / 2]).expect("writable");
    let tiled = Protocol {
        scales: vec![0.5, 1.0],
        flip: true,
        window: Window::sliding(16),
        tile_batch: 3,
        ..Protocol::default()
    };
    for (index, protocol) in [Protocol::default(), tiled].into_iter().enumerate() {
        let [single, several] = [1, 3].map(|batch| {
            let output = folder.path().join(format!("{index}-{batch}"));
            let kinds = [&ALL[..], &[PredictionKind::Confidence]].concat();
            let predicted = predictor(true)
                .with_protocol(protocol.clone())
                .with_kinds(kinds)
                .with_batch(batch)
                .predict_path(&input, &output)
                .expect("predicts");
            let order = [0, 1, 3, 4, 5, 6].map(|index| input.join(format!("{index}.png")));
            assert_eq!(predicted.images, order);
            assert_eq!(predicted.failed[0].path, input.join("2.png"));
            output
        });
        let written = walk(&single);
        assert_eq!(written.len(), 6 * 8);
        for path in written {
            let other = several.join(Path::new(&path).strip_prefix(&single).expect("below it"));
            let same = fs::read(&path).expect("written") == fs::read(&other).expect("written");
            assert!(same, "{path} and {}", other.display());
        }
    }
}

/// An ending may be longer than that of the image.
#[cfg(unix)]
#[test]
fn a_name_that_is_too_long_keeps_no_other_from_being_predicted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("in");
    fs::create_dir(&input).expect("writable");
    images(&input, 2);
    let long = input.join(format!("{}.png", "a".repeat(250)));
    fs::copy(input.join("rectangles_0.png"), &long).expect("the system takes it");
    let output = folder.path().join("out");
    let mut predictor = predictor(false).with_kinds([PredictionKind::GeoJson]);
    let predicted = predictor.predict_path(&input, &output).expect("goes on");
    assert_eq!(predicted.images.len(), 2);
    let [failed] = &predicted.failed[..] else {
        panic!("{:?}", predicted.failed);
    };
    assert_eq!(failed.path, long);
    let error = failed.source.to_string();
    assert!(error.contains("aaa.geojson"), "{error}");
    assert!(output.join("geojson/rectangles_1.geojson").is_file());
}

/// By real paths: through `..`, through a link, and where a set of photos calls its folder as a kind is called.
#[test]
fn no_picture_goes_over_an_input() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scene = folder.path().join("scene");
    let photos = scene.join("color");
    fs::create_dir_all(&photos).expect("writable");
    images(&photos, 2);
    let before = fs::read(photos.join("rectangles_1.png")).expect("written");
    let mut outputs = vec![scene.clone(), photos.join("..")];
    #[cfg(unix)]
    {
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&scene, &link).expect("writable");
        outputs.push(link);
    }
    for output in outputs {
        let error = predictor(false)
            .predict_path(&photos, &output)
            .expect_err("the photos are there");
        assert!(matches!(error, EngineError::OverInput { .. }), "{error:?}");
        assert!(!scene.join("overlay").exists(), "nothing was written");
    }
    let after = fs::read(photos.join("rectangles_1.png")).expect("still there");
    assert_eq!(before, after);
}

/// Polygons are written to be corrected.
#[test]
fn polygons_that_somebody_corrected_are_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir(&input).expect("writable");
    images(&input, 2);
    let kinds = [PredictionKind::LabelMe, PredictionKind::GeoJson];
    let predict = || {
        let mut predictor = predictor(false).with_kinds(kinds);
        predictor.predict_path(&input, &output)
    };
    predict().expect("a new folder");
    predict().expect("its own files");
    for file in ["labelme/rectangles_1.json", "geojson/rectangles_0.geojson"] {
        let path = output.join(file);
        let own = fs::read_to_string(&path).expect("written");
        let mut value: serde_json::Value = serde_json::from_str(&own).expect("JSON");
        value["flags"] = true.into();
        let theirs = value.to_string();
        fs::write(&path, &theirs).expect("writable");
        let error = predict().expect_err("somebody's work");
        assert!(
            matches!(&error, EngineError::NotOurs { path: told } if *told == path),
            "{error:?}"
        );
        assert_eq!(fs::read_to_string(&path).expect("still there"), theirs);
        fs::write(&path, own).expect("writable");
    }
}

/// Many rigs call a folder of pictures `flow` or `color`, and who corrects masks does so where they lie.
#[test]
fn no_picture_of_somebody_else_is_written_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scene = folder.path().join("scene");
    for name in ["rgb", "color"] {
        fs::create_dir_all(scene.join(name)).expect("writable");
        images(&scene.join(name), 2);
    }
    let predict = || predictor(false).predict_path(scene.join("rgb"), &scene);
    let error = predict().expect_err("pictures of somebody");
    let path = scene.join("color/rectangles_0.png");
    assert!(
        matches!(&error, EngineError::NotOurs { path: told } if *told == path),
        "{error:?}"
    );
    assert!(!scene.join("overlay").exists(), "nothing was written");
    fs::remove_dir_all(scene.join("color")).expect("there");
    predict().expect("a free place");
    predict().expect("its own files");
    // A mask that was corrected in an editor.
    let mask = scene.join("class_index/rectangles_1.png");
    let corrected = image::open(&mask).expect("a PNG");
    corrected.save(&mask).expect("writable");
    let error = predict().expect_err("a corrected mask");
    assert!(
        matches!(&error, EngineError::NotOurs { path: told } if *told == mask),
        "{error:?}"
    );
}

#[test]
fn submissions_are_what_the_servers_take() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = Rectangles::new(2, 24);
    let mut predictor = predictor(false).with_kinds([]);
    let mut write = |submission: Submission, name: &str| {
        let written = submission
            .write(&mut predictor, &data, folder.path().join(name))
            .expect("writable")
            .written;
        assert_eq!(written.len(), 2);
        gray(&written[0])
    };
    let ids = write(Submission::Cityscapes, "cityscapes");
    let kitti = write(Submission::Kitti, "kitti");
    let indices = write(Submission::Bdd100k, "bdd");
    assert!(
        folder
            .path()
            .join("kitti/semantic/rectangles_1.png")
            .exists()
    );
    assert_eq!(ids, kitti);
    assert!(ids.iter().all(|id| [7, 11, 26].contains(id)));
    assert!(indices.iter().all(|index| *index < 3));
}

/// A CamVid of three small images, of which the first cannot be read.
fn broken_camvid(root: &Path) -> FileDataset {
    let config = SyntheticConfig {
        train: 3,
        val: 1,
        test: 1,
        size: Size::new(24, 32),
        seed: 0,
    };
    write_camvid(root, &config).expect("writable");
    let dataset = CamVid::open(root, Split::Train).expect("just written");
    fs::write(&dataset.pairs()[0].image, b"no picture").expect("writable");
    dataset
}

#[test]
fn one_unreadable_image_does_not_end_a_submission() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dataset = broken_camvid(folder.path());
    let mut predictor = Predictor::new(
        Shows { flow: false },
        Rectangles::new(1, 24).classes().clone(),
        Normalization::default(),
        &Device::default(),
    );

    let submitted = Submission::Bdd100k
        .write(&mut predictor, &dataset, folder.path().join("submission"))
        .expect("writable");

    assert_eq!(submitted.written.len(), 2);
    let [error] = &submitted.failed[..] else {
        panic!("{:?}", submitted.failed);
    };
    let name = dataset.pairs()[0].image.display().to_string();
    assert!(error.to_string().contains(&name), "{error}");
}

#[test]
fn nothing_is_written_over_a_data_set() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dataset = broken_camvid(folder.path());
    let labels = dataset.pairs()[1].labels.clone().expect("labelled");
    let before = fs::read(&labels).expect("there");
    let over = labels.parent().expect("in a folder");

    let error = Submission::Bdd100k
        .write(&mut predictor(false), &dataset, over)
        .expect_err("the labels are there");
    assert!(matches!(error, EngineError::OverInput { .. }), "{error:?}");
    let error = write_label_overlays(&dataset, over, 3).expect_err("the labels are there");
    assert!(matches!(error, EngineError::OverInput { .. }), "{error:?}");

    assert_eq!(fs::read(&labels).expect("still there"), before);
}

#[test]
fn overlays_are_of_images_that_can_be_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dataset = broken_camvid(folder.path());
    let overlays = folder.path().join("overlays");

    let files = write_label_overlays(&dataset, &overlays, 2).expect("writable");

    // The first image has a part of the list for itself: nothing takes its place.
    assert_eq!(files, [overlays.join(format!("{}.png", dataset.name(1)))]);
    let size = ImageReader::open(&files[0])
        .expect("written")
        .decode()
        .expect("a picture")
        .dimensions();
    assert_eq!(size, (32, 24));
}

#[test]
fn a_checkpoint_is_all_a_predictor_needs() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    let trained = trainer(recipe, Some(folder.path()))
        .with_network(serde_json::json!({"width": 8}))
        .fit(train_set(), Some(&Rectangles::new(2, 24)))
        .expect("trains");
    let best = trained.best.expect("validated");
    let width = best.state().network["width"].as_u64().expect("as written") as usize;
    let device = Device::default();
    let net = TinyNet::new(width, true, &device);
    let mut predictor = Predictor::from_checkpoint(&best, net, &device).expect("the same network");
    assert_eq!(predictor.classes(), &classes());
    let image = Rectangles::new(1, 24).sample(0).image;
    let labels = predictor.predict(&image).labels;
    assert_eq!((labels.width, labels.height), (24, 24));
}
