use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use png::{ColorType, Transformations};
use serde::{Deserialize, Serialize};

use super::{png_file, read_bytes};
use crate::{ClassTable, DatasetError, IGNORE, LabelMap};

const EXPECTED: &str = "PNG mask";

/// How a PNG stores its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MaskFormat {
    /// Grey of this many bits.
    Grey(u8),
    /// Grey with alpha, this many bits a channel.
    GreyAlpha(u8),
    /// Indices of this many bits into a palette.
    Palette(u8),
    /// Red, green and blue of this many bits each.
    Rgb(u8),
    /// Red, green, blue and alpha of this many bits each.
    Rgba(u8),
}

impl fmt::Display for MaskFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grey(bits) => write!(f, "{bits}-bit grey"),
            Self::GreyAlpha(bits) => write!(f, "{bits}-bit grey with alpha"),
            Self::Palette(bits) => write!(f, "{bits}-bit palette"),
            Self::Rgb(bits) => write!(f, "{bits}-bit RGB"),
            Self::Rgba(bits) => write!(f, "{bits}-bit RGBA"),
        }
    }
}

/// What a reader takes a mask's pixels for.
///
/// A file stored in another way is an error, never a guess. Grey of less than 8 bits is always refused: encoders
/// write it both for the values as they are and for values scaled to 0..=255, and the file does not say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskEncoding {
    /// 8-bit grey; the value is the id.
    Grey,
    /// A palette of any depth; the index is the id, whatever its colour.
    PaletteIndex,
    /// 8-bit grey or palette; value or index is the id.
    GreyOrPaletteIndex,
    /// 16-bit grey; the value is the id.
    Grey16,
    /// 8-bit RGB or a palette; the colour is looked up in the class table.
    Color,
}

impl MaskEncoding {
    const fn describe(self) -> &'static str {
        match self {
            Self::Grey => "8-bit grey whose values are label ids",
            Self::PaletteIndex => "a palette whose indices are label ids",
            Self::GreyOrPaletteIndex => {
                "8-bit grey or a palette, values or indices being label ids"
            }
            Self::Grey16 => "16-bit grey whose values are label ids",
            Self::Color => "8-bit RGB or a palette, in the colours of the class table",
        }
    }
}

/// The pixels of a mask as the file stores them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawValues {
    /// Grey values or palette indices of up to 8 bits, not scaled.
    Bytes(Vec<u8>),
    /// 16-bit grey.
    Words(Vec<u16>),
    /// 8-bit colours (alpha dropped).
    Colors(Vec<[u8; 3]>),
    /// Anything else (16-bit colours, grey with alpha): only the format is known.
    Unsupported,
}

/// A mask as it is on disk, before ids or colours are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMask {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
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

    /// Decodes the bytes of a PNG; `path` is for messages.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self, DatasetError> {
        // The `image` crate would expand palettes to colours, and the class ids would be lost.
        let mut reader = png_file::open(path, bytes, Transformations::IDENTITY, EXPECTED)?;
        let packed = png_file::pixels(path, bytes, &mut reader, EXPECTED)?;
        let info = reader.info();
        let (width, height) = (info.width as usize, info.height as usize);
        let bits = info.bit_depth as u8;
        let (format, values) = match info.color_type {
            ColorType::Grayscale if bits == 16 => {
                (MaskFormat::Grey(16), RawValues::Words(words(&packed)))
            }
            ColorType::Grayscale => (
                MaskFormat::Grey(bits),
                RawValues::Bytes(unpack(packed, width, bits)),
            ),
            ColorType::Indexed => (
                MaskFormat::Palette(bits),
                RawValues::Bytes(unpack(packed, width, bits)),
            ),
            ColorType::Rgb if bits == 8 => {
                (MaskFormat::Rgb(8), RawValues::Colors(colors(&packed, 3)))
            }
            ColorType::Rgba if bits == 8 => {
                (MaskFormat::Rgba(8), RawValues::Colors(colors(&packed, 4)))
            }
            ColorType::Rgb => (MaskFormat::Rgb(bits), RawValues::Unsupported),
            ColorType::Rgba => (MaskFormat::Rgba(bits), RawValues::Unsupported),
            ColorType::GrayscaleAlpha => (MaskFormat::GreyAlpha(bits), RawValues::Unsupported),
        };
        let palette = info
            .palette
            .as_deref()
            .map(|palette| colors(palette, 3))
            .unwrap_or_default();
        Ok(Self {
            width,
            height,
            format,
            values,
            palette,
        })
    }
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

