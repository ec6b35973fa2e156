use std::fmt::Write;

use sha2::{Digest, Sha256};
use toml::Value;

/// The first 64 bits of the SHA-256 of a value, in hexadecimal digits. The order of keys does not matter.
pub(crate) fn digest(value: &Value) -> String {
    let mut text = String::new();
    write_sorted(value, &mut text);
    let mut digits = String::with_capacity(16);
    for byte in &Sha256::digest(text)[..8] {
        write!(digits, "{byte:02x}").expect("a String takes what is written");
    }
    digits
}

/// Keys in alphabetical order, whatever `toml` was built with; strings as Rust writes them, so that nothing in them looks
/// like structure.
fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Table(table) => {
            let mut entries: Vec<(&String, &Value)> = table.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in entries {
                write!(text, "{key:?}=").expect("a String takes what is written");
                write_sorted(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for value in values {
                write_sorted(value, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::String(string) => {
            write!(text, "{string:?}").expect("a String takes what is written");
        }
        other => write!(text, "{other}").expect("a String takes what is written"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        digest(&Value::Table(text.parse().expect("TOML")))
    }

    #[test]
    fn order_does_not_matter_but_every_value_does() {
        assert_eq!(of("a = 1\nb = [1, 2]"), of("b = [1, 2]\na = 1"));
        let all = [
            "a = 1",
            "a = 1.0",
            "a = '1'",
            "a = [1]",
            "a = [[1]]",
            "b = 1",
            "a = true",
            "a = {}",
            "a = []",
            "",
        ];
        let mut digests = all.map(of).to_vec();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), all.len());
    }

    #[test]
    fn it_stays_what_it_is() {
        // python: hashlib.sha256(b'{"a"=1,}').hexdigest()[:16]
        assert_eq!(of("a = 1"), "80686c474c8ad57a");
    }
}
