use std::io::{self, BufRead, BufReader, Read};

use crate::{Frame, VideoError, VideoHeader};

/// Largest number of bytes in a line.
const LINE: u64 = 4096;

/// Largest number of bytes in a frame unless the caller sets another limit: 8K with full colour.
const FRAME_BYTES: u64 = 3 * 7680 * 4320;

/// Reads a stream frame by frame.
#[derive(Debug)]
pub struct VideoReader<R> {
    reader: BufReader<R>,
    header: VideoHeader,
    frame_bytes: u64,
    frames: u64,
}

impl<R: Read> VideoReader<R> {
    /// Reads the header. Frames may take up to 95 MiB.
    ///
    /// # Errors
    ///
    /// See [`VideoError`].
    pub fn new(reader: R) -> Result<Self, VideoError> {
        Self::with_limit(reader, FRAME_BYTES)
    }

    /// Reads the header. Frames may take up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// See [`VideoError`].
    pub fn with_limit(reader: R, limit: u64) -> Result<Self, VideoError> {
        let mut reader = BufReader::new(reader);
        let line = match read_line(&mut reader).map_err(reading(0))? {
            Line::Whole(line) => line,
            Line::None => return Err(VideoError::Empty),
            Line::Cut(line) if line.starts_with(b"YUV4MPEG2 ") => {
                return Err(VideoError::Cut {
                    frames: 0,
                    received: line.len() as u64,
                    expected: line.len() as u64 + 1,
                });
            }
            // Not such a stream: the parser reports what came instead.
            Line::Cut(line) => line,
            Line::Long(line) if line.starts_with(b"YUV4MPEG2 ") => {
                return Err(VideoError::LongLine {
                    line: "header",
                    limit: LINE,
                });
            }
            Line::Long(line) => line,
        };
        let header = VideoHeader::parse(&line)?;
        let bytes = header.frame_bytes();
        let frame_bytes = bytes
            .filter(|&bytes| bytes <= limit)
            .ok_or(VideoError::TooLarge {
                size: header.size,
                bytes: bytes.unwrap_or(u64::MAX),
                limit,
            })?;
        Ok(Self {
            reader,
            header,
            frame_bytes,
            frames: 0,
        })
    }

    /// The first line of the stream.
    pub fn header(&self) -> &VideoHeader {
        &self.header
    }

    /// Whole frames read so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Reads the next frame into `frame`, whose memory is reused. Returns `false` at the end of the stream.
    ///
    /// # Errors
    ///
    /// [`VideoError::Cut`] if the stream ends inside a frame; all whole frames came before it. Otherwise see
    /// [`VideoError`].
    pub fn read(&mut self, frame: &mut Frame) -> Result<bool, VideoError> {
        let line = match read_line(&mut self.reader).map_err(reading(self.frames))? {
            Line::Whole(line) => line,
            Line::None => return Ok(false),
            Line::Cut(line) if b"FRAME".starts_with(&line) || line.starts_with(b"FRAME") => {
                return Err(self.cut(0));
            }
            Line::Long(line) if line.starts_with(b"FRAME ") => {
                return Err(VideoError::LongLine {
                    line: "frame",
                    limit: LINE,
                });
            }
            Line::Cut(line) | Line::Long(line) => return Err(self.no_frame(&line)),
        };
        if line != b"FRAME" && !line.starts_with(b"FRAME ") {
            return Err(self.no_frame(&line));
        }
        frame.resize(&self.header);
        let mut received = 0;
        for plane in frame.planes_mut() {
            let mut filled = 0;
            while filled < plane.len() {
                match self.reader.read(&mut plane[filled..]) {
                    Ok(0) => return Err(self.cut(received + filled as u64)),
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(reading(self.frames)(error)),
                }
            }
            received += filled as u64;
        }
        self.frames += 1;
        Ok(true)
    }

    fn cut(&self, received: u64) -> VideoError {
        VideoError::Cut {
            frames: self.frames,
            received,
            expected: self.frame_bytes,
        }
    }

    fn no_frame(&self, line: &[u8]) -> VideoError {
        VideoError::NoFrame {
            frame: self.frames,
            found: String::from_utf8_lossy(&line[..line.len().min(16)]).into_owned(),
        }
    }
}

enum Line {
    /// A line, without its newline.
    Whole(Vec<u8>),
    /// The stream ended before the line.
    None,
    /// The stream ended inside the line.
    Cut(Vec<u8>),
    /// The line did not end within the limit.
    Long(Vec<u8>),
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Line> {
    let mut line = Vec::new();
    reader.take(LINE).read_until(b'\n', &mut line)?;
    Ok(match line.pop() {
        None => Line::None,
        Some(b'\n') => Line::Whole(line),
        Some(last) => {
            line.push(last);
            if (line.len() as u64) < LINE {
                Line::Cut(line)
            } else {
                Line::Long(line)
            }
        }
    })
}

fn reading(frame: u64) -> impl FnOnce(io::Error) -> VideoError {
    move |source| VideoError::Io {
        doing: "reading",
        frame,
        source,
    }
}
