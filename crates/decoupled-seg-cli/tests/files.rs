//! Networks from files of weights, videos, and the commands that need no data.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use decoupled_seg::datasets::{CamVid, Size};
use decoupled_seg::engine::RecipePreset;
use decoupled_seg::synthetic::{self, SyntheticConfig};
use decoupled_seg_cli::{self as cli, CliError, Project};
use decoupled_seg_video::{Chroma, Frame, Matrix, VideoHeader, VideoReader, VideoWriter};

const BINARY: &str = env!("CARGO_BIN_EXE_decoupled-seg");

const SCENES: SyntheticConfig = SyntheticConfig {
    train: 2,
    val: 2,
    test: 1,
    size: Size::new(56, 64),
    seed: 0,
};

fn run<S: AsRef<str>>(args: &[S]) -> Result<(), CliError> {
    let project = Project::new(
        "tiny",
        "no/such/folder",
        RecipePreset::Paper.recipe(),
        |root, split| CamVid::open_partially(root, split).shared(),
    )
    .with_classes(CamVid::classes())
    .with_synthetic(|root| synthetic::write_camvid(root, &SCENES));
    let args = args.iter().map(AsRef::as_ref);
    cli::run(&project, std::iter::once("tiny").chain(args))
}

fn message<S: AsRef<str>>(args: &[S]) -> String {
    run(args).expect_err("a mistake").to_string()
}

/// The arguments one after the other.
fn join(parts: &[&[&str]]) -> Vec<String> {
    parts.concat().into_iter().map(String::from).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Weights without a run, of a network that is composed on the command line.
const NETWORK: [&str; 8] = [
    "--backbone",
    "resnet18",
    "--width",
    "0.0625",
    "--channels",
    "8",
    "--head",
    "fcn",
];

fn new_weights(folder: &Path) -> String {
    new_weights_of(folder, &[])
}

/// As [`new_weights`], with more that describes the network.
fn new_weights_of(folder: &Path, more: &[&str]) -> String {
    let description = folder.join("net.toml");
    let summary: [&[&str]; 3] = [
        &[
            "summary",
            "--classes",
            "11",
            "--json",
            "--write",
            text(&description),
        ],
        &NETWORK[..],
        more,
    ];
    run(&join(&summary)).expect("writable");
    let file = folder.join("net.safetensors");
    let network = text(&description);
    run(&["weights", "new", network, text(&file), "--classes", "11"]).expect("writable");
    text(&file).to_string()
}

/// Weights of zeros: the first class everywhere, on every machine.
fn weights_of_zeros(folder: &Path) -> String {
    let path = new_weights(folder);
    let mut bytes = fs::read(&path).expect("written");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    bytes[8 + header..].fill(0);
    fs::write(&path, bytes).expect("writable");
    path
}

#[test]
fn a_seed_writes_the_same_weights() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // In processes of their own: the tests here share one source of random numbers.
    let bytes = |name: &str, more: &[&str]| {
        let file = folder.path().join(name);
        let mut command = Command::new(BINARY);
        command.args(["weights", "new", "tiny", text(&file)]);
        assert!(command.args(more).status().expect("runs").success());
        fs::read(file).expect("written")
    };
    let first = bytes("a.safetensors", &[]);
    assert!(first == bytes("b.safetensors", &["--seed", "0"]));
    assert!(first != bytes("c.safetensors", &["--seed", "1"]));
}

/// ResNet-34 has every tensor of ResNet-18, and more of the same.
#[test]
fn weights_of_a_deeper_network_are_not_judged_as_another() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let deeper = [&["--backbone", "resnet34"], &NETWORK[2..]].concat();
    let description = path("deeper.toml");
    let summary = ["summary", "--classes", "11", "--write", text(&description)];
    run(&join(&[&summary, &deeper])).expect("writable");
    let weights = path("deeper.safetensors");
    let new = [
        "weights",
        "new",
        text(&description),
        text(&weights),
        "--classes",
        "11",
    ];
    run(&new).expect("writable");

    let out = path("run");
    let eval = [
        "eval",
        "--synthetic",
        "--out",
        text(&out),
        "--weights",
        text(&weights),
    ];
    let error = message(&join(&[&eval, &NETWORK]));
    assert!(error.contains("is of a deeper network"), "{error}");
    run(&join(&[&eval, &deeper])).expect("its own");
    // The description knows its classes.
    let inspect = ["weights", "inspect", text(&weights), "--network"];
    run(&join(&[&inspect, &[text(&description)]])).expect("fits");
}

