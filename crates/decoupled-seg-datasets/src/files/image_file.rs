use std::path::Path;

use decoupled_seg_types::{FileKind, Size};
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};
use png::{ColorType, Transformations};

use super::other_format::{EXPECTED, OtherFormat};
use super::{jpeg, png_file, read_bytes};
use crate::DatasetError;

/// Reads a PNG or JPEG image (told apart by content, not by name) as 8-bit RGB; grey is repeated, alpha dropped. With the
/// cargo features of their names TIFF, WebP and BMP too.
///
/// The orientation tag of a photo (EXIF) is obeyed, so the image is turned as viewers and label tools show it.
///
/// # Errors
///
/// Returns a [`DatasetError`] that names the file if it cannot be read, is empty, truncated, damaged, of another
/// format, or larger than [`MAX_PIXELS`](crate::MAX_PIXELS).
pub fn read_image(path: impl AsRef<Path>) -> Result<RgbImage, DatasetError> {
    Ok(read_turned_image(path.as_ref())?.0)
}

/// As [`read_image`], and whether the orientation tag turned the image.
pub(crate) fn read_turned_image(path: &Path) -> Result<(RgbImage, bool), DatasetError> {
    let bytes = read_bytes(path, EXPECTED)?;
    if let Some(format) = OtherFormat::of(&bytes) {
        let (image, orientation) = format.decode(path, &bytes)?;
        let is_turned = orientation != Orientation::NoTransforms;
        return Ok((image.turned(orientation).preview(), is_turned));
    }
    let (image, orientation) = match kind(path, &bytes)? {
        Kind::Png => decode_png(path, &bytes)?,
        Kind::Jpeg => jpeg::decode(path, &bytes)?,
    };
    if orientation == Orientation::NoTransforms {
        return Ok((image, false));
    }
    let mut image = DynamicImage::from(image);
    image.apply_orientation(orientation);
    Ok((image.into_rgb8(), true))
}

/// Size of the image that [`read_image`] returns, without decoding the pixels.
///
/// # Errors
///
/// The errors of [`read_image`] that the header shows.
pub fn read_image_size(path: impl AsRef<Path>) -> Result<Size, DatasetError> {
    let (size, orientation) = head(path.as_ref())?;
    let Size { height, width } = size;
    Ok(if lies(orientation) {
        Size::new(width, height)
    } else {
        size
    })
}

/// Whether the orientation tag of an image exchanges its height and width. `false` if the file cannot be read.
pub(crate) fn is_lying(path: &Path) -> bool {
    head(path).is_ok_and(|(_, orientation)| lies(orientation))
}

/// Tags from 5 on exchange height and width.
fn lies(orientation: Orientation) -> bool {
    orientation.to_exif() >= 5
}

/// The size of an image as it is stored, and its orientation tag.
fn head(path: &Path) -> Result<(Size, Orientation), DatasetError> {
    let bytes = read_bytes(path, EXPECTED)?;
    if let Some(format) = OtherFormat::of(&bytes) {
        let (image, orientation) = format.decode(path, &bytes)?;
        return Ok((image.size(), orientation));
    }
    match kind(path, &bytes)? {
        Kind::Png => {
            let reader = png_file::open(path, &bytes, Transformations::IDENTITY, EXPECTED)?;
            let info = reader.info();
            Ok((png_file::size(info), png_file::orientation(info)))
        }
        Kind::Jpeg => jpeg::size(path, &bytes),
    }
}

pub(super) enum Kind {
    Png,
    Jpeg,
}

pub(super) fn kind(path: &Path, bytes: &[u8]) -> Result<Kind, DatasetError> {
    const JPEG: &[u8] = b"\xFF\xD8\xFF";
    if bytes.starts_with(png_file::SIGNATURE) {
        return Ok(Kind::Png);
    }
    if bytes.starts_with(JPEG) {
        return Ok(Kind::Jpeg);
    }
    if png_file::SIGNATURE.starts_with(bytes) || JPEG.starts_with(bytes) {
        return Err(super::truncated(path, bytes, EXPECTED));
    }
    Err(DatasetError::OtherKind {
        path: path.to_path_buf(),
        found: FileKind::of(bytes),
        expected: EXPECTED,
    })
}

