//! JPEG images: decoded by `image`, after a check that the file holds all of the picture.

mod entropy;
mod huffman;
mod known;
mod segments;

use std::io::Cursor;
use std::path::Path;

use decoupled_seg_types::Size;
use image::codecs::jpeg::JpegDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, RgbImage};

use super::decoder_fault::decoding;
use super::{check_size, pixels, truncated};
use crate::DatasetError;
use entropy::Flaw;

const EXPECTED: &str = "JPEG image";

/// A block of 8x8 pixels takes at least one bit. The factor 4 allows for subsampled blocks.
const MAX_PIXELS_PER_BYTE: u64 = 4 * 8 * 64;

pub(in crate::files) fn decode(
    path: &Path,
    bytes: &[u8],
) -> Result<(RgbImage, Orientation), DatasetError> {
    let mut decoder = decoding(path, || open(path, bytes))?;
    known::check_once(bytes).map_err(|flaw| match flaw {
        Flaw::NoEnd => truncated(path, bytes, EXPECTED),
        Flaw::Damage(source) => DatasetError::DamagedJpeg {
            path: path.to_path_buf(),
            source,
        },
    })?;
    let orientation = orientation(&mut decoder);
    let image = decoding(path, || {
        DynamicImage::from_decoder(decoder).map_err(|error| describe(path, error))
    })?;
    Ok((image.into_rgb8(), orientation))
}

pub(in crate::files) fn size(
    path: &Path,
    bytes: &[u8],
) -> Result<(Size, Orientation), DatasetError> {
    let mut decoder = decoding(path, || open(path, bytes))?;
    let (width, height) = decoder.dimensions();
    let size = Size::new(height as usize, width as usize);
    Ok((size, orientation(&mut decoder)))
}

/// The orientation in the photo's tag; unturned if there is no readable tag.
fn orientation(decoder: &mut JpegDecoder<Cursor<&[u8]>>) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

fn open<'a>(path: &Path, bytes: &'a [u8]) -> Result<JpegDecoder<Cursor<&'a [u8]>>, DatasetError> {
    let unread = || {
        let kind = segments::unread_kind(bytes)?;
        Some(DatasetError::JpegKind {
            path: path.to_path_buf(),
            kind,
        })
    };
    let Some(size) = segments::frame_size(bytes) else {
        return Err(unread().unwrap_or_else(|| truncated(path, bytes, EXPECTED)));
    };
    let check = |size: Size| {
        check_size(path, size)?;
        match pixels(size) > MAX_PIXELS_PER_BYTE * bytes.len() as u64 {
            true => Err(truncated(path, bytes, EXPECTED)),
            false => Ok(()),
        }
    };
    check(size)?;
    let decoder = JpegDecoder::new(Cursor::new(bytes))
        .map_err(|error| unread().unwrap_or_else(|| describe(path, error)))?;
    // The decoder passes over frames that it does not know, and may have found another one.
    let (width, height) = decoder.dimensions();
    check(Size::new(height as usize, width as usize))?;
    match unread() {
        Some(error) => Err(error),
        None => Ok(decoder),
    }
}