#[test]
fn a_file_of_weights_is_judged_and_shown_without_a_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights = new_weights(folder.path());
    let out = folder.path().join("run");
    let with = |args: &[&str]| {
        join(&[
            args,
            &["--weights", &weights, "--out", text(&out)],
            &NETWORK,
        ])
    };

    run(&with(&["eval", "--synthetic"])).expect("judges");
    assert!(out.join("evaluation/report.json").is_file());
    let photo = out.join("synthetic/val");
    let to = folder.path().join("shown");
    run(&with(&[
        "predict",
        text(&photo),
        "--to",
        text(&to),
        "--kinds",
        "confidence,geojson,labelme,color",
    ]))
    .expect("shows");
    let names = |kind: &str| -> Vec<String> {
        let entries = fs::read_dir(to.join(kind)).expect("written");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
        entries
            .map(|entry| name(entry.expect("readable")))
            .collect()
    };
    assert!(
        names("confidence")
            .iter()
            .all(|name| name.ends_with(".png"))
    );
    let polygons = names("geojson");
    assert_eq!(polygons.len(), 2);
    let polygons = fs::read_to_string(to.join("geojson").join(&polygons[0])).expect("text");
    assert!(polygons.contains("FeatureCollection"), "{polygons}");
    let shapes = fs::read_to_string(to.join("labelme").join(&names("labelme")[0])).expect("text");
    assert!(shapes.contains("imagePath"), "{shapes}");

    // Without a network, with another one, or beside a run.
    let error = message(&[
        "eval",
        "--synthetic",
        "--out",
        text(&out),
        "--weights",
        &weights,
    ]);
    assert!(error.contains("of which network?"), "{error}");
    let error = message(&[
        "eval",
        "--synthetic",
        "--out",
        text(&out),
        "--weights",
        &weights,
        "--network",
        "tiny",
    ]);
    assert!(error.contains("does not fit the network"), "{error}");
    let error = message(&["eval", "--synthetic", "--out", text(&out), "--plain"]);
    assert!(error.contains("a run knows its network"), "{error}");
}

/// A stream of so many grey frames.
fn video(frames: usize, size: Size) -> Vec<u8> {
    let mut bytes = format!("YUV4MPEG2 W{} H{} F25:1 C420\n", size.width, size.height).into_bytes();
    for frame in 0..frames {
        bytes.extend_from_slice(b"FRAME\n");
        bytes.extend(vec![40 * (frame % 5) as u8 + 40; size.pixels()]);
        bytes.extend(vec![128; size.pixels() / 2]);
    }
    bytes
}

/// The brightness of all pixels of each frame of a whole stream.
fn frames(path: &Path) -> Vec<Vec<u8>> {
    let file = fs::File::open(path).expect("written");
    let mut reader = VideoReader::new(file).expect("a stream");
    let mut frame = Frame::new(reader.header());
    let mut frames = Vec::new();
    while reader.read(&mut frame).expect("whole frames") {
        frames.push(frame.planes()[0].to_vec());
    }
    frames
}

