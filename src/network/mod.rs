//! Whole networks: a backbone, a context head, and a decoder with body and edge, without, or with a shape stream.

mod backbone;
mod context;
mod decoder;
mod decoupled_seg_net;
mod presets;
mod validate;

pub use backbone::{Backbone, BackboneConfig};
pub use context::{Context, ContextConfig};
pub use decoder::{Decoder, DecoderConfig, DecoderInput};
pub use decoupled_seg_net::{DecoupledSegNet, DecoupledSegNetConfig};
pub use presets::{NETWORKS, NetworkPreset, PaperRow, UnknownNetwork, atrous_rates};
