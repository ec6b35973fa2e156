use decoupled_seg_types::Size;

/// Which pixels share one colour sample, and where in the group the sample lies. Samples have eight bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Chroma {
    /// 2x2 pixels, sample in their middle. A stream without the parameter has this one.
    #[default]
    C420Jpeg,
    /// 2x2 pixels, sample between the two left ones.
    C420Mpeg2,
    /// 2x2 pixels, samples where PAL DV has them.
    C420Paldv,
    /// 2x2 pixels, place of the sample not given.
    C420,
    /// Two neighbours in a row.
    C422,
    /// Every pixel has a colour of its own.
    C444,
    /// No colour.
    Mono,
}

impl Chroma {
    /// All variants.
    pub const ALL: [Self; 7] = [
        Self::C420Jpeg,
        Self::C420Mpeg2,
        Self::C420Paldv,
        Self::C420,
        Self::C422,
        Self::C444,
        Self::Mono,
    ];

    /// The word in the stream's header, without the leading `C`.
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

    /// Size of each of the two colour planes of a picture of `size`.
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
