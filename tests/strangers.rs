//! Changed files of every kind that is read from strangers end in a value or an error, in little memory and time. The
//! changes are the same in every run; `fuzz/` searches further.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use decoupled_seg_fixtures::memory::{Counting, most_held};
use rstest::rstest;

#[path = "support/strangers.rs"]
mod strangers;
#[path = "support/strangers_of_runs.rs"]
mod strangers_of_runs;

use strangers::Target;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Changed files of each kind.
const ROUNDS: usize = 1500;

/// What one file may take. Whole files take milliseconds; a debug build on a busy machine a little more.
const TIME: Duration = Duration::from_secs(5);

/// Memory beside what the length of the file allows.
const BESIDE: usize = 8 << 20;

/// Memory for each byte of the file: PNG packs at most 1032 bytes into one, of eight pixels, of three colours and more.
const PER_BYTE: usize = 1032 * 8 * 4;

/// Well-mixed numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % end.max(1)
    }

    /// A place in a file: headers stand at the beginning or the end, so every other place is near one of them.
    fn place(&mut self, length: usize) -> usize {
        let near = self.below(length.min(512));
        match self.below(4) {
            0 => near,
            1 => length.saturating_sub(near + 1),
            _ => self.below(length),
        }
    }
}

/// Changes a file in one to four places; `other` lends a piece.
fn changed(mut bytes: Vec<u8>, other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    const EDGES: [u8; 8] = [0, 1, 0x7F, 0x80, 0xFF, b'"', b'\n', b'0'];
    for _ in 0..=numbers.below(4) {
        let at = numbers.place(bytes.len());
        let end = bytes.len().min(at + 1 + numbers.below(16));
        match numbers.below(8) {
            _ if bytes.is_empty() => bytes.push(0),
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = numbers.below(256) as u8,
            2 => bytes[at] = EDGES[numbers.below(EDGES.len())],
            3 => bytes[at..end].fill(EDGES[numbers.below(EDGES.len())]),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            6 => {
                let from = numbers.place(other.len());
                let to = other.len().min(from + 1 + numbers.below(64));
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            _ if numbers.below(4) == 0 => bytes.truncate(at),
            _ => bytes[at] = bytes[at].wrapping_add(1),
        }
    }
    bytes
}

fn targets() -> impl Iterator<Item = Target> {
    strangers::TARGETS
        .into_iter()
        .chain(strangers_of_runs::TARGETS)
}

/// Changed files of each kind, where somebody wants more or others than [`ROUNDS`].
fn rounds() -> usize {
    let given = std::env::var("STRANGERS").ok();
    given.map_or(ROUNDS, |text| text.parse().expect("a number"))
}

#[rstest]
fn changed_files_end_in_a_value_or_an_error(
    #[values(
        "masks",
        "png",
        "jpeg",
        "lists",
        "descriptions",
        "recipes",
        "pth",
        "safetensors",
        "states",
        "videos"
    )]
    kind: &str,
) {
    let target = targets().find(|target| target.name == kind);
    let target = target.expect("a kind of file");
    let seeds = (target.seeds)();
    let mut numbers = Numbers((kind.len() + rounds()) as u64);
    for round in 0..seeds.len() + rounds() {
        let bytes = match seeds.get(round) {
            Some(whole) => whole.clone(),
            None => {
                let (one, other) = (numbers.below(seeds.len()), numbers.below(seeds.len()));
                changed(seeds[one].clone(), &seeds[other], &mut numbers)
            }
        };
        let start = Instant::now();
        let ((), most) = most_held(|| (target.read)(&bytes));
        let (took, length) = (start.elapsed(), bytes.len());
        assert!(took < TIME, "round {round}: {length} bytes took {took:?}");
        let allowed = BESIDE + PER_BYTE * length;
        assert!(most <= allowed, "round {round}: {length} bytes took {most}");
    }
}

#[test]
fn every_kind_is_driven() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/fuzz_targets");
    let files = fs::read_dir(folder).expect("part of the repository");
    let mut names: Vec<String> = files
        .map(|file| {
            file.expect("readable")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    let expected = targets().map(|target| format!("{}.rs", target.name));
    let mut expected: Vec<String> = expected.collect();
    expected.sort();
    assert_eq!(names, expected);
}

/// Whole files to begin with, for `fuzz/`. It checks nothing: `fuzz/README.md` says when to run it.
#[test]
#[ignore = "writes into fuzz/corpus"]
fn write_seeds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for target in targets() {
        let folder = corpus.join(target.name);
        fs::create_dir_all(&folder).expect("writable");
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed).expect("writable");
        }
    }
}
