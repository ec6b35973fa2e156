//! Files as strangers send them: a target for each kind, which reads any bytes as that kind, and whole files to begin
//! with. `tests/strangers.rs` drives the targets with changed files, and `fuzz/` with cargo-fuzz. What needs Burn is in
//! `strangers_of_runs.rs`.
//!
//! A target fails by a panic only: any bytes must end in a value or an error.

use std::cell::RefCell;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use decoupled_seg_datasets::files::{
    Folders, IdMap, MaskEncoding, MaskReader, RawMask, read_bands, read_image, read_image_size,
    read_list, read_names,
};
use decoupled_seg_datasets::{CustomDataset, Size};
use decoupled_seg_video::{Frame, VideoReader};
use image::{DynamicImage, GrayImage, ImageEncoder, ImageFormat, RgbImage};

/// A kind of file.
pub struct Target {
    /// Its name, as in `fuzz/fuzz_targets/`.
    pub name: &'static str,
    /// Reads any bytes as such a file.
    pub read: fn(&[u8]),
    /// Whole files of the kind.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All kinds that need no tensors.
pub const TARGETS: [Target; 6] = [
    Target {
        name: "masks",
        read: masks,
        seeds: mask_seeds,
    },
    Target {
        name: "png",
        read: pictures,
        seeds: png_seeds,
    },
    Target {
        name: "jpeg",
        read: pictures,
        seeds: jpeg_seeds,
    },
    Target {
        name: "lists",
        read: lists,
        seeds: list_seeds,
    },
    Target {
        name: "descriptions",
        read: descriptions,
        seeds: description_seeds,
    },
    Target {
        name: "videos",
        read: videos,
        seeds: video_seeds,
    },
];

/// Runs `read` on a file of these bytes, in a folder that each thread keeps.
pub fn with_file(name: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    thread_local! {
        static FOLDER: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
    }
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| {
            // In memory where the system has such a folder: a fuzzer writes thousands of files a second.
            let memory = Path::new("/dev/shm");
            let made = match memory.is_dir() {
                true => tempfile::tempdir_in(memory),
                false => tempfile::tempdir(),
            };
            let made = made.expect("a temporary folder");
            for file in ["a.png", "a_l.png", "b c.png", "train/a.png", "masks/a.png"] {
                let path = made.path().join(file);
                fs::create_dir_all(path.parent().expect("in the folder")).expect("writable");
                fs::write(path, "").expect("writable");
            }
            made
        });
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("writable");
        read(&path);
    });
}

fn masks(bytes: &[u8]) {
    let path = Path::new("mask.png");
    let Ok(mask) = RawMask::decode(path, bytes) else {
        return;
    };
    let _ = mask.histogram();
    for encoding in [
        MaskEncoding::Grey,
        MaskEncoding::PaletteIndex,
        MaskEncoding::GreyOrPaletteIndex,
        MaskEncoding::Grey16,
        MaskEncoding::Color,
    ] {
        let reader = MaskReader::new(encoding, IdMap::identity(3, &[255]), 3);
        let _ = reader.unknown_values(path, &mask);
        if let Ok(labels) = reader.labels(path, mask.clone()) {
            assert_eq!(labels.size(), mask.size);
            assert!(labels.data.iter().all(|&label| label < 3 || label == 255));
        }
    }
}

fn pictures(bytes: &[u8]) {
    with_file("picture", bytes, |path| {
        let size = read_image_size(path);
        if let Ok(image) = read_image(path) {
            let read = Size::new(image.height() as usize, image.width() as usize);
            assert_eq!(size.expect("the picture was read"), read);
        }
        for bands in 1..=5 {
            if let Ok(image) = read_bands(path, bands) {
                assert_eq!(image.bands(), bands);
            }
        }
    });
}

fn lists(bytes: &[u8]) {
    with_file("list.txt", bytes, |path| {
        let root = path.parent().expect("in a folder");
        for pair in read_list(path, root).pairs {
            assert!(pair.image.is_file());
        }
        let folders = Folders {
            images: &root.join("train"),
            image_suffixes: &[".png"],
            labels: &root.join("masks"),
            label_suffix: ".png",
        };
        for labelled in [true, false] {
            let _ = read_names(path, &folders, labelled);
        }
    });
}

fn descriptions(bytes: &[u8]) {
    with_file("dataset.toml", bytes, |path| {
        let Ok(description) = CustomDataset::read(path) else {
            return;
        };
        for split in description.splits.keys().take(4) {
            let _ = CustomDataset::open_partially(path, split);
        }
    });
}

fn videos(bytes: &[u8]) {
    let Ok(mut reader) = VideoReader::with_limit(bytes, 1 << 20) else {
        return;
    };
    let header = reader.header().clone();
    let mut frame = Frame::new(&header);
    let mut rgb = Vec::new();
    while let Ok(true) = reader.read(&mut frame) {
        frame.to_rgb(&header, &mut rgb);
        assert_eq!(rgb.len(), 3 * header.size.pixels());
    }
}

fn picture() -> RgbImage {
    RgbImage::from_fn(33, 21, |x, y| {
        image::Rgb([(x * 7) as u8, (y * 12) as u8, (x ^ y) as u8])
    })
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let written = image.into().write_to(&mut bytes, format);
    written.expect("in memory");
    bytes.into_inner()
}

