use std::io;

use decoupled_seg_types::Size;

/// Why a stream could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VideoError {
    /// The stream does not begin with the word `YUV4MPEG2`.
    #[error(
        "the stream begins with {found:?}, expected `YUV4MPEG2 `: make one with `ffmpeg -i in.mp4 -f yuv4mpegpipe -`"
    )]
    NotYuv4Mpeg {
        /// Its first bytes.
        found: String,
    },

    /// The stream has no bytes.
    #[error("the stream is empty: see what the program before the pipe says")]
    Empty,

    /// A line is longer than the limit.
    #[error("the {line} line has no end within {limit} bytes: the stream is damaged")]
    LongLine {
        /// "header" or "frame".
        line: &'static str,
        /// Most bytes of a line.
        limit: u64,
    },

    /// A parameter of the header that cannot be used.
    #[error("the header has {name} = {found:?}, expected {expected}")]
    Header {
        /// What the parameter says, in words.
        name: &'static str,
        /// Its text in the header.
        found: String,
        /// The texts that would be right.
        expected: String,
    },

    /// A frame is larger than is allowed.
    #[error(
        "a frame of {size} takes {bytes} bytes, at most {limit} are allowed: let ffmpeg make it smaller (`-vf scale=1920:-2`)"
    )]
    TooLarge {
        /// Size of the picture.
        size: Size,
        /// Bytes of a frame; `u64::MAX` where they cannot be counted.
        bytes: u64,
        /// Most bytes of a frame.
        limit: u64,
    },

    /// A frame does not begin with `FRAME`.
    #[error(
        "frame {frame} begins with {found:?}, expected `FRAME`: the stream is damaged there; {frame} whole frames came before"
    )]
    NoFrame {
        /// Its number, from 0.
        frame: u64,
        /// Its first bytes.
        found: String,
    },

    /// The stream ends inside the header or a frame.
    #[error(
        "the stream breaks off after {frames} whole frames, with {received} of {expected} bytes of the next: see what the program before the pipe says"
    )]
    Cut {
        /// Whole frames before.
        frames: u64,
        /// Bytes of the next frame that came.
        received: u64,
        /// Bytes of a whole frame.
        expected: u64,
    },

    /// The pipe or file could not be read or written.
    #[error("{doing} frame {frame} failed ({source}): {}", what_to_do(source))]
    Io {
        /// "reading" or "writing".
        doing: &'static str,
        /// Its number, from 0.
        frame: u64,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

fn what_to_do(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::BrokenPipe => "the program at the other end has ended; see what it says",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make space on the disk",
        io::ErrorKind::IsADirectory => "name a file",
        _ => "see whether what is at the other end is in order",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_said_is_in_the_message() {
        for (kind, advice) in [
            (io::ErrorKind::BrokenPipe, "the program at the other end"),
            (io::ErrorKind::StorageFull, "make space"),
            (io::ErrorKind::IsADirectory, "name a file"),
            (io::ErrorKind::TimedOut, "in order"),
        ] {
            let error = VideoError::Io {
                doing: "writing",
                frame: 3,
                source: kind.into(),
            };
            let text = error.to_string();
            let begin = format!("writing frame 3 failed ({kind}): ");
            assert!(text.starts_with(&begin), "{text}");
            assert!(text.contains(advice), "{text}");
        }
    }
}