#[test]
fn videos_come_out_as_long_as_they_went_in() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights = new_weights(folder.path());
    let [from, to] = ["in.y4m", "out.y4m"].map(|name| folder.path().join(name));
    let size = Size::new(50, 64);
    let whole = video(4, size);
    let predict = |more: &[&str]| {
        let args = [
            "predict",
            "--video",
            text(&from),
            "--to",
            text(&to),
            "--weights",
            &weights,
        ];
        join(&[&args, &NETWORK, more])
    };

    fs::write(&from, &whole).expect("writable");
    for kind in ["overlay", "edge", "flow", "confidence"] {
        run(&predict(&["--kinds", kind])).expect("predicts");
        let written = frames(&to);
        assert_eq!(written.len(), 4, "{kind}");
        assert!(written[0] != frames(&from)[0], "{kind}");
    }
    // Classes have colours where the film has none.
    let mut mono = b"YUV4MPEG2 W64 H50 F25:1 Cmono\nFRAME\n".to_vec();
    mono.extend(vec![90; size.pixels()]);
    fs::write(&from, mono).expect("writable");
    run(&predict(&["--kinds", "color"])).expect("predicts");
    let file = fs::File::open(&to).expect("written");
    let mut reader = VideoReader::new(file).expect("a stream");
    let mut frame = Frame::new(reader.header());
    assert!(reader.read(&mut frame).expect("a frame"));
    let [_, blue, red] = frame.planes();
    assert!(
        blue.iter()
            .chain(red)
            .any(|&colour| colour.abs_diff(128) > 8)
    );
    fs::write(&from, &whole).expect("writable");
    // A stream without a frame, as filters leave it, replaces nothing; nor is anything else than a video replaced.
    fs::write(&from, video(0, size)).expect("writable");
    let before = fs::read(&to).expect("written");
    run(&predict(&[])).expect("nothing to do");
    assert_eq!(fs::read(&to).expect("still there"), before);
    fs::write(&from, &whole).expect("writable");
    let error = message(&join(&[
        &["predict", "--video", text(&from), "--to", &weights],
        &["--weights", &weights],
        &NETWORK,
    ]));
    assert!(error.contains("is no video of this kind"), "{error}");
    // A full disk is told with the file.
    if cfg!(target_os = "linux") {
        let to_full = ["predict", "--video", text(&from), "--to", "/dev/full"];
        let error = message(&join(&[&to_full, &["--weights", &weights], &NETWORK]));
        assert!(error.starts_with("`/dev/full`: no space left"), "{error}");
    }
    // A stream that breaks off gives all whole frames, and an error.
    fs::write(&from, &whole[..whole.len() - 10]).expect("writable");
    let error = message(&predict(&[]));
    assert!(error.contains("after 3 "), "{error}");
    assert_eq!(frames(&to).len(), 3);

    let error = message(&predict(&["--kinds", "class_index"]));
    assert!(error.contains("pictures of one kind"), "{error}");
    fs::write(&from, b"RIFF....AVI ").expect("writable");
    let error = message(&predict(&[]));
    assert!(error.contains("YUV4MPEG2"), "{error}");
    let onto_itself = [
        "predict",
        "--video",
        text(&from),
        "--to",
        text(&from),
        "--weights",
        &weights,
    ];
    message(&join(&[&onto_itself, &NETWORK]));
    assert_eq!(fs::read(&from).expect("still there"), b"RIFF....AVI ");
    // The system's own words, where nobody has better ones.
    let onto_a_folder = [
        "predict",
        "--to",
        text(folder.path()),
        "--weights",
        &weights,
    ];
    fs::write(&from, &whole).expect("writable");
    let error = message(&join(&[
        &onto_a_folder,
        &NETWORK,
        &["--video", text(&from)],
    ]));
    assert!(error.contains("is a directory"), "{error}");
    if cfg!(target_os = "linux") {
        let a_folder = join(&[&onto_a_folder, &NETWORK, &["--video", text(folder.path())]]);
        let error = message(&a_folder);
        assert!(error.contains("Is a directory"), "{error}");
    }
}

/// The pictures of the overlay are those of the photograph, whichever way the colours are told.
#[test]
fn a_video_is_predicted_with_its_colours_and_written_in_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights = weights_of_zeros(folder.path());
    let path = |name: &str| folder.path().join(name);
    let photo = image::RgbImage::from_fn(56, 720, |_, y| {
        image::Rgb(if y < 360 {
            [40, 180, 60]
        } else {
            [200, 40, 40]
        })
    });
    photo.save(path("photo.png")).expect("writable");
    let with = |args: &[&str]| {
        run(&join(&[
            &["predict"],
            args,
            &["--weights", &weights],
            &NETWORK,
        ]))
    };
    let pictures = ["--kinds", "overlay", "--to"];
    let to = path("pictures");
    with(&[&[text(&path("photo.png"))], &pictures[..], &[text(&to)]].concat()).expect("predicts");
    let expected = image::open(to.join("overlay/photo.png")).expect("written");
    let expected = expected.into_rgb8();

    // The same picture: as a camera has it, and as ffmpeg makes it of pictures.
    for (matrix, option) in [
        (Matrix::Bt709, &[][..]),
        (Matrix::Bt601, &["--matrix", "bt601"]),
    ] {
        let header = VideoHeader {
            chroma: Chroma::C444,
            matrix,
            ..VideoHeader::new(Size::new(720, 56), 25)
        };
        let mut frame = Frame::new(&header);
        frame.fill_from_rgb(&header, &photo);
        let file = fs::File::create(path("in.y4m")).expect("writable");
        let mut writer = VideoWriter::new(file, header.clone()).expect("writable");
        writer.write(&frame).expect("writable");
        let (from, to) = (path("in.y4m"), path("out.y4m"));
        let video = ["--video", text(&from), "--to", text(&to)];
        with(&[&video, option].concat()).expect("predicts");

        let file = fs::File::open(&to).expect("written");
        let mut reader = VideoReader::new(file).expect("a stream");
        assert!(reader.read(&mut frame).expect("a frame"));
        let mut rgb = Vec::new();
        frame.to_rgb(&header, &mut rgb);
        // A step of blue is 2.1, of which half is lost on each way, and half of it shows in the overlay.
        let pairs = rgb.iter().zip(expected.as_raw());
        let off = pairs.filter(|(a, b)| a.abs_diff(**b) > 3).count();
        assert_eq!(off, 0, "{matrix:?}: of {}", rgb.len());
    }
    let error = with(&["photo.png", "--matrix", "bt709"]).expect_err("no video");
    assert!(error.to_string().contains("--matrix"), "{error}");
}

