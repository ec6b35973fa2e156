//! A line of a list as text: the names in it, and what is none.

use std::borrow::Cow;

/// What stands between image and label, the first that a line has. Tools write `|` and `;` in names less often than `,`.
const SEPARATORS: [char; 4] = ['\t', '|', ';', ','];

/// A line with more words than this holds no file names.
const MAX_WORDS: usize = 16;

/// What pandas calls the column of numbers, in small letters.
const NUMBERS: &str = "unnamed: 0";

/// The words of the headings of tables, in small letters.
const HEADINGS: [&str; 34] = [
    "anno",
    "annotation",
    "annotations",
    "file",
    "filename",
    "filenames",
    "files",
    "filepath",
    "ground",
    "groundtruth",
    "gt",
    "id",
    "image",
    "images",
    "img",
    "imgs",
    "index",
    "input",
    "label",
    "labels",
    "mask",
    "masks",
    "name",
    "names",
    "path",
    "paths",
    "photo",
    "picture",
    "seg",
    "segmentation",
    "segmentations",
    "target",
    "targets",
    "truth",
];

fn is_break(letter: char) -> bool {
    letter.is_whitespace() || SEPARATORS.contains(&letter)
}

/// The names in a line, and the separator between them if it is no space. What stands in double quotes is one name, as
/// spreadsheets write names with commas.
pub(super) fn split(line: &str) -> (Option<char>, Vec<Cow<'_, str>>) {
    let breaks = breaks(line);
    let has = |separator: &char| breaks.iter().any(|(_, letter)| letter == separator);
    let separator = SEPARATORS.into_iter().find(has);
    let ends_name = |letter: char| match separator {
        Some(separator) => letter == separator,
        None => letter.is_whitespace(),
    };
    let mut names = Vec::new();
    let mut start = 0;
    let breaks = breaks.into_iter().filter(|&(_, letter)| ends_name(letter));
    let ends = breaks.map(|(at, letter)| (at, at + letter.len_utf8()));
    for (end, next) in ends.chain([(line.len(), line.len())]) {
        let name = unquoted(line[start..end].trim());
        if !name.is_empty() {
            names.push(name);
        }
        start = next;
    }
    (separator, names)
}

/// The separators and spaces of a line that do not stand in quotes.
fn breaks(line: &str) -> Vec<(usize, char)> {
    let mut breaks = Vec::new();
    let mut quoted_to = 0;
    let mut begins_name = true;
    for (at, letter) in line.char_indices() {
        if at < quoted_to {
            continue;
        }
        if begins_name && let Some(length) = quoted(&line[at..]) {
            quoted_to = at + length;
        }
        begins_name = is_break(letter);
        if begins_name {
            breaks.push((at, letter));
        }
    }
    breaks
}

/// The length of what stands in double quotes at the begin of a text. Two of them inside stand for one.
fn quoted(text: &str) -> Option<usize> {
    let mut at = text.starts_with('"').then_some(1)?;
    loop {
        at += text[at..].find('"')? + 1;
        match text[at..].chars().next() {
            Some('"') => at += 1,
            Some(letter) if !is_break(letter) => return None,
            _ => return Some(at),
        }
    }
}

/// A name without the double quotes around it.
pub(super) fn unquoted(name: &str) -> Cow<'_, str> {
    let inside = name.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    match inside {
        Some(inside) if inside.contains("\"\"") => inside.replace("\"\"", "\"").into(),
        inside => inside.unwrap_or(name).into(),
    }
}

/// The ways to split a line in two at a separator or at spaces; none for a line of too many words.
pub(super) fn halves(line: &str) -> Vec<(&str, &str)> {
    let mut before = ' ';
    let mut halves = Vec::new();
    for (at, letter) in line.char_indices() {
        let is_another = !letter.is_whitespace() || !before.is_whitespace();
        before = letter;
        if !is_break(letter) || !is_another {
            continue;
        }
        if halves.len() + 1 == MAX_WORDS {
            return Vec::new();
        }
        let second = &line[at + letter.len_utf8()..];
        halves.push((line[..at].trim_end(), second.trim_start()));
    }
    halves
}

/// Whether a line is the heading of a table, such as `image,mask`.
pub(super) fn is_heading(line: &str) -> bool {
    let is_between = |letter: char| is_break(letter) || "_-:\"".contains(letter);
    let line = line.to_lowercase().replace(NUMBERS, "");
    let mut words = line.split(is_between).filter(|word| !word.is_empty());
    let is_known = |word: &str| HEADINGS.contains(&word);
    words.next().is_some_and(is_known) && words.all(is_known)
}

/// Whether a name is the number that pandas writes at the begin of a line.
pub(super) fn is_number(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_a_name_together() {
        let names = |line: &'static str| split(line).1.join("|");
        assert_eq!(names("a,b"), "a|b");
        assert_eq!(names("\"a,1\",\"b;2\""), "a,1|b;2");
        assert_eq!(names("\"a 1\" \"b 2\""), "a 1|b 2");
        assert_eq!(names("\"a \"\"1\"\"\",b"), "a \"1\"|b");
        assert_eq!(names("6\" pipe,5\" pipe"), "6\" pipe|5\" pipe");
        assert_eq!(names("\"a,b"), "\"a|b");
        assert_eq!(names("\"a\"b,c"), "\"a\"b|c");
        assert_eq!(names("\"\",,a"), "a");
    }

    #[test]
    fn a_line_is_split_once_for_each_gap() {
        assert_eq!(halves("a  b"), [("a", "b")]);
        assert_eq!(halves("a,b c"), [("a", "b c"), ("a,b", "c")]);
        assert_eq!(halves(&"7 ".repeat(17)), []);
    }

    #[test]
    fn headings_are_known_by_their_words() {
        for heading in [
            "image,mask",
            ",image,mask",
            "Image_Path;Label_Path",
            "\"file name\",\"ground-truth\"",
            "Unnamed: 0,img,seg",
            "filename",
        ] {
            assert!(is_heading(heading), "{heading}");
        }
        for names in [
            "",
            ",",
            "0",
            "p00",
            "image_7,mask",
            "images/image.png",
            "img.png",
        ] {
            assert!(!is_heading(names), "{names}");
        }
    }
}
