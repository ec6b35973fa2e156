//! Files that are no checkpoints, broken files, and files made to do harm. Each is a typed error, none is executed, and
//! none takes more memory than four times its size (4 MiB for small files).

use std::fs;
use std::path::{Path, PathBuf};

use decoupled_seg_fixtures::default_folder;
use decoupled_seg_fixtures::memory::{Counting, most_held};
use decoupled_seg_weights::{WeightsError, WeightsFile, convert};
use rstest::rstest;
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const FACTOR: usize = 4;
const FLOOR: usize = 4 << 20;
/// Additional memory for the name of the file and the message of an error.
const BESIDE: usize = 64 << 10;

/// Opens a file and reads every tensor of it, within the memory that its size allows.
fn read_all(path: &Path) -> Result<(), WeightsError> {
    let length = fs::metadata(path).map_or(0, |metadata| metadata.len() as usize);
    let (result, most) = most_held(|| {
        let checkpoint = WeightsFile::open(path)?;
        for entry in checkpoint.entries() {
            checkpoint.read(&entry.key)?;
        }
        Ok(())
    });
    let allowed = (FACTOR * length).max(FLOOR) + BESIDE;
    assert!(
        most <= allowed,
        "{}: {length} bytes took {most}, allowed {allowed}",
        path.display()
    );
    result
}

fn refused(bytes: &[u8]) -> WeightsError {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("weights");
    fs::write(&path, bytes).expect("written");
    let error = read_all(&path).expect_err("it must be refused");
    assert!(
        error.to_string().contains("weights"),
        "the message names the file: {error}"
    );
    error
}

fn fixtures() -> Vec<PathBuf> {
    [
        "interop_checkpoint.pth",
        "interop_checkpoint_legacy.pth",
        "interop_bare_state.pth",
        "interop_checkpoint.safetensors",
    ]
    .map(|name| default_folder().join(name))
    .to_vec()
}

/// A few well-mixed numbers, the same in every run.
fn random(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    (*state >> 33) as usize
}

#[test]
fn whole_files_stay_within_the_memory() {
    for path in fixtures() {
        read_all(&path).expect("an official file");
    }
}

#[rstest]
#[case::empty(b"")]
#[case::text(b"epoch,mean_iu\n1,0.7\n2,0.71\n")]
#[case::web_page(b"<!DOCTYPE html><html><body>Quota exceeded</body></html>")]
#[case::picture(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")]
fn files_that_hold_no_weights(#[case] bytes: &[u8]) {
    let error = refused(bytes);
    assert!(
        matches!(error, WeightsError::UnknownFormat { .. }),
        "{error}"
    );
}

/// A pipe would be waited for.
#[cfg(target_os = "linux")]
#[test]
fn a_device_is_no_file() {
    let error = WeightsFile::open("/dev/zero").expect_err("a device");
    assert!(
        error.to_string().contains("a pipe, a socket or a device"),
        "{error}"
    );
}

#[test]
fn files_of_paddle_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.pdparams");
    fs::write(&path, b"\x80\x02}q\x00.").expect("writable");
    let error = WeightsFile::open(&path).expect_err("arrays of another framework");
    assert!(matches!(error, WeightsError::Unsupported { .. }), "{error}");
    assert!(
        error.to_string().contains("a file of PaddlePaddle"),
        "{error}"
    );
}

/// What is met in place of weights is named, as for pictures.
#[test]
fn other_kinds_are_named() {
    let zip_of = |name| zip(&[stored(name, b"x")]);
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n".to_vec();
    for (bytes, told) in [
        (lfs, "a Git LFS pointer"),
        (
            b"<!DOCTYPE html><html>Quota exceeded".to_vec(),
            "a web page",
        ),
        (b"\x1f\x8b\x08\0\0\0\0\0".to_vec(), "a gzip archive"),
        (
            zip_of("models/module.pth"),
            "such as `models/module.pth`; unpack it",
        ),
        (zip_of("conv.weight.npy"), "a NumPy archive (.npz)"),
        (zip(&[]), "an empty zip archive"),
    ] {
        let error = refused(&bytes).to_string();
        assert!(error.contains(told), "no `{told}` in `{error}`");
    }
}

