use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::mask_meaning::MaskMeaning;
use crate::{DatasetError, MaskFormat};

/// What the masks of a data set say so far, to find one that means something else by its values.
#[derive(Debug, Default)]
pub(crate) struct Meanings {
    /// The colour of each palette index, and the first file that shows it.
    colors: BTreeMap<u8, ([u8; 3], PathBuf)>,
    /// The palette indices of each colour.
    indices: BTreeMap<[u8; 3], Vec<Shown>>,
    /// The values of masks whose values are their greys, each with the first file that shows it.
    plain: BTreeMap<u8, PathBuf>,
    /// The first file that has more than one bit for 1 or 255.
    byte: Option<PathBuf>,
}

/// A palette index, and the first file that shows it.
#[derive(Debug)]
struct Shown {
    index: u8,
    path: PathBuf,
    /// Whether the file is a picture in greys.
    is_grey: bool,
}

/// More colours than this are not remembered. No class table has as many.
const MOST_COLORS: usize = 1 << 12;

impl Meanings {
    /// Adds a mask.
    ///
    /// # Errors
    ///
    /// Returns the first contradiction to a mask before. The mask is not added then.
    pub fn add(&mut self, mask: &MaskMeaning) -> Result<(), DatasetError> {
        if mask.format == MaskFormat::Grey(1) {
            return Ok(());
        }
        self.check(mask)?;
        let path = || mask.path.clone();
        if self.byte.is_none() && mask.format == MaskFormat::Grey(8) {
            let is_white = mask.values.iter().any(|value| [1, 255].contains(value));
            self.byte = is_white.then(path);
        }
        if mask.is_plain() {
            for &value in &mask.values {
                self.plain.entry(value).or_insert_with(path);
            }
            return Ok(());
        }
        for (index, color) in mask.shown() {
            self.colors.entry(index).or_insert_with(|| (color, path()));
            if self.indices.len() == MOST_COLORS && !self.indices.contains_key(&color) {
                continue;
            }
            let known = self.indices.entry(color).or_default();
            if known.iter().all(|known| known.index != index) {
                known.push(Shown {
                    index,
                    path: path(),
                    is_grey: mask.is_grey(),
                });
            }
        }
        Ok(())
    }

    /// What is wrong with a [doubtful](MaskMeaning::is_doubtful) mask, once all masks are added: others have more bits.
    pub fn doubt(&self, path: &Path) -> Option<DatasetError> {
        let first = self.byte.clone()?;
        let path = path.to_path_buf();
        Some(DatasetError::DoubtfulWhite { path, first })
    }