#[test]
fn an_earlier_video_stays_until_there_is_a_new_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights = new_weights_of(folder.path(), &["--plain"]);
    let [from, to] = ["in.y4m", "out.y4m"].map(|name| folder.path().join(name));
    let whole = video(4, Size::new(50, 64));
    let predict = |more: &[&str]| {
        let args = ["predict", "--video", text(&from), "--to", text(&to)];
        join(&[&args, &["--plain", "--weights", &weights], &NETWORK, more])
    };
    let entries = || fs::read_dir(folder.path()).expect("readable").count();
    fs::write(&from, &whole).expect("writable");
    fs::write(&to, "YUV4MPEG2 precious").expect("writable");
    let before = entries();
    let stays = || {
        let there = fs::read_to_string(&to).expect("still there");
        assert_eq!((&*there, entries()), ("YUV4MPEG2 precious", before));
    };

    let error = message(&predict(&["--kinds", "edge"]));
    assert!(error.contains("predicts no `edge`"), "{error}");
    stays();
    // No frame is whole.
    fs::write(&from, &whole[..60]).expect("writable");
    let error = message(&predict(&[]));
    assert!(error.contains("after 0 whole frames"), "{error}");
    stays();

    fs::write(&from, &whole).expect("writable");
    if cfg!(target_os = "linux") {
        // As a full disk: files may have 4 KiB, less than a frame.
        let mut limited = Command::new("sh");
        limited.args([
            "-c",
            "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"",
            BINARY,
        ]);
        let args = predict(&["--data", "camvid"]);
        let output = limited.args(args).output().expect("a process");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("no space left (what was there"), "{said}");
        stays();
    }

    run(&predict(&[])).expect("predicts");
    assert_eq!((frames(&to).len(), entries()), (4, before));
}

#[test]
fn no_video_is_written_over_its_input_by_another_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights = new_weights(folder.path());
    let [from, twin] = ["in.y4m", "twin.y4m"].map(|name| folder.path().join(name));
    let whole = video(4, Size::new(50, 64));
    fs::write(&from, &whole).expect("writable");
    fs::hard_link(&from, &twin).expect("one file system");
    let open = || fs::File::open(&from).expect("readable");
    let again = || fs::OpenOptions::new().append(true).open(&from);
    let mut cases = vec![
        (text(&from), Some(text(&twin)), Stdio::null(), Stdio::null()),
        ("-", Some(text(&from)), open().into(), Stdio::null()),
        ("-", None, open().into(), again().expect("writable").into()),
        (
            text(&twin),
            None,
            Stdio::null(),
            again().expect("writable").into(),
        ),
    ];
    if cfg!(target_os = "linux") {
        cases.push((
            "/dev/stdin",
            Some(text(&from)),
            open().into(),
            Stdio::null(),
        ));
    }
    for (video, to, input, output) in cases {
        let mut command = Command::new(BINARY);
        command.args(["predict", "--data", "camvid", "--weights", &weights]);
        command.args(NETWORK).args(["--video", video]);
        if let Some(to) = to {
            command.args(["--to", to]);
        }
        command.stdin(input).stdout(output);
        let output = command.output().expect("a process");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("would be written over"),
            "{video} {to:?}: {said}"
        );
        assert!(!output.status.success());
        assert!(
            fs::read(&from).expect("still there") == whole,
            "{video} {to:?}"
        );
    }
}