/// What a page in a browser gets from its user.
#[test]
fn files_in_memory_are_checked_as_those_on_disk() {
    let read = |name: &str| fs::read(default_folder().join(name)).expect("part of the repository");
    let bytes = read("interop_checkpoint.safetensors");
    for cut in [0, 7, 8, 100, bytes.len() - 1] {
        let error = WeightsFile::from_bytes("net", bytes[..cut].to_vec()).expect_err("cut");
        assert!(error.to_string().contains("`net`"), "{error}");
    }
    let error = WeightsFile::from_bytes("net.pth", read("interop_checkpoint.pth"));
    let error = error.expect_err("of PyTorch").to_string();
    assert!(error.contains("weights convert"), "{error}");
    assert!(WeightsFile::from_bytes("net", bytes).is_ok());
}

#[test]
fn missing_files_and_folders() {
    let folder = TempDir::new().expect("a temporary folder");
    for path in [
        folder.path().join("missing.pth"),
        folder.path().to_path_buf(),
    ] {
        let error = read_all(&path).expect_err("nothing to read");
        assert!(matches!(error, WeightsError::Read { .. }), "{error}");
    }
}

#[test]
fn every_truncated_file_is_an_error() {
    for path in fixtures() {
        let bytes = fs::read(&path).expect("part of the repository");
        let lengths = (0..60).map(|step| step * bytes.len() / 60);
        for length in lengths.chain([bytes.len() - 1]) {
            let error = refused(&bytes[..length]);
            let typed = matches!(
                error,
                WeightsError::Damaged { .. }
                    | WeightsError::Tensor { .. }
                    | WeightsError::UnknownFormat { .. }
                    | WeightsError::TooLarge { .. }
                    | WeightsError::Pytorch { .. }
                    | WeightsError::Safetensors { .. }
            );
            assert!(typed, "{} cut to {length}: {error}", path.display());
        }
    }
}

#[test]
fn altered_files_never_panic() {
    let folder = TempDir::new().expect("a temporary folder");
    let altered = folder.path().join("altered");
    let mut state = 1;
    for path in fixtures() {
        let bytes = fs::read(&path).expect("part of the repository");
        for round in 0..150 {
            let mut bytes = bytes.clone();
            for _ in 0..=round % 4 {
                // Tables stand at the beginning or at the end.
                let within = match round % 3 {
                    0 => bytes.len(),
                    _ => bytes.len().min(8192),
                };
                let position = match round % 3 {
                    2 => bytes.len() - 1 - random(&mut state) % within,
                    _ => random(&mut state) % within,
                };
                bytes[position] = random(&mut state) as u8;
            }
            fs::write(&altered, &bytes).expect("written");
            // An altered weight may pass; what matters is that the process does.
            let _ = read_all(&altered);
        }
    }
}

/// An entry of a zip archive. Its record may hold false values.
struct ZipEntry {
    name: &'static str,
    method: u16,
    data: Vec<u8>,
    declared: u32,
}

fn stored(name: &'static str, data: &[u8]) -> ZipEntry {
    ZipEntry {
        name,
        method: 0,
        data: data.to_vec(),
        declared: data.len() as u32,
    }
}

fn zip(entries: &[ZipEntry]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let offset = file.len() as u32;
        let mut shared = Vec::new();
        shared.extend(20_u16.to_le_bytes());
        shared.extend(0_u16.to_le_bytes());
        shared.extend(entry.method.to_le_bytes());
        shared.extend([0; 4]); // time and date
        shared.extend([0; 4]); // no checksum
        let packed = if entry.method == 0 {
            entry.declared
        } else {
            entry.data.len() as u32
        };
        shared.extend(packed.to_le_bytes());
        shared.extend(entry.declared.to_le_bytes());
        shared.extend((entry.name.len() as u16).to_le_bytes());
        shared.extend(0_u16.to_le_bytes());

        file.extend(b"PK\x03\x04");
        file.extend(&shared);
        file.extend(entry.name.as_bytes());
        file.extend(&entry.data);

        directory.extend(b"PK\x01\x02");
        directory.extend(20_u16.to_le_bytes());
        directory.extend(&shared);
        directory.extend([0; 10]); // comment, disk, attributes
        directory.extend(offset.to_le_bytes());
        directory.extend(entry.name.as_bytes());
    }
    let (start, size) = (file.len() as u32, directory.len() as u32);
    file.extend(&directory);
    file.extend(b"PK\x05\x06");
    file.extend([0; 4]);
    file.extend((entries.len() as u16).to_le_bytes());
    file.extend((entries.len() as u16).to_le_bytes());
    file.extend(size.to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend(0_u16.to_le_bytes());
    file
}

