use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use crate::error::at;
use crate::sha256::{CHUNK, digits, hash_all};
use crate::{PretrainedError, PretrainedWeights, Progress};

const PATIENCE: Duration = Duration::from_secs(30);

/// Downloads to `<path>.part`, checks, and renames.
pub(crate) fn download(
    weights: &PretrainedWeights,
    path: &Path,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), PretrainedError> {
    let agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .build()
        .new_agent();
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(at(folder, "creating"))?;

    let mut part = Part::open(path)?;
    // An earlier attempt may have left the beginning of another file. Then the hash is wrong, and one new download
    // starts from zero.
    let resumed = part.bytes > 0;
    let found = match part.fill(&agent, weights, path, on_progress) {
        Ok(found) => found,
        Err(error) => {
            part.close();
            return Err(error);
        }
    };
    let found = if resumed && !weights.sha256.matches(&found) {
        part.empty()?;
        part.fill(&agent, weights, path, on_progress)?
    } else {
        found
    };
    if !weights.sha256.matches(&found) {
        part.remove();
        return Err(PretrainedError::Hash {
            url: weights.url.to_string(),
            found,
            expected: weights.sha256,
        });
    }
    part.finish(path)
}

/// The unfinished file, locked as long as it is open.
struct Part {
    file: File,
    path: PathBuf,
    bytes: u64,
    hasher: Sha256,
}

impl Part {
    fn open(path: &Path) -> Result<Self, PretrainedError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&part)
            .map_err(at(&part, "opening"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PretrainedError::Busy { part }),
            Err(TryLockError::Error(source)) => return Err(at(&part, "locking")(source)),
        }
        let bytes = file.metadata().map_err(at(&part, "reading"))?.len();
        let mut hasher = Sha256::new();
        if bytes > 0 {
            hash_all(&mut file, &mut hasher).map_err(at(&part, "reading"))?;
        }
        Ok(Self {
            file,
            path: part,
            bytes,
            hasher,
        })
    }

    /// Downloads the missing bytes; returns the hash of the whole file.
    fn fill(
        &mut self,
        agent: &Agent,
        weights: &PretrainedWeights,
        path: &Path,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<String, PretrainedError> {
        let mut answer = self.ask(agent, weights, path)?;
        if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE && self.bytes > 0 {
            // The server has no bytes beyond those on the disk. If the file is as long as they are, its hash decides.
            if total_of(&answer) == Some(self.bytes) {
                return Ok(digits(self.hasher.clone()));
            }
            self.empty()?;
            answer = self.ask(agent, weights, path)?;
        }
        match answer.status() {
            StatusCode::PARTIAL_CONTENT if start_of(&answer) == Some(self.bytes) => {}
            // The server ignores the range and sends the file from its start.
            StatusCode::OK => self.empty()?,
            status => {
                return Err(PretrainedError::Status {
                    url: weights.url.to_string(),
                    status: status.as_u16(),
                    sha256: weights.sha256,
                    path: path.to_path_buf(),
                });
            }
        }
        self.receive(answer, weights, on_progress)?;
        Ok(digits(self.hasher.clone()))
    }

    fn ask(
        &self,
        agent: &Agent,
        weights: &PretrainedWeights,
        path: &Path,
    ) -> Result<Response<Body>, PretrainedError> {
        let mut request = agent.get(&*weights.url);
        if self.bytes > 0 {
            request = request.header(RANGE, format!("bytes={}-", self.bytes));
        }
        request.call().map_err(|source| PretrainedError::Request {
            url: weights.url.to_string(),
            path: path.to_path_buf(),
            source: Box::new(source),
        })
    }

    fn receive(
        &mut self,
        answer: Response<Body>,
        weights: &PretrainedWeights,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<(), PretrainedError> {
        let expected = match answer.status() {
            StatusCode::PARTIAL_CONTENT => total_of(&answer),
            _ => header(&answer, CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        };
        let limit = weights.most_bytes();
        let mut body = answer.into_body().into_reader();
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) if expected.is_none_or(|expected| self.bytes >= expected) => return Ok(()),
                Ok(0) => return Err(self.cut(weights, expected, None)),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.cut(weights, expected, Some(error))),
            };
            if self.bytes + read as u64 > limit {
                self.remove();
                return Err(PretrainedError::TooLong {
                    url: weights.url.to_string(),
                    limit,
                    expected: weights.bytes,
                });
            }
            self.file
                .write_all(&buffer[..read])
                .map_err(at(&self.path, "writing"))?;
            self.hasher.update(&buffer[..read]);
            self.bytes += read as u64;
            on_progress(Progress {
                received: self.bytes,
                total: expected.unwrap_or(weights.bytes),
            });
        }
    }

    fn cut(
        &self,
        weights: &PretrainedWeights,
        expected: Option<u64>,
        source: Option<io::Error>,
    ) -> PretrainedError {
        PretrainedError::Cut {
            url: weights.url.to_string(),
            received: self.bytes,
            expected,
            part: self.path.clone(),
            source,
        }
    }

    fn empty(&mut self) -> Result<(), PretrainedError> {
        if self.bytes > 0 {
            self.file.set_len(0).map_err(at(&self.path, "emptying"))?;
        }
        self.bytes = 0;
        self.hasher = Sha256::new();
        Ok(())
    }

    fn finish(self, path: &Path) -> Result<(), PretrainedError> {
        self.file.sync_all().map_err(at(&self.path, "writing"))?;
        fs::rename(&self.path, path).map_err(at(path, "naming"))
    }

    /// Keeps the bytes that came, but removes an empty file.
    fn close(self) {
        if self.bytes == 0 {
            self.remove();
        }
    }

    /// A failure does no harm: the next attempt checks the unfinished file.
    fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn header(answer: &Response<Body>, name: ureq::http::HeaderName) -> Option<&str> {
    answer.headers().get(name)?.to_str().ok()
}

/// Of `Content-Range: bytes 100-199/200`: 100.
fn start_of(answer: &Response<Body>) -> Option<u64> {
    let range = header(answer, CONTENT_RANGE)?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.trim().parse().ok()
}

/// Of `Content-Range: bytes 100-199/200` and of `bytes */200`: 200.
fn total_of(answer: &Response<Body>) -> Option<u64> {
    header(answer, CONTENT_RANGE)?
        .rsplit_once('/')?
        .1
        .trim()
        .parse()
        .ok()
}
