use std::fmt;

/// The kind of a file, told by its first bytes instead of its name; for messages.
///
/// # Example
///
/// ```
/// use decoupled_seg_types::FileKind;
///
/// let page = FileKind::of(b"<!DOCTYPE html>\n<html>");
/// assert_eq!(page.to_string(), "a web page (text that begins `<!DOCTYPE html>`)");
/// assert_eq!(FileKind::of(b"RIFF\x24\0\0\0WEBPVP8 ").to_string(), "a WebP image");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// No bytes at all.
    Empty,
    /// A known format, by its name.
    Format(&'static str),
    /// A pointer that Git LFS leaves in place of a large file until `git lfs pull`.
    LfsPointer,
    /// A link that git-annex leaves in place of a large file until `git annex get`.
    AnnexPointer,
    /// A web page, with its first line: an error or a login page where a download was expected.
    WebPage(String),
    /// Another text, with its first line.
    Text(String),
    /// Anything else, with its first bytes.
    Unknown(Vec<u8>),
}

/// How many bytes of a text or of unknown data are shown.
const SHOWN: usize = 40;

/// What Git and FTP make of the first line ends of a PNG. They stand there to show it.
const OTHER_LINE_ENDS: &str =
    "a PNG whose line ends were converted (Git or FTP took it for text; copy it again as binary)";

/// What is left if bytes that are no text are replaced.
const PNG_AS_TEXT: &str =
    "a PNG that was read and saved as text, which destroys it (get the file again)";

/// Offset of the magic bytes, the bytes, and the name of the format.
const MAGIC: &[(usize, &[u8], &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (0, b"\x89PNG\n", OTHER_LINE_ENDS),
    (0, b"\x89PNG\r\r", OTHER_LINE_ENDS),
    (0, b"\x89PNG\r\n\x1a\r", OTHER_LINE_ENDS),
    (0, b"\x89PNG\r\x1a", OTHER_LINE_ENDS),
    (0, b"\xEF\xBF\xBDPNG", PNG_AS_TEXT),
    (0, b"\xFF\xD8\xFF", "a JPEG image"),
    (0, b"GIF87a", "a GIF image"),
    (0, b"GIF89a", "a GIF image"),
    (8, b"WEBP", "a WebP image"),
    (0, b"BM", "a BMP image"),
    (0, b"II*\0", "a TIFF image"),
    (0, b"MM\0*", "a TIFF image"),
    (0, b"II+\0", "a BigTIFF image"),
    (0, b"\xFF\x0A", "a JPEG XL image"),
    (0, b"\0\0\0\x0CJXL ", "a JPEG XL image"),
    (0, b"\0\0\0\x0CjP  ", "a JPEG 2000 image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftypheic", "a HEIC image"),
    (4, b"ftypheix", "a HEIC image"),
    (4, b"ftypmif1", "a HEIF image"),
    (4, b"ftyp", "a video (MP4 or QuickTime)"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"qoif", "a QOI image"),
    (0, b"v/1\x01", "an OpenEXR image"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"PK\x03\x04", "a zip archive (.zip, .pth, .npz)"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"%PDF", "a PDF document"),
    (128, b"DICM", "a DICOM image"),
    (
        0,
        b"L\0\0\0\x01\x14\x02\0",
        "a Windows shortcut (.lnk), not the file itself",
    ),
    (0, b"book\0\0\0\0mark", "a macOS alias, not the file itself"),
];

impl FileKind {
    /// Tells the kind from the first bytes of a file; 512 bytes are enough for all known formats.
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        // The second is how the first versions of Git LFS began.
        const LFS: [&[u8]; 2] = [b"version https://git-lfs", b"version https://hawser."];
        if LFS.iter().any(|line| bytes.starts_with(line)) {
            return Self::LfsPointer;
        }
        let magic = |&&(at, magic, _): &&(usize, &[u8], &str)| {
            bytes
                .get(at..)
                .is_some_and(|bytes| bytes.starts_with(magic))
        };
        if let Some(&(.., name)) = MAGIC.iter().find(magic) {
            return Self::Format(name);
        }
        if bytes.iter().all(|&byte| byte == 0) {
            return Self::Format("zeros only (a download or a copy that was not finished)");
        }
        match first_line(bytes) {
            Some(line) if is_page(&line) => Self::WebPage(line),
            Some(line) if line.contains("annex/objects/") => Self::AnnexPointer,
            Some(_) if is_drawing(bytes) => Self::Format("an SVG drawing"),
            Some(line) => Self::Text(line),
            None => Self::Unknown(bytes.iter().take(8).copied().collect()),
        }
    }
}