/// A pickled state dict with one tensor `w` over a storage of `storage` numbers.
fn state_dict(storage: u32, shape: u32, stride: u8) -> Vec<u8> {
    let text = |text: &str| {
        let mut bytes = vec![b'X'];
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    };
    let number = |number: u32| [&b"J"[..], &number.to_le_bytes()].concat();
    let mut pickle = b"\x80\x02}".to_vec();
    pickle.extend(text("w"));
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle.extend(text("storage"));
    pickle.extend(b"ctorch\nFloatStorage\n");
    pickle.extend(text("0"));
    pickle.extend(text("cpu"));
    pickle.extend(number(storage));
    pickle.extend(b"tQK\x00");
    pickle.extend(number(shape));
    pickle.extend([0x85, b'K', stride, 0x85, 0x89]);
    pickle.extend(b"ccollections\nOrderedDict\n)RtRs.");
    pickle
}

fn archive(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    zip(&[
        stored("archive/data.pkl", pickle),
        stored("archive/data/0", storage),
    ])
}

#[test]
fn an_archive_made_here_is_read() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("made.pth");
    let numbers: Vec<u8> = [1.0_f32, 2.0, 3.0]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    fs::write(&path, archive(&state_dict(3, 3, 1), &numbers)).expect("written");
    let checkpoint = WeightsFile::open(&path).expect("well formed");
    let data = checkpoint.read("w").expect("whole").expect("there");
    assert_eq!(data.bytes().to_vec(), numbers);
}

