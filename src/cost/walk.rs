use decoupled_seg_backbones::{
    LowLevelStage, PreActivationBlockConfig, ResNetConfig, ResidualBlockConfig, WideResNet38Config,
};
use decoupled_seg_body_edge::{
    BodyEdgeModuleConfig, BodyGeneration, Downsampling, PredictionBranchConfig, Upsampling,
};
use decoupled_seg_heads::{AsppConfig, AuxiliaryHeadConfig, FcnHeadConfig, PyramidPoolingConfig};
use decoupled_seg_nn::ConvNormActConfig;

use super::part::PartCounter;
use super::{MapShape, NetworkCost, Outputs, PartCost};
use crate::network::{BackboneConfig, ContextConfig, DecoderConfig, DecoupledSegNetConfig};

impl DecoupledSegNetConfig {
    /// Counts what the network takes for one image of a size, without building it.
    ///
    /// # Panics
    ///
    /// Panics if the image is too small for the network, or as the configs of the parts.
    pub fn cost(&self, image_size: [usize; 2], outputs: Outputs) -> NetworkCost {
        let [height, width] = image_size;
        let image = MapShape {
            channels: 3,
            height,
            width,
        };
        let mut parts = Vec::new();
        let stages = match &self.backbone {
            BackboneConfig::ResNet(config) => resnet(&mut parts, config, image),
            BackboneConfig::WideResNet38(config) => wide_resnet38(&mut parts, config, image),
        };
        let context = self.walk_context(&mut parts, stages.last);
        let low_level = self.fine_channels.map(|_| stages.low_level);
        match self.decoder {
            DecoderConfig::Decoupled => {
                self.walk_decoupled(&mut parts, context, low_level, image_size, outputs);
            }
            DecoderConfig::Plain => self.walk_plain(&mut parts, context, low_level, image_size),
        }
        if self.auxiliary && outputs == Outputs::All {
            let config = AuxiliaryHeadConfig::new(stages.third.channels, self.num_classes);
            let mut part = PartCounter::new();
            let hidden = part.conv_norm_act(stages.third, &config.conv());
            let logits = part.conv2d(hidden, &config.classifier());
            let logits = part.resize(logits, image_size);
            parts.push(part.finish("aux_classifier", logits));
        }
        NetworkCost { image_size, parts }
    }

    fn walk_context(&self, parts: &mut Vec<PartCost>, stage: MapShape) -> MapShape {
        let channels = [stage.channels, self.channels()];
        match &self.context {
            ContextConfig::Fcn => {
                let mut part = PartCounter::new();
                let output = part.conv_norm_act(stage, &FcnHeadConfig::new(channels).conv());
                parts.push(part.finish("fcn_head", output));
                output
            }
            ContextConfig::PyramidPooling => {
                let output = pyramid(&PyramidPoolingConfig::new(channels), stage);
                parts.push(output);
                stage.with_channels(self.channels())
            }
            ContextConfig::Aspp { atrous_rates } => {
                let config = AsppConfig::new(channels).with_atrous_rates(atrous_rates.clone());
                aspp(parts, &config, stage)
            }
        }
    }

    fn walk_plain(
        &self,
        parts: &mut Vec<PartCost>,
        context: MapShape,
        low_level: Option<MapShape>,
        image_size: [usize; 2],
    ) {
        let mut part = PartCounter::new();
        let features = match self.walk_fine(parts, low_level) {
            Some(fine) => {
                let context = part.resize(context, fine.size());
                part.concatenate(&[fine, context])
            }
            None => context,
        };
        let config =
            PredictionBranchConfig::new([features.channels, self.channels(), self.num_classes])
                .with_layers(2);
        predict(parts, part, "final", &config, features, image_size);
    }

