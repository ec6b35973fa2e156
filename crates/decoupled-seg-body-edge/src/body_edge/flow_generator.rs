use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor};
use decoupled_seg_nn::{
    ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap, MapShape, Size, WarpOptions,
    conv2d, flow_warp_split, map_size, resize,
};

use super::body_edge_module::{BodyEdgeDetail, BodyEdgeModuleConfig};
use super::deconv_norm_act::DeconvNormAct;
use super::options::{Downsampling, Upsampling};

/// The paper's body generation: reads a flow field from the features and their coarse view, and moves the features
/// along it.
///
/// ```text
/// flow   = conv3x3([F ; up(down(F))])
/// F_body = warp(F, flow)
/// F_edge = F - F_body
/// ```
///
/// Source: Li et al., ECCV 2020, [arXiv:2007.10035](https://arxiv.org/abs/2007.10035), section 3.2 (eq. 1) and the
/// subtraction of 3.3; `SqueezeBodyEdge` in the authors' code.
#[derive(Module, Debug)]
pub struct FlowGenerator {
    /// The strided convolutions; empty where [`Downsampling::Bilinear`] needs none.
    pub down: Vec<ConvNormAct>,
    /// The transposed convolutions of [`Upsampling::Deconv`]; else empty.
    pub up: Vec<DeconvNormAct>,
    /// 3x3 convolution from `2 * channels` to 2, without bias.
    pub flow: Conv2d,
    /// Halvings on the way down.
    pub strided_steps: usize,
    /// Way back up.
    #[module(skip)]
    pub upsampling: Upsampling,
    /// Conventions of the warp.
    #[module(skip)]
    pub warp: WarpOptions,
}

impl FlowGenerator {
    pub(super) fn new(config: &BodyEdgeModuleConfig, device: &Device) -> Self {
        let down = strided_conv(config)
            .map(|conv| {
                (0..config.strided_steps)
                    .map(|_| conv.init(device))
                    .collect()
            })
            .unwrap_or_default();
        Self {
            down,
            up: (0..deconvs(config))
                .map(|_| DeconvNormAct::new(config, device))
                .collect(),
            flow: flow_conv(config).init(device),
            strided_steps: config.strided_steps,
            upsampling: config.upsampling,
            warp: config.warp,
        }
    }

    pub(super) fn forward(&self, features: Tensor<4>) -> BodyEdgeDetail {
        let down = self.shrink(features.clone());
        let coarse = self.grow(down.clone(), map_size(&features));
        let flow = conv2d(&self.flow, Tensor::cat(vec![features.clone(), coarse], 1));
        let split = flow_warp_split(features, flow.clone(), self.warp);

        BodyEdgeDetail {
            body: split.body,
            edge: split.edge,
            flow: Some(flow),
            down: Some(down),
        }
    }

    pub(super) fn min_training_batch(&self, map: Size) -> usize {
        let mut size = map;
        let mut least = 1;
        for conv in &self.down {
            size = behind(&conv.conv, size);
            if size.pixels() == 1 {
                least = least.max(conv.min_pooled_batch());
            }
        }
        least
    }

    fn shrink(&self, mut coarse: Tensor<4>) -> Tensor<4> {
        for conv in &self.down {
            coarse = conv.forward(coarse);
        }
        if self.down.is_empty() {
            for _ in 0..self.strided_steps {
                let size = halved(map_size(&coarse));
                coarse = resize(coarse, size, true);
            }
        }
        coarse
    }

    fn grow(&self, mut coarse: Tensor<4>, size: Size) -> Tensor<4> {
        for deconv in &self.up {
            coarse = deconv.forward(coarse);
        }
        match self.upsampling {
            Upsampling::Nearest => {
                let options = InterpolateOptions::new(InterpolateMode::Nearest)
                    .with_output_size(size.to_array());
                interpolate(coarse, options)
            }
            Upsampling::Bilinear | Upsampling::Deconv => resize(coarse, size, true),
        }
    }

    pub(super) fn official_keys(config: &BodyEdgeModuleConfig) -> KeyMap {
        let mut map = KeyMap::new();
        if let Some(conv) = strided_conv(config) {
            for step in 0..config.strided_steps {
                // Convolution, norm and ReLU are three entries of one `nn.Sequential`.
                map = map.conv_norm_act(
                    &format!("down.{}", 3 * step),
                    &format!("down.{}", 3 * step + 1),
                    &format!("down.{step}"),
                    &conv,
                );
            }
        }
        for step in 0..deconvs(config) {
            map = map.nest("", "", DeconvNormAct::official_keys(step));
        }
        map.conv("flow_make", "flow", false)
    }

    pub(super) fn cost(
        config: &BodyEdgeModuleConfig,
        features: MapShape,
        counter: &mut CostCounter,
    ) {
        let mut coarse = features;
        for _ in 0..config.strided_steps {
            coarse = match strided_conv(config) {
                Some(conv) => conv.cost(coarse, counter),
                None => counter.resize(coarse, halved(coarse.size)),
            };
        }
        for _ in 0..deconvs(config) {
            coarse = DeconvNormAct::cost(config, coarse, counter);
        }
        let coarse = counter.resize(coarse, features.size);
        let both = counter.concatenate(&[features, coarse]);
        flow_conv(config).cost(both, counter);
        counter.other(features); // the warp
    }
}

impl Fold for FlowGenerator {
    fn fold(self) -> Self {
        Self {
            down: self.down.fold(),
            up: self.up.fold(),
            ..self
        }
    }
}

/// The size of the map behind a strided convolution.
fn behind(conv: &Conv2d, size: Size) -> Size {
    let PaddingConfig2d::Explicit(padding, ..) = conv.padding else {
        unreachable!("`strided_conv` pads explicitly");
    };
    let side = |length: usize| (length + 2 * padding - conv.kernel_size[0]) / conv.stride[0] + 1;
    Size::new(side(size.height), side(size.width))
}

fn halved(size: Size) -> Size {
    Size::new(size.height.div_ceil(2), size.width.div_ceil(2))
}

/// Number of transposed convolutions on the way up.
fn deconvs(config: &BodyEdgeModuleConfig) -> usize {
    match config.upsampling {
        Upsampling::Deconv => config.strided_steps,
        Upsampling::Bilinear | Upsampling::Nearest => 0,
    }
}

fn flow_conv(config: &BodyEdgeModuleConfig) -> Conv2dConfig {
    Conv2dConfig::new([2 * config.channels, 2], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .with_bias(false)
}

/// One strided convolution, or `None` where interpolation does the halving.
fn strided_conv(config: &BodyEdgeModuleConfig) -> Option<ConvNormActConfig> {
    let groups = match config.downsampling {
        Downsampling::Bilinear => return None,
        Downsampling::Conv => 1,
        Downsampling::DepthwiseConv => config.channels,
    };
    let conv = ConvNormActConfig::new([config.channels; 2], [3, 3])
        .with_stride([2, 2])
        .with_padding([config.padding; 2])
        .with_groups(groups)
        // The norm makes this bias redundant, but the authors' checkpoints hold one.
        .with_bias(true);
    Some(conv)
}