/// Spreads pixels of 1, 2 or 4 bits over bytes, values unchanged; rows start at byte borders.
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
    /// The values (or palette indices) in the file, with their pixel counts; none for colours.
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

/// Maps the ids of label files to class indices, [`IGNORE`] or "unknown".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdMap {
    /// Class index or [`IGNORE`] of every id; [`Self::UNKNOWN`] where there is none.
    table: Box<[u16; 256]>,
    expected: String,
}

impl IdMap {
    const UNKNOWN: u16 = 256;

    /// Ids that already are class indices, with the given ids ignored.
    pub fn identity(num_classes: usize, ignored: &[u8]) -> Self {
        let classes = (0_u8..).take(num_classes).map(|index| (index, index));
        let mut map = Self::new(classes.chain(ignored.iter().map(|&id| (id, IGNORE))));
        let ignored = ignored
            .iter()
            .map(u8::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        map.expected = format!(
            "0 to {}, or {ignored} for ignored",
            num_classes.saturating_sub(1)
        );
        map
    }

    /// Ids and the class index or [`IGNORE`] that each stands for; later pairs win.
    pub fn new(pairs: impl IntoIterator<Item = (u8, u8)>) -> Self {
        let mut table = Box::new([Self::UNKNOWN; 256]);
        for (id, label) in pairs {
            table[usize::from(id)] = u16::from(label);
        }
        let known: Vec<String> = (0..256)
            .filter(|&id| table[id] != Self::UNKNOWN)
            .map(|id| id.to_string())
            .collect();
        Self {
            table,
            expected: format!("one of the ids {}", known.join(", ")),
        }
    }

    /// The class index or [`IGNORE`] that an id stands for; `None` for an unknown id.
    pub fn get(&self, id: u16) -> Option<u8> {
        let label = self.table.get(usize::from(id)).copied()?;
        u8::try_from(label).ok()
    }

    /// The known ids, in words.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

/// Turns mask files into label maps.
#[derive(Debug, Clone)]
pub struct MaskReader {
    /// How masks must be stored.
    pub encoding: MaskEncoding,
    /// The ids, for all encodings but [`MaskEncoding::Color`].
    pub ids: IdMap,
    /// The colours and the label of each, for [`MaskEncoding::Color`].
    pub colors: Vec<([u8; 3], u8)>,
    /// Classes of the data set, for messages.
    pub num_classes: usize,
}

impl MaskReader {
    /// A reader of id masks.
    pub fn new(encoding: MaskEncoding, ids: IdMap, num_classes: usize) -> Self {
        Self {
            encoding,
            ids,
            colors: Vec::new(),
            num_classes,
        }
    }

    /// A reader of colour masks: the classes' colours, and others that are ignored.
    pub fn colors(classes: &ClassTable, ignored: &[[u8; 3]]) -> Self {
        let colors = (0_u8..)
            .zip(classes.colors())
            .map(|(index, color)| (color, index));
        Self {
            encoding: MaskEncoding::Color,
            ids: IdMap::new([]),
            colors: colors
                .chain(ignored.iter().map(|&color| (color, IGNORE)))
                .collect(),
            num_classes: classes.num_classes(),
        }
    }

    /// Reads a mask.
    ///
    /// # Errors
    ///
    /// As [`RawMask::read`]; [`DatasetError::MaskFormat`] for another storage than expected;
    /// [`DatasetError::UnknownLabel`] or [`DatasetError::UnknownColor`] for a value without meaning.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<LabelMap, DatasetError> {
        let path = path.as_ref();
        self.labels(path, RawMask::read(path)?)
    }

    /// Looks up the values of a mask already decoded.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn labels(&self, path: &Path, mask: RawMask) -> Result<LabelMap, DatasetError> {
        let RawMask {
            width,
            height,
            format,
            values,
            palette,
        } = mask;
        use MaskEncoding as E;
        let data = match (self.encoding, format, values) {
            (E::Grey | E::GreyOrPaletteIndex, MaskFormat::Grey(8), RawValues::Bytes(values))
            | (
                E::PaletteIndex | E::GreyOrPaletteIndex,
                MaskFormat::Palette(_),
                RawValues::Bytes(values),
            ) => self.map_bytes(path, values)?,
            (E::Grey16, MaskFormat::Grey(16), RawValues::Words(values)) => {
                self.map_words(path, &values)?
            }
            (E::Color, MaskFormat::Rgb(8), RawValues::Colors(values)) => {
                self.map_colors(path, &values)?
            }
            (E::Color, MaskFormat::Palette(_), RawValues::Bytes(values)) => {
                if let Some(index) = values
                    .iter()
                    .find(|&&index| usize::from(index) >= palette.len())
                {
                    return Err(DatasetError::Decode {
                        path: path.to_path_buf(),
                        expected: EXPECTED,
                        source: format!("palette index {index} of {} colours", palette.len())
                            .into(),
                    });
                }
                let color = |index: &u8| palette[usize::from(*index)];
                self.map_colors(path, &values.iter().map(color).collect::<Vec<_>>())?
            }
            _ => {
                return Err(DatasetError::MaskFormat {
                    path: path.to_path_buf(),
                    found: format,
                    expected: self.encoding.describe().to_string(),
                });
            }
        };
        Ok(LabelMap::new(width, height, data))
    }