fn mask_seeds() -> Vec<Vec<u8>> {
    let mask = GrayImage::from_fn(33, 21, |x, y| image::Luma([(x / 12 + y / 20) as u8]));
    let grey = DynamicImage::from(mask);
    vec![
        encoded(grey.clone(), ImageFormat::Png),
        encoded(grey.to_luma16(), ImageFormat::Png),
        encoded(grey.to_rgb8(), ImageFormat::Png),
        encoded(grey.to_rgba8(), ImageFormat::Png),
        of_two_bits(&PALETTE),
    ]
}

/// Three colours.
const PALETTE: [u8; 9] = [0, 0, 0, 200, 0, 0, 0, 200, 0];

/// A PNG of four pixels with this palette, stored by hand without compression.
fn of_two_bits(palette: &[u8]) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [kind.as_slice(), data].concat();
        let length = u32::try_from(data.len()).expect("short").to_be_bytes();
        [length.as_slice(), &body, &crc32(&body).to_be_bytes()].concat()
    };
    // Two rows of two pixels: filter byte, then four pixels of two bits. The end is Adler-32.
    let rows = [0, 0b0001_0000, 0, 0b1000_0000_u8];
    let (mut a, mut b) = (1_u32, 0_u32);
    for row in rows {
        a = (a + u32::from(row)) % 65521;
        b = (b + a) % 65521;
    }
    let stored = [
        &[0x78, 0x01, 1, 4, 0, 0xFB, 0xFF],
        &rows[..],
        &(b << 16 | a).to_be_bytes(),
    ];
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &[0, 0, 0, 2, 0, 0, 0, 2, 2, 3, 0, 0, 0]),
        chunk(b"PLTE", palette),
        chunk(b"tRNS", &[255, 128]),
        chunk(b"IDAT", &stored.concat()),
        chunk(b"IEND", &[]),
    ]
    .concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| match crc & 1 {
            1 => crc >> 1 ^ 0xEDB8_8320,
            _ => crc >> 1,
        })
    })
}

fn png_seeds() -> Vec<Vec<u8>> {
    let picture = DynamicImage::from(picture());
    vec![
        encoded(picture.clone(), ImageFormat::Png),
        encoded(picture.to_luma_alpha8(), ImageFormat::Png),
        encoded(picture.to_rgb16(), ImageFormat::Png),
        of_two_bits(&PALETTE),
        // The decoder panics on it.
        of_two_bits(&PALETTE[..8]),
    ]
}

fn jpeg_seeds() -> Vec<Vec<u8>> {
    let mut tagged = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut tagged, 40);
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    encoder
        .set_exif_metadata(exif.to_vec())
        .expect("JPEG has it");
    picture().write_with_encoder(encoder).expect("in memory");
    let fixtures = decoupled_seg_fixtures::default_folder().join("jpeg");
    let mut seeds = vec![
        tagged,
        encoded(picture(), ImageFormat::Jpeg),
        encoded(DynamicImage::from(picture()).to_luma8(), ImageFormat::Jpeg),
    ];
    let files = fs::read_dir(&fixtures).expect("part of the repository");
    for file in files {
        let path = file.expect("readable").path();
        if path.extension().is_some_and(|ending| ending == "jpg") {
            seeds.push(fs::read(path).expect("readable"));
        }
    }
    seeds
}

pub fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn list_seeds() -> Vec<Vec<u8>> {
    let mut seeds = texts(&[
        "# a comment\n\ntrain/a.png masks/a.png\r\n/SegNet/train/a.png /SegNet/masks/a.png\n",
        "train\\a.png,\"masks\\a.png\"\nb c.png\ta_l.png\nC:\\x\\train\\a.png;masks/a.png\n",
        "b c.png a_l.png\na.png|a_l.png",
        "a\na.png 1\nb\r\n",
        "a.png\ra_l.png\r",
    ]);
    let list = "\u{feff}train/a.png masks/a.png\r\n";
    seeds.push(list.encode_utf16().flat_map(u16::to_le_bytes).collect());
    seeds.push(list.encode_utf16().flat_map(u16::to_be_bytes).collect());
    seeds
}

fn description_seeds() -> Vec<Vec<u8>> {
    texts(&[
        "encoding = \"grey\"\nignored = [255]\n[[classes]]\nname = \"background\"\ncolor = [0, 0, 0]\n[[classes]]\n\
         name = \"object\"\nid = 7\ncolor = [255, 0, 0]\n[splits.train]\nimages = \"train\"\nlabels = \"masks\"\n\
         [splits.val]\nlist = \"list.txt\"\n",
        "encoding = \"color\"\nignored_colors = [[0, 0, 0]]\nclasses = [{ name = \"a\", color = [1, 2, 3] }, \
         { name = \"b\", color = [4, 5, 6] }]\n[splits.valid]\nimages = \".\"\nimage_suffix = \".png\"\n\
         labels = \".\"\nlabel_suffix = \"_l.png\"\n",
    ])
}

fn video_seeds() -> Vec<Vec<u8>> {
    let stream = |header: &str, frame: usize| {
        let mut bytes = format!("YUV4MPEG2 {header}\n").into_bytes();
        for number in 0..2_u8 {
            bytes.extend(b"FRAME\n");
            bytes.extend(std::iter::repeat_n(90 + number, frame));
        }
        bytes
    };
    vec![
        stream("W4 H2 F25:1 Ip A1:1 C420jpeg", 12),
        stream("W3 H3 F30000:1001 C444 XCOLORRANGE=FULL", 27),
        stream("W2 H2 Cmono", 4),
        stream("W4 H2 C422", 16),
    ]
}
