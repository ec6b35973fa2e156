//! The walls of the workspace, read from the code: which crate knows which, and which room of a crate knows which.
//!
//! `docs/architecture.md` holds the result; `UPDATE_ARCHITECTURE=1 cargo test --test architecture` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Who knows whom: an arrow from a name to every name it uses.
type Graph = BTreeMap<String, BTreeSet<String>>;

const PREFIX: &str = "decoupled-seg";
/// Never published: what tests stand on, and what runs those of the root.
const FOR_TESTS: [&str; 2] = ["decoupled-seg-fixtures", "decoupled-seg-tests"];

#[test]
fn arrows_point_one_way_and_the_page_shows_them() {
    let root = &Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut page = String::from("```text\n");

    let crates = crate_graph(root);
    let floors = floors(&crates).unwrap_or_else(|ring| panic!("crates know each other:\n{ring}"));
    for names in &floors {
        for name in names {
            page.push_str(&arrow(name, &crates[name]));
        }
    }
    page.push_str("```\n\nRooms within the crates that have several:\n\n```text\n");
    for name in crates.keys() {
        let folder = if name == PREFIX {
            root.to_path_buf()
        } else {
            root.join("crates").join(name)
        };
        let rooms = room_graph(&folder.join("src"));
        let floors = self::floors(&rooms)
            .unwrap_or_else(|ring| panic!("rooms of {name} know each other:\n{ring}"));
        if floors.len() < 2 {
            continue;
        }
        page.push_str(&format!("{name}\n"));
        for room in floors
            .iter()
            .flatten()
            .filter(|room| !rooms[*room].is_empty())
        {
            page.push_str(&format!("  {}", arrow(room, &rooms[room])));
        }
    }
    page.push_str("```\n");

    let path = root.join("docs/architecture.md");
    let text = fs::read_to_string(&path).expect("the page is there");
    let (start, end) = ("<!-- graph: start -->\n", "<!-- graph: end -->");
    let from = text.find(start).expect("the page marks the start") + start.len();
    let to = text.find(end).expect("the page marks the end");
    if std::env::var_os("UPDATE_ARCHITECTURE").is_some() {
        fs::write(&path, format!("{}{page}{}", &text[..from], &text[to..])).expect("writable");
    } else {
        assert_eq!(
            &text[from..to],
            page,
            "the graph has changed: UPDATE_ARCHITECTURE=1 cargo test --test architecture"
        );
    }
}

#[test]
fn a_ring_is_found() {
    let arrows = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")];
    let mut graph = Graph::new();
    for (from, to) in arrows {
        graph.entry(from.into()).or_default().insert(to.into());
    }
    let ring = floors(&graph).expect_err("a ring");
    assert_eq!(ring, "a -> b\nb -> c\nc -> a\nd -> a\n");
    graph.get_mut("c").expect("it is there").clear();
    let floors = floors(&graph).expect("no ring");
    assert_eq!(floors, [["c"], ["b"], ["a"], ["d"]]);
}

#[test]
fn uses_are_read_from_code() {
    let code = "use crate::{error::E, Name};\nuse super::low::X; // crate::comment\nfn f() { crate::deep::g() }\n\
                #[cfg(test)]\nmod tests { use crate::high::H; }";
    let exports = BTreeMap::from([("Name".to_string(), "names".to_string())]);
    let found = used_rooms(code, &["mid".into(), "file".into()], &exports);
    // `super` of `mid::file` is `mid` itself.
    assert_eq!(
        found,
        ["error", "names", "mid", "deep"].map(String::from).into()
    );
}

fn arrow(name: &str, known: &BTreeSet<String>) -> String {
    let short = |name: &str| {
        name.strip_prefix("decoupled-seg-")
            .unwrap_or(name)
            .to_string()
    };
    if known.is_empty() {
        return format!("{}\n", short(name));
    }
    let known: Vec<String> = known.iter().map(|name| short(name)).collect();
    format!("{} -> {}\n", short(name), known.join(", "))
}