    /// An error for every value of a mask that has no meaning, where reading stops at the first; of colours, of which a
    /// smoothed mask has thousands, for the 16 with the most pixels.
    pub fn unknown_values(&self, path: &Path, mask: &RawMask) -> Vec<DatasetError> {
        use MaskEncoding as E;
        match (self.encoding, mask.format, &mask.values) {
            (E::Grey | E::GreyOrPaletteIndex, MaskFormat::Grey(8), _)
            | (E::PaletteIndex | E::GreyOrPaletteIndex, MaskFormat::Palette(_), _)
            | (E::Grey16, MaskFormat::Grey(16), _) => {
                let counts = mask.histogram().into_iter();
                let unknown = counts.filter(|(id, _)| self.ids.get(*id).is_none());
                unknown
                    .map(|(id, count)| self.unknown(path, id, count as usize))
                    .collect()
            }
            (E::Color, MaskFormat::Rgb(8), RawValues::Colors(values)) => {
                self.unknown_colors(path, values.iter().copied())
            }
            (E::Color, MaskFormat::Palette(_), RawValues::Bytes(indices)) => {
                let color = |&index: &u8| mask.palette.get(usize::from(index)).copied();
                self.unknown_colors(path, indices.iter().filter_map(color))
            }
            _ => Vec::new(),
        }
    }

    fn unknown_colors(
        &self,
        path: &Path,
        values: impl Iterator<Item = [u8; 3]>,
    ) -> Vec<DatasetError> {
        const TOLD: usize = 16;
        let known: BTreeSet<[u8; 3]> = self.colors.iter().map(|&(color, _)| color).collect();
        let mut counts: BTreeMap<[u8; 3], usize> = BTreeMap::new();
        values
            .filter(|color| !known.contains(color))
            .for_each(|color| *counts.entry(color).or_default() += 1);
        let mut unknown: Vec<([u8; 3], usize)> = counts.into_iter().collect();
        unknown.sort_by_key(|&(_, count)| Reverse(count));
        let problem = |(color, count)| DatasetError::UnknownColor {
            path: path.to_path_buf(),
            color,
            count,
            num_classes: self.num_classes,
        };
        unknown.into_iter().take(TOLD).map(problem).collect()
    }

