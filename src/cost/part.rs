use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use decoupled_seg_backbones::ConvNormConfig;
use decoupled_seg_nn::ConvNormActConfig;

use super::Counts;

/// The shape of a feature map of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapShape {
    /// Number of channels.
    pub channels: usize,
    /// Height, in pixels.
    pub height: usize,
    /// Width, in pixels.
    pub width: usize,
}

impl MapShape {
    pub(super) fn elements(self) -> u64 {
        (self.channels * self.height * self.width) as u64
    }

    pub(super) fn size(self) -> [usize; 2] {
        [self.height, self.width]
    }

    pub(super) fn with_channels(self, channels: usize) -> Self {
        Self { channels, ..self }
    }

    pub(super) fn with_size(self, [height, width]: [usize; 2]) -> Self {
        Self {
            height,
            width,
            ..self
        }
    }
}

/// A part of a network: its costs, and the shape of what it returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartCost {
    /// The authors' name of it: `layer3`, `aspp`, `final_seg`.
    pub name: String,
    /// What it takes.
    pub counts: Counts,
    /// What it returns.
    pub output: MapShape,
}

/// Counts the operations of a part as they are walked through.
pub(super) struct PartCounter {
    pub(super) counts: Counts,
}

/// What a convolution costs depends on.
struct Conv {
    channels: [usize; 2],
    kernel_size: [usize; 2],
    stride: [usize; 2],
    /// On both sides.
    padding: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
    bias: bool,
}

impl From<&Conv2dConfig> for Conv {
    fn from(config: &Conv2dConfig) -> Self {
        Self {
            channels: config.channels,
            kernel_size: config.kernel_size,
            stride: config.stride,
            padding: match config.padding {
                PaddingConfig2d::Explicit(top, left, bottom, right) => {
                    assert!(
                        top == bottom && left == right,
                        "our convolutions pad both sides alike"
                    );
                    [top, left]
                }
                PaddingConfig2d::Valid => [0, 0],
                PaddingConfig2d::Same => panic!("our convolutions pad explicitly"),
            },
            dilation: config.dilation,
            groups: config.groups,
            bias: config.bias,
        }
    }
}

impl From<&ConvNormConfig> for Conv {
    fn from(config: &ConvNormConfig) -> Self {
        Self {
            channels: config.channels,
            kernel_size: [config.kernel_size; 2],
            stride: [config.stride; 2],
            padding: [config.padding(); 2],
            dilation: [config.dilation; 2],
            groups: 1,
            bias: config.bias,
        }
    }
}

impl From<&ConvNormActConfig> for Conv {
    fn from(config: &ConvNormActConfig) -> Self {
        Self {
            channels: config.channels,
            kernel_size: config.kernel_size,
            stride: config.stride,
            padding: config.padding,
            dilation: config.dilation,
            groups: config.groups,
            bias: config.bias,
        }
    }
}

impl PartCounter {
    pub(super) fn new() -> Self {
        Self {
            counts: Counts::default(),
        }
    }

    pub(super) fn finish(self, name: &str, output: MapShape) -> PartCost {
        PartCost {
            name: name.to_string(),
            counts: self.counts,
            output,
        }
    }

    pub(super) fn conv2d(&mut self, input: MapShape, config: &Conv2dConfig) -> MapShape {
        self.conv(input, config.into())
    }

    /// Convolution and norm of a backbone; its ReLU, if any, is the caller's.
    pub(super) fn conv_norm(&mut self, input: MapShape, config: &ConvNormConfig) -> MapShape {
        let output = self.conv(input, config.into());
        if config.norm {
            self.norm(output);
        }
        output
    }

    pub(super) fn conv_norm_act(
        &mut self,
        input: MapShape,
        config: &ConvNormActConfig,
    ) -> MapShape {
        let output = self.conv(input, config.into());
        if config.norm {
            self.norm(output);
        }
        if config.activation {
            self.relu(output);
        }
        output
    }

    /// A 1x1 convolution without bias.
    pub(super) fn pointwise(&mut self, input: MapShape, channels_out: usize) -> MapShape {
        let config = Conv2dConfig::new([input.channels, channels_out], [1, 1]).with_bias(false);
        self.conv2d(input, &config)
    }

    fn conv(&mut self, input: MapShape, conv: Conv) -> MapShape {
        let [channels_in, channels_out] = conv.channels;
        assert_eq!(
            input.channels, channels_in,
            "the convolution reads {channels_in} channels"
        );
        let length = |axis: usize, length: usize| {
            let reach = conv.dilation[axis] * (conv.kernel_size[axis] - 1) + 1;
            let padded = length + 2 * conv.padding[axis];
            assert!(
                padded >= reach,
                "{length} pixels are too few for a kernel that reaches over {reach}"
            );
            (padded - reach) / conv.stride[axis] + 1
        };
        let output = MapShape {
            channels: channels_out,
            height: length(0, input.height),
            width: length(1, input.width),
        };
        let area = conv.kernel_size[0] * conv.kernel_size[1];
        let weights_per_channel = (channels_in / conv.groups * area) as u64;

        self.counts.parameters += channels_out as u64 * weights_per_channel;
        self.counts.conv_macs += output.elements() * weights_per_channel;
        if conv.bias {
            self.counts.parameters += channels_out as u64;
            self.counts.conv_bias += output.elements();
        }
        self.counts.activations += output.elements();
        output
    }

    /// A depthwise 3x3 transposed convolution of stride 2 with bias, norm and ReLU.
    pub(super) fn depthwise_deconv(&mut self, input: MapShape, padding: usize) -> MapShape {
        let length = |length: usize| 2 * (length - 1) + 3 - 2 * padding;
        let output = input.with_size([length(input.height), length(input.width)]);
        self.counts.parameters += 10 * input.channels as u64;
        // Every element read is spread over the kernel.
        self.counts.conv_macs += 9 * input.elements();
        self.counts.conv_bias += output.elements();
        self.counts.activations += output.elements();
        self.norm(output);
        self.relu(output);
        output
    }

    pub(super) fn norm(&mut self, map: MapShape) {
        self.counts.parameters += 2 * map.channels as u64;
        self.counts.batch_norm += 2 * map.elements();
        self.counts.activations += map.elements();
    }

    pub(super) fn relu(&mut self, map: MapShape) {
        self.counts.relu += map.elements();
        self.counts.activations += map.elements();
    }

    /// Max pooling 3x3 of stride 2, padded by 1.
    pub(super) fn max_pool(&mut self, input: MapShape) -> MapShape {
        let size = input.size().map(|length| length.div_ceil(2));
        self.pool(input, size)
    }

    pub(super) fn pool(&mut self, input: MapShape, size: [usize; 2]) -> MapShape {
        let output = input.with_size(size);
        self.counts.pooling += input.elements();
        self.counts.activations += output.elements();
        output
    }

    pub(super) fn resize(&mut self, input: MapShape, size: [usize; 2]) -> MapShape {
        let output = input.with_size(size);
        if output != input {
            self.other(output);
        }
        output
    }

    pub(super) fn concatenate(&mut self, maps: &[MapShape]) -> MapShape {
        let channels = maps.iter().map(|map| map.channels).sum();
        let output = maps[0].with_channels(channels);
        self.other(output);
        output
    }

    /// Any operation that papers do not count: a sum, a difference, a warp.
    pub(super) fn other(&mut self, output: MapShape) {
        self.counts.other_elements += output.elements();
        self.counts.activations += output.elements();
    }
}
