use std::fmt;

use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
use decoupled_seg_types::Size;

use super::{Counts, NetworkCost};

/// What a module costs, as its configuration knows it.
///
/// # Example
///
/// ```
/// use decoupled_seg_nn::{ConvNormActConfig, Cost, CostCounter, MapShape, Size};
///
/// let block = ConvNormActConfig::new([3, 8], [3, 3]).with_same_padding();
/// let mut counter = CostCounter::new();
/// let output = block.cost(MapShape::new(3, Size::new(4, 5)), &mut counter);
///
/// assert_eq!(output, MapShape::new(8, Size::new(4, 5)));
/// assert_eq!(counter.total().conv_macs, 20 * 8 * 3 * 9);
/// ```
pub trait Cost {
    /// Walks through the module as its `forward` does, for one image: adds what it takes to `counter` and returns the
    /// shape of its output.
    ///
    /// # Panics
    ///
    /// Panics if the module does not accept a map of that shape.
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape;
}

/// The shape of a feature map of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapShape {
    /// Number of channels.
    pub channels: usize,
    /// Height and width, in pixels.
    pub size: Size,
}

impl MapShape {
    /// The shape of `channels` planes of a size.
    pub const fn new(channels: usize, size: Size) -> Self {
        Self { channels, size }
    }

    /// The shape with another number of channels.
    #[must_use]
    pub const fn with_channels(self, channels: usize) -> Self {
        Self { channels, ..self }
    }

    /// The shape with another size.
    #[must_use]
    pub const fn with_size(self, size: Size) -> Self {
        Self { size, ..self }
    }

    const fn elements(self) -> u64 {
        (self.channels * self.size.pixels()) as u64
    }
}

/// `CHANNELSxHEIGHTxWIDTH`.
impl fmt::Display for MapShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.channels, self.size)
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

/// Adds up what the steps of a network take, part by part.
#[derive(Debug, Clone, Default)]
pub struct CostCounter {
    parts: Vec<PartCost>,
    /// Since the last part ended.
    open: Counts,
}

impl CostCounter {
    /// A counter at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends a part: what has been counted since the one before belongs to it.
    pub fn end_part(&mut self, name: &str, output: MapShape) {
        self.parts.push(PartCost {
            name: name.to_string(),
            counts: std::mem::take(&mut self.open),
            output,
        });
    }

    /// Everything counted so far.
    pub fn total(&self) -> Counts {
        let parts = self.parts.iter().map(|part| part.counts);
        parts.chain([self.open]).sum()
    }

    /// The cost of a network whose every step belongs to a part.
    ///
    /// # Panics
    ///
    /// Panics if something was counted after the last part ended.
    pub fn finish(self, image_size: Size) -> NetworkCost {
        assert_eq!(
            self.open,
            Counts::default(),
            "something was counted behind the last part"
        );
        NetworkCost {
            image_size,
            parts: self.parts,
        }
    }

    /// A batch norm.
    pub fn batch_norm(&mut self, map: MapShape) {
        self.open.parameters += 2 * map.channels as u64;
        self.open.batch_norm += 2 * map.elements();
        self.open.activations += map.elements();
    }

    /// A ReLU or another function of each element.
    pub fn activation(&mut self, map: MapShape) {
        self.open.relu += map.elements();
        self.open.activations += map.elements();
    }

    /// Max pooling 3x3 of stride 2, padded by 1.
    pub fn max_pool(&mut self, input: MapShape) -> MapShape {
        let Size { height, width } = input.size;
        self.pool(input, Size::new(height.div_ceil(2), width.div_ceil(2)))
    }

    /// Pooling to a size.
    pub fn pool(&mut self, input: MapShape, size: Size) -> MapShape {
        let output = input.with_size(size);
        self.open.pooling += input.elements();
        self.open.activations += output.elements();
        output
    }

    /// Resizing, which costs nothing where the size stays.
    pub fn resize(&mut self, input: MapShape, size: Size) -> MapShape {
        let output = input.with_size(size);
        if output != input {
            self.other(output);
        }
        output
    }

    /// Concatenation along the channels.
    pub fn concatenate(&mut self, maps: &[MapShape]) -> MapShape {
        let channels = maps.iter().map(|map| map.channels).sum();
        let output = maps[0].with_channels(channels);
        self.other(output);
        output
    }

    /// Any operation that papers do not count: a sum, a difference, a warp.
    pub fn other(&mut self, output: MapShape) {
        self.open.other_elements += output.elements();
        self.open.activations += output.elements();
    }