/// The names by floor: each knows only names of the floors before its own. `Err` names those on rings and above them.
fn floors(graph: &Graph) -> Result<Vec<Vec<String>>, String> {
    let mut placed = BTreeSet::new();
    let mut floors = Vec::new();
    while placed.len() < graph.len() {
        let stands = |(name, known): &(&String, &BTreeSet<String>)| {
            !placed.contains(*name) && known.iter().all(|name| placed.contains(name))
        };
        let floor: Vec<String> = graph
            .iter()
            .filter(stands)
            .map(|(name, _)| name.clone())
            .collect();
        if floor.is_empty() {
            let left = graph.iter().filter(|(name, _)| !placed.contains(*name));
            let left: Vec<String> = left
                .map(|(name, known)| arrow(name, &known.difference(&placed).cloned().collect()))
                .collect();
            return Err(left.concat());
        }
        placed.extend(floor.iter().cloned());
        floors.push(floor);
    }
    Ok(floors)
}

/// The crates and their `[dependencies]`, without those of tests.
fn crate_graph(root: &Path) -> Graph {
    let mut graph = Graph::new();
    let members = fs::read_dir(root.join("crates"))
        .expect("members")
        .map(|entry| entry.expect("readable").path());
    for folder in members.chain([root.to_path_buf()]) {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        let line = |key: &str| {
            manifest
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .unwrap_or_default()
        };
        let name = line("name = ").trim_matches('"').to_string();
        if FOR_TESTS.contains(&name.as_str()) {
            continue;
        }
        let mut known = BTreeSet::new();
        let mut section = "";
        for line in manifest.lines() {
            if line.starts_with('[') {
                section = line;
            } else if section == "[dependencies]" && line.starts_with("decoupled-seg") {
                let end = line.find(['.', ' ', '=']).unwrap_or(line.len());
                known.insert(line[..end].to_string());
            }
        }
        graph.insert(name, known);
    }
    graph
}

/// The rooms of a crate, its top modules, and whom their code uses; tests may look anywhere.
fn room_graph(src: &Path) -> Graph {
    let root = fs::read_to_string(src.join("lib.rs")).expect("a library");
    let exports = exports(&root);
    let mut graph = Graph::new();
    for file in rust_files(src) {
        let relative = file.strip_prefix(src).expect("below it").with_extension("");
        let mut module: Vec<String> = relative
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if module.last().is_some_and(|name| name == "mod") {
            module.pop();
        }
        if ["lib", "main"].contains(&module[0].as_str()) {
            continue;
        }
        let code = fs::read_to_string(&file).expect("UTF-8");
        let known = graph.entry(module[0].clone()).or_default();
        known.extend(used_rooms(&code, &module, &exports));
    }
    let rooms: BTreeSet<String> = graph.keys().cloned().collect();
    for (room, known) in &mut graph {
        known.retain(|name| name != room && rooms.contains(name));
    }
    graph
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Which room each name at the root of the crate comes from: `pub use room::{Name, ..};`.
fn exports(root: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for part in root.split("use ").skip(1) {
        let Some((path, _)) = part.split_once(';') else {
            continue;
        };
        let path = path
            .trim_start_matches("crate::")
            .trim_start_matches("self::");
        let Some((room, names)) = path.split_once("::") else {
            continue;
        };
        for name in names.split(|c: char| !c.is_alphanumeric() && c != '_') {
            exports.insert(name.to_string(), room.to_string());
        }
    }
    exports
}

/// The rooms that the code of `module` names by `crate::` or `super::`.
fn used_rooms(
    code: &str,
    module: &[String],
    exports: &BTreeMap<String, String>,
) -> BTreeSet<String> {
    let code: Vec<&str> = code
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect();
    let code = code.join("\n");
    let room_of = |name: &str| {
        exports
            .get(name)
            .cloned()
            .unwrap_or_else(|| name.to_string())
    };
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` in macros is the crate as well; `my_crate::` is not.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        rooms.extend(
            heads(&code[at + "crate::".len()..])
                .iter()
                .map(|name| room_of(name)),
        );
    }
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with("super::") {
            continue;
        }
        let path = &code[at..];
        let ups = path.split("::").take_while(|part| *part == "super").count();
        match module.len().checked_sub(ups) {
            Some(0) => rooms.extend(
                heads(&path[ups * "super::".len()..])
                    .iter()
                    .map(|name| room_of(name)),
            ),
            Some(_) => {
                rooms.insert(module[0].clone());
            }
            None => panic!("{module:?} climbs above its crate"),
        }
    }
    rooms
}

/// The first names of a path: `a::b` gives `a`, `{a::b, C}` gives both.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| {
        let end = text
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(text.len());
        text[..end].to_string()
    };
    let Some(list) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let (mut depth, mut heads, mut start) = (0, Vec::new(), 0);
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                heads.push(name(list[start..at].trim_start()));
                start = at + 1;
                if letter == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}
