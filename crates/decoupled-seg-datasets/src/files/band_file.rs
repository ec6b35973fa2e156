use std::path::Path;

use image::metadata::Orientation;
use png::{BitDepth, ColorType, Transformations};

use super::other_format::{EXPECTED, OtherFormat};
use super::{jpeg, png_file, read_bytes};
use crate::bands::spread;
use crate::{BandImage, DatasetError};

/// Reads an image of `bands` bands of 8 or 16 bits: PNG, JPEG, and with the cargo features of their names TIFF, WebP and BMP.
/// The orientation tag is obeyed.
///
/// | the file has | of `bands` can be made |
/// |---|---|
/// | grey | 1; 3, all alike |
/// | grey and transparency | 2; 1 without transparency; 3, all alike |
/// | RGB | 3; 1, their brightness (Rec. 601) |
/// | four bands | 4; 3, the first of them; 1, the brightness of the first three |
/// | more (TIFF) | as many |
///
/// # Errors
///
/// As of [`read_image`](super::read_image), and [`DatasetError::Bands`] for a file of other bands.
///
/// # Panics
///
/// Panics if `bands` is 0.
pub fn read_bands(path: impl AsRef<Path>, bands: usize) -> Result<BandImage, DatasetError> {
    Ok(read_turned_bands(path.as_ref(), bands)?.0)
}

/// As [`read_bands`], and whether the orientation tag turned the image.
pub(crate) fn read_turned_bands(
    path: &Path,
    bands: usize,
) -> Result<(BandImage, bool), DatasetError> {
    assert!(bands > 0, "an image has a band");
    let bytes = read_bytes(path, EXPECTED)?;
    let (image, orientation) = decode(path, &bytes)?;
    let found = image.bands();
    let Some(image) = with_bands(image, bands) else {
        return Err(DatasetError::Bands {
            path: path.to_path_buf(),
            found,
            expected: bands,
        });
    };
    Ok(match orientation {
        Orientation::NoTransforms => (image, false),
        turned => (image.turned(turned), true),
    })
}

fn decode(path: &Path, bytes: &[u8]) -> Result<(BandImage, Orientation), DatasetError> {
    if let Some(format) = OtherFormat::of(bytes) {
        return format.decode(path, bytes);
    }
    match super::image_file::kind(path, bytes)? {
        super::image_file::Kind::Png => decode_png(path, bytes),
        super::image_file::Kind::Jpeg => {
            let (image, orientation) = jpeg::decode(path, bytes)?;
            let image = BandImage::from(&image);
            // The decoder repeats grey.
            let alike = |pixel: &[u16]| pixel[0] == pixel[1] && pixel[1] == pixel[2];
            match image.data().chunks_exact(3).all(alike) {
                true => Ok((take(&image, 1), orientation)),
                false => Ok((image, orientation)),
            }
        }
    }
}