    fn map_bytes(&self, path: &Path, mut values: Vec<u8>) -> Result<Vec<u8>, DatasetError> {
        let mut counts = [0_usize; 256];
        for &value in &values {
            counts[usize::from(value)] += 1;
        }
        let table: [u8; 256] = std::array::from_fn(|id| self.ids.get(id as u16).unwrap_or(IGNORE));
        for (id, &count) in (0_u16..).zip(&counts) {
            if count > 0 && self.ids.get(id).is_none() {
                return Err(self.unknown(path, id, count));
            }
        }
        for value in &mut values {
            *value = table[usize::from(*value)];
        }
        Ok(values)
    }

    fn map_words(&self, path: &Path, values: &[u16]) -> Result<Vec<u8>, DatasetError> {
        if let Some(&label) = values
            .iter()
            .filter(|&&id| self.ids.get(id).is_none())
            .min()
        {
            return Err(self.unknown(
                path,
                label,
                values.iter().filter(|&&id| id == label).count(),
            ));
        }
        Ok(values
            .iter()
            .map(|&id| self.ids.get(id).unwrap_or(IGNORE))
            .collect())
    }

    fn map_colors(&self, path: &Path, values: &[[u8; 3]]) -> Result<Vec<u8>, DatasetError> {
        let mut labels = Vec::with_capacity(values.len());
        let mut last = self.colors.first().copied();
        for &color in values {
            // Neighbours mostly share their colour.
            if last.is_none_or(|(known, _)| known != color) {
                last = self
                    .colors
                    .iter()
                    .find(|(known, _)| *known == color)
                    .copied();
            }
            let Some((_, label)) = last else {
                return Err(DatasetError::UnknownColor {
                    path: path.to_path_buf(),
                    color,
                    count: values.iter().filter(|&&other| other == color).count(),
                    num_classes: self.num_classes,
                });
            };
            labels.push(label);
        }
        Ok(labels)
    }

    fn unknown(&self, path: &Path, label: u16, count: usize) -> DatasetError {
        DatasetError::UnknownLabel {
            path: path.to_path_buf(),
            label,
            count,
            num_classes: self.num_classes,
            expected: self.ids.expected().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use png::BitDepth;
    use rstest::rstest;

    use super::*;
    use crate::Class;

    fn encode(width: u32, height: u32, color: ColorType, depth: BitDepth, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![0, 0, 0, 200, 0, 0, 0, 200, 0]);
        }
        encoder
            .write_header()
            .expect("valid header")
            .write_image_data(data)
            .expect("right length");
        bytes
    }

    fn read(reader: &MaskReader, bytes: &[u8]) -> Result<LabelMap, DatasetError> {
        let path = Path::new("mask.png");
        reader.labels(path, RawMask::decode(path, bytes)?)
    }

    fn id_reader(encoding: MaskEncoding) -> MaskReader {
        MaskReader::new(encoding, IdMap::identity(3, &[3, 255]), 3)
    }

    #[test]
    fn grey_values_are_ids() {
        let bytes = encode(
            3,
            2,
            ColorType::Grayscale,
            BitDepth::Eight,
            &[0, 1, 2, 3, 255, 1],
        );
        let labels = read(&id_reader(MaskEncoding::Grey), &bytes).expect("all ids known");
        assert_eq!(labels, LabelMap::new(3, 2, vec![0, 1, 2, 255, 255, 1]));
    }

    #[test]
    fn an_unknown_id_is_told_with_its_count() {
        let bytes = encode(
            3,
            2,
            ColorType::Grayscale,
            BitDepth::Eight,
            &[0, 9, 7, 7, 255, 1],
        );
        let error =
            read(&id_reader(MaskEncoding::Grey), &bytes).expect_err("7 and 9 are no classes");
        assert_eq!(
            error.to_string(),
            "`mask.png`: label 7 on 2 pixels, expected 0 to 2, or 3, 255 for ignored (3 classes)"
        );
    }

