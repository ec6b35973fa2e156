//! Flow fields in `.flo` files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::VizError;
use crate::check::assert_planes;
use crate::save::write_atomically;

/// The magic number at the start of a `.flo` file; its bytes read "PIEH".
const MAGIC: f32 = 202021.25;

/// Bytes of magic number, width and height.
const HEADER: usize = 12;

/// The longest side accepted.
const MAX_SIDE: i32 = 99_999;

/// A flow field, as `.flo` files of the Middlebury flow data hold it.
///
/// ```text
/// f32 202021.25, i32 width, i32 height, then f32 u, f32 v per pixel, row by row, all little endian
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FlowField {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[2, height, width]`: the x components, then the y components.
    pub data: Vec<f32>,
}

impl FlowField {
    /// A field of `[2, height, width]` values.
    ///
    /// # Panics
    ///
    /// Panics if `data` has another length.
    pub fn new(data: Vec<f32>, width: usize, height: usize) -> Self {
        assert_planes("flow", data.len(), 2, width, height);

        Self {
            width,
            height,
            data,
        }
    }

    /// Reads a `.flo` file.
    ///
    /// # Errors
    ///
    /// [`VizError::FloMagic`], [`VizError::FloSize`] or [`VizError::FloLength`] where the file is not one or is cut,
    /// before anything is allocated for its vectors; [`VizError::Io`] where it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, VizError> {
        let path = path.as_ref();
        let fail = |source: io::Error| VizError::Io {
            path: path.to_owned(),
            action: "read",
            source,
        };
        let mut file = File::open(path).map_err(fail)?;
        let found = file.metadata().map_err(fail)?.len();
        let wrong_length = |expected: u64| VizError::FloLength {
            path: path.to_owned(),
            found,
            expected,
        };
        if found < HEADER as u64 {
            return Err(wrong_length(HEADER as u64));
        }

        let mut header = [0; HEADER];
        file.read_exact(&mut header).map_err(fail)?;
        let [magic, width, height] =
            [0, 4, 8].map(|i| [header[i], header[i + 1], header[i + 2], header[i + 3]]);
        let magic = f32::from_le_bytes(magic);
        if magic != MAGIC {
            return Err(VizError::FloMagic {
                path: path.to_owned(),
                found: magic,
            });
        }
        let (width, height) = (i32::from_le_bytes(width), i32::from_le_bytes(height));
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(VizError::FloSize {
                path: path.to_owned(),
                width,
                height,
                max: MAX_SIDE,
            });
        }
        let (width, height) = (width as usize, height as usize);
        let pixels = width * height;
        let expected = HEADER as u64 + 8 * pixels as u64;
        if found != expected {
            return Err(wrong_length(expected));
        }

        let mut bytes = vec![0; 8 * pixels];
        file.read_exact(&mut bytes).map_err(fail)?;
        let mut data = vec![0.0; 2 * pixels];
        let (us, vs) = data.split_at_mut(pixels);
        for (vector, (u, v)) in bytes.as_chunks::<8>().0.iter().zip(us.iter_mut().zip(vs)) {
            let [u0, u1, u2, u3, v0, v1, v2, v3] = *vector;
            *u = f32::from_le_bytes([u0, u1, u2, u3]);
            *v = f32::from_le_bytes([v0, v1, v2, v3]);
        }
        Ok(Self::new(data, width, height))
    }

    /// Writes a `.flo` file, by way of a temporary file in the same folder.
    ///
    /// # Errors
    ///
    /// [`VizError::Io`], naming `path`.
    ///
    /// # Panics
    ///
    /// Panics if `data` does not fit the size, or a side is above 99999 pixels.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), VizError> {
        assert_planes("flow", self.data.len(), 2, self.width, self.height);
        let side = |value: usize| {
            i32::try_from(value)
                .ok()
                .filter(|side| *side <= MAX_SIDE)
                .unwrap_or_else(|| panic!("a side must be at most {MAX_SIDE} pixels, got {value}"))
        };

        let (us, vs) = self.data.split_at(self.width * self.height);
        let mut bytes = Vec::with_capacity(HEADER + 4 * self.data.len());
        bytes.extend(MAGIC.to_le_bytes());
        bytes.extend(side(self.width).to_le_bytes());
        bytes.extend(side(self.height).to_le_bytes());
        for (u, v) in us.iter().zip(vs) {
            bytes.extend(u.to_le_bytes());
            bytes.extend(v.to_le_bytes());
        }
        write_atomically(path.as_ref(), &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::fs;

    fn field() -> FlowField {
        FlowField::new((0..12).map(|i| i as f32 * 0.5 - 2.0).collect(), 3, 2)
    }

    fn header(magic: f32, width: i32, height: i32) -> Vec<u8> {
        let mut bytes = magic.to_le_bytes().to_vec();
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
        bytes
    }

    fn open(bytes: &[u8]) -> Result<FlowField, VizError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("field.flo");
        fs::write(&path, bytes).expect("the folder is writable");
        FlowField::open(&path)
    }

    #[test]
    fn a_field_comes_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("field.flo");

        field().save(&path).expect("the folder is writable");

        assert_eq!(FlowField::open(&path).expect("just written"), field());
        let bytes = fs::read(&path).expect("just written");
        assert_eq!(&bytes[..4], b"PIEH");
        assert_eq!(bytes.len(), 12 + 8 * 6);
        // The first pixel: u, then v.
        assert_eq!(&bytes[12..16], &(-2.0_f32).to_le_bytes());
        assert_eq!(&bytes[16..20], &1.0_f32.to_le_bytes());
    }

    #[rstest]
    #[case::empty(vec![], 12)]
    #[case::header_cut(header(MAGIC, 3, 2)[..11].to_vec(), 12)]
    #[case::no_vectors(header(MAGIC, 3, 2), 60)]
    #[case::one_too_many([header(MAGIC, 1, 1), vec![0; 9]].concat(), 20)]
    // 80 GB of vectors promised by a file of 12 bytes.
    #[case::promises(header(MAGIC, 99_999, 99_999), 12 + 8 * 99_999 * 99_999)]
    fn a_wrong_length_is_an_error(#[case] bytes: Vec<u8>, #[case] asked: u64) {
        let error = open(&bytes).expect_err("the length is wrong");

        let length = bytes.len() as u64;
        assert!(
            matches!(&error, VizError::FloLength { found, expected, .. }
                if *found == length && *expected == asked),
            "{error}"
        );
        assert!(error.to_string().contains("field.flo"), "{error}");
    }

    #[rstest]
    #[case(0, 2)]
    #[case(3, -1)]
    #[case(i32::MAX, i32::MAX)]
    #[case(100_000, 1)]
    fn an_absurd_size_is_an_error(#[case] width: i32, #[case] height: i32) {
        let error = open(&header(MAGIC, width, height)).expect_err("the size is absurd");

        assert!(
            matches!(error, VizError::FloSize { width: w, height: h, .. }
            if (w, h) == (width, height))
        );
    }

    #[test]
    fn another_magic_number_is_an_error() {
        let error = open(&header(1.5, 1, 1)).expect_err("not a .flo file");

        assert!(matches!(error, VizError::FloMagic { found: 1.5, .. }));
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let error = FlowField::open("no/such/field.flo").expect_err("no such file");

        assert!(error.to_string().starts_with("`no/such/field.flo`"));
        assert!(matches!(error, VizError::Io { .. }));
    }

    #[test]
    #[should_panic(expected = "flow must hold 2x2x3 values, got 6")]
    fn half_a_field_panics() {
        FlowField::new(vec![0.0; 6], 3, 2);
    }
}