    fn walk_decoupled(
        &self,
        parts: &mut Vec<PartCost>,
        context: MapShape,
        low_level: Option<MapShape>,
        image_size: [usize; 2],
        outputs: Outputs,
    ) {
        let mut part = PartCounter::new();
        body_edge(&mut part, &self.body_edge, context);
        parts.push(part.finish("squeeze_body_edge", context));

        let fine = self.walk_fine(parts, low_level);
        let mut part = PartCounter::new();
        let features = match fine {
            Some(fine) => {
                let edge = part.resize(context, fine.size());
                part.concatenate(&[edge, fine])
            }
            None => context,
        };
        let edge = part.pointwise(features, self.channels());
        parts.push(part.finish("edge_fusion", edge));

        let mut part = PartCounter::new();
        let body = part.resize(context, edge.size());
        part.other(body); // the edge is added
        let upper = part.resize(context, edge.size());
        let features = part.concatenate(&[upper, body]);
        let [channels, classes] = [self.channels(), self.num_classes];
        let config = PredictionBranchConfig::new([2 * channels, channels, classes]).with_layers(2);
        predict(parts, part, "final_seg", &config, features, image_size);

        if outputs == Outputs::All {
            let config = PredictionBranchConfig::new([channels, self.edge_channels, 1]);
            let part = PartCounter::new();
            predict(parts, part, "edge_out", &config, edge, image_size);
            let config = PredictionBranchConfig::new([channels, channels, classes]);
            let part = PartCounter::new();
            predict(parts, part, "dsn_seg_body", &config, context, image_size);
        }
    }

    fn walk_fine(
        &self,
        parts: &mut Vec<PartCost>,
        low_level: Option<MapShape>,
    ) -> Option<MapShape> {
        let mut part = PartCounter::new();
        let fine = part.pointwise(low_level?, self.fine_channels?);
        parts.push(part.finish("bot_fine", fine));
        Some(fine)
    }
}

/// What the heads read.
struct Stages {
    low_level: MapShape,
    third: MapShape,
    last: MapShape,
}

fn resnet(parts: &mut Vec<PartCost>, config: &ResNetConfig, image: MapShape) -> Stages {
    let mut part = PartCounter::new();
    let mut map = image;
    for conv in config.stem_convs() {
        map = part.conv_norm(map, &conv);
        part.relu(map);
    }
    map = part.max_pool(map);
    parts.push(part.finish("layer0", map));

    let mut outputs = [map; 4];
    for (stage, output) in outputs.iter_mut().enumerate() {
        let mut part = PartCounter::new();
        for block in config.stage(stage) {
            map = residual_block(&mut part, &block, map);
        }
        parts.push(part.finish(&format!("layer{}", stage + 1), map));
        *output = map;
    }
    Stages {
        low_level: outputs[0],
        third: outputs[2],
        last: outputs[3],
    }
}

fn residual_block(
    part: &mut PartCounter,
    config: &ResidualBlockConfig,
    input: MapShape,
) -> MapShape {
    if let Some(shortcut) = config.shortcut() {
        part.conv_norm(input, &shortcut);
    }
    let mut map = input;
    for (index, conv) in config.convs().iter().enumerate() {
        if index > 0 {
            part.relu(map);
        }
        map = part.conv_norm(map, conv);
    }
    part.other(map);
    part.relu(map);
    map
}

fn wide_resnet38(
    parts: &mut Vec<PartCost>,
    config: &WideResNet38Config,
    image: MapShape,
) -> Stages {
    let mut part = PartCounter::new();
    let mut map = part.conv2d(image, &config.first_conv());
    parts.push(part.finish("mod1", map));

    let (mut low_level, mut third) = (map, map);
    for number in 2..=7 {
        let mut part = PartCounter::new();
        if number <= 3 {
            map = part.max_pool(map);
        }
        if number == 3 && config.low_level == LowLevelStage::Stride4 {
            low_level = map;
        }
        for block in config.stage(number) {
            map = pre_activation_block(&mut part, &block, map);
        }
        match number {
            2 => low_level = map,
            5 => third = map,
            _ => {}
        }
        parts.push(part.finish(&format!("mod{number}"), map));
    }
    Stages {
        low_level,
        third,
        last: map,
    }
}

fn pre_activation_block(
    part: &mut PartCounter,
    config: &PreActivationBlockConfig,
    input: MapShape,
) -> MapShape {
    part.norm(input);
    part.relu(input);
    if let Some(shortcut) = config.shortcut() {
        part.conv2d(input, &shortcut);
    }
    let mut map = input;
    for (index, conv) in config.convs().iter().enumerate() {
        if index > 0 {
            part.relu(map);
        }
        map = part.conv_norm(map, conv);
    }
    part.other(map);
    map
}