#[test]
fn a_view_that_repeats_a_number_is_too_large() {
    // Stride 0: a billion numbers from one.
    let bytes = archive(&state_dict(1, 1 << 30, 0), &[0; 4]);
    let error = refused(&bytes);
    let WeightsError::TooLarge {
        declared, length, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((declared, length), (4 << 30, bytes.len() as u64));
}

#[test]
fn storages_that_are_not_there() {
    for bytes in [
        archive(&state_dict(1000, 1000, 1), &[0; 4]),
        archive(&state_dict(1, 1000, 1), &[0; 4]),
        zip(&[stored("archive/data.pkl", &state_dict(1, 1, 1))]),
    ] {
        let error = refused(&bytes);
        let typed = matches!(
            error,
            WeightsError::Tensor { .. } | WeightsError::Pytorch { .. }
        );
        assert!(typed, "{error}");
    }
}

#[test]
fn archives_that_grow_are_refused() {
    let deflated = ZipEntry {
        name: "archive/data.pkl",
        method: 8,
        data: vec![0x4b; 1000],
        declared: u32::MAX - 1,
    };
    let error = refused(&zip(&[deflated]));
    assert!(matches!(error, WeightsError::Unsupported { .. }), "{error}");

    let mut lying = stored("archive/data/0", &[0; 64]);
    lying.declared = u32::MAX - 1;
    let pickle = stored("archive/data.pkl", &state_dict(1, 1, 1));
    let error = refused(&zip(&[pickle, lying]));
    assert!(matches!(error, WeightsError::TooLarge { .. }), "{error}");

    // All entries of the directory claim the same bytes.
    let mut many = zip(&[stored("archive/data.pkl", &[b'.'; 2000])]);
    let record = {
        let start = many
            .windows(4)
            .position(|bytes| bytes == b"PK\x01\x02")
            .expect("there");
        let end = many
            .windows(4)
            .position(|bytes| bytes == b"PK\x05\x06")
            .expect("there");
        many[start..end].to_vec()
    };
    let end = many.len() - 22;
    let count = 5000_u16;
    let directory = record.repeat(usize::from(count));
    let mut tail = many.split_off(end);
    many.truncate(end - record.len());
    many.extend(&directory);
    tail[8..10].copy_from_slice(&count.to_le_bytes());
    tail[10..12].copy_from_slice(&count.to_le_bytes());
    tail[12..16].copy_from_slice(&(directory.len() as u32).to_le_bytes());
    many.extend(tail);
    let error = refused(&many);
    assert!(matches!(error, WeightsError::TooLarge { .. }), "{error}");
}

/// A legacy file whose object is `pickle`.
fn legacy(pickle: &[u8]) -> Vec<u8> {
    let mut file = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.".to_vec();
    file.extend(b"\x80\x02M\xe9\x03.");
    file.extend(b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.");
    file.extend(pickle);
    file.extend(b"\x80\x02].");
    file
}

#[rstest]
#[case::system(b"cos\nsystem\n(Vtouch executed\ntR.", "os.system")]
#[case::posix(
    b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0etouch executed\x85R.",
    "posix.system"
)]
#[case::eval(b"c__builtin__\neval\n(V1\ntR.", "__builtin__.eval")]
#[case::inst(b"(Vtouch executed\nios\nsystem\n.", "os.system")]
#[case::beside_plain_values(b"}(Va\nI1\nVb\ncsubprocess\nPopen\n(Vtouch\ntRu.", "subprocess.Popen")]
fn pickles_that_call_something(#[case] pickle: &[u8], #[case] expected: &str) {
    for bytes in [
        [b"\x80\x02", pickle].concat(),
        legacy(pickle),
        archive(pickle, &[]),
    ] {
        let error = refused(&bytes);
        let WeightsError::UnsafePickle { global, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(global, expected);
    }
    assert!(!Path::new("executed").exists());
}

/// A pickle of a state dict as `model`, and of an object beside it.
fn beside(object: &[u8]) -> Vec<u8> {
    let state = state_dict(2, 2, 1);
    let state = state.strip_prefix(b"\x80\x02").expect("a protocol");
    let state = state.strip_suffix(b".").expect("an end");
    let model = b"\x80\x02}X\x05\x00\x00\x00model";
    [model, state, b"sX\x04\x00\x00\x00meta", object, b"s."].concat()
}

/// What Python writes of objects that are dictionaries and lists of classes of their own.
#[rstest]
#[case::yacs(
    b"cyacs.config\nCfgNode\nq\x00)\x81q\x01(X\x05\x00\x00\x00modelq\x02h\x00)\x81q\x03X\x05\x00\x00\x00widthq\x04K0s}q\x05X\r\x00\x00\x00__immutable__q\x06\x89sbX\x05\x00\x00\x00stepsq\x07K\x01K\x02\x86q\x08u}q\th\x06\x89sb"
)]
#[case::mmcv(
    b"cmmcv.utils.config\nConfigDict\nq\x00)\x81q\x01(X\x04\x00\x00\x00typeq\x02X\x03\x00\x00\x00FCNq\x03X\x0b\x00\x00\x00decode_headq\x04h\x00)\x81q\x05X\x08\x00\x00\x00channelsq\x06M\x00\x02su"
)]
#[case::protocol_4(
    b"\x8c\x11mmcv.utils.config\x94\x8c\nConfigDict\x94\x93\x94)\x81\x94(\x8c\x04type\x94\x8c\x03FCN\x94\x8c\x0bdecode_head\x94h\x02)\x81\x94\x8c\x08channels\x94M\x00\x02su"
)]
#[case::default_dict(
    b"ccollections\ndefaultdict\nq\x00c__builtin__\nlist\nq\x01\x85q\x02Rq\x03X\x04\x00\x00\x00lossq\x04]q\x05G?\xf8\x00\x00\x00\x00\x00\x00as"
)]
#[case::far_in_a_memo(
    b"ccollections\ndefaultdict\nr\x00\x01\x00\x00c__builtin__\nlist\nq\x01\x85r\x02\x01\x00\x00Rq\x03X\x04\x00\x00\x00lossq\x04]q\x05G?\xf8\x00\x00\x00\x00\x00\x00as"
)]
#[case::deque(
    b"ccollections\ndeque\nq\x00)K\x14\x86q\x01Rq\x02(G?\xf0\x00\x00\x00\x00\x00\x00G@\x00\x00\x00\x00\x00\x00\x00e"
)]
#[case::deque_without_end(b"ccollections\ndeque\nq\x00)Rq\x01G?\xf0\x00\x00\x00\x00\x00\x00a")]
#[case::list(b"cnames\nNames\nq\x00)\x81q\x01(X\x01\x00\x00\x00aq\x02X\x01\x00\x00\x00bq\x03e")]
#[case::addict(
    b"caddict.addict\nDict\nq\x00X\x02\x00\x00\x00lrq\x01G?\xb9\x99\x99\x99\x99\x99\x9a\x86q\x02X\x03\x00\x00\x00netq\x03h\x00X\x01\x00\x00\x00aq\x04K\x01\x86q\x05\x85q\x06\x81q\x07h\x04K\x01s}q\x08b\x86q\t\x86q\n\x81q\x0b(h\x01G?\xb9\x99\x99\x99\x99\x99\x9ah\x03h\x07u}q\x0cb"
)]
#[case::lightning_callbacks(
    b"}q\x00(cpytorch_lightning.callbacks\nEarlyStopping\nq\x01}q\x02X\x04\x00\x00\x00waitq\x03K\x01scpytorch_lightning.callbacks\nModelCheckpoint\nq\x04}q\x05X\x04\x00\x00\x00bestq\x06G?\xe0\x00\x00\x00\x00\x00\x00su"
)]
#[case::one_callback(
    b"}q\x00cpytorch_lightning.callbacks\nModelCheckpoint\nq\x01}q\x02X\x04\x00\x00\x00bestq\x03G?\xe0\x00\x00\x00\x00\x00\x00ss"
)]
#[case::one_callback_of_protocol_4(
    b"}\x94\x8c\x1bpytorch_lightning.callbacks\x94\x8c\x0fModelCheckpoint\x94\x93\x94}\x94\x8c\x04best\x94G?\xe0\x00\x00\x00\x00\x00\x00ss"
)]
#[case::keys_of_all_kinds(
    b"}q\x00(NK\x01\x88K\x02G?\xe0\x00\x00\x00\x00\x00\x00K\x03K\x01K\x02\x86q\x01K\x04u"
)]
#[case::none_as_key(b"}q\x00NK\x01s")]
#[case::tuple_as_key(b"}q\x00K\x01K\x02\x86q\x01Ns")]
#[case::float_as_key(b"}q\x00G?\xe0\x00\x00\x00\x00\x00\x00X\x01\x00\x00\x00aq\x01s")]
#[case::types_under_the_names_of_python_2(
    b"}q\x00(X\x01\x00\x00\x00aq\x01c__builtin__\nlong\nq\x02X\x01\x00\x00\x00bq\x03c__builtin__\nunicode\nq\x04X\x01\x00\x00\x00cq\x05c__builtin__\nxrange\nq\x06K\x00K\x03K\x01\x87q\x07Rq\x08X\x01\x00\x00\x00dq\tctypes\nSimpleNamespace\nq\n)Rq\x0b}q\x0ch\x01K\x01sbu"
)]
#[case::a_member_of_a_class(
    b"c__builtin__\ngetattr\nq\x00cschedule\nLR\nq\x01X\x04\x00\x00\x00stepq\x02\x86q\x03Rq\x04"
)]
#[case::twice(
    b"]q\x00(cmmcv.utils.config\nConfigDict\nq\x01)\x81q\x02X\x01\x00\x00\x00aq\x03K\x01sh\x02e"
)]
fn containers_of_classes_of_their_own(#[case] object: &[u8]) {
    let numbers = [1.5_f32, -2.0].map(f32::to_le_bytes).concat();
    let pickle = beside(object);
    let archive = archive(&pickle, &numbers);
    let with_checksum = |checksum: u32| {
        let mut archive = archive.clone();
        let record = archive.windows(4).position(|at| at == b"PK\x01\x02");
        let at = record.expect("a directory") + 16;
        archive[at..at + 4].copy_from_slice(&checksum.to_le_bytes());
        archive
    };
    let legacy = legacy(&pickle);
    let legacy = legacy.strip_suffix(b"].").expect("no storages");
    let storages = b"]X\x01\x00\x00\x000a.\x02\x00\x00\x00\x00\x00\x00\x00";
    let legacy = [legacy, storages, &numbers].concat();

    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("made.pth");
    for bytes in [
        archive.clone(),
        with_checksum(crc32fast::hash(&pickle)),
        legacy,
    ] {
        fs::write(&path, &bytes).expect("written");
        let checkpoint = WeightsFile::open(&path).expect("weights");
        let keys: Vec<_> = checkpoint.entries().map(|entry| entry.key).collect();
        assert_eq!(keys, ["w"]);
        let data = checkpoint.read("w").expect("whole").expect("there");
        assert_eq!(data.bytes().to_vec(), numbers);
        assert_eq!(fs::read(&path).expect("readable"), bytes);
    }
}

