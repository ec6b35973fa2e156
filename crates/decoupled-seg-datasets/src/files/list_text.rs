/// The bytes of a list as UTF-8 without a byte order mark.
///
/// UTF-16 is told by its mark, which Windows PowerShell writes when output goes into a file. What stands for no character
/// in it is replaced. Other bytes stay as they are.
pub(super) fn decoded(bytes: Vec<u8>) -> Vec<u8> {
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
    }
}
