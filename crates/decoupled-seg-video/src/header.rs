use std::fmt;

use decoupled_seg_types::Size;

use crate::{Chroma, Matrix, VideoError};

/// A ratio of two numbers, such as 30000:1001 frames a second. `0:0` stands for "unknown".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    /// Numerator.
    pub numerator: u32,
    /// Denominator.
    pub denominator: u32,
}

impl Ratio {
    /// The ratio as a number; `None` where it is unknown.
    pub fn value(self) -> Option<f64> {
        (self.denominator > 0).then(|| f64::from(self.numerator) / f64::from(self.denominator))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.numerator, self.denominator)
    }
}

/// Whether brightness uses all 256 values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Range {
    /// Black is 16, white is 235, colours go from 16 to 240. A stream without the parameter has this range.
    #[default]
    Limited,
    /// Black is 0, white is 255.
    Full,
}

/// The first line of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoHeader {
    /// Size of the pictures.
    pub size: Size,
    /// Frames a second.
    pub frame_rate: Ratio,
    /// Width of a pixel divided by its height.
    pub pixel_aspect: Ratio,
    /// `p` for whole pictures; `t`, `b` and `m` for half pictures, `?` for unknown.
    pub interlacing: char,
    /// Which pixels share a colour sample.
    pub chroma: Chroma,
    /// Whether brightness uses all 256 values.
    pub range: Range,
    /// How colours are made. The line does not tell: it is that of [`Matrix::of_size`] until it is set.
    pub matrix: Matrix,
}

const MAGIC: &str = "YUV4MPEG2 ";

impl VideoHeader {
    /// A header for pictures of `size` at `frames` pictures a second, in which 2x2 pixels share a colour.
    pub fn new(size: Size, frames: u32) -> Self {
        Self {
            size,
            frame_rate: Ratio {
                numerator: frames,
                denominator: 1,
            },
            pixel_aspect: Ratio {
                numerator: 1,
                denominator: 1,
            },
            interlacing: 'p',
            chroma: Chroma::default(),
            range: Range::default(),
            matrix: Matrix::of_size(size),
        }
    }

    /// Bytes of a frame; `None` where they cannot be counted.
    pub fn frame_bytes(&self) -> Option<u64> {
        let colour = self.chroma.plane(self.size);
        let bytes = |size: Size| (size.height as u64).checked_mul(size.width as u64);
        bytes(self.size)?.checked_add(bytes(colour)?.checked_mul(2)?)
    }

    pub(crate) fn parse(line: &[u8]) -> Result<Self, VideoError> {
        let text = String::from_utf8_lossy(line);
        let Some(parameters) = text.strip_prefix(MAGIC) else {
            return Err(VideoError::NotYuv4Mpeg {
                found: text.chars().take(MAGIC.len()).collect(),
            });
        };
        // The defaults that ffmpeg has.
        let mut header = Self::new(Size::new(0, 0), 25);
        for parameter in parameters
            .split(' ')
            .filter(|parameter| !parameter.is_empty())
        {
            let (name, value) =
                parameter.split_at(parameter.chars().next().map_or(0, char::len_utf8));
            match name {
                "W" => header.size.width = side("width", value)?,
                "H" => header.size.height = side("height", value)?,
                "F" => header.frame_rate = ratio("frame rate", value)?,
                "A" => header.pixel_aspect = ratio("pixel aspect", value)?,
                "I" => header.interlacing = value.chars().next().unwrap_or('?'),
                "C" => {
                    let known = Chroma::ALL
                        .into_iter()
                        .find(|chroma| chroma.word() == value);
                    header.chroma = known.ok_or_else(|| {
                        let words = Chroma::ALL.map(Chroma::word).join(", ");
                        wrong(
                            "chroma",
                            value,
                            format!("one of {words}: let ffmpeg convert (`-pix_fmt yuv420p`)"),
                        )
                    })?;
                }
                "X" => match value {
                    "COLORRANGE=FULL" => header.range = Range::Full,
                    "COLORRANGE=LIMITED" => header.range = Range::Limited,
                    _ => {}
                },
                _ => {}
            }
        }
        for (name, side) in [("width", header.size.width), ("height", header.size.height)] {
            if side == 0 {
                return Err(wrong(name, "", "a number of pixels".into()));
            }
        }
        header.matrix = Matrix::of_size(header.size);
        Ok(header)
    }
}

