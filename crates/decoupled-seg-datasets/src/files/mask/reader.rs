use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use decoupled_seg_types::Size;

use super::ids::may_be_train_ids;
use super::likely::{are_exchanged, likely_colors, likely_values};
use super::{IdMap, MaskEncoding, RawMask, RawValues};
use crate::{
    ClassTable, DatasetError, IGNORE_LABEL, LabelMap, MaskFormat, MaskMeaning, OtherValues,
};

/// Up to this many unknown values are reported one by one.
const TOLD: usize = 4;

/// Turns mask files into label maps.
#[derive(Debug, Clone, Hash)]
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

    /// A reader of colour masks. Pixels have a class's colour, or one of the `ignored` colours.
    pub fn colors(classes: &ClassTable, ignored: &[[u8; 3]]) -> Self {
        let colors = (0_u8..)
            .zip(classes.colors())
            .map(|(index, color)| (color, index));
        Self {
            encoding: MaskEncoding::Color,
            ids: IdMap::new([]),
            colors: colors
                .chain(ignored.iter().map(|&color| (color, IGNORE_LABEL)))
                .collect(),
            num_classes: classes.num_classes(),
        }
    }

    /// Reads a mask.
    ///
    /// # Errors
    ///
    /// As for [`RawMask::read`]; [`DatasetError::MaskFormat`] for another storage than expected;
    /// [`DatasetError::UnknownLabel`] or [`DatasetError::UnknownColor`] for an unknown value.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<LabelMap, DatasetError> {
        let path = path.as_ref();
        self.labels(path, RawMask::read(path)?)
    }

    /// Turns a colour mask with three equal channels, or one of one bit, into a grey mask, if the reader expects grey.
    pub(crate) fn plain(&self, mut mask: RawMask) -> RawMask {
        use MaskEncoding as E;
        if matches!(self.encoding, E::Grey | E::GreyOrPaletteIndex)
            && mask.is_grey()
            && let RawValues::Colors(colors) = &mask.values
        {
            mask.values = RawValues::Bytes(colors.iter().map(|color| color[0]).collect());
            mask.format = MaskFormat::Grey(8);
        }
        if matches!(self.encoding, E::Grey | E::GreyOrPaletteIndex)
            && mask.format == MaskFormat::Grey(1)
            && let (Some(white), RawValues::Bytes(values)) = (self.white(), &mut mask.values)
        {
            values.iter_mut().for_each(|value| *value *= white);
            mask.format = MaskFormat::Grey(8);
        }
        mask
    }

    /// The id that white is in a mask of one bit: the class 1 or the class 255. `None` where both are classes, or none.
    fn white(&self) -> Option<u8> {
        let is_class = |id| self.ids.get(id).is_some_and(|label| label != IGNORE_LABEL);
        match (is_class(1), is_class(255)) {
            (true, false) => Some(1),
            (false, true) => Some(255),
            _ => None,
        }
    }

    /// Whether colours could contradict the values that are read: these are ids of up to 8 bits.
    pub(crate) fn reads_bytes(&self) -> bool {
        !matches!(self.encoding, MaskEncoding::Grey16 | MaskEncoding::Color)
    }

    /// What a mask says about the meaning of its values; `None` if the reader looks them up by their colours.
    pub(crate) fn meaning(&self, path: &Path, mask: &RawMask) -> Option<MaskMeaning> {
        if !self.reads_bytes() {
            return None;
        }
        let is_doubtful = mask.format == MaskFormat::Grey(1) && self.white_is_doubtful();
        let is_plain = matches!(mask.format, MaskFormat::Palette(_) | MaskFormat::Grey(8));
        let plain = (!is_plain && !is_doubtful).then(|| self.plain(mask.clone()));
        let mask = plain.as_ref().unwrap_or(mask);
        let RawValues::Bytes(_) = mask.values else {
            return None;
        };
        let values = mask.histogram().into_keys();
        Some(MaskMeaning {
            path: path.to_path_buf(),
            format: mask.format,
            values: values
                .filter_map(|value| u8::try_from(value).ok())
                .collect(),
            palette: mask.palette.clone(),
        })
    }

    /// Whether white in a mask of one bit, which is read as the class 1, could as well be the ignored 255.
    fn white_is_doubtful(&self) -> bool {
        self.encoding != MaskEncoding::PaletteIndex
            && self.white() == Some(1)
            && self.ids.get(255) == Some(IGNORE_LABEL)
    }

    /// Looks up the values of a decoded mask.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn labels(&self, path: &Path, mask: RawMask) -> Result<LabelMap, DatasetError> {
        let RawMask {
            size,
            format,
            values,
            palette,
        } = self.plain(mask);
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
            (E::Color, MaskFormat::Rgb(8) | MaskFormat::Rgba(8), RawValues::Colors(values)) => {
                self.map_colors(path, &values)?
            }
            (E::Color, MaskFormat::Palette(_), RawValues::Bytes(values)) => {
                if let Some(index) = values
                    .iter()
                    .find(|&&index| usize::from(index) >= palette.len())
                {
                    return Err(DatasetError::PaletteIndex {
                        path: path.to_path_buf(),
                        index: *index,
                        colors: palette.len(),
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
        Ok(LabelMap::new(size, data))
    }

    /// An error for every unknown value of a mask, while [`read`](Self::read) stops at the first. Many unknown values
    /// share one error: then the whole file is wrong.
    pub fn unknown_values(&self, path: &Path, mask: &RawMask) -> Vec<DatasetError> {
        use MaskEncoding as E;
        match (self.encoding, mask.format, &mask.values) {
            (E::Grey | E::GreyOrPaletteIndex, MaskFormat::Grey(8), _)
            | (E::PaletteIndex | E::GreyOrPaletteIndex, MaskFormat::Palette(_), _)
            | (E::Grey16, MaskFormat::Grey(16), _) => {
                let counts = mask.histogram().into_iter();
                let unknown = counts.filter(|(id, _)| self.ids.get(*id).is_none());
                let unknown: Vec<(u16, u64)> = unknown.collect();
                if unknown.len() > TOLD {
                    return vec![DatasetError::ManyUnknown {
                        path: path.to_path_buf(),
                        values: unknown.len(),
                        pixels: unknown.iter().map(|&(_, count)| count as usize).sum(),
                        likely: likely_values(mask, &self.ids),
                        expected: self.ids.expected().to_string(),
                    }];
                }
                let unknown = unknown.into_iter();
                let values = mask.histogram();
                let problem =
                    |(id, count)| self.unknown(path, id, count as usize, values.keys().copied());
                unknown.map(problem).collect()
            }
            (E::Color, MaskFormat::Rgb(8) | MaskFormat::Rgba(8), RawValues::Colors(values)) => {
                self.unknown_colors(path, mask.size, values)
            }
            (E::Color, MaskFormat::Palette(_), RawValues::Bytes(indices)) => {
                let color = |&index: &u8| mask.palette.get(usize::from(index)).copied();
                // An index without a colour is another problem. Here a known colour keeps its place.
                let known = self.colors.first().map_or([0; 3], |&(color, _)| color);
                let colors = indices.iter().map(|index| color(index).unwrap_or(known));
                self.unknown_colors(path, mask.size, &colors.collect::<Vec<_>>())
            }
            _ => Vec::new(),
        }
    }

    fn unknown_colors(&self, path: &Path, size: Size, values: &[[u8; 3]]) -> Vec<DatasetError> {
        let mut unknown = self.count_unknown(values);
        let is_known = |color| self.knows(color);
        if unknown.len() > TOLD || !unknown.is_empty() && are_exchanged(values, is_known) {
            let likely = likely_colors(size, values, is_known);
            return vec![self.many_colors(path, &unknown, likely)];
        }
        unknown.sort_by_key(|&(_, count)| Reverse(count));
        let problem = |(color, count)| DatasetError::UnknownColor {
            path: path.to_path_buf(),
            color,
            count,
            num_classes: self.num_classes,
        };
        unknown.into_iter().map(problem).collect()
    }

    fn knows(&self, color: [u8; 3]) -> bool {
        self.colors.iter().any(|&(known, _)| known == color)
    }

    /// The unknown colours, with the number of pixels of each.
    fn count_unknown(&self, values: &[[u8; 3]]) -> Vec<([u8; 3], usize)> {
        let known: BTreeSet<[u8; 3]> = self.colors.iter().map(|&(color, _)| color).collect();
        let mut counts: BTreeMap<[u8; 3], usize> = BTreeMap::new();
        let unknown = values.iter().filter(|color| !known.contains(*color));
        unknown.for_each(|&color| *counts.entry(color).or_default() += 1);
        counts.into_iter().collect()
    }

    fn many_colors(
        &self,
        path: &Path,
        unknown: &[([u8; 3], usize)],
        likely: OtherValues,
    ) -> DatasetError {
        DatasetError::ManyUnknown {
            path: path.to_path_buf(),
            values: unknown.len(),
            pixels: unknown.iter().map(|&(_, count)| count).sum(),
            likely,
            expected: format!("the colours of {} classes", self.num_classes),
        }
    }

    fn map_bytes(&self, path: &Path, mut values: Vec<u8>) -> Result<Vec<u8>, DatasetError> {
        let mut counts = [0_usize; 256];
        for &value in &values {
            counts[usize::from(value)] += 1;
        }
        let table: [u8; 256] =
            std::array::from_fn(|id| self.ids.get(id as u16).unwrap_or(IGNORE_LABEL));
        for (id, &count) in (0_u16..).zip(&counts) {
            if count > 0 && self.ids.get(id).is_none() {
                let values = (0..).zip(&counts).filter(|(_, count)| **count > 0);
                return Err(self.unknown(path, id, count, values.map(|(value, _)| value)));
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
                values.iter().copied(),
            ));
        }
        Ok(values
            .iter()
            .map(|&id| self.ids.get(id).unwrap_or(IGNORE_LABEL))
            .collect())
    }

    fn map_colors(&self, path: &Path, values: &[[u8; 3]]) -> Result<Vec<u8>, DatasetError> {
        let mut labels = Vec::with_capacity(values.len());
        let mut last = self.colors.first().copied();
        for &color in values {
            // Neighbouring pixels mostly share their colour, so look up a colour only when it changes.
            if last.is_none_or(|(known, _)| known != color) {
                last = self
                    .colors
                    .iter()
                    .find(|(known, _)| *known == color)
                    .copied();
            }
            let Some((_, label)) = last else {
                if are_exchanged(values, |color| self.knows(color)) {
                    let unknown = self.count_unknown(values);
                    return Err(self.many_colors(path, &unknown, OtherValues::RedAndBlue));
                }
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

    /// The problem with an unknown value of a mask that holds these `values`.
    fn unknown(
        &self,
        path: &Path,
        label: u16,
        count: usize,
        values: impl Iterator<Item = u16>,
    ) -> DatasetError {
        if label == 255 && self.ids.are_label_ids() && may_be_train_ids(values) {
            let path = path.to_path_buf();
            return DatasetError::TrainIdMask { path, count };
        }
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
    use decoupled_seg_types::Size;
    use png::{BitDepth, ColorType};
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
        assert_eq!(
            labels,
            LabelMap::new(Size::new(2, 3), vec![0, 1, 2, 255, 255, 1])
        );
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
    #[case(ColorType::Rgb, BitDepth::Eight, &[0, 1, 0, 0, 0, 0, 0, 0, 0], "8-bit RGB")]
    #[case(ColorType::Rgba, BitDepth::Eight, &[1, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255], "8-bit RGBA")]
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
    #[case(&[0, 1], &[255], [1, 0, 1])]
    #[case(&[0, 255], &[], [1, 0, 1])]
    fn white_of_one_bit_is_the_class_that_it_can_be(
        #[case] ids: &[u16],
        #[case] ignored: &[u16],
        #[case] expected: [u8; 3],
    ) {
        let classes = ids.iter().copied().zip(0_u8..);
        let ignored = ignored.iter().map(|&id| (id, IGNORE_LABEL));
        let ids = IdMap::new(classes.chain(ignored).map(|(id, label)| (id as u8, label)));
        let reader = MaskReader::new(MaskEncoding::Grey, ids, 2);
        let bytes = encode(3, 1, ColorType::Grayscale, BitDepth::One, &[0b1010_0000]);
        assert_eq!(read(&reader, &bytes).expect("read").data, expected);
    }

    #[test]
    fn white_of_one_bit_that_can_be_two_classes_is_refused() {
        let ids = IdMap::new([(0, 0), (1, 1), (255, 2)]);
        let reader = MaskReader::new(MaskEncoding::Grey, ids, 3);
        let bytes = encode(3, 1, ColorType::Grayscale, BitDepth::One, &[0b1010_0000]);
        let error = read(&reader, &bytes).expect_err("1 or 255?");
        assert!(error.to_string().contains("1-bit grey"), "{error}");
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