    /// What is the same for a convolution and a transposed one: `elements` are those that meet each of the weights.
    fn conv(&mut self, output: MapShape, weights: usize, elements: u64, bias: bool) {
        self.open.parameters += weights as u64;
        self.open.conv_macs += elements;
        if bias {
            self.open.parameters += output.channels as u64;
            self.open.conv_bias += output.elements();
        }
        self.open.activations += output.elements();
    }
}

/// In order, each on the output of the one before.
impl<C: Cost> Cost for [C] {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        self.iter()
            .fold(input, |map, module| module.cost(map, counter))
    }
}

impl Cost for Conv2dConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        let [channels_in, channels_out] = self.channels;
        assert_channels(input, channels_in);
        let padding = match self.padding {
            PaddingConfig2d::Explicit(top, left, bottom, right) => [top + bottom, left + right],
            PaddingConfig2d::Valid => [0, 0],
            PaddingConfig2d::Same => panic!("our convolutions pad explicitly"),
        };
        let side = |axis: usize, length: usize| {
            let reach = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1;
            let padded = length + padding[axis];
            assert!(
                padded >= reach,
                "{length} pixels are too few for a kernel that reaches over {reach}"
            );
            (padded - reach) / self.stride[axis] + 1
        };
        let size = Size::new(side(0, input.size.height), side(1, input.size.width));
        let output = MapShape::new(channels_out, size);
        let taps = channels_in / self.groups * self.kernel_size[0] * self.kernel_size[1];

        let elements = output.elements() * taps as u64;
        counter.conv(output, channels_out * taps, elements, self.bias);
        output
    }
}

impl Cost for ConvTranspose2dConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        let [channels_in, channels_out] = self.channels;
        assert_channels(input, channels_in);
        let side = |axis: usize, length: usize| {
            let reach = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1;
            let full = self.stride[axis] * (length - 1) + reach + self.padding_out[axis];
            full - 2 * self.padding[axis]
        };
        let size = Size::new(side(0, input.size.height), side(1, input.size.width));
        let output = MapShape::new(channels_out, size);
        let taps = channels_out / self.groups * self.kernel_size[0] * self.kernel_size[1];

        // Every element read is spread over the kernel.
        let elements = input.elements() * taps as u64;
        counter.conv(output, channels_in * taps, elements, self.bias);
        output
    }
}

fn assert_channels(input: MapShape, expected: usize) {
    assert_eq!(
        input.channels, expected,
        "the convolution reads {expected} channels"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strided_convolution_by_hand() {
        let config = Conv2dConfig::new([4, 6], [3, 3])
            .with_stride([2, 2])
            .with_groups(2);
        let mut counter = CostCounter::new();
        let output = config.cost(MapShape::new(4, Size::new(9, 8)), &mut counter);
        // (9 - 3) / 2 + 1 by (8 - 3) / 2 + 1 pixels; each of 6 channels sees 2 of the 4.
        assert_eq!(output, MapShape::new(6, Size::new(4, 3)));
        let expected = Counts {
            parameters: 6 * 18 + 6,
            conv_macs: 72 * 18,
            conv_bias: 72,
            activations: 72,
            ..Counts::default()
        };
        assert_eq!(counter.total(), expected);
    }

    #[test]
    fn a_depthwise_transposed_convolution_by_hand() {
        let config = ConvTranspose2dConfig::new([3, 3], [3, 3])
            .with_stride([2, 2])
            .with_groups(3);
        let mut counter = CostCounter::new();
        let output = config.cost(MapShape::new(3, Size::new(2, 4)), &mut counter);
        assert_eq!(output, MapShape::new(3, Size::new(5, 9)));
        let counts = counter.total();
        assert_eq!(counts.parameters, 3 * 9 + 3);
        assert_eq!(counts.conv_macs, 24 * 9);
        assert_eq!(counts.conv_bias, 135);
    }

    #[test]
    #[should_panic(expected = "2 pixels are too few for a kernel that reaches over 5")]
    fn a_map_smaller_than_the_kernel_is_refused() {
        let config = Conv2dConfig::new([1, 1], [3, 3]).with_dilation([2, 2]);
        config.cost(MapShape::new(1, Size::new(7, 2)), &mut CostCounter::new());
    }

    #[test]
    #[should_panic(expected = "something was counted behind the last part")]
    fn a_step_outside_the_parts_is_refused() {
        let map = MapShape::new(1, Size::new(2, 2));
        let mut counter = CostCounter::new();
        counter.end_part("all", map);
        counter.other(map);
        let _ = counter.finish(map.size);
    }
}