#[test]
fn a_copy_is_made_of_what_has_its_checksum_only() {
    let object = b"ccollections\ndeque\nq\x00)Rq\x01K\x01a";
    let mut archive = archive(&beside(object), &[0; 8]);
    let record = archive.windows(4).position(|at| at == b"PK\x01\x02");
    archive[record.expect("a directory") + 16] = 1;
    let error = refused(&archive);
    assert!(matches!(error, WeightsError::Damaged { .. }), "{error}");
}

/// A state dict may be of such a class itself; what its class is given is not thrown away.
#[test]
fn tensors_in_containers_of_classes_of_their_own() {
    let numbers = [1.5_f32, -2.0].map(f32::to_le_bytes).concat();
    let state = state_dict(2, 2, 1);
    let tensor = &state[3..state.len() - 2];
    let plain = [b"\x80\x02caddict\nDict\n)\x81", tensor, b"s."].concat();
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("made.pth");
    fs::write(&path, archive(&plain, &numbers)).expect("written");
    let checkpoint = WeightsFile::open(&path).expect("weights");
    assert!(checkpoint.entry("w").is_some());

    let value = &tensor[6..];
    let given = [
        b"\x80\x02caddict\nDict\n",
        value,
        b"\x85q\x00R",
        tensor,
        b"s.",
    ]
    .concat();
    let error = refused(&archive(&given, &numbers));
    assert!(matches!(error, WeightsError::Pytorch { .. }), "{error}");
}