fn decode_png(path: &Path, bytes: &[u8]) -> Result<(RgbImage, Orientation), DatasetError> {
    let mut reader = png_file::open(
        path,
        bytes,
        Transformations::EXPAND | Transformations::STRIP_16,
        EXPECTED,
    )?;
    let pixels = png_file::pixels(path, bytes, &mut reader, EXPECTED)?;
    let rgb = match reader.output_color_type().0 {
        ColorType::Rgb => pixels,
        ColorType::Rgba => pixels
            .chunks_exact(4)
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect(),
        ColorType::Grayscale => pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
        ColorType::GrayscaleAlpha => pixels.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
        ColorType::Indexed => unreachable!("EXPAND turns palettes into RGB"),
    };
    let info = reader.info();
    let image = RgbImage::from_raw(info.width, info.height, rgb);
    Ok((
        image.expect("three bytes a pixel were decoded"),
        png_file::orientation(info),
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageEncoder, ImageFormat};
    use rstest::rstest;

    use super::*;

    fn encoded(format: ImageFormat) -> (RgbImage, Vec<u8>) {
        let image = RgbImage::from_fn(40, 30, |x, y| {
            image::Rgb([(x * 6) as u8, (y * 8) as u8, 128])
        });
        let mut bytes = Vec::new();
        DynamicImage::from(image.clone())
            .write_to(&mut Cursor::new(&mut bytes), format)
            .expect("in memory");
        (image, bytes)
    }

    fn read(bytes: &[u8]) -> Result<RgbImage, DatasetError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("image");
        std::fs::write(&path, bytes).expect("writable");
        read_image(&path)
    }

    #[test]
    fn reads_both_formats_whatever_the_name() {
        let (image, bytes) = encoded(ImageFormat::Png);
        assert_eq!(read(&bytes).expect("a whole PNG"), image);
        let (image, bytes) = encoded(ImageFormat::Jpeg);
        let decoded = read(&bytes).expect("a whole JPEG");
        let worst = decoded
            .iter()
            .zip(image.iter())
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        assert!(
            worst.expect("pixels") < 40,
            "JPEG is lossy, but not that much: {worst:?}"
        );
    }

    #[rstest]
    #[case(ImageFormat::Png)]
    #[case(ImageFormat::Jpeg)]
    fn every_truncation_is_an_error(#[case] format: ImageFormat) {
        let (_, bytes) = encoded(format);
        for length in 0..bytes.len() {
            let error = read(&bytes[..length]).expect_err("a part is no image");
            let fits = match error {
                DatasetError::EmptyFile { .. } => length == 0,
                DatasetError::Truncated { bytes, .. } => bytes == length as u64,
                // The decoder reports a cut inside a header segment of a JPEG.
                DatasetError::Jpeg { .. } => format == ImageFormat::Jpeg,
                _ => false,
            };
            assert!(fits, "{length} of {} bytes: {error}", bytes.len());
        }
    }

    #[test]
    fn a_huge_header_is_refused_before_memory_is_reserved() {
        let (_, mut bytes) = encoded(ImageFormat::Jpeg);
        let frame = bytes
            .windows(2)
            .position(|pair| pair == [0xFF, 0xC0])
            .expect("a baseline frame");
        bytes[frame + 5..frame + 9].copy_from_slice(&[0xFF; 4]);
        assert!(matches!(
            read(&bytes),
            Err(DatasetError::TooLarge {
                size: Size {
                    height: 65535,
                    width: 65535
                },
                ..
            })
        ));
        bytes[frame + 5..frame + 9].copy_from_slice(&[0x10, 0, 0x10, 0]);
        assert!(
            matches!(read(&bytes), Err(DatasetError::Truncated { .. })),
            "4096x4096 in a kilobyte"
        );
    }

    #[test]
    fn other_formats_are_named() {
        for (bytes, found) in [
            (&b"GIF89a.."[..], "a GIF image"),
            #[cfg(not(feature = "webp"))]
            (b"RIFF\x24\0\0\0WEBPVP8 ", "a WebP image"),
            (
                b"<!doctype html>",
                "a web page (text that begins `<!doctype html>`)",
            ),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                "a Git LFS pointer",
            ),
        ] {
            let message = read(bytes).expect_err("not supported").to_string();
            assert!(message.contains(&format!("image`: {found}")), "{message}");
            assert!(
                message.ends_with(&format!("expected a {EXPECTED}")),
                "{message}"
            );
        }
    }

    /// A dark image of 2x3 whose upper left corner is lit, with an orientation tag.
    fn tagged(format: ImageFormat, tag: u8) -> Vec<u8> {
        let mut image = RgbImage::new(3 * 8, 2 * 8);
        (0..8).for_each(|at| (0..8).for_each(|x| image.put_pixel(x, at, image::Rgb([255; 3]))));
        let exif = [
            b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0",
            &[tag, 0, 0, 0, 0, 0, 0, 0][..],
        ];
        let mut bytes = Vec::new();
        let written = match format {
            ImageFormat::Png => {
                let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
                encoder
                    .set_exif_metadata(exif.concat())
                    .expect("PNG has it");
                image.write_with_encoder(encoder)
            }
            _ => {
                let mut encoder =
                    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95);
                encoder
                    .set_exif_metadata(exif.concat())
                    .expect("JPEG has it");
                image.write_with_encoder(encoder)
            }
        };
        written.expect("in memory");
        bytes
    }

    #[rstest]
    #[case(1, [2, 3], [0, 0])]
    #[case(2, [2, 3], [0, 2])]
    #[case(3, [2, 3], [1, 2])]
    #[case(4, [2, 3], [1, 0])]
    #[case(5, [3, 2], [0, 0])]
    #[case(6, [3, 2], [0, 1])]
    #[case(7, [3, 2], [2, 1])]
    #[case(8, [3, 2], [2, 0])]
    #[case(77, [2, 3], [0, 0])]
    fn orientation_tags_are_obeyed(
        #[case] tag: u8,
        #[case] size: [usize; 2],
        #[case] corner: [u32; 2],
        #[values(ImageFormat::Png, ImageFormat::Jpeg)] format: ImageFormat,
    ) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("photo");
        std::fs::write(&path, tagged(format, tag)).expect("writable");
        let image = read_image(&path).expect("a whole image");
        let size = Size::new(8 * size[0], 8 * size[1]);
        assert_eq!(read_image_size(&path).expect("a whole header"), size);
        assert_eq!(image.dimensions(), (size.width as u32, size.height as u32));
        for (column, row, pixel) in image.enumerate_pixels() {
            let lit = [row / 8, column / 8] == corner;
            assert_eq!(pixel.0[1] > 128, lit, "column {column}, row {row}");
        }
    }
}
