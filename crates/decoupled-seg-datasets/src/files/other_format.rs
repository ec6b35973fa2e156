//! TIFF, WebP and BMP images, each behind the cargo feature of its name.

use std::path::Path;

use image::metadata::Orientation;

use super::decoder_fault::decoding;
use crate::{BandImage, DatasetError};

/// A format that a feature brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherFormat {
    #[cfg(feature = "tiff")]
    Tiff,
    #[cfg(feature = "webp")]
    WebP,
    #[cfg(feature = "bmp")]
    Bmp,
}

/// The formats that images may have, for messages: `PNG or JPEG image`, and more with features.
pub const EXPECTED: &str = match (
    cfg!(feature = "tiff"),
    cfg!(feature = "webp"),
    cfg!(feature = "bmp"),
) {
    (false, false, false) => "PNG or JPEG image",
    (true, false, false) => "PNG, JPEG or TIFF image",
    (false, true, false) => "PNG, JPEG or WebP image",
    (false, false, true) => "PNG, JPEG or BMP image",
    (true, true, false) => "PNG, JPEG, TIFF or WebP image",
    (true, false, true) => "PNG, JPEG, TIFF or BMP image",
    (false, true, true) => "PNG, JPEG, WebP or BMP image",
    (true, true, true) => "PNG, JPEG, TIFF, WebP or BMP image",
};

impl OtherFormat {
    /// The format of a file, by its first bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        #[cfg(feature = "tiff")]
        if bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*") {
            return Some(Self::Tiff);
        }
        #[cfg(feature = "webp")]
        if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            return Some(Self::WebP);
        }
        #[cfg(feature = "bmp")]
        if bytes.starts_with(b"BM") {
            return Some(Self::Bmp);
        }
        let _ = bytes;
        None
    }

    /// Decodes a whole file.
    pub fn decode(
        self,
        path: &Path,
        bytes: &[u8],
    ) -> Result<(BandImage, Orientation), DatasetError> {
        // Without a feature there is no format, and nothing to decode.
        let _ = (path, bytes);
        decoding(path, || match self {
            #[cfg(feature = "tiff")]
            Self::Tiff => tiff_file::decode(path, bytes),
            #[cfg(feature = "webp")]
            Self::WebP => with_image(path, bytes, image::ImageFormat::WebP),
            #[cfg(feature = "bmp")]
            Self::Bmp => with_image(path, bytes, image::ImageFormat::Bmp),
        })
    }
}

#[cfg(any(feature = "tiff", feature = "webp", feature = "bmp"))]
fn refused(path: &Path, source: image::ImageError) -> DatasetError {
    DatasetError::OtherImage {
        path: path.to_path_buf(),
        source: Box::new(source),
    }
}

#[cfg(any(feature = "webp", feature = "bmp"))]
fn with_image(
    path: &Path,
    bytes: &[u8],
    format: image::ImageFormat,
) -> Result<(BandImage, Orientation), DatasetError> {
    use std::io::Cursor;

    use decoupled_seg_types::Size;
    use image::{DynamicImage, ImageDecoder, ImageReader};

    let reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut decoder = reader
        .into_decoder()
        .map_err(|source| refused(path, source))?;
    let (width, height) = decoder.dimensions();
    super::check_size(path, Size::new(height as usize, width as usize))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(|source| refused(path, source))?;
    let image = BandImage::try_from(image).expect("these formats have 8 bits a channel");
    Ok((image, orientation))
}

#[cfg(feature = "tiff")]
mod tiff_file {
    use std::io::Cursor;
    use std::path::Path;

    use decoupled_seg_types::Size;
    use image::ImageError;
    use image::error::{DecodingError, ImageFormatHint};
    use image::metadata::Orientation;
    use tiff::ColorType;
    use tiff::decoder::{Decoder, DecodingResult};
    use tiff::tags::Tag;

    use super::refused;
    use crate::files::check_size;
    use crate::{BandImage, DatasetError};

    fn error(
        path: &Path,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> DatasetError {
        let hint = ImageFormatHint::Exact(image::ImageFormat::Tiff);
        refused(path, ImageError::Decoding(DecodingError::new(hint, source)))
    }

    /// Bands of the pixels, if they are numbers that can be read as such.
    fn bands(color: ColorType) -> Option<usize> {
        match color {
            ColorType::Gray(8 | 16) => Some(1),
            ColorType::GrayA(8 | 16) => Some(2),
            ColorType::RGB(8 | 16) => Some(3),
            ColorType::RGBA(8 | 16) => Some(4),
            ColorType::Multiband {
                bit_depth: 8 | 16,
                num_samples,
            } => Some(usize::from(num_samples)),
            _ => None,
        }
    }

    pub(super) fn decode(
        path: &Path,
        bytes: &[u8],
    ) -> Result<(BandImage, Orientation), DatasetError> {
        let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(|source| error(path, source))?;
        let (width, height) = decoder.dimensions().map_err(|source| error(path, source))?;
        let size = Size::new(height as usize, width as usize);
        check_size(path, size)?;
        let color = decoder.colortype().map_err(|source| error(path, source))?;
        let Some(bands) = bands(color) else {
            let text = format!("pixels of {color:?}, expected bands of 8 or 16 bits");
            return Err(error(path, text));
        };
        let tag = decoder.get_tag_u32(Tag::Orientation).ok();
        let orientation = tag
            .and_then(|tag| Orientation::from_exif(u8::try_from(tag).ok()?))
            .unwrap_or(Orientation::NoTransforms);
        let values = match decoder.read_image().map_err(|source| error(path, source))? {
            DecodingResult::U8(values) => values.into_iter().map(crate::bands::spread).collect(),
            DecodingResult::U16(values) => values,
            _ => {
                return Err(error(
                    path,
                    "signed numbers or fractions, expected 8 or 16 bits",
                ));
            }
        };
        if values.len() != size.pixels() * bands {
            return Err(error(
                path,
                "bands one behind another, expected them pixel by pixel",
            ));
        }
        Ok((BandImage::new(size, bands, values), orientation))
    }
}