/// `torch.save(model)` names the classes of its program, which nothing here asks for.
#[test]
fn a_whole_module_is_read_as_its_state_dict() {
    let numbers = [1.5_f32, -2.0].map(f32::to_le_bytes).concat();
    let state = state_dict(2, 2, 1);
    let tensor = &state[3..state.len() - 2];
    let text = |text: &str| [&[b'X', text.len() as u8, 0, 0, 0], text.as_bytes()].concat();
    let empty = b"ccollections\nOrderedDict\n)R";
    let module = |tables: [Vec<u8>; 3]| {
        let mut pickle = b"c__main__\nNet\n)\x81}(".to_vec();
        for (name, table) in ["_parameters", "_buffers", "_modules"].iter().zip(tables) {
            pickle.extend([text(name), empty.to_vec(), table].concat());
        }
        pickle.extend(b"ub");
        pickle
    };
    let layer = module([[tensor, b"s"].concat(), Vec::new(), Vec::new()]);
    let network = module([
        Vec::new(),
        Vec::new(),
        [text("conv"), layer, b"s".to_vec()].concat(),
    ]);
    let pickle = [&b"\x80\x02"[..], &network, b"."].concat();

    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("made.pth");
    fs::write(&path, archive(&pickle, &numbers)).expect("written");
    let checkpoint = WeightsFile::open(&path).expect("weights");
    let data = checkpoint.read("conv.w").expect("whole").expect("there");
    assert_eq!(data.bytes().to_vec(), numbers);
}

