//! Downloads from a server on this machine. The server breaks off, lies, redirects and loses files.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use decoupled_seg_pretrained::{
    Preprocessing, PretrainedError, PretrainedWeights, Progress, Sha256Hex, fetch,
};
use sha2::{Digest, Sha256};

/// The server's answer to a request. `range` is the byte from which the client wants to continue.
type Answer = dyn Fn(&str, Option<usize>, &mut TcpStream) -> std::io::Result<()> + Send + Sync;

/// A server on a free port; it lives as long as the test's process.
struct Server {
    address: String,
    ranges: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Server {
    fn start(answer: Box<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&ranges);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a client");
                let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
                let Some(Ok(first)) = lines.next() else {
                    continue;
                };
                let path = first.split(' ').nth(1).expect("GET path").to_string();
                let mut range = None;
                for line in lines
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                {
                    let line = line.to_ascii_lowercase();
                    if let Some(from) = line.strip_prefix("range: bytes=") {
                        range = from.trim_end_matches('-').parse().ok();
                    }
                }
                seen.lock().expect("one thread").push(range);
                // Some tests hang up on purpose.
                let _ = answer(&path, range, &mut stream);
            }
        });
        Self { address, ranges }
    }

    fn ranges(&self) -> Vec<Option<usize>> {
        self.ranges.lock().expect("one thread").clone()
    }
}

fn content() -> Vec<u8> {
    (0..300_u32).flat_map(|i| (i * i).to_le_bytes()).collect()
}

/// Sends `content` from `range` on, but at most `most` bytes of it.
fn send(
    content: &[u8],
    range: Option<usize>,
    most: usize,
    stream: &mut TcpStream,
) -> std::io::Result<()> {
    let total = content.len();
    match range {
        Some(from) if from >= total => write!(
            stream,
            "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{total}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ),
        Some(from) => {
            write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{total}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                total - 1,
                total - from
            )?;
            stream.write_all(&content[from..total.min(from.saturating_add(most))])
        }
        None => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {total}\r\nConnection: close\r\n\r\n"
            )?;
            stream.write_all(&content[..total.min(most)])
        }
    }
}