/// A request to stop, while the source of the stream is still open.
#[cfg(unix)]
#[test]
fn what_a_stopped_video_has_is_kept() {
    use std::io::Write;

    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights = new_weights(folder.path());
    let to = folder.path().join("out.y4m");
    let mut child = Command::new(BINARY)
        .args(["predict", "--data", "camvid", "--weights", &weights])
        .args(NETWORK)
        .args(["--video", "-", "--to", text(&to)])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process");
    // More than the pipe and what is in flight hold: once all is taken, some frames are through the network.
    let whole = video(80, Size::new(50, 64));
    let mut pipe = child.stdin.take().expect("piped");
    pipe.write_all(&whole).expect("taken");
    assert!(!to.exists());
    let id = child.id().to_string();
    let signal = Command::new("kill").args(["-INT", &id]).status();
    assert!(signal.expect("a process").success());
    let output = child.wait_with_output().expect("a process");
    drop(pipe);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && said.contains("stopped"),
        "{said}"
    );
    let kept = frames(&to).len();
    assert!(said.contains(&format!("{kept} frames predicted")), "{said}");
    assert!((1..=80).contains(&kept), "{kept}");
}

/// The labels that the official scripts make may be all that somebody has.
#[test]
fn the_variant_that_reads_the_data_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    synthetic::write_cityscapes(folder.path(), &SCENES).expect("writable");
    let pattern = format!("{}/gtFine/*/*/*_labelIds.png", folder.path().display());
    for path in glob::glob(&pattern).expect("a pattern") {
        fs::remove_file(path.expect("readable")).expect("writable");
    }
    let root = ["--data", "cityscapes", "--root", text(folder.path())];
    let of = |command: &str| {
        let out = folder.path().join("out");
        let args = [
            &["decoupled-seg", command][..],
            &root,
            &["--out", text(&out)],
        ]
        .concat();
        cli::run_with_data(args)
    };
    let told = of("train").expect_err("no ids").to_string();
    assert!(
        told.contains("`--variant train-ids` reads these data"),
        "{told}"
    );
    assert!(matches!(of("check"), Err(CliError::Problems)));

    // Scores go over scores only.
    let mine = folder.path().join("mine.json");
    let score = |content: &str| {
        fs::write(&mine, content).expect("writable");
        let to = ["--predictions", text(folder.path()), "--json", text(&mine)];
        let args = [&["decoupled-seg", "score"][..], &root, &to].concat();
        let told = cli::run_with_data(args).expect_err("no labels").to_string();
        assert_eq!(fs::read_to_string(&mine).expect("there"), content);
        told.contains("holds no scores")
    };
    assert!(score("{\"notes\": 1}") && score("mine"));
    assert!(!score("{\"class_mean\": {}}"));
}

/// A mask that cannot be read ends a night; what was trained until then is not lost.
#[test]
fn a_broken_mask_of_the_validation_says_what_is_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (root, out) = (folder.path().join("data"), folder.path().join("run"));
    synthetic::write_camvid(&root, &SCENES).expect("writable");
    let mask = fs::read_dir(root.join("valannot")).expect("written").next();
    let mask = mask.expect("a mask").expect("readable").path();
    let unknown = image::GrayImage::from_pixel(64, 56, image::Luma([200]));
    unknown.save(mask).expect("writable");
    let train = [
        "train",
        "--data",
        "camvid",
        "--short",
        "--plain",
        "--root",
        text(&root),
        "--out",
        text(&out),
    ];
    let output = Command::new(BINARY).args(train).output().expect("runs");
    assert!(!output.status.success());
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let kept = out.join("checkpoints/step-000000001");
    assert!(kept.is_dir() && said.contains(text(&kept)), "{said}");
    assert!(said.contains("--resume goes on"), "{said}");
}

