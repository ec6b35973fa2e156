use std::collections::BTreeMap;
use std::path::Path;

use decoupled_seg_types::Size;
use image::metadata::Orientation;
use png::Transformations;

use super::{EXPECTED, EXPECTED_KIND, head};
use crate::files::{png_file, read_bytes};
use crate::{DatasetError, MaskFormat};

/// The pixels of a mask as the file stores them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawValues {
    /// Unscaled grey values or palette indices of up to 8 bits.
    Bytes(Vec<u8>),
    /// 16-bit grey.
    Words(Vec<u16>),
    /// 8-bit colours (alpha dropped).
    Colors(Vec<[u8; 3]>),
    /// Another storage (16-bit colours, grey with alpha), of which only the format was read.
    Unsupported,
}

/// A mask as stored on disk, before ids or colours are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMask {
    /// Height and width.
    pub size: Size,
    /// How the file stores its pixels.
    pub format: MaskFormat,
    /// The pixels, row by row.
    pub values: RawValues,
    /// The palette's colours, if there is one.
    pub palette: Vec<[u8; 3]>,
}

impl RawMask {
    /// Reads a PNG without any transformation.
    ///
    /// # Errors
    ///
    /// Returns a [`DatasetError`] that names the file if it cannot be read, is empty, truncated, damaged, no PNG, or
    /// larger than [`MAX_PIXELS`](crate::MAX_PIXELS).
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let path = path.as_ref();
        let bytes = read_bytes(path, EXPECTED)?;
        Self::decode(path, &bytes)
    }

    /// Decodes the bytes of a PNG; messages name `path`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self, DatasetError> {
        png_file::check_kind(path, bytes, EXPECTED_KIND)?;
        // The `image` crate would expand palettes to colours, and the class ids would be lost.
        let mut reader = png_file::open(path, bytes, Transformations::IDENTITY, EXPECTED)?;
        let packed = png_file::pixels(path, bytes, &mut reader, EXPECTED)?;
        let info = reader.info();
        // Turned or not? Programs that copy the tag of the photo to the mask have mostly turned its pixels already.
        if png_file::orientation(info) != Orientation::NoTransforms {
            return Err(DatasetError::TurnedMask {
                path: path.to_path_buf(),
            });
        }
        let size = png_file::size(info);
        let width = size.width;
        let bits = info.bit_depth as u8;
        let format = head::format(info.color_type, bits);
        let values = match format {
            MaskFormat::Grey(16) => RawValues::Words(words(&packed)),
            MaskFormat::Grey(_) | MaskFormat::Palette(_) => {
                RawValues::Bytes(unpack(packed, width, bits))
            }
            MaskFormat::Rgb(8) => RawValues::Colors(colors(&packed, 3)),
            MaskFormat::Rgba(8) => {
                check_erased(path, &packed)?;
                RawValues::Colors(colors(&packed, 4))
            }
            MaskFormat::Rgb(_) | MaskFormat::Rgba(_) | MaskFormat::GreyAlpha(_) => {
                RawValues::Unsupported
            }
        };
        let palette = info
            .palette
            .as_deref()
            .map(|palette| colors(palette, 3))
            .unwrap_or_default();
        Ok(Self {
            size,
            format,
            values,
            palette,
        })
    }
}

/// Refuses a picture with transparent pixels that have a colour, beside others: somebody erased there what the colour still
/// says. Where all are transparent, nobody looked at that channel; and programs fill what was never drawn with black.
fn check_erased(path: &Path, rgba: &[u8]) -> Result<(), DatasetError> {
    let pixels = rgba.chunks_exact(4);
    let is_erased = |pixel: &&[u8]| pixel[3] == 0 && pixel[..3] != [0; 3];
    let Some(first) = pixels.clone().find(is_erased) else {
        return Ok(());
    };
    if pixels.clone().all(|pixel| pixel[3] == 0) {
        return Ok(());
    }
    Err(DatasetError::ErasedColor {
        path: path.to_path_buf(),
        color: [first[0], first[1], first[2]],
        count: pixels.filter(is_erased).count(),
    })
}

fn words(packed: &[u8]) -> Vec<u16> {
    packed
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect()
}

fn colors(packed: &[u8], channels: usize) -> Vec<[u8; 3]> {
    packed
        .chunks_exact(channels)
        .map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect()
}

/// Spreads pixels of 1, 2 or 4 bits over bytes without changing their values. Packed rows start at byte borders.
fn unpack(packed: Vec<u8>, width: usize, bits: u8) -> Vec<u8> {
    if bits == 8 || width == 0 {
        return packed;
    }
    let per_byte = usize::from(8 / bits);
    let mask = (1_u8 << bits) - 1;
    packed
        .chunks_exact(width.div_ceil(per_byte))
        .flat_map(|row| {
            (0..width).map(move |x| {
                let shift = 8 - bits * (x % per_byte + 1) as u8;
                (row[x / per_byte] >> shift) & mask
            })
        })
        .collect()
}

impl RawMask {
    /// Whether all pixels are colours of three equal channels.
    pub(crate) fn is_grey(&self) -> bool {
        let grey = |[red, green, blue]: &[u8; 3]| red == green && green == blue;
        matches!(&self.values, RawValues::Colors(colors) if colors.iter().all(grey))
    }

    /// The values (or palette indices) in the file, with their pixel counts; empty for colours.
    pub fn histogram(&self) -> BTreeMap<u16, u64> {
        let mut counts = BTreeMap::new();
        match &self.values {
            RawValues::Bytes(values) => {
                let mut bins = [0_u64; 256];
                values
                    .iter()
                    .for_each(|&value| bins[usize::from(value)] += 1);
                counts.extend((0_u16..).zip(bins).filter(|(_, count)| *count > 0));
            }
            RawValues::Words(values) => {
                values
                    .iter()
                    .for_each(|&value| *counts.entry(value).or_default() += 1);
            }
            RawValues::Colors(_) | RawValues::Unsupported => {}
        }
        counts
    }
}