fn weights(address: &str, content: &[u8]) -> PretrainedWeights {
    let digits: String = Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    PretrainedWeights {
        name: "tiny",
        network: "tiny",
        origin: "this test",
        url: format!("{address}/tiny.pth").into(),
        sha256: Sha256Hex::new(digits.leak()),
        bytes: content.len() as u64,
        parameters: 0,
        licence: "MIT OR Apache-2.0",
        remark: "",
        preprocessing: Preprocessing::IMAGENET,
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

fn get(weights: &PretrainedWeights, folder: &Path) -> Result<std::path::PathBuf, PretrainedError> {
    fetch(weights, folder, &mut |_| {})
}

#[test]
fn a_file_comes_once_and_is_found_afterwards() {
    let server = Server::start(Box::new(|_, range, stream| {
        send(&content(), range, usize::MAX, stream)
    }));
    let weights = weights(&server.address, &content());
    let folder = tempfile::tempdir().expect("a folder");
    let deep = folder.path().join("a/b");

    let mut last = None;
    let path = fetch(&weights, &deep, &mut |progress| last = Some(progress)).expect("whole");
    assert_eq!(fs::read(&path).expect("there"), content());
    assert_eq!(
        last,
        Some(Progress {
            received: 1200,
            total: 1200
        })
    );
    assert_eq!(get(&weights, &deep).expect("cached"), path);
    assert_eq!(server.ranges().len(), 1, "the second time asks nobody");
    assert_eq!(names(&deep), [weights.file_name()]);
}

#[test]
fn cut_at_any_byte_no_file_has_the_final_name_and_the_next_attempt_goes_on() {
    for most in [0, 1, 2, 63, 64, 599, 600, 1198, 1199] {
        let once = Mutex::new(false);
        let server = Server::start(Box::new(move |_, range, stream| {
            let mut cut = once.lock().expect("one thread");
            let most = if *cut { usize::MAX } else { most };
            *cut = true;
            send(&content(), range, most, stream)
        }));
        let weights = weights(&server.address, &content());
        let folder = tempfile::tempdir().expect("a folder");

        let error = get(&weights, folder.path()).expect_err("cut");
        let PretrainedError::Cut {
            received, expected, ..
        } = &error
        else {
            panic!("{most}: {error}");
        };
        assert_eq!((*received, *expected), (most as u64, Some(1200)));
        assert!(
            error.to_string().contains("run the same command again"),
            "{error}"
        );
        assert!(
            !names(folder.path()).contains(&weights.file_name()),
            "{most}"
        );

        let path = get(&weights, folder.path()).expect("whole");
        assert_eq!(fs::read(path).expect("there"), content(), "{most}");
        let from = (most > 0).then_some(most);
        assert_eq!(server.ranges(), [None, from], "only the rest is asked for");
        assert_eq!(names(folder.path()), [weights.file_name()]);
    }
}

#[test]
fn a_server_cut_off_again_and_again_is_worn_down() {
    let server = Server::start(Box::new(|_, range, stream| {
        send(&content(), range, 97, stream)
    }));
    let weights = weights(&server.address, &content());
    let folder = tempfile::tempdir().expect("a folder");
    let mut attempts = 1;
    while get(&weights, folder.path()).is_err() {
        assert!(!folder.path().join(weights.file_name()).exists());
        attempts += 1;
    }
    assert_eq!(attempts, 1200_usize.div_ceil(97));
}

#[test]
fn a_server_that_knows_no_ranges_sends_everything_again() {
    let server = Server::start(Box::new(|_, _, stream| {
        send(&content(), None, usize::MAX, stream)
    }));
    let weights = weights(&server.address, &content());
    let folder = tempfile::tempdir().expect("a folder");
    let part = folder.path().join(weights.file_name() + ".part");
    fs::write(part, &content()[..500]).expect("writable");
    let path = get(&weights, folder.path()).expect("whole");
    assert_eq!(fs::read(path).expect("there"), content());
}

#[test]
fn what_an_earlier_attempt_left_of_another_file_is_thrown_away() {
    // Shorter than the file, as long, and longer.
    for left in [3, 1200, 2000] {
        let server = Server::start(Box::new(|_, range, stream| {
            send(&content(), range, usize::MAX, stream)
        }));
        let weights = weights(&server.address, &content());
        let folder = tempfile::tempdir().expect("a folder");
        let part = folder.path().join(weights.file_name() + ".part");
        fs::write(part, vec![7; left]).expect("writable");
        let path = get(&weights, folder.path()).expect("whole");
        assert_eq!(fs::read(path).expect("there"), content(), "{left}");
    }
}

#[test]
fn a_whole_part_needs_only_its_name() {
    let server = Server::start(Box::new(|_, range, stream| {
        send(&content(), range, usize::MAX, stream)
    }));
    let weights = weights(&server.address, &content());
    let folder = tempfile::tempdir().expect("a folder");
    let part = folder.path().join(weights.file_name() + ".part");
    fs::write(part, content()).expect("writable");
    get(&weights, folder.path()).expect("whole");
    assert_eq!(server.ranges(), [Some(1200)]);
}

#[test]
fn another_file_than_the_one_meant_leaves_nothing() {
    let server = Server::start(Box::new(|_, range, stream| {
        let mut other = content();
        other[700] ^= 1;
        send(&other, range, usize::MAX, stream)
    }));
    let weights = weights(&server.address, &content());
    let folder = tempfile::tempdir().expect("a folder");
    let error = get(&weights, folder.path()).expect_err("another file");
    assert!(matches!(error, PretrainedError::Hash { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&*weights.url) && text.contains(weights.sha256.digits()),
        "{text}"
    );
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_server_that_never_stops_is_stopped() {
    let server = Server::start(Box::new(|_, _, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[0; 4096])?;
        }
    }));
    let weights = weights(&server.address, &content());
    let folder = tempfile::tempdir().expect("a folder");
    let error = get(&weights, folder.path()).expect_err("endless");
    assert!(
        matches!(error, PretrainedError::TooLong { expected: 1200, .. }),
        "{error}"
    );
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn redirects_are_followed_and_ranges_survive_them() {
    let server = Server::start(Box::new(|path, range, stream| {
        if path == "/tiny.pth" {
            return write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: /moved/tiny.pth\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        send(&content(), range, usize::MAX, stream)
    }));
    let weights = weights(&server.address, &content());
    let folder = tempfile::tempdir().expect("a folder");
    let part = folder.path().join(weights.file_name() + ".part");
    fs::write(part, &content()[..900]).expect("writable");
    get(&weights, folder.path()).expect("whole");
    assert_eq!(server.ranges(), [Some(900), Some(900)]);
}

#[test]
fn a_status_that_is_no_file_is_named() {
    for status in ["404 Not Found", "403 Forbidden", "503 Service Unavailable"] {
        let server = Server::start(Box::new(move |_, _, stream| {
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsorry"
            )
        }));
        let weights = weights(&server.address, &content());
        let folder = tempfile::tempdir().expect("a folder");
        let text = get(&weights, folder.path()).expect_err(status).to_string();
        assert!(
            text.contains(&status[..3]) && text.contains("expected 200"),
            "{text}"
        );
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

#[test]
fn nobody_at_home_is_an_error_with_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let weights = weights(&address, &content());
    let folder = tempfile::tempdir().expect("a folder");
    let error = get(&weights, folder.path()).expect_err("closed");
    assert!(matches!(error, PretrainedError::Request { .. }), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_damaged_file_of_the_cache_is_not_used() {
    let weights = weights("http://127.0.0.1:1", &content());
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(weights.file_name()), "damaged").expect("writable");
    let text = get(&weights, folder.path())
        .expect_err("damaged")
        .to_string();
    assert!(text.contains("delete it"), "{text}");
}

#[test]
fn two_processes_do_not_write_one_file() {
    let weights = weights("http://127.0.0.1:1", &content());
    let folder = tempfile::tempdir().expect("a folder");
    let part = fs::File::create(folder.path().join(weights.file_name() + ".part")).expect("new");
    part.lock().expect("free");
    let error = get(&weights, folder.path()).expect_err("locked");
    assert!(matches!(error, PretrainedError::Busy { .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_says_so_and_leaves_no_file() {
    let server = Server::start(Box::new(|_, range, stream| {
        send(&content(), range, usize::MAX, stream)
    }));
    let weights = weights(&server.address, &content());
    let folder = tempfile::tempdir().expect("a folder");
    let part = folder.path().join(weights.file_name() + ".part");
    // A device that takes no byte.
    std::os::unix::fs::symlink("/dev/full", part).expect("a link");
    let error = get(&weights, folder.path()).expect_err("full");
    assert!(error.to_string().contains("no space is left"), "{error}");
    assert_eq!(names(folder.path()), [""; 0]);
}

#[cfg(not(feature = "fetch"))]
#[test]
fn https_needs_the_feature() {
    let weights =
        weights("http://127.0.0.1:1", &content()).with_url("https://127.0.0.1:1/tiny.pth");
    let folder = tempfile::tempdir().expect("a folder");
    let error = get(&weights, folder.path()).expect_err("no TLS");
    assert!(
        matches!(
            error,
            PretrainedError::NotFetched {
                scheme: "https",
                ..
            }
        ),
        "{error}"
    );
}