impl fmt::Display for VideoHeader {
    /// The line in the stream, without its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { height, width } = self.size;
        let (rate, aspect) = (self.frame_rate, self.pixel_aspect);
        let (interlacing, chroma) = (self.interlacing, self.chroma.word());
        write!(
            f,
            "{MAGIC}W{width} H{height} F{rate} I{interlacing} A{aspect} C{chroma}"
        )?;
        match self.range {
            Range::Limited => Ok(()),
            Range::Full => f.write_str(" XCOLORRANGE=FULL"),
        }
    }
}

fn side(name: &'static str, value: &str) -> Result<usize, VideoError> {
    let pixels = value.parse::<u32>().ok().filter(|&pixels| pixels > 0);
    pixels
        .map(|pixels| pixels as usize)
        .ok_or_else(|| wrong(name, value, "a number of pixels".into()))
}

fn ratio(name: &'static str, value: &str) -> Result<Ratio, VideoError> {
    value
        .split_once(':')
        .and_then(|(numerator, denominator)| {
            Some(Ratio {
                numerator: numerator.parse().ok()?,
                denominator: denominator.parse().ok()?,
            })
        })
        .ok_or_else(|| wrong(name, value, "two numbers, such as 30000:1001".into()))
}

fn wrong(name: &'static str, found: &str, expected: String) -> VideoError {
    VideoError::Header {
        name,
        found: found.to_string(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_is_written() {
        let line = "YUV4MPEG2 W640 H360 F30000:1001 Ip A1:1 C422 XCOLORRANGE=FULL";
        let header = VideoHeader::parse(line.as_bytes()).expect("a header");
        assert_eq!(
            (header.size, header.chroma, header.range),
            (Size::new(360, 640), Chroma::C422, Range::Full)
        );
        assert!((header.frame_rate.value().expect("known") - 29.97).abs() < 0.001);
        assert_eq!(header.to_string(), line);
        assert_eq!(header.frame_bytes(), Some(640 * 360 * 2));
    }

    #[test]
    fn a_short_header_has_ffmpegs_defaults() {
        let header = VideoHeader::parse(b"YUV4MPEG2 H3 W5").expect("a header");
        assert_eq!(header, VideoHeader::new(Size::new(3, 5), 25));
        assert_eq!(header.frame_bytes(), Some(15 + 2 * 6));
    }

    #[test]
    fn the_size_tells_the_matrix() {
        for (size, matrix) in [
            (Size::new(576, 720), Matrix::Bt601),
            (Size::new(720, 405), Matrix::Bt709),
            (Size::new(544, 1280), Matrix::Bt709),
        ] {
            let line = format!("YUV4MPEG2 H{} W{}", size.height, size.width);
            let header = VideoHeader::parse(line.as_bytes()).expect("a header");
            assert_eq!(header.matrix, matrix, "{size}");
            assert_eq!(header, VideoHeader::new(size, 25));
        }
    }

    #[test]
    fn what_is_no_header_is_told() {
        for (line, part) in [
            ("RIFF....", "expected `YUV4MPEG2 `"),
            ("YUV4MPEG2 W5", "height = \"\""),
            ("YUV4MPEG2 W0 H5", "width = \"0\""),
            ("YUV4MPEG2 W-3 H5", "width = \"-3\""),
            ("YUV4MPEG2 W99999999999 H5", "width"),
            ("YUV4MPEG2 W5 H5 F30", "30000:1001"),
            ("YUV4MPEG2 W5 H5 C420p10", "-pix_fmt yuv420p"),
        ] {
            let error = VideoHeader::parse(line.as_bytes())
                .expect_err(line)
                .to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