/// `train && eval` is not to judge half a training.
#[cfg(unix)]
#[test]
fn a_stopped_training_says_so_by_its_status() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("run");
    let mut child = Command::new(BINARY)
        .args(["train", "--data", "camvid", "--synthetic", "--short"])
        .args(["--plain", "--epochs", "100000", "--validate-every", "0"])
        .args(["--out", text(&out)])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    let log = out.join("log.jsonl");
    let begun = || fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    while !begun() {
        assert!(child.try_wait().expect("asked").is_none(), "it trains");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let id = child.id().to_string();
    let signal = Command::new("kill").args(["-TERM", &id]).status();
    assert!(signal.expect("a process").success());
    let output = child.wait_with_output().expect("a process");
    assert_eq!(output.status.code(), Some(143));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("stopped at step"), "{said}");
    assert!(out.join("checkpoints").is_dir());
}

#[test]
fn summary_and_bench_need_no_data() {
    run(&join(&[&["summary", "--size", "65x65"], &NETWORK])).expect("counts");
    let error = message(&join(&[&["summary", "--size", "48x65"], &NETWORK]));
    assert!(error.contains("49 pixels a side"), "{error}");
    let bench = [
        "bench",
        "--size",
        "56x64",
        "--runs",
        "2",
        "--classes",
        "5",
        "--json",
    ];
    run(&join(&[&bench, &NETWORK])).expect("times");
    run(&join(&[&bench, &["--tile", "49"], &NETWORK])).expect("times tiles too");
    for channels in ["1", "4", "13"] {
        let bands = ["--tile", "49", "--channels-in", channels];
        run(&join(&[&bench, &bands, &NETWORK])).expect("times images of other bands");
    }
    let error = message(&join(&[&bench, &["--tile", "0"], &NETWORK]));
    assert!(error.contains("tile"), "{error}");
    let error = message(&join(&[&["bench", "--size", "16x64"], &NETWORK]));
    assert!(error.contains("49 pixels a side"), "{error}");
}

#[test]
fn no_argument_is_passed_over_in_silence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights = new_weights(folder.path());
    let (out, nowhere) = ("no/such/run", "no/such/checkpoint");
    for (args, expected) in [
        (&["bench", "--checkpoint", nowhere][..], nowhere),
        (&["summary", "--checkpoint", nowhere], nowhere),
        (
            &["bench", "--checkpoint", nowhere, "--plain"],
            "a run knows its network",
        ),
        (&["bench", "--out", out, "--classes", "5"], "cannot be used"),
        (
            &["summary", "--checkpoint", nowhere, "--classes", "5"],
            "cannot be used",
        ),
        (
            &["eval", "--synthetic", "--root", out],
            "cannot be used with",
        ),
        (
            &["weights", "inspect", &weights, "--plain"],
            "of which network?",
        ),
        (
            &["weights", "inspect", &weights, "--classes", "11"],
            "of which network?",
        ),
    ] {
        let error = message(args);
        assert!(error.contains(expected), "{args:?}: {error}");
    }
    for command in [
        &["bench", "--out", out][..],
        &["summary", "--out", out],
        &["predict", &weights, "--out", out],
    ] {
        let error = message(&[command, &["--channels-in", "4"]].concat());
        assert!(
            error.contains("a run knows its network"),
            "{command:?}: {error}"
        );
    }
    let error = cli::run_with_data(["decoupled-seg", "summary", "--data", "camvid"]);
    let error = error.expect_err("no use for data").to_string();
    assert_eq!(error, "`summary` reads no data set: leave out `--data`");
    // In f32, whatever else is timed.
    let tiles = ["bench", "--types", "bf16", "--tile", "0"];
    assert!(message(&tiles).contains("tile"));
}

#[test]
fn published_weights_are_listed_and_told_where_to_get() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(&["weights", "list"]).expect("prints");
    let fetch = [
        "weights",
        "fetch",
        "resnet18",
        "--folder",
        text(folder.path()),
    ];
    // Without the feature `fetch`; with it, the file below is looked at first.
    fs::write(folder.path().join("resnet18-f37072fd.pth"), "cut short").expect("writable");
    let error = message(&fetch);
    assert!(
        error.contains("resnet18-f37072fd.pth") && error.contains("SHA-256"),
        "{error}"
    );
    #[cfg(not(feature = "fetch"))]
    {
        fs::remove_file(folder.path().join("resnet18-f37072fd.pth")).expect("there");
        let error = message(&fetch);
        assert!(
            error.contains("https://download.pytorch.org/models/"),
            "{error}"
        );
    }
    let error = message(&["train", "--synthetic", "--encoder", "resnet19"]);
    assert!(error.contains("resnet18, resnet34"), "{error}");
}