    #[rstest]
    #[case(ColorType::Indexed, BitDepth::Eight, &[0, 1, 2], "8-bit palette")]
    #[case(ColorType::Rgb, BitDepth::Eight, &[0; 9], "8-bit RGB")]
    #[case(ColorType::Rgba, BitDepth::Eight, &[0; 12], "8-bit RGBA")]
    #[case(ColorType::Grayscale, BitDepth::Sixteen, &[0; 6], "16-bit grey")]
    #[case(ColorType::Grayscale, BitDepth::Four, &[0x01, 0x20], "4-bit grey")]
    #[case(ColorType::GrayscaleAlpha, BitDepth::Eight, &[0; 6], "8-bit grey with alpha")]
    #[case(ColorType::Rgb, BitDepth::Sixteen, &[0; 18], "16-bit RGB")]
    fn other_storage_is_refused(
        #[case] color: ColorType,
        #[case] depth: BitDepth,
        #[case] data: &[u8],
        #[case] found: &str,
    ) {
        let error = read(
            &id_reader(MaskEncoding::Grey),
            &encode(3, 1, color, depth, data),
        )
        .expect_err("not grey");
        assert_eq!(
            error.to_string(),
            format!(
                "`mask.png`: mask stored as {found}, expected 8-bit grey whose values are label ids"
            )
        );
    }

    #[rstest]
    #[case(BitDepth::One, &[0b1010_0000], &[1, 0, 1])]
    #[case(BitDepth::Two, &[0b1001_0000], &[2, 1, 0])]
    #[case(BitDepth::Four, &[0x21, 0x00], &[2, 1, 0])]
    #[case(BitDepth::Eight, &[2, 1, 0], &[2, 1, 0])]
    fn palette_indices_of_every_depth(
        #[case] depth: BitDepth,
        #[case] data: &[u8],
        #[case] expected: &[u8],
    ) {
        let bytes = encode(3, 1, ColorType::Indexed, depth, data);
        for encoding in [MaskEncoding::PaletteIndex, MaskEncoding::GreyOrPaletteIndex] {
            assert_eq!(
                read(&id_reader(encoding), &bytes)
                    .expect("indices 0 to 2")
                    .data,
                expected
            );
        }
    }

    #[test]
    fn words_are_ids_too() {
        let bytes = encode(2, 1, ColorType::Grayscale, BitDepth::Sixteen, &[0, 2, 1, 2]);
        let error = read(&id_reader(MaskEncoding::Grey16), &bytes).expect_err("258 is no id");
        assert!(
            matches!(
                error,
                DatasetError::UnknownLabel {
                    label: 258,
                    count: 1,
                    ..
                }
            ),
            "{error}"
        );
        let bytes = encode(
            2,
            1,
            ColorType::Grayscale,
            BitDepth::Sixteen,
            &[0, 2, 0, 255],
        );
        assert_eq!(
            read(&id_reader(MaskEncoding::Grey16), &bytes)
                .expect("known ids")
                .data,
            [2, 255]
        );
    }

    #[test]
    fn colours_are_looked_up() {
        let classes = ClassTable::new(vec![
            Class::new("a", [200, 0, 0]),
            Class::new("b", [0, 200, 0]),
        ]);
        let reader = MaskReader::colors(&classes, &[[0, 0, 0]]);
        let rgb = encode(
            3,
            1,
            ColorType::Rgb,
            BitDepth::Eight,
            &[0, 200, 0, 0, 0, 0, 200, 0, 0],
        );
        assert_eq!(
            read(&reader, &rgb).expect("known colours").data,
            [1, 255, 0]
        );
        let palette = encode(3, 1, ColorType::Indexed, BitDepth::Eight, &[2, 0, 1]);
        assert_eq!(
            read(&reader, &palette).expect("known colours").data,
            [1, 255, 0]
        );
        let rgb = encode(
            3,
            1,
            ColorType::Rgb,
            BitDepth::Eight,
            &[0, 200, 0, 9, 9, 9, 9, 9, 9],
        );
        assert!(matches!(
            read(&reader, &rgb),
            Err(DatasetError::UnknownColor {
                color: [9, 9, 9],
                count: 2,
                ..
            })
        ));
    }
}