#[rstest]
#[case::long_text(b"X\xff\xff\xff\x7f".to_vec())]
#[case::longer_text(b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec())]
#[case::many_values({
    let mut pickle = vec![b'N'; 1 << 20];
    pickle.push(b'.');
    pickle
})]
#[case::many_lists({
    let mut pickle = vec![b']'; 1 << 20];
    pickle.push(b'.');
    pickle
})]
#[case::doubling({
    let mut pickle = b"K\x01".to_vec();
    pickle.extend(b"2\x86".repeat(60));
    pickle.push(b'.');
    pickle
})]
#[case::memo({
    let mut pickle = b"X\x00\x10\x00\x00".to_vec();
    pickle.extend([b'a'; 4096]);
    pickle.extend(b"q\x00(");
    pickle.extend(b"h\x00".repeat(20_000));
    pickle.extend(b"t.");
    pickle
})]
fn pickles_that_grow(#[case] pickle: Vec<u8>) {
    for bytes in [legacy(&pickle), archive(&pickle, &[])] {
        let error = refused(&bytes);
        assert!(matches!(error, WeightsError::TooLarge { .. }), "{error}");
    }
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn cut_files_are_named_as_such() {
    let tensor = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    for data in ["1234567", "123456789"] {
        let error = refused(&safetensors(tensor, data.as_bytes()));
        assert!(matches!(error, WeightsError::Damaged { .. }), "{error}");
    }
    let cut = legacy(&state_dict(2, 2, 1));
    let cut = cut.strip_suffix(b"].").expect("no storages");
    let storages = b"]X\x01\x00\x00\x000a.\x02\x00\x00\x00\x00\x00\x00\x001234";
    let error = refused(&[cut, storages].concat());
    assert!(matches!(error, WeightsError::Damaged { .. }), "{error}");
}

#[rstest]
#[case::header_longer_than_the_file({
    let mut bytes = 99_999_999_u64.to_le_bytes().to_vec();
    bytes.extend(b"{}");
    bytes
})]
#[case::no_json(safetensors("{no json", &[0; 8]))]
#[case::beyond_the_end(safetensors(
    r#"{"w":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}"#,
    &[0; 8],
))]
#[case::shape_and_bytes_disagree(safetensors(
    r#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
    &[0; 8],
))]
#[case::overflow(safetensors(
    r#"{"w":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,8]}}"#,
    &[0; 8],
))]
#[case::gap(safetensors(
    r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
    &[0; 8],
))]
#[case::header_without_data({
    let names: Vec<String> = (0..40_000)
        .map(|index| format!(r#""{index}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#))
        .collect();
    safetensors(&format!("{{{}}}", names.join(",")), &[])
})]
fn broken_safetensors(#[case] bytes: Vec<u8>) {
    let error = refused(&bytes);
    let typed = matches!(
        error,
        WeightsError::Damaged { .. }
            | WeightsError::TooLarge { .. }
            | WeightsError::Safetensors { .. }
    );
    assert!(typed, "{error}");
}

#[test]
fn names_that_would_collide_keep_their_prefix() {
    let tensor = |offset: usize| {
        let end = offset + 4;
        format!(r#"{{"dtype":"F32","shape":[1],"data_offsets":[{offset},{end}]}}"#)
    };
    let header = format!(r#"{{"w":{},"module.w":{}}}"#, tensor(0), tensor(4));
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("twice.safetensors");
    fs::write(&path, safetensors(&header, &[0; 8])).expect("written");
    let file = WeightsFile::open(&path).expect("well formed");
    let names: Vec<String> = file.entries().map(|entry| entry.key).collect();
    assert_eq!(names, ["module.w", "w"]);
}

#[test]
fn a_conversion_that_fails_leaves_the_old_file() {
    let folder = TempDir::new().expect("a temporary folder");
    let source = folder.path().join("source.pth");
    let target = folder.path().join("target.safetensors");
    fs::write(&target, b"old").expect("written");
    // The checksum of the storage is wrong, which shows when it is read.
    let mut bytes = archive(&state_dict(1, 1, 1), &[0; 4]);
    let record = bytes
        .windows(4)
        .rposition(|bytes| bytes == b"PK\x01\x02")
        .expect("there");
    bytes[record + 16..record + 20].copy_from_slice(&[1, 2, 3, 4]);
    fs::write(&source, &bytes).expect("written");

    let checkpoint = WeightsFile::open(&source).expect("its table is well formed");
    let error = convert(&checkpoint, &target).expect_err("a wrong checksum");
    assert!(matches!(error, WeightsError::Tensor { .. }), "{error}");
    assert_eq!(fs::read(&target).expect("still there"), b"old");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
}