    fn check(&self, mask: &MaskMeaning) -> Result<(), DatasetError> {
        let order = |color, value, expected, first: &Path| DatasetError::PaletteOrder {
            path: mask.path.clone(),
            color,
            value,
            expected,
            first: first.to_path_buf(),
        };
        for (value, color) in mask.shown() {
            let known = self.indices.get(&color).map_or(&[][..], Vec::as_slice);
            if mask.is_plain() {
                // A mask without palette says nothing about colours, but is a picture in greys too.
                let grey = known.iter().find(|known| known.is_grey);
                if let Some(first) = grey
                    && known.iter().all(|known| known.index != value)
                {
                    return Err(order(color, value, first.index, &first.path));
                }
                continue;
            }
            if let Some((expected, first)) = self.colors.get(&value)
                && *expected != color
            {
                return Err(DatasetError::PaletteColor {
                    path: mask.path.clone(),
                    index: value,
                    color,
                    expected: *expected,
                    first: first.clone(),
                });
            }
            // Two indices of one palette may have one colour. A file that shows one of the two contradicts nothing.
            let is_same =
                |known: &Shown| known.index == value || mask.color(known.index) == Some(color);
            if let [first, ..] = known
                && !known.iter().any(is_same)
            {
                return Err(order(color, value, first.index, &first.path));
            }
            let [grey, ..] = color;
            if let Some(first) = self.plain.get(&grey)
                && mask.is_grey()
                && mask.color(grey) != Some(color)
            {
                return Err(order(color, value, grey, first));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const BLACK: [u8; 3] = [0; 3];
    const RED: [u8; 3] = [200, 0, 0];
    const GREEN: [u8; 3] = [0, 200, 0];
    const WHITE: [u8; 3] = [255; 3];

    fn palette(values: &[u8], palette: &[[u8; 3]]) -> MaskMeaning {
        MaskMeaning {
            path: "palette.png".into(),
            format: MaskFormat::Palette(8),
            values: values.to_vec(),
            palette: palette.to_vec(),
        }
    }

    fn grey(values: &[u8]) -> MaskMeaning {
        MaskMeaning {
            path: "grey.png".into(),
            format: MaskFormat::Grey(8),
            values: values.to_vec(),
            palette: Vec::new(),
        }
    }

    fn greys(values: &[u8]) -> MaskMeaning {
        let colors: Vec<[u8; 3]> = (0..=255).map(|value| [value; 3]).collect();
        palette(values, &colors)
    }

    /// Both orders, since any file may be the first.
    fn contradict(a: &MaskMeaning, b: &MaskMeaning) -> bool {
        let second = |first, second| {
            let mut meanings = Meanings::default();
            meanings.add(first).expect("the first");
            meanings.add(second).is_err()
        };
        let found = second(a, b);
        assert_eq!(found, second(b, a), "{a:?} {b:?}");
        found
    }

    #[rstest]
    // Colours in another order, also where a file shows only some of them.
    #[case(palette(&[0, 1, 2], &[BLACK, RED, GREEN]), palette(&[0, 1, 2], &[BLACK, GREEN, RED]))]
    #[case(palette(&[0, 1, 2], &[BLACK, RED, GREEN]), palette(&[0, 1], &[BLACK, GREEN]))]
    #[case(palette(&[0, 1], &[BLACK, RED]), palette(&[0, 1], &[BLACK, GREEN]))]
    #[case(palette(&[0, 1], &[BLACK, RED]), palette(&[0], &[RED]))]
    #[case(palette(&[0, 2], &[BLACK, RED, GREEN]), palette(&[0, 1], &[BLACK, GREEN]))]
    // Greys in another order beside masks without palette.
    #[case(grey(&[0, 1, 2]), palette(&[0, 1, 2], &[[2; 3], [1; 3], BLACK]))]
    #[case(grey(&[0, 1, 255]), palette(&[0, 1], &[BLACK, WHITE]))]
    #[case(greys(&[0, 1, 255]), palette(&[0, 1], &[BLACK, WHITE]))]
    fn contradictions(#[case] a: MaskMeaning, #[case] b: MaskMeaning) {
        assert!(contradict(&a, &b));
    }

    #[rstest]
    // One palette, whole or cut off behind the last used index; what no pixel has does not count.
    #[case(palette(&[0, 1, 2], &[BLACK, RED, GREEN]), palette(&[0, 1], &[BLACK, RED]))]
    #[case(palette(&[0, 1], &[BLACK, RED, GREEN]), palette(&[0, 1], &[BLACK, RED, WHITE]))]
    #[case(palette(&[0], &[BLACK, RED]), palette(&[0], &[BLACK, GREEN]))]
    // Two indices of one colour.
    #[case(palette(&[0, 1], &[BLACK, RED, BLACK]), palette(&[1, 2], &[BLACK, RED, BLACK]))]
    // No palette, or one that shows the values: then the values count.
    #[case(grey(&[0, 1, 2]), palette(&[0, 1, 2], &[BLACK, RED, GREEN]))]
    #[case(greys(&[0, 1, 2]), palette(&[0, 1, 2], &[BLACK, RED, GREEN]))]
    #[case(greys(&[0, 1, 2]), grey(&[0, 1, 2]))]
    #[case(grey(&[0, 1]), palette(&[0, 1], &[BLACK, WHITE]))]
    // The palette of Cityscapes: ignored is black, as 0 of a mask without palette is.
    #[case(grey(&[0, 1, 2]), palette(&[0, 2], &[RED, GREEN, BLACK]))]
    #[case(grey(&[0, 1, 2]), palette(&[2], &[RED, GREEN, BLACK]))]
    fn agreements(#[case] a: MaskMeaning, #[case] b: MaskMeaning) {
        assert!(!contradict(&a, &b));
    }

    #[test]
    fn white_of_one_bit_is_doubtful_beside_others() {
        let one_bit = MaskMeaning {
            format: MaskFormat::Grey(1),
            ..grey(&[0, 1])
        };
        assert!(one_bit.is_doubtful());
        let doubt = |others: &[MaskMeaning]| {
            let mut meanings = Meanings::default();
            others
                .iter()
                .for_each(|mask| meanings.add(mask).expect("no palette"));
            meanings.doubt(&one_bit.path).is_some()
        };
        assert!(!doubt(&[]) && !doubt(&[one_bit.clone(), grey(&[0])]));
        assert!(doubt(&[grey(&[0, 1])]) && doubt(&[grey(&[0, 255])]));
    }
}
