use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use decoupled_seg_types::caught;
use png::ColorType;

use crate::MaskFormat;

/// How a mask is stored, and its palette: what stands before its pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MaskHead {
    pub format: MaskFormat,
    pub palette: Vec<[u8; 3]>,
}

impl MaskHead {
    /// Reads the beginning of a file. `None` if it cannot be read, which is told when the whole mask is.
    pub fn read(path: &Path) -> Option<Self> {
        // A palette of 256 colours, and what stands before it.
        const BYTES: usize = 1 << 10;
        // Opening a pipe would wait for its writer.
        let file = path.is_file().then(|| File::open(path).ok()).flatten()?;
        let mut decoder = png::Decoder::new(BufReader::with_capacity(BYTES, file));
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        let reader = caught(|| decoder.read_info()).ok()?.ok()?;
        let info = reader.info();
        let palette = info.palette.as_deref().unwrap_or_default();
        let palette = palette.chunks_exact(3);
        Some(Self {
            format: format(info.color_type, info.bit_depth as u8),
            palette: palette.map(|it| [it[0], it[1], it[2]]).collect(),
        })
    }

    /// Whether an index that both palettes have has one colour.
    pub fn agrees(&self, other: &Self) -> bool {
        let mut colors = self.palette.iter().zip(&other.palette);
        colors.all(|(here, there)| here == there)
    }
}

/// How pixels of a PNG are stored.
pub(super) fn format(color: ColorType, bits: u8) -> MaskFormat {
    match color {
        ColorType::Grayscale => MaskFormat::Grey(bits),
        ColorType::Indexed => MaskFormat::Palette(bits),
        ColorType::GrayscaleAlpha => MaskFormat::GreyAlpha(bits),
        ColorType::Rgb => MaskFormat::Rgb(bits),
        ColorType::Rgba => MaskFormat::Rgba(bits),
    }
}