/// The beginning of `bytes` if they are text.
fn first_line(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let start = &bytes[..bytes.len().min(512)];
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The cut may lie within a character of several bytes.
        Err(error) if start.len() - error.valid_up_to() < 4 => {
            std::str::from_utf8(&start[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let is_text = |letter: char| !letter.is_control() || letter.is_ascii_whitespace();
    let line = text.trim_start().lines().next().unwrap_or_default();
    (!text.is_empty() && text.chars().all(is_text)).then(|| line.chars().take(SHOWN).collect())
}

fn is_page(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ["<!doctype html", "<html", "<head", "<body"]
        .iter()
        .any(|tag| line.starts_with(tag))
}

fn is_drawing(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(512)];
    start.windows(4).any(|four| four == b"<svg")
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "an empty file"),
            Self::Format(name) => write!(f, "{name}"),
            Self::LfsPointer => write!(
                f,
                "a Git LFS pointer, not the file itself (fetch it with `git lfs pull`)"
            ),
            Self::AnnexPointer => write!(
                f,
                "a git-annex pointer, not the file itself (fetch it with `git annex get`)"
            ),
            Self::WebPage(line) => write!(f, "a web page (text that begins `{line}`)"),
            Self::Text(line) if line.is_empty() => write!(f, "white space only"),
            Self::Text(line) => write!(f, "text that begins `{line}`"),
            Self::Unknown(bytes) => {
                write!(f, "unknown data that begins")?;
                bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_met_in_the_wild() {
        let told = |bytes: &[u8]| FileKind::of(bytes).to_string();
        for (bytes, expected) in [
            (&b""[..], "an empty file"),
            (b"BM\x36\x00", "a BMP image"),
            (b"GIF89a..", "a GIF image"),
            (b"II*\0\x08\0", "a TIFF image"),
            (b"PK\x03\x04\x14\0", "a zip archive (.zip, .pth, .npz)"),
            (b"\0\0\0\x18ftypheic", "a HEIC image"),
            (b"\xFF\xD8\xFF\xE0", "a JPEG image"),
            (b"{\"error\": 404}", "text that begins `{\"error\": 404}`"),
            (
                b"\xEF\xBB\xBF \n<html lang=\"en\">\n",
                "a web page (text that begins `<html lang=\"en\">`)",
            ),
            (
                b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
                "an SVG drawing",
            ),
            (
                b"../.git/annex/objects/Xk/3f/SHA256E-s1--a.png",
                "a git-annex pointer, not the file itself (fetch it with `git annex get`)",
            ),
            (b"\x00\x01\x02", "unknown data that begins 00 01 02"),
            (b"\x89PNG\n\x1a\n\0", OTHER_LINE_ENDS),
            (b"\x89PNG\r\r\n\x1a\r\n", OTHER_LINE_ENDS),
            (b"\x89PNG\r\n\x1a\r\n", OTHER_LINE_ENDS),
            (b"\xEF\xBF\xBDPNG\r\n\x1a\n", PNG_AS_TEXT),
            (
                &[0; 600],
                "zeros only (a download or a copy that was not finished)",
            ),
            (
                b"L\0\0\0\x01\x14\x02\0\0\0",
                "a Windows shortcut (.lnk), not the file itself",
            ),
            (
                b"book\0\0\0\0mark\0\0\0\0",
                "a macOS alias, not the file itself",
            ),
            (b"  \n", "white space only"),
            (b"\xC3", "unknown data that begins c3"),
        ] {
            assert_eq!(told(bytes), expected);
        }
        let old = told(b"version https://hawser.github.com/spec/v1\noid sha256:4d7a");
        assert!(old.starts_with("a Git LFS pointer"), "{old}");
        let pointer = told(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a");
        assert!(pointer.starts_with("a Git LFS pointer"), "{pointer}");
        let long = told("ä".repeat(300).as_bytes());
        assert_eq!(long, format!("text that begins `{}`", "ä".repeat(SHOWN)));
    }
}
