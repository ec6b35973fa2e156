//! Files that this program wrote and that nobody changed since: only such are written over.
//!
//! Pictures and polygons are made to be looked at and corrected, and their folders may hold something else: `flow`, `color`
//! and `labelme` are common names. So each such file says by whom it was written.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde_json::Value;

/// Where the mark stands in a PNG: behind signature and header.
const MARK_AT: usize = 8 + 25;
const CHUNK: &[u8] = b"tEXt";
const SOFTWARE: &[u8] = b"Software\0decoupled-seg ";
/// The length of the file, in hexadecimal digits. A program that saves the picture again may copy the chunk, and the length is
/// another one then.
const DIGITS: usize = 16;
/// The mark of a JSON file, with a checksum of the rest.
const KEY: &str = "decoupled-seg";

fn png_mark(length: usize) -> Vec<u8> {
    let mut mark = CHUNK.to_vec();
    mark.extend(SOFTWARE);
    mark.extend(format!("{length:0DIGITS$x}").as_bytes());
    let checksum = crc32fast::hash(&mark);
    let mut chunk = u32::to_be_bytes((SOFTWARE.len() + DIGITS) as u32).to_vec();
    chunk.extend(mark);
    chunk.extend(checksum.to_be_bytes());
    chunk
}

/// Marks an encoded PNG.
pub(crate) fn mark_png(mut bytes: Vec<u8>) -> Vec<u8> {
    let mark = png_mark(0).len();
    bytes.splice(MARK_AT..MARK_AT, png_mark(bytes.len() + mark));
    bytes
}

/// Marks an object of JSON; other values have no place for it.
pub(crate) fn mark_json(mut value: Value) -> Value {
    let checksum = crc32fast::hash(value.to_string().as_bytes());
    if let Value::Object(fields) = &mut value {
        fields.insert(KEY.to_string(), format!("{checksum:08x}").into());
    }
    value
}

fn is_marked_png(path: &Path) -> Option<bool> {
    let mut file = File::open(path).ok()?;
    let length = usize::try_from(file.metadata().ok()?.len()).ok()?;
    let mark = png_mark(length);
    let mut head = vec![0; MARK_AT + mark.len()];
    file.read_exact(&mut head).ok()?;
    Some(head[MARK_AT..] == mark)
}

fn is_marked_json(path: &Path) -> Option<bool> {
    let mut value: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let mark = value.as_object_mut()?.remove(KEY)?;
    Some(mark_json(value).get(KEY) == Some(&mark))
}

/// Whether nothing is there, or a file of this program as it wrote it.
pub(crate) fn is_free_or_own(path: &Path) -> bool {
    if fs::symlink_metadata(path).is_err() {
        return true;
    }
    let is_own = match path.extension().is_some_and(|ending| ending == "png") {
        true => is_marked_png(path),
        false => is_marked_json(path),
    };
    is_own == Some(true)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat, RgbImage};
    use serde_json::json;

    use super::*;

    fn png(colour: u8) -> Vec<u8> {
        let image = DynamicImage::from(RgbImage::from_pixel(5, 3, image::Rgb([colour; 3])));
        let mut bytes = Cursor::new(Vec::new());
        image
            .write_to(&mut bytes, ImageFormat::Png)
            .expect("in memory");
        bytes.into_inner()
    }

    #[test]
    fn pictures_are_known_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.png");
        assert!(is_free_or_own(&path), "not there");
        let own = mark_png(png(7));
        fs::write(&path, &own).expect("writable");
        assert!(is_free_or_own(&path), "its own");
        assert_eq!(
            image::open(&path).expect("a PNG").into_rgb8()[(4, 2)].0,
            [7; 3]
        );
        // Of another program; with its mark copied; cut off; no picture at all.
        let mark = &own[MARK_AT..MARK_AT + png_mark(0).len()];
        let mut copied = png(200);
        copied.extend(b"more");
        copied.splice(MARK_AT..MARK_AT, mark.iter().copied());
        for other in [&png(7)[..], &copied, &own[..own.len() - 1], b"x", b""] {
            fs::write(&path, other).expect("writable");
            assert!(!is_free_or_own(&path), "somebody's");
        }
    }

    #[test]
    fn polygons_are_known_again_however_they_are_indented() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.geojson");
        let own = mark_json(json!({"type": "FeatureCollection", "features": [1.5, 2]}));
        for text in [own.to_string(), format!("{own:#}")] {
            fs::write(&path, text).expect("writable");
            assert!(is_free_or_own(&path), "its own");
        }
        let mut changed = own.clone();
        changed["features"] = json!([1.5, 3]);
        for other in [changed.to_string(), "{}".to_string(), "[1]".to_string()] {
            fs::write(&path, other).expect("writable");
            assert!(!is_free_or_own(&path), "somebody's");
        }
    }
}
