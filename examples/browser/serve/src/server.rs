//! A server of files for this machine alone.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::thread;

/// Lines of a request that are read at most.
const LINES: usize = 100;

/// Serves a folder until the program is stopped.
pub fn serve(folder: &Path, port: u16) -> Result<(), String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
        format!("port {port} cannot be used ({error}); name another with --port")
    })?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    println!("open http://localhost:{} (Ctrl-C stops)", address.port());
    for stream in listener.incoming().flatten() {
        let folder = folder.to_path_buf();
        // Whoever hangs up gets no more.
        thread::spawn(move || drop(answer(stream, &folder)));
    }
    Ok(())
}

fn answer(mut stream: TcpStream, folder: &Path) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines().take(LINES);
    let request = lines.next().transpose()?.unwrap_or_default();
    // The rest of the request has to be read before the connection is closed.
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let (status, kind, body) = respond(&request, folder);
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-cache\r\n\
         Connection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

/// Status, type and content for the first line of a request.
fn respond(request: &str, folder: &Path) -> (&'static str, &'static str, Vec<u8>) {
    let mut words = request.split_whitespace();
    let refuse = |status| (status, "text/plain", format!("{status}\n").into_bytes());
    let (Some("GET"), Some(url)) = (words.next(), words.next()) else {
        return refuse("405 Method Not Allowed");
    };
    match file_of(url, folder).and_then(|path| Some((fs::read(&path).ok()?, path))) {
        Some((body, path)) => ("200 OK", content_type(&path), body),
        None => refuse("404 Not Found"),
    }
}

/// The file of an address; `None` if it leads out of the folder.
fn file_of(url: &str, folder: &Path) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?.strip_prefix('/')?;
    let path = Path::new(if path.is_empty() { "index.html" } else { path });
    let inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| folder.join(path))
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_folder_and_no_others() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (status, kind, body) = respond("GET /src/server.rs?x=1 HTTP/1.1", folder);
        assert_eq!((status, kind), ("200 OK", "application/octet-stream"));
        assert!(body.starts_with(b"//! A server"));
        for url in [
            "/",
            "/../Cargo.toml",
            "//etc/passwd",
            "/src/../Cargo.toml",
            "/missing",
            "x",
        ] {
            let (status, ..) = respond(&format!("GET {url} HTTP/1.1"), folder);
            assert_eq!(status, "404 Not Found", "{url}");
        }
        let (status, ..) = respond("POST / HTTP/1.1", folder);
        assert_eq!(status, "405 Method Not Allowed");
    }

    #[test]
    fn wasm_has_its_type() {
        assert_eq!(content_type(Path::new("a.wasm")), "application/wasm");
        assert_eq!(
            content_type(Path::new("a.js")),
            "text/javascript; charset=utf-8"
        );
    }
}
