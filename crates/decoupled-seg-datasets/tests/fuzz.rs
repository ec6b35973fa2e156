//! Whatever a file holds, reading it ends in a value or an error: no panic, no runaway memory.

use std::fs;
use std::path::Path;

use decoupled_seg_datasets::files::{
    IdMap, MaskEncoding, MaskReader, RawMask, read_image, read_image_size, read_list,
};
use decoupled_seg_datasets::{CustomDataset, DatasetError, MapillaryVistas, Split};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use proptest::prelude::*;

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
    written(bytes, |path| {
        if let Ok(image) = read_image(path) {
            assert_eq!(
                read_image_size(path).expect("read before"),
                [image.width() as usize, image.height() as usize]
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
        let _ = MapillaryVistas::open(folder, Split::Train);
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
    fn random_text(text in "[ -~\t\n\\[\\]=\"]{0,200}") {
        read_as_everything(text.as_bytes());
    }

    #[test]
    fn any_size_in_the_header(width in any::<u32>(), height in any::<u32>(), which in 0..2_usize) {
        let mut bytes = sound()[2 * which].clone();
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        repair_checksums(&mut bytes);
        written(&bytes, |path| {
            // A few hundred bytes are at most a few hundred thousand pixels.
            if u64::from(width) * u64::from(height) > 1 << 21 {
                let error = RawMask::read(path).expect_err("the file cannot hold that many");
                assert!(
                    matches!(
                        error,
                        DatasetError::TooLarge { .. } | DatasetError::Truncated { .. } | DatasetError::Decode { .. }
                    ),
                    "{error}"
                );
            }
        });
    }
}
