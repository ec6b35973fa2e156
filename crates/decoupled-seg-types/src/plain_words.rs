use std::fmt::Display;

use crate::shortened;

/// What stands in the message of a parser behind `expected `, and the words for it. The longest come first.
const WORDS: [(&str, &str); 22] = [
    ("internally tagged enum ", "a table with `kind`"),
    ("struct variant ", "a table"),
    ("tuple struct ", "a list"),
    ("unit struct ", "nothing"),
    ("struct ", "a table"),
    ("enum ", "one of its names"),
    ("string or map", "a name or a table"),
    ("a sequence", "a list"),
    ("a map", "a table"),
    ("a boolean", "true or false"),
    ("a string", "a text"),
    ("usize", "a whole number"),
    ("u8", "a whole number of 0 to 255"),
    ("u16", "a whole number"),
    ("u32", "a whole number"),
    ("u64", "a whole number"),
    ("i8", "a whole number"),
    ("i16", "a whole number"),
    ("i32", "a whole number"),
    ("i64", "a whole number"),
    ("f32", "a number"),
    ("f64", "a number"),
];

const EXPECTED: &str = "expected ";

/// What a parser of TOML or JSON says, without the names of Rust's types: a person who writes a file has never seen those.
/// Long lines of the file are cut.
///
/// ```
/// use decoupled_seg_types::plain_words;
///
/// let told = "invalid type: floating point `2.5`, expected usize";
/// assert_eq!(plain_words(told), "invalid type: floating point `2.5`, expected a whole number");
/// ```
pub fn plain_words(message: impl Display) -> String {
    let message = message.to_string();
    let mut parts = message.split(EXPECTED);
    let mut text = parts.next().unwrap_or_default().to_string();
    for part in parts {
        text.push_str(EXPECTED);
        text.push_str(&told(part));
    }
    let lines: Vec<_> = text.split('\n').map(shortened).collect();
    lines.join("\n")
}

/// `rest` of a message, with other words at its beginning.
fn told(rest: &str) -> String {
    for (theirs, ours) in WORDS {
        let Some(behind) = rest.strip_prefix(theirs) else {
            continue;
        };
        // The name of the type, or the end of the word.
        let is_of_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let name = behind.find(|c| !is_of_name(c)).unwrap_or(behind.len());
        if theirs.ends_with(' ') || name == 0 {
            return format!("{ours}{}", &behind[name..]);
        }
    }
    rest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_plain_names() {
        for (theirs, ours) in [
            ("expected usize", "expected a whole number"),
            (
                "expected u8 at line 3",
                "expected a whole number of 0 to 255 at line 3",
            ),
            (
                "invalid type: string \"balanced\", expected internally tagged enum ClassWeightsRecipe\n",
                "invalid type: string \"balanced\", expected a table with `kind`\n",
            ),
            (
                "expected struct Size with 2 elements",
                "expected a table with 2 elements",
            ),
            ("expected a mapping", "expected a mapping"),
            (
                "expected one of a, b; expected f64",
                "expected one of a, b; expected a number",
            ),
            ("unknown field `usize`", "unknown field `usize`"),
            ("a\n\nb\n", "a\n\nb\n"),
            ("", ""),
        ] {
            assert_eq!(plain_words(theirs), ours);
        }
    }

    #[test]
    fn long_lines_are_cut() {
        let told = plain_words(format!("at line 1\n{}\nend", "ä".repeat(1000)));
        assert_eq!(told, format!("at line 1\n{}…\nend", "ä".repeat(200)));
    }
}
