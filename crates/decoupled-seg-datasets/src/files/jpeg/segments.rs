use decoupled_seg_types::Size;

use crate::JpegDamage;

/// The end of the picture.
pub(super) const EOI: u8 = 0xD9;
/// The beginning of a scan.
pub(super) const SOS: u8 = 0xDA;

/// Walks the markers of a JPEG with their payloads, from behind its first two bytes.
pub(super) struct Segments<'a> {
    pub bytes: &'a [u8],
    /// Where the next marker is looked for.
    pub at: usize,
}

impl<'a> Segments<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 2 }
    }

    /// Moves behind the data of a scan up to the next marker, a restart or another. `data` gets the data without
    /// stuffed zeros and filling bytes. `None` if the file ends before the next marker.
    pub(super) fn entropy_coded(&mut self, data: &mut Vec<u8>) -> Option<u8> {
        data.clear();
        loop {
            let rest = self.bytes.get(self.at..)?;
            let run = rest.iter().position(|&byte| byte == 0xFF)?;
            data.extend_from_slice(&rest[..run]);
            match *rest.get(run + 1)? {
                0x00 => {
                    data.push(0xFF);
                    self.at += run + 2;
                }
                0xFF => self.at += run + 1,
                marker => {
                    self.at += run;
                    return Some(marker);
                }
            }
        }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    /// The next marker and its payload; `None` if the file ends before or within it.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let Self { bytes, at } = self;
        while *bytes.get(*at)? != 0xFF {
            *at += 1; // Padding that some writers leave between segments.
        }
        while *bytes.get(*at)? == 0xFF {
            *at += 1;
        }
        let marker = bytes[*at];
        *at += 1;
        if matches!(marker, 0x01 | 0xD0..=EOI) {
            return Some((marker, &[]));
        }
        let length = word(bytes.get(*at..*at + 2)?).max(2);
        let segment = bytes.get(*at + 2..*at + length)?;
        *at += length;
        Some((marker, segment))
    }
}

/// Two bytes, the high one first.
pub(super) fn word(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// The header of a frame: how its blocks are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub size: Size,
    /// Bits of a sample.
    pub precision: u8,
    pub components: Vec<FrameComponent>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrameComponent {
    pub id: u8,
    /// Blocks of a unit of an interleaved scan, across and down.
    pub sampling: [usize; 2],
    /// The table of its quantization.
    pub quantization: u8,
}

impl Frame {
    /// Whether a marker begins a frame: SOF0 to SOF15, without DHT (C4), JPG (C8) and DAC (CC).
    pub(super) fn begins(marker: u8) -> bool {
        matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC)
    }

    /// `None` if the header is shorter than it says.
    pub(super) fn parse(segment: &[u8]) -> Option<Self> {
        let header = segment.get(..6)?;
        let components = segment.get(6..6 + 3 * usize::from(header[5]))?;
        Some(Self {
            size: Size::new(word(&header[1..]), word(&header[3..])),
            precision: header[0],
            components: components
                .chunks_exact(3)
                .map(|component| FrameComponent {
                    id: component[0],
                    sampling: [
                        usize::from(component[1] >> 4),
                        usize::from(component[1] & 15),
                    ],
                    quantization: component[2],
                })
                .collect(),
        })
    }
}

impl Frame {
    /// Whether no colour is finer than the first, the brightness.
    pub(super) fn check_sampling(&self) -> Result<(), JpegDamage> {
        let Some(first) = self.components.first() else {
            return Ok(());
        };
        let is_finer = |part: &FrameComponent| {
            let mut axes = part.sampling.iter().zip(&first.sampling);
            axes.any(|(colour, brightness)| colour > brightness)
        };
        match self.components.iter().position(is_finer) {
            None => Ok(()),
            Some(colour) => Err(JpegDamage::FineColour {
                component: colour + 1,
            }),
        }
    }
}

/// The kind of a JPEG that no decoder here reads, by the first of its headers that tells. `None` for the others.
pub(super) fn unread_kind(bytes: &[u8]) -> Option<&'static str> {
    const OF_LEVELS: u8 = 0xDE;
    const OF_JPEG_LS: u8 = 0xF7;
    let mut markers = Segments::new(bytes).map(|(marker, _)| marker);
    let tells = |marker: &u8| Frame::begins(*marker) || [OF_LEVELS, OF_JPEG_LS].contains(marker);
    match markers.find(tells)? {
        0xC3 => Some("lossless"),
        0xC9 | 0xCA => Some("arithmetically coded"),
        0xCB => Some("lossless, arithmetically coded"),
        0xC5..=0xC7 | 0xCD..=0xCF | OF_LEVELS => Some("hierarchical"),
        OF_JPEG_LS => Some("lossless (JPEG-LS)"),
        _ => None,
    }
}

/// Walks the markers up to the frame header; `None` if the file ends before it.
pub(super) fn frame_size(bytes: &[u8]) -> Option<Size> {
    let (_, segment) = Segments::new(bytes).find(|(marker, _)| Frame::begins(*marker))?;
    let size = segment.get(1..5)?;
    Some(Size::new(word(size), word(&size[2..])))
}
