//! What the crates offer, as files in `docs/api` that a change of the interface changes: a break is seen in review.
//!
//! Listed is what the sources declare as `pub`, with variants, fields, methods of traits, implemented traits and derives, in
//! the order of the files. What a private module keeps from users is listed too. rustdoc's JSON would tell it apart, and needs a
//! nightly compiler and another build of everything.
//!
//! `UPDATE_API=1 cargo test -p decoupled-seg-tests --test api` writes the files anew.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = entries.map(|it| it.expect("readable").path()).collect();
    paths.sort();
    paths
}

/// All sources below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => vec![path],
    };
    let paths = entries(folder).into_iter().flat_map(below);
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect()
}

/// The crates that are published, with their folders.
fn crates() -> Vec<(String, PathBuf)> {
    let is_published =
        |folder: &PathBuf| !read(&folder.join("Cargo.toml")).contains("publish = false");
    let mut folders = entries(&root().join("crates"));
    folders.push(root());
    let named = |folder: PathBuf| {
        let manifest = read(&folder.join("Cargo.toml"));
        let name = manifest
            .lines()
            .find_map(|line| line.strip_prefix("name = \""));
        (
            name.expect("a package has a name")
                .trim_end_matches('"')
                .to_string(),
            folder,
        )
    };
    folders
        .into_iter()
        .filter(is_published)
        .map(named)
        .collect()
}

/// Which lines of a block are listed.
enum Block {
    /// Variants, or methods of a trait: all of them are public.
    Whole,
    /// Methods or fields: those that say `pub`.
    Marked,
}

/// The public declarations of a source that rustfmt has formatted.
fn declarations(source: &str) -> String {
    let mut listed = String::new();
    let mut lines = source.lines();
    let mut blocks: Vec<Block> = Vec::new();
    let mut attributes: Vec<&str> = Vec::new();
    while let Some(line) = lines.next() {
        let text = line.trim();
        if text.is_empty() || text.starts_with("//") {
            continue;
        }
        if text.starts_with('#') {
            let mut whole = text.to_string();
            while !whole.ends_with(']') {
                let Some(more) = lines.next() else { break };
                whole.push_str(more.trim());
            }
            if text.starts_with("#[cfg(test)]") {
                // The tests are the last thing in a file.
                break;
            }
            if text.starts_with("#[derive") || text == "#[non_exhaustive]" {
                attributes.push(text);
            }
            continue;
        }
        if text.starts_with('}') {
            blocks.pop();
            attributes.clear();
            continue;
        }
        // A declaration goes on to its body, its end, or the comma behind a field.
        let mut whole = text.to_string();
        while !is_whole(&whole) {
            let Some(more) = lines.next() else { break };
            let more = more.split(" //").next().unwrap_or_default().trim();
            if !more.starts_with("//") {
                whole.push(' ');
                whole.push_str(more);
            }
        }
        let is_public = match blocks.last() {
            None => whole.starts_with("pub ") || is_implemented(&whole),
            Some(Block::Whole) => true,
            Some(Block::Marked) => whole.starts_with("pub "),
        };
        let opens = whole.ends_with('{');
        if is_public || (opens && blocks.is_empty() && whole.starts_with("impl")) {
            let indent = "    ".repeat(blocks.len());
            for attribute in attributes.drain(..) {
                writeln!(listed, "{indent}{attribute}").expect("a string takes all");
            }
            let told = whole.trim_end_matches(['{', ',']).trim_end();
            writeln!(listed, "{indent}{told}").expect("a string takes all");
        }
        attributes.clear();
        if !opens {
            continue;
        }
        let is_trait = blocks.is_empty() && whole.contains("trait ");
        let inside = match &*whole {
            it if it.contains("fn ") || is_implemented(it) => None,
            it if is_public && (it.contains("enum ") || is_trait) => Some(Block::Whole),
            // The fields of a variant.
            _ if is_public && matches!(blocks.last(), Some(Block::Whole)) => Some(Block::Whole),
            it if is_public || it.starts_with("impl") => Some(Block::Marked),
            _ => None,
        };
        match inside {
            Some(inside) => blocks.push(inside),
            None => {
                // As rustfmt indents it.
                let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
                lines.find(|line| line.starts_with(&end));
            }
        }
    }
    listed
}

/// Whether a declaration has all its lines.
fn is_whole(text: &str) -> bool {
    let count = |of: &[char]| text.matches(of).count();
    let is_balanced = count(&['(', '[']) == count(&[')', ']']);
    is_balanced && text.ends_with(['{', ';', ',', '}'])
}

fn is_implemented(text: &str) -> bool {
    text.starts_with("impl") && text.contains(" for ")
}

fn listed(folder: &Path) -> String {
    let folder = folder.join("src");
    let mut text = String::new();
    for path in sources(&folder) {
        let found = declarations(&read(&path));
        if found.lines().any(|line| !line.starts_with("impl")) || found.contains(" for ") {
            let name = path.strip_prefix(&folder).expect("below it");
            let name = name.to_string_lossy().replace('\\', "/");
            writeln!(text, "# {name}\n{found}").expect("a string takes all");
        }
    }
    text
}

#[test]
fn the_interface_is_the_one_that_is_written_down() {
    let folder = root().join("docs/api");
    let mut changed = Vec::new();
    for (name, source) in crates() {
        let path = folder.join(format!("{name}.txt"));
        let now = listed(&source);
        assert!(now.len() > 100, "{name} offers nothing");
        let written = fs::read_to_string(&path).unwrap_or_default();
        if now == written {
            continue;
        }
        if std::env::var_os("UPDATE_API").is_some() {
            fs::write(&path, now).expect("writable");
            continue;
        }
        let new = now
            .lines()
            .filter(|line| !written.lines().any(|it| it == *line));
        let gone = written
            .lines()
            .filter(|line| !now.lines().any(|it| it == *line));
        changed.extend(gone.map(|line| format!("{name}: - {line}")));
        changed.extend(new.map(|line| format!("{name}: + {line}")));
        changed.push(format!("{name}: see the difference of {}", path.display()));
    }
    assert!(
        changed.is_empty(),
        "the interface has changed; if it was meant to, UPDATE_API=1 cargo test -p decoupled-seg-tests --test api\n{}",
        changed.join("\n")
    );
}

#[test]
fn declarations_are_found() {
    let source = "use a::B;\n\n/// Text.\n#[derive(Debug, Clone)]\n#[non_exhaustive]\npub enum Kind {\n    /// One.\n    One,\n    Two {\n        /// Its size.\n        size: usize,\n    },\n}\n\nstruct Hidden {\n    pub field: u8,\n}\n\nimpl Kind {\n    const X: u8 = 1;\n    pub fn long(\n        &self,\n        more: &[u8],\n    ) -> u8 {\n        let pub_ = 1;\n        pub_\n    }\n    fn own() {}\n}\n\nimpl Display for Kind {\n    fn fmt(&self) {}\n}\n\n#[cfg(test)]\nmod tests {\n    pub fn no() {}\n}\n";
    let expected = "#[derive(Debug, Clone)]\n#[non_exhaustive]\npub enum Kind\n    One\n    Two\n        size: usize\nimpl Kind\n    pub fn long( &self, more: &[u8], ) -> u8\nimpl Display for Kind\n";
    assert_eq!(declarations(source), expected);
}
