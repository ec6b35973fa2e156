/// The bytes of a list as UTF-8 without a byte order mark, in lines that end in `\n` or `\r\n`.
///
/// UTF-16 is told by its mark, which Windows PowerShell writes when output goes into a file. What stands for no character
/// in it is replaced. Other bytes stay as they are. Where there is no `\n`, `\r` ends the lines, as some spreadsheets on
/// macOS write them.
pub(super) fn decoded(bytes: Vec<u8>) -> Vec<u8> {
    let mut text = as_utf8(bytes);
    // The end of a file, as DOS wrote it.
    if text.last() == Some(&0x1A) {
        text.pop();
    }
    if !text.contains(&b'\n') {
        let ends = text.iter_mut().filter(|byte| **byte == b'\r');
        ends.for_each(|end| *end = b'\n');
    }
    text
}

fn as_utf8(bytes: Vec<u8>) -> Vec<u8> {
    let unit: fn([u8; 2]) -> u16 = match bytes[..] {
        [0xEF, 0xBB, 0xBF, ..] => return bytes[3..].to_vec(),
        [0xFF, 0xFE, ..] => u16::from_le_bytes,
        [0xFE, 0xFF, ..] => u16::from_be_bytes,
        _ => return bytes,
    };
    let units = bytes[2..].chunks_exact(2).map(|it| unit([it[0], it[1]]));
    let text = char::decode_utf16(units).map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_decide() {
        assert_eq!(decoded(b"a\n".to_vec()), b"a\n");
        assert_eq!(decoded(Vec::new()), b"");
        assert_eq!(decoded(b"\xEF\xBB\xBFa".to_vec()), b"a");
        assert_eq!(decoded(b"\xFF\xFEa\0\xDF\0".to_vec()), "a\u{df}".as_bytes());
        assert_eq!(
            decoded(b"\xFE\xFF\0a\0".to_vec()),
            b"a",
            "half a unit is left out"
        );
        assert_eq!(decoded(b"\xFF\xFE\0\xD8".to_vec()), "\u{fffd}".as_bytes());
        assert_eq!(
            decoded(b"\xFFa".to_vec()),
            b"\xFFa",
            "no mark, and no UTF-8"
        );
        assert_eq!(decoded(b"a\rb\r".to_vec()), b"a\nb\n");
        assert_eq!(decoded(b"a\r\n\x1A".to_vec()), b"a\r\n");
        assert_eq!(decoded(b"\xFF\xFEa\0\r\0b\0".to_vec()), b"a\nb");
        assert_eq!(decoded(b"a\rb\r\n".to_vec()), b"a\rb\r\n");
    }
}