fn describe(path: &Path, source: image::ImageError) -> DatasetError {
    DatasetError::Jpeg {
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;

    use super::entropy::check;
    use super::segments::SOS;
    use super::*;
    use crate::JpegDamage;

    const FILES: [&str; 11] = [
        "baseline_420",
        "baseline_422",
        "baseline_444",
        "baseline_cmyk",
        "baseline_grey",
        "baseline_optimized",
        "baseline_restarts",
        "progressive_420",
        "progressive_444",
        "progressive_grey",
        "progressive_restarts",
    ];

    /// A file of libjpeg's, and where its first scan begins.
    fn whole(name: &str) -> (Vec<u8>, usize) {
        let folder = decoupled_seg_fixtures::default_folder().join("jpeg");
        let bytes = fs::read(folder.join(format!("{name}.jpg"))).expect("part of the repository");
        let mut segments = segments::Segments::new(&bytes);
        let found = segments.find(|(marker, _)| *marker == segments::SOS);
        found.expect("a scan");
        let start = segments.at;
        (bytes, start)
    }

    fn damage(bytes: &[u8]) -> JpegDamage {
        match check(bytes) {
            Err(Flaw::Damage(damage)) => damage,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whole_files_are_whole() {
        for name in FILES {
            let (bytes, _) = whole(name);
            assert_eq!(check(&bytes), Ok(()), "{name}");
            let decoded = decode(Path::new(name), &bytes);
            let (image, _) = decoded.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(image.dimensions(), (70, 45), "{name}");
        }
    }

    /// zune-jpeg reads a length behind markers that have none, and so finds another header than the check.
    #[rstest]
    #[case::of_no_length(&[0xFF, 0x01, 0x00, 0x0C, 0xFF, SOS, 0x00, 0x08, 0x01, 0x03, 0x01, 0x01, 0x3F, 0x10])]
    #[case::a_scan_without_a_frame(&[0xFF, SOS, 0x00, 0x08, 0x01, 0x03, 0x01, 0x01, 0x3F, 0x10])]
    #[case::a_restart(&[0xFF, 0xD3])]
    fn headers_that_may_be_read_in_two_ways(#[case] inserted: &[u8]) {
        let (mut bytes, _) = whole("baseline_420");
        bytes.splice(2..2, inserted.iter().copied());
        assert_eq!(damage(&bytes), JpegDamage::BadHeader);
        decode(Path::new("a.jpg"), &bytes).expect_err("damaged");
    }

    /// The decoder passes over the first frame, since it is of arithmetic codes, and would have taken 7 GB for the second.
    #[test]
    fn a_second_frame_is_no_way_around_the_limits() {
        let (mut bytes, _) = whole("baseline_420");
        let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]);
        let frame = frame.expect("a frame");
        let mut second = bytes[frame..frame + 19].to_vec();
        bytes[frame + 1] = 0xC9;
        for side in [5, 7] {
            second[side..side + 2].fill(0xFF);
        }
        bytes.splice(frame + 19..frame + 19, second);
        for error in [
            decode(Path::new("a.jpg"), &bytes).expect_err("65535x65535"),
            size(Path::new("a.jpg"), &bytes).expect_err("65535x65535"),
        ] {
            assert!(matches!(error, DatasetError::TooLarge { .. }), "{error:?}");
        }
    }

    #[rstest]
    #[case(0xC3, "lossless")]
    #[case(0xC5, "hierarchical")]
    #[case(0xC9, "arithmetically coded")]
    #[case(0xCA, "arithmetically coded")]
    #[case(0xCB, "lossless, arithmetically coded")]
    #[case(0xCF, "hierarchical")]
    #[case(0xF7, "lossless (JPEG-LS)")]
    fn kinds_that_are_not_read_are_named(#[case] marker: u8, #[case] kind: &str) {
        let (mut bytes, _) = whole("baseline_420");
        let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]);
        bytes[frame.expect("a frame") + 1] = marker;
        let told = format!(
            "`a.jpg`: a JPEG of a kind that is not read: {kind}; convert it to PNG or to a common JPEG"
        );
        for error in [
            decode(Path::new("a.jpg"), &bytes).expect_err("not read"),
            size(Path::new("a.jpg"), &bytes).expect_err("not read"),
        ] {
            assert_eq!(error.to_string(), told);
        }
    }

    /// zune-jpeg 0.5.15 panics on such files where a scan has one colour.
    #[rstest]
    #[case::across(0x41, 3)]
    #[case::down(0x14, 3)]
    #[case::both(0x44, 2)]
    fn colours_finer_than_the_brightness_are_refused(
        #[case] sampling: u8,
        #[case] component: usize,
    ) {
        let (mut bytes, _) = whole("baseline_420");
        let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]);
        bytes[frame.expect("a frame") + 8 + 3 * component] = sampling;
        assert_eq!(damage(&bytes), JpegDamage::FineColour { component });
    }

    /// A cut or a stretch of other bytes changes the number of blocks that can be read. A few of the small ones happen not
    /// to: codes fall into step again after a while.
    #[rstest]
    fn what_is_missing_in_the_middle_is_found(
        #[values("cut", "zeros", "text")] change: &str,
        #[values(40, 150)] length: usize,
    ) {
        let mut missed = Vec::new();
        for name in FILES {
            let (bytes, start) = whole(name);
            let last = bytes.len() - 2 - length;
            for at in [
                start,
                start + (last - start) / 3,
                start + (last - start) / 2,
            ] {
                let mut bytes = bytes.clone();
                let range = at..at + length;
                match change {
                    "cut" => drop(bytes.drain(range)),
                    "zeros" => bytes[range].fill(0),
                    _ => bytes[range].fill(b'x'),
                }
                if decode(Path::new(name), &bytes).is_ok() {
                    missed.push(format!("{name} at {at}"));
                }
            }
        }
        let most = if length < 100 { 4 } else { 0 };
        assert!(missed.len() <= most, "of 33: {missed:?}");
    }

    #[test]
    fn the_finding_says_where() {
        let (bytes, start) = whole("baseline_444");
        let cut = [&bytes[..start + 200], &bytes[bytes.len() - 2..]].concat();
        let JpegDamage::EndsEarly { found, expected } = damage(&cut) else {
            panic!("{:?}", damage(&cut));
        };
        assert_eq!(expected, 9 * 6);
        assert!(0 < found && found < expected, "{found}");
        let error = decode(Path::new("a.jpg"), &cut).expect_err("cut");
        let told = format!(
            "`a.jpg`: damaged JPEG image: the data end after {found} of 54 blocks; get the file again, or leave it out"
        );
        assert_eq!(error.to_string(), told);
    }

    #[test]
    fn data_without_blocks_are_left_over() {
        let (mut bytes, _) = whole("baseline_420");
        let end = bytes.len() - 2;
        bytes.splice(end..end, [7; 30]);
        assert_eq!(
            damage(&bytes),
            JpegDamage::LeftOver {
                bytes: 30,
                block: 15,
                expected: 15
            }
        );
        // What cameras and programs write behind a whole picture.
        for filling in [&[0; 30][..], &[0xFF; 30], &[7, 7]] {
            let (mut bytes, _) = whole("baseline_420");
            bytes.splice(end..end, filling.iter().copied());
            assert_eq!(check(&bytes), Ok(()), "{filling:?}");
        }
    }

    #[test]
    fn a_missing_restart_is_found() {
        let (bytes, start) = whole("baseline_restarts");
        let restart = bytes[start..].windows(2).position(|it| it == [0xFF, 0xD1]);
        let at = start + restart.expect("five intervals");
        let mut other = bytes.clone();
        other[at + 1] = 0xD4;
        assert!(matches!(
            damage(&other),
            JpegDamage::EndsEarly { found: 6, .. }
        ));
        let mut without = bytes;
        without.drain(at..at + 2);
        assert!(matches!(damage(&without), JpegDamage::LeftOver { .. }));
    }

    /// Begin and end of each scan with its header.
    fn scans(bytes: &[u8]) -> Vec<[usize; 2]> {
        let mut segments = segments::Segments::new(bytes);
        let mut found = Vec::new();
        loop {
            let before = segments.at;
            match segments.next() {
                Some((segments::SOS, _)) => {
                    let mut data = Vec::new();
                    while let Some(0xD0..=0xD7) = segments.entropy_coded(&mut data) {
                        segments.at += 2;
                    }
                    found.push([before, segments.at]);
                }
                Some(_) => {}
                None => return found,
            }
        }
    }

    #[test]
    fn missing_scans_are_found() {
        let (bytes, _) = whole("progressive_444");
        let scans = scans(&bytes);
        assert!(scans.len() > 5, "{scans:?}");
        for [from, to] in scans {
            let mut bytes = bytes.clone();
            bytes.drain(from..to);
            assert!(matches!(damage(&bytes), JpegDamage::MissingScan { .. }));
        }
    }

    #[test]
    fn too_many_scans_are_refused() {
        let (bytes, _) = whole("progressive_grey");
        let [from, to] = scans(&bytes)[0];
        let repeated = bytes[from..to].repeat(300);
        let bytes = [&bytes[..from], &repeated, &bytes[from..]].concat();
        assert_eq!(damage(&bytes), JpegDamage::TooManyScans { limit: 256 });
    }
}
