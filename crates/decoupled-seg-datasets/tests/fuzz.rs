//! Whatever a file holds, reading it ends in a value or an error: no panic, and no more memory than its length allows.

use std::fs;
use std::path::Path;

use decoupled_seg_datasets::files::{
    IdMap, MaskEncoding, MaskReader, RawMask, read_image, read_image_size, read_list,
};
use decoupled_seg_datasets::{
    CustomDataset, DatasetError, MapillaryVersion, MapillaryVistas, Size, Split,
};
use decoupled_seg_fixtures::memory::{Counting, most_held};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use proptest::prelude::*;
use rstest::rstest;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The memory that a reader may take in addition to the pixels: tables of the decoders, messages, the file itself.
const BESIDE: usize = 1 << 20;

/// The memory that pixels may take for each byte of the file. Deflate packs at most 1032 bytes into one. Each of them
/// may hold eight pixels of a bit, and a pixel becomes a byte of grey and three bytes of RGB.
const PER_BYTE: usize = 1032 * 8 * 4;

fn encoded(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    image
        .write_to(&mut std::io::Cursor::new(&mut bytes), format)
        .expect("in memory");
    bytes
}

fn sound() -> [Vec<u8>; 3] {
    let image = RgbImage::from_fn(33, 21, |x, y| {
        image::Rgb([(x * 7) as u8, (y * 12) as u8, (x ^ y) as u8])
    });
    let mask = GrayImage::from_fn(33, 21, |x, y| image::Luma([(x / 9 + y / 7) as u8]));
    [
        encoded(image.clone().into(), ImageFormat::Png),
        encoded(image.into(), ImageFormat::Jpeg),
        encoded(mask.into(), ImageFormat::Png),
    ]
}

fn written(bytes: &[u8], read: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("file");
    fs::write(&path, bytes).expect("writable");
    read(&path);
}

fn read_as_everything(bytes: &[u8]) {
    let ((), most) = most_held(|| read_each_way(bytes));
    let allowed = BESIDE + PER_BYTE * bytes.len();
    assert!(most <= allowed, "{} bytes took {most}", bytes.len());
}

fn read_each_way(bytes: &[u8]) {
    written(bytes, |path| {
        if let Ok(image) = read_image(path) {
            assert_eq!(
                read_image_size(path).expect("read before"),
                Size::new(image.height() as usize, image.width() as usize)
            );
        }
        if let Ok(mask) = RawMask::read(path) {
            for encoding in [
                MaskEncoding::Grey,
                MaskEncoding::PaletteIndex,
                MaskEncoding::Grey16,
                MaskEncoding::Color,
            ] {
                let reader = MaskReader::new(encoding, IdMap::identity(3, &[255]), 3);
                let _ = reader.labels(path, mask.clone());
                let _ = reader.unknown_values(path, &mask);
            }
        }
        let folder = path.parent().expect("in a folder");
        let _ = read_list(path, folder);
        let _ = CustomDataset::read(path);
        fs::rename(path, folder.join("config.json")).expect("writable");
        let _ = MapillaryVistas::open(folder, Split::Train, MapillaryVersion::V12);
    });
}

/// Gives a PNG chunk its right checksum back, so that the change reaches the decoder behind it.
fn repair_checksums(bytes: &mut [u8]) {
    let mut at = 8;
    while at + 12 <= bytes.len() {
        let length =
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize;
        let Some(end) = at
            .checked_add(8 + length)
            .filter(|end| end + 4 <= bytes.len())
        else {
            return;
        };
        let checksum = crc32(&bytes[at + 4..end]);
        bytes[end..end + 4].copy_from_slice(&checksum.to_be_bytes());
        at = end + 4;
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400), magic in 0..3_usize) {
        let magic: &[u8] = [b"\x89PNG\r\n\x1a\n".as_slice(), b"\xff\xd8\xff", b""][magic];
        read_as_everything(&[magic, &bytes].concat());
    }

    #[test]
    fn changed_files(
        which in 0..3_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        repair in any::<bool>(),
    ) {
        let mut bytes = sound()[which].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if repair && which != 1 {
            repair_checksums(&mut bytes);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        read_as_everything(&bytes);
    }

    #[test]
    fn any_size_in_the_header_of_a_jpeg(width in any::<u16>(), height in any::<u16>(), kind in 0xC0..=0xCF_u8) {
        read_as_everything(&jpeg_of_size(width, height, kind));
    }

    #[test]
    fn random_text(text in "[ -~\t\n\\[\\]=\"]{0,200}") {
        read_as_everything(text.as_bytes());
    }

    #[test]
    fn any_size_in_the_header(width in any::<u32>(), height in any::<u32>(), which in 0..2_usize) {
        let mut bytes = sound()[2 * which].clone();
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        repair_checksums(&mut bytes);
        read_as_everything(&bytes);
        written(&bytes, |path| {
            // A few hundred bytes are at most a few hundred thousand pixels.
            if u64::from(width) * u64::from(height) > 1 << 21 {
                let error = RawMask::read(path).expect_err("the file cannot hold that many");
                assert!(
                    matches!(
                        error,
                        DatasetError::TooLarge { .. } | DatasetError::Truncated { .. } | DatasetError::Png { .. }
                    ),
                    "{error}"
                );
            }
        });
    }
}

