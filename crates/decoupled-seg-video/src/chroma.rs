use decoupled_seg_types::Size;

/// Which pixels share their colour, and where that colour was taken. Eight bits a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Chroma {
    /// 2x2 pixels, taken in their middle; what a stream without the parameter has.
    #[default]
    C420Jpeg,
    /// 2x2 pixels, taken between the two at the left.
    C420Mpeg2,
    /// 2x2 pixels, as PAL DV takes them.
    C420Paldv,
    /// 2x2 pixels, place unsaid.
    C420,
    /// Two pixels of a row.
    C422,
    /// Each pixel has its own.
    C444,
    /// No colour.
    Mono,
}

impl Chroma {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::C420Jpeg,
        Self::C420Mpeg2,
        Self::C420Paldv,
        Self::C420,
        Self::C422,
        Self::C444,
        Self::Mono,
    ];

    /// The word in the stream, without its `C`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::C420Jpeg => "420jpeg",
            Self::C420Mpeg2 => "420mpeg2",
            Self::C420Paldv => "420paldv",
            Self::C420 => "420",
            Self::C422 => "422",
            Self::C444 => "444",
            Self::Mono => "mono",
        }
    }

    /// Size of each of the two planes of colour of a picture.
    pub const fn plane(self, size: Size) -> Size {
        let Size { height, width } = size;
        match self {
            Self::C420Jpeg | Self::C420Mpeg2 | Self::C420Paldv | Self::C420 => {
                Size::new(height.div_ceil(2), width.div_ceil(2))
            }
            Self::C422 => Size::new(height, width.div_ceil(2)),
            Self::C444 => size,
            Self::Mono => Size::new(0, 0),
        }
    }
}