fn decode_png(path: &Path, bytes: &[u8]) -> Result<(BandImage, Orientation), DatasetError> {
    let mut reader = png_file::open(path, bytes, Transformations::EXPAND, EXPECTED)?;
    let pixels = png_file::pixels(path, bytes, &mut reader, EXPECTED)?;
    let (color, depth) = reader.output_color_type();
    let bands = match color {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
        ColorType::Indexed => unreachable!("EXPAND turns palettes into RGB"),
    };
    let values = match depth {
        BitDepth::Sixteen => pixels
            .chunks_exact(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect(),
        _ => pixels.into_iter().map(spread).collect(),
    };
    let info = reader.info();
    let image = BandImage::new(png_file::size(info), bands, values);
    Ok((image, png_file::orientation(info)))
}

/// The image in so many bands, if that can be made of it.
fn with_bands(image: BandImage, bands: usize) -> Option<BandImage> {
    match (image.bands(), bands) {
        (found, wanted) if found == wanted => Some(image),
        (2, 1) => Some(take(&image, 1)),
        (1 | 2, 3) => {
            let repeated = image.data().chunks_exact(image.bands());
            let data = repeated.flat_map(|pixel| [pixel[0]; 3]).collect();
            Some(BandImage::new(image.size(), 3, data))
        }
        (3 | 4, 1) => {
            let pixels = image.data().chunks_exact(image.bands());
            let data = pixels.map(brightness).collect();
            Some(BandImage::new(image.size(), 1, data))
        }
        (4, 3) => Some(take(&image, 3)),
        _ => None,
    }
}

/// The first bands.
fn take(image: &BandImage, bands: usize) -> BandImage {
    let pixels = image.data().chunks_exact(image.bands());
    let data = pixels.flat_map(|pixel| pixel[..bands].to_vec()).collect();
    BandImage::new(image.size(), bands, data)
}

/// Of red, green and blue, as Rec. 601 weighs them.
fn brightness(pixel: &[u16]) -> u16 {
    let weighed = [299_u32, 587, 114];
    let sum: u32 = weighed
        .iter()
        .zip(pixel)
        .map(|(weight, &value)| weight * u32::from(value))
        .sum();
    ((sum + 500) / 1000) as u16
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageFormat};
    use rstest::rstest;

    use super::*;

    fn saved(image: DynamicImage, format: ImageFormat) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("image");
        image.save_with_format(&path, format).expect("writable");
        (folder, path)
    }

    fn pixels(bands: u32) -> Vec<u16> {
        (0..4 * 3 * bands)
            .map(|value| (value * 1357) as u16)
            .collect()
    }

    fn sixteen(bands: u32) -> DynamicImage {
        let raw = pixels(bands);
        match bands {
            1 => image::ImageBuffer::from_raw(4, 3, raw).map(DynamicImage::ImageLuma16),
            2 => image::ImageBuffer::from_raw(4, 3, raw).map(DynamicImage::ImageLumaA16),
            3 => image::ImageBuffer::from_raw(4, 3, raw).map(DynamicImage::ImageRgb16),
            _ => image::ImageBuffer::from_raw(4, 3, raw).map(DynamicImage::ImageRgba16),
        }
        .expect("as many values")
    }

    #[rstest]
    fn sixteen_bits_are_read_as_they_are(#[values(1, 2, 3, 4)] bands: u32) {
        let (_folder, path) = saved(sixteen(bands), ImageFormat::Png);
        let image = read_bands(&path, bands as usize).expect("whole");
        assert_eq!(image.data(), pixels(bands));
        assert_eq!(image.size(), decoupled_seg_types::Size::new(3, 4));
    }

    #[test]
    fn eight_bits_reach_as_far_as_sixteen() {
        let image = image::GrayImage::from_raw(2, 1, vec![0, 255]).expect("two values");
        let (_folder, path) = saved(image.into(), ImageFormat::Png);
        assert_eq!(read_bands(&path, 1).expect("whole").data(), [0, 65535]);
        assert_eq!(read_bands(&path, 3).expect("whole").pixel(1, 0), [65535; 3]);
    }

    #[rstest]
    #[case(3, 1, Some(vec![1000]))]
    #[case(4, 1, Some(vec![1000]))]
    #[case(4, 3, Some(vec![1000, 1000, 1000]))]
    #[case(2, 1, Some(vec![1000]))]
    #[case(2, 3, Some(vec![1000, 1000, 1000]))]
    #[case(1, 4, None)]
    #[case(3, 4, None)]
    #[case(5, 3, None)]
    fn bands_are_made_of_others_where_that_has_a_meaning(
        #[case] found: usize,
        #[case] wanted: usize,
        #[case] expected: Option<Vec<u16>>,
    ) {
        let mut data = vec![1000; found];
        if found.is_multiple_of(2) {
            data[found - 1] = 7;
        }
        let size = decoupled_seg_types::Size::square(1);
        let made = with_bands(BandImage::new(size, found, data), wanted);
        assert_eq!(made.map(|image| image.data().to_vec()), expected);
    }

    #[test]
    fn other_bands_are_an_error_that_counts_them() {
        let (_folder, path) = saved(sixteen(3), ImageFormat::Png);
        let error = read_bands(&path, 4).expect_err("three bands").to_string();
        assert!(error.contains("3 bands, expected 4"), "{error}");
    }

    #[cfg(feature = "tiff")]
    mod tiff {
        use std::fs::File;

        use ::tiff::encoder::{TiffEncoder, colortype};

        use super::*;

        #[rstest]
        fn sixteen_bits_are_read_as_they_are(#[values(1, 3, 4)] bands: u32) {
            let (_folder, path) = saved(sixteen(bands), ImageFormat::Tiff);
            let image = read_bands(&path, bands as usize).expect("whole");
            assert_eq!(image.data(), pixels(bands));
        }

        #[test]
        fn a_cut_file_is_an_error() {
            let folder = ::tempfile::tempdir().expect("a temporary folder");
            let path = folder.path().join("image.tif");
            let mut encoder =
                TiffEncoder::new(File::create(&path).expect("writable")).expect("writable");
            encoder
                .write_image::<colortype::Gray16>(4, 3, &pixels(1))
                .expect("writable");
            let bytes = std::fs::read(&path).expect("just written");
            assert_eq!(read_bands(&path, 1).expect("whole").data(), pixels(1));
            for length in (5..bytes.len()).step_by(7) {
                std::fs::write(&path, &bytes[..length]).expect("writable");
                let error = read_bands(&path, 1).expect_err("cut");
                assert!(error.to_string().contains("image.tif"), "{error}");
            }
        }
    }

    #[cfg(feature = "webp")]
    #[test]
    fn webp_is_read() {
        let image = DynamicImage::from(image::RgbaImage::from_pixel(
            5,
            4,
            image::Rgba([9, 8, 7, 6]),
        ));
        let (_folder, path) = saved(image, ImageFormat::WebP);
        let image = read_bands(&path, 4).expect("whole");
        assert_eq!(image.pixel(4, 3), [9, 8, 7, 6].map(|value| value * 257));
    }

    #[cfg(feature = "bmp")]
    #[test]
    fn bmp_is_read() {
        let image = DynamicImage::from(image::RgbImage::from_pixel(5, 4, image::Rgb([9, 8, 7])));
        let (_folder, path) = saved(image, ImageFormat::Bmp);
        let image = super::super::read_image(&path).expect("whole");
        assert_eq!(image.get_pixel(4, 3).0, [9, 8, 7]);
    }
}