/// A sound JPEG whose frame header says another size and kind (`0xC0`: baseline, `0xC2`: progressive).
fn jpeg_of_size(width: u16, height: u16, kind: u8) -> Vec<u8> {
    let [_, mut bytes, _] = sound();
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]);
    let frame = frame.expect("the encoder writes a baseline frame");
    bytes[frame + 1] = kind;
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

fn png_of_size(width: u32, height: u32) -> Vec<u8> {
    let [mut bytes, ..] = sound();
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    repair_checksums(&mut bytes);
    bytes
}

/// A JPEG with a second frame header, of another size than the first.
fn jpeg_of_two_frames(width: u16, height: u16) -> Vec<u8> {
    let [_, sound, _] = sound();
    let bomb = jpeg_of_size(width, height, 0xC0);
    let frame = sound.windows(2).position(|pair| pair == [0xFF, 0xC0]);
    let frame = frame.expect("the encoder writes a baseline frame");
    let end = frame + 2 + usize::from(u16::from_be_bytes([sound[frame + 2], sound[frame + 3]]));
    [&sound[..end], &bomb[frame..end], &sound[end..]].concat()
}

/// Headers that promise what the file cannot hold.
#[rstest]
#[case::jpeg(jpeg_of_size(65535, 65535, 0xC0))]
#[case::progressive_jpeg(jpeg_of_size(65535, 65535, 0xC2))]
#[case::wide_jpeg(jpeg_of_size(65535, 1000, 0xC0))]
#[case::jpeg_below_the_limit(jpeg_of_size(8000, 8000, 0xC0))]
#[case::jpeg_with_a_second_frame(jpeg_of_two_frames(65535, 65535))]
#[case::png(png_of_size(65535, 65535))]
#[case::largest_png(png_of_size(u32::MAX >> 1, u32::MAX >> 1))]
#[case::png_below_the_limit(png_of_size(8000, 8000))]
fn bombs_are_refused_unread(#[case] bytes: Vec<u8>) {
    let ((), most) = most_held(|| {
        written(&bytes, |path| {
            let error = read_image(path).expect_err("more than the file can hold");
            assert!(
                matches!(
                    error,
                    DatasetError::TooLarge { .. }
                        | DatasetError::Truncated { .. }
                        | DatasetError::Png { .. }
                        | DatasetError::Jpeg { .. }
                ),
                "{error:?}"
            );
            assert!(error.to_string().contains("file"), "{error}");
        });
    });
    assert!(most < BESIDE, "{} bytes took {most}", bytes.len());
}

/// Long or deeply nested texts in place of a list or a description.
#[rstest]
#[case::lines("?\n", 200_000)]
#[case::one_line("a,", 200_000)]
#[case::deep_path("a/", 100_000)]
#[case::deepest_path("a/", 4_000)]
#[case::deep_list("[", 100_000)]
#[case::deep_table("a.", 100_000)]
#[case::deep_value("a={", 100_000)]
#[case::tables("[[classes]]\n", 50_000)]
fn long_and_deep_texts(#[case] part: &str, #[case] times: usize) {
    let text = part.repeat(times);
    let ((), most) = most_held(|| read_each_way(text.as_bytes()));
    // A parser may take more than a byte of memory for a byte of text, but not much more.
    let allowed = BESIDE + 200 * text.len();
    assert!(most <= allowed, "{} bytes took {most}", text.len());
}
