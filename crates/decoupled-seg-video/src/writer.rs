use std::io::{self, Write};

use crate::{Frame, VideoError, VideoHeader};

/// Writes a stream frame by frame. The pipe needs no buffer around it: the writer passes whole planes and flushes
/// behind each frame.
#[derive(Debug)]
pub struct VideoWriter<W> {
    writer: W,
    header: VideoHeader,
    frames: u64,
}

impl<W: Write> VideoWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    ///
    /// [`VideoError::Io`].
    pub fn new(mut writer: W, header: VideoHeader) -> Result<Self, VideoError> {
        writeln!(writer, "{header}").map_err(writing(0))?;
        Ok(Self {
            writer,
            header,
            frames: 0,
        })
    }

    /// Writes a frame and flushes the pipe.
    ///
    /// # Errors
    ///
    /// [`VideoError::Io`].
    ///
    /// # Panics
    ///
    /// Panics if the frame is not of the header's size and chroma.
    pub fn write(&mut self, frame: &Frame) -> Result<(), VideoError> {
        assert!(
            frame.fits(&self.header),
            "a frame must be {} with chroma {}",
            self.header.size,
            self.header.chroma.word()
        );
        let mut write = || {
            self.writer.write_all(b"FRAME\n")?;
            for plane in frame.planes() {
                self.writer.write_all(plane)?;
            }
            self.writer.flush()
        };
        write().map_err(writing(self.frames))?;
        self.frames += 1;
        Ok(())
    }

    /// Frames written so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }
}

fn writing(frame: u64) -> impl FnOnce(io::Error) -> VideoError {
    move |source| VideoError::Io {
        doing: "writing",
        frame,
        source,
    }
}