fn aspp(parts: &mut Vec<PartCost>, config: &AsppConfig, stage: MapShape) -> MapShape {
    let mut part = PartCounter::new();
    let mean = part.pool(stage, [1, 1]);
    let image = part.conv_norm_act(mean, &config.image());
    let mut maps = vec![image.with_size(stage.size())];
    for branch in config.branches() {
        maps.push(part.conv_norm_act(stage, &branch));
    }
    let branches = part.concatenate(&maps);
    parts.push(part.finish("aspp", branches));

    let mut part = PartCounter::new();
    let output = part.conv2d(branches, &config.project());
    parts.push(part.finish("bot_aspp", output));
    output
}

fn pyramid(config: &PyramidPoolingConfig, stage: MapShape) -> PartCost {
    let mut part = PartCounter::new();
    let mut maps = Vec::new();
    for &bins in &config.bins {
        let pooled = part.pool(stage, [bins, bins]);
        let pooled = part.conv_norm_act(pooled, &config.stage());
        maps.push(part.resize(pooled, stage.size()));
    }
    maps.push(stage);
    let all = part.concatenate(&maps);
    let output = part.conv_norm_act(all, &config.bottleneck());
    part.finish("ppm", output)
}

/// Splits a map; body and edge have its shape.
fn body_edge(part: &mut PartCounter, config: &BodyEdgeModuleConfig, features: MapShape) {
    let same_size = |channels_out| {
        ConvNormActConfig::new([features.channels, channels_out], [3, 3])
            .with_same_padding()
            .with_norm(false)
            .with_activation(false)
    };
    match config.generation {
        BodyGeneration::Flow => {
            let coarse = coarse_view(part, config, features);
            let coarse = part.resize(coarse, features.size());
            let both = part.concatenate(&[features, coarse]);
            let flow = ConvNormActConfig::new([both.channels, 2], [3, 3])
                .with_same_padding()
                .with_norm(false)
                .with_activation(false);
            part.conv_norm_act(both, &flow);
            part.other(features); // the warp
        }
        BodyGeneration::Deformable => {
            part.conv_norm_act(features, &same_size(18).with_bias(true));
            part.conv_norm_act(features, &same_size(features.channels));
        }
        BodyGeneration::SpatialPropagation => {
            part.conv_norm_act(features, &same_size(12).with_bias(true));
            // One scan in each direction, and the largest of the four.
            for _ in 0..5 {
                part.other(features);
            }
        }
    }
    part.other(features); // the difference
}

fn coarse_view(
    part: &mut PartCounter,
    config: &BodyEdgeModuleConfig,
    features: MapShape,
) -> MapShape {
    let channels = features.channels;
    let groups = match config.downsampling {
        Downsampling::DepthwiseConv => channels,
        Downsampling::Conv | Downsampling::Bilinear => 1,
    };
    let strided = ConvNormActConfig::new([channels; 2], [3, 3])
        .with_stride([2, 2])
        .with_padding([config.padding; 2])
        .with_groups(groups)
        .with_bias(true);
    let mut map = features;
    for _ in 0..config.strided_steps {
        map = match config.downsampling {
            Downsampling::Bilinear => part.resize(map, map.size().map(|length| length.div_ceil(2))),
            Downsampling::Conv | Downsampling::DepthwiseConv => part.conv_norm_act(map, &strided),
        };
    }
    if config.upsampling == Upsampling::Deconv {
        for _ in 0..config.strided_steps {
            map = part.depthwise_deconv(map, config.padding);
        }
    }
    map
}

/// A few 3x3 convolutions, a 1x1 convolution, and the way up to the image.
fn predict(
    parts: &mut Vec<PartCost>,
    mut part: PartCounter,
    name: &str,
    config: &PredictionBranchConfig,
    features: MapShape,
    image_size: [usize; 2],
) {
    let [_, hidden, output] = config.channels;
    let mut map = features;
    for _ in 0..config.layers {
        let conv = ConvNormActConfig::new([map.channels, hidden], [3, 3]).with_same_padding();
        map = part.conv_norm_act(map, &conv);
    }
    let logits = part.pointwise(map, output);
    let logits = part.resize(logits, image_size);
    parts.push(part.finish(name, logits));
}
