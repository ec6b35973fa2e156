//! Dilated ResNets and WideResNet-38: an image in, one feature map a stage out.
//!
//! Every backbone is a config with an `init`, and its `forward` returns [`Features`]: the outputs of four stages, the
//! last two of which stay at the resolution that [`OutputStride`] asks for. There is no classifier.
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use decoupled_seg_backbones::{OutputStride, ResNetConfig};
//!
//! let device = Device::default();
//! let config = ResNetConfig::resnet50()
//!     .with_output_stride(OutputStride::Os8)
//!     .with_width(4); // 64 in every published network
//! let backbone = config.init(&device);
//!
//! let images = Tensor::random([1, 3, 65, 97], Distribution::Default, &device);
//! let features = backbone.forward(images);
//! assert_eq!(features.c1.dims(), [1, 16, 17, 25]);
//! assert_eq!(features.c4.dims(), [1, 128, 9, 13]);
//! assert_eq!(config.channels(), [16, 32, 64, 128]);
//! ```

mod conv_norm;
mod features;
mod output_stride;
mod pre_activation_block;
mod residual_block;
mod resnet;
mod wide_resnet38;

pub use conv_norm::{ConvNorm, ConvNormConfig, fold_batch_norm, with_own_statistics};
pub use features::Features;
pub use output_stride::OutputStride;
pub use pre_activation_block::{PreActivationBlock, PreActivationBlockConfig};
pub use residual_block::{ResidualBlock, ResidualBlockConfig, ResidualKind};
pub use resnet::{ResNet, ResNetConfig, Stem};
pub use wide_resnet38::{LowLevelStage, WideResNet38, WideResNet38Config};
