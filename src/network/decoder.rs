use burn::config::Config;
use burn::module::Module;
use decoupled_seg_body_edge::{DecoupledHead, PlainDecoder};

/// Whether a network decouples body and edge.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum DecoderConfig {
    /// Body and edge, apart and together: a [`DecoupledHead`].
    Decoupled,
    /// Neither: a [`PlainDecoder`], the twin to compare with.
    Plain,
}

/// The decoder of a network: context and low-level features in, logits out.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one per network, and parameters live behind pointers anyway"
)]
pub enum Decoder {
    /// Body and edge, apart and together.
    Decoupled(DecoupledHead),
    /// Neither.
    Plain(PlainDecoder),
}
