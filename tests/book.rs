//! The book in `docs/book`: its links lead somewhere, and it has advice for every error.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// How the book calls a file beside the code, which is not part of it.
const REPOSITORY: &str = "https://github.com/decoupled-seg/decoupled-seg/blob/main/";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder with an ending, in the order of their names.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    let is_wanted = |path: &PathBuf| path.extension().is_some_and(|it| it == ending);
    paths
        .into_iter()
        .flat_map(|path| match path.is_dir() {
            true => files(&path, ending),
            false => vec![path],
        })
        .filter(is_wanted)
        .collect()
}

fn chapters() -> Vec<PathBuf> {
    files(&root().join("docs/book/src"), "md")
}

/// What stands between `open` and the next `close`, everywhere in a text.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open)
        .skip(1)
        .map(move |rest| rest.split(close).next().unwrap_or_default())
}

/// The anchors of a page's headings, as GitHub and mdBook name them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let titles = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let is_kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    titles
        .map(|title| {
            title
                .chars()
                .filter(is_kept)
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let root = root();
    let mut dead = Vec::new();
    for chapter in chapters() {
        let text = read(&chapter);
        let folder = chapter.parent().expect("a file lies in a folder");
        for link in between(&text, "](", ')') {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = match file.strip_prefix(REPOSITORY) {
                Some(path) => root.join(path),
                None if file.starts_with("https://") => continue,
                None if file.is_empty() => chapter.clone(),
                None => folder.join(file),
            };
            let is_there =
                path.is_file() && (anchor.is_empty() || anchors(&read(&path)).contains(anchor));
            if !is_there {
                dead.push(format!("{}: {link}", chapter.display()));
            }
        }
        for include in between(&text, "{{#include ", '}') {
            let file = include.split(':').next().unwrap_or_default();
            if !folder.join(file).is_file() {
                dead.push(format!("{}: {include}", chapter.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn the_summary_has_every_chapter() {
    let summary = read(&root().join("docs/book/src/SUMMARY.md"));
    let listed: BTreeSet<&str> = between(&summary, "](", ')').collect();
    for chapter in chapters() {
        let name = chapter
            .file_name()
            .expect("a file")
            .to_str()
            .expect("UTF-8");
        assert!(
            name == "SUMMARY.md" || listed.contains(name),
            "{name} is not in the summary"
        );
    }
}

/// A string literal from behind its opening quote, as the compiler reads it.
fn literal(source: &str) -> String {
    let mut text = String::new();
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('"', _) => break,
            ('\\', Some('\n')) => while chars.next_if(|c| c.is_whitespace()).is_some() {},
            ('\\', Some(_)) => text.extend(chars.next()),
            _ => text.push(c),
        }
    }
    text
}

/// The texts of all errors: `#[error("...")]` of the crates.
fn errors() -> BTreeSet<String> {
    let sources = files(&root().join("crates"), "rs")
        .into_iter()
        .map(|path| read(&path));
    sources
        .flat_map(|source| {
            let attributes = source.split("#[error(").skip(1);
            let texts = attributes.filter_map(|rest| rest.trim_start().strip_prefix('"'));
            texts.map(literal).collect::<Vec<_>>()
        })
        .collect()
}

/// The parts of a message that are the same in every case, without quotes and the marks at their ends.
fn fixed_parts<'a>(pieces: impl Iterator<Item = &'a str>) -> Vec<String> {
    pieces
        .map(|piece| {
            piece
                .replace('`', "")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .map(|piece| {
            piece
                .trim_matches(|c: char| c.is_whitespace() || ":;,.".contains(c))
                .to_string()
        })
        .filter(|piece| piece.contains(|c: char| c.is_lowercase()))
        .collect()
}

/// Splits at the placeholders of a format string.
fn of_error(text: &str) -> Vec<String> {
    fixed_parts(
        text.split('{')
            .map(|piece| piece.split_once('}').map_or(piece, |(_, rest)| rest)),
    )
}

/// The messages of the tables, by their fixed parts.
fn rows() -> BTreeMap<Vec<String>, String> {
    let page = read(&root().join("docs/book/src/troubleshooting.md"));
    let messages = page.lines().filter_map(|line| {
        let cell = line.strip_prefix("| `")?;
        let message = match cell.strip_prefix('`') {
            Some(cell) => cell.split("`` |").next()?,
            None => cell.split('`').next()?,
        };
        Some((fixed_parts(message.split('…')), message.to_string()))
    });
    messages.collect()
}

#[test]
fn every_error_has_advice() {
    let rows = rows();
    let without: Vec<String> = errors()
        .into_iter()
        // What only passes on what another program said has no words of its own.
        .filter(|error| !of_error(error).is_empty() && !rows.contains_key(&of_error(error)))
        .collect();
    assert!(
        without.is_empty(),
        "no row in docs/book/src/troubleshooting.md, which writes … for what differs:\n{}",
        without.join("\n")
    );
}

#[test]
fn advice_is_for_errors_that_there_are() {
    let known: BTreeSet<Vec<String>> = errors().iter().map(|error| of_error(error)).collect();
    // An error with a `Display` of its own.
    let unknown_network = "no network is named …: use one of …";
    let gone: Vec<String> = rows()
        .into_iter()
        .filter(|(parts, message)| !known.contains(parts) && message != unknown_network)
        .map(|(_, message)| message)
        .collect();
    assert!(
        gone.is_empty(),
        "no error says so any more:\n{}",
        gone.join("\n")
    );
    assert!(rows().len() > 100, "{} messages", rows().len());
}
