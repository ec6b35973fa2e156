use decoupled_seg_nn::cost::Outputs;
use decoupled_seg_nn::{ConfigError, Size};

use super::decoder::DecoderConfig;
use super::decoupled_seg_net::DecoupledSegNetConfig;

impl DecoupledSegNetConfig {
    /// Most parameters of a network: 8 GiB of them in `f32`. The largest published network has 137 million.
    pub const MAX_PARAMETERS: u64 = 1 << 31;

    /// Checks that the network can be built: that every number is one that its part can have, that each part reads what the
    /// part in front of it returns, and that there are no more than [`MAX_PARAMETERS`](Self::MAX_PARAMETERS).
    ///
    /// A description from a file is to be checked before it is used; [`init`](Self::init) panics on what this refuses.
    ///
    /// # Errors
    ///
    /// The first number that is wrong, by its key.
    ///
    /// # Example
    ///
    /// ```
    /// use decoupled_seg::prelude::*;
    ///
    /// let config = DecoupledSegNetConfig::tiny(0);
    /// let error = config.validate().expect_err("a network has classes");
    /// assert_eq!(error.to_string(), "`decoder.decoupled.num_classes` is 0, expected 1 to 65536");
    /// ```
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.validate_parts()?;
        let image = Size::square(self.min_image_side());
        let found = self.count(image, Outputs::All).total().parameters;
        let limit = Self::MAX_PARAMETERS;
        match found <= limit {
            true => Ok(()),
            false => Err(ConfigError::TooLarge { found, limit }),
        }
    }

    /// Checks everything but the number of parameters.
    pub(super) fn validate_parts(&self) -> Result<(), ConfigError> {
        let inside = |part: &'static str| move |error: ConfigError| error.inside(part);
        self.backbone.validate().map_err(inside("backbone"))?;
        self.context.validate().map_err(inside("context"))?;
        self.decoder.validate().map_err(inside("decoder"))?;
        if let Some(head) = &self.auxiliary {
            head.validate().map_err(inside("auxiliary"))?;
        }
        self.validate_context()?;
        self.validate_decoder()?;
        self.validate_auxiliary()
    }

    fn validate_context(&self) -> Result<(), ConfigError> {
        let [.., last] = self.backbone.channels();
        let [channels_in, _] = self.context.channels();
        let key = format!("context.{}.channels[0]", self.context.name());
        same(&key, channels_in, last, "of the backbone's last stage")
    }

    fn validate_decoder(&self) -> Result<(), ConfigError> {
        let stages = self.backbone.channels();
        let [_, channels] = self.context.channels();
        // Where the numbers stand that the two decoders of others share with the plain one.
        let (channels_key, fine_key) = match &self.decoder {
            DecoderConfig::Decoupled(_) => ("decoupled.body_edge.channels", "decoupled.fine[0]"),
            DecoderConfig::Plain(_) => ("plain.channels", "plain.fine[0]"),
            DecoderConfig::Gated(_) => ("gated.plain.channels", "gated.plain.fine[0]"),
        };
        let inside = |error: ConfigError| error.inside("decoder");
        let found = self.decoder.channels();
        same(channels_key, found, channels, "of the context head").map_err(inside)?;
        if let Some([found, _]) = self.decoder.fine() {
            let whose = "of the backbone's first stage";
            same(fine_key, found, stages[0], whose).map_err(inside)?;
        }
        match self.decoder.stages() {
            Some(found) if found != stages => Err(ConfigError::value(
                "decoder.gated.shape.stages",
                format!("{found:?}"),
                format!("{stages:?}, the channels of the backbone's stages"),
            )),
            _ => Ok(()),
        }
    }

    fn validate_auxiliary(&self) -> Result<(), ConfigError> {
        let Some(head) = &self.auxiliary else {
            return Ok(());
        };
        let [_, _, third, _] = self.backbone.channels();
        let whose = "of the backbone's third stage";
        same("auxiliary.channels", head.channels, third, whose)?;
        let classes = self.num_classes();
        match head.num_classes == classes {
            true => Ok(()),
            false => Err(ConfigError::value(
                "auxiliary.num_classes",
                head.num_classes,
                format!("{classes}, the classes of the decoder"),
            )),
        }
    }
}

/// Checks that a part reads the channels of another.
fn same(key: &str, found: usize, expected: usize, whose: &str) -> Result<(), ConfigError> {
    match found == expected {
        true => Ok(()),
        false => Err(ConfigError::value(
            key,
            found,
            format!("{expected}, the channels {whose}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use burn::tensor::{Device, Tensor};
    use decoupled_seg_backbones::{MobileNetV3Config, ResNetConfig, WideResNet38Config};
    use decoupled_seg_heads::{AsppConfig, DenseAsppConfig, FcnHeadConfig, PyramidPoolingConfig};
    use decoupled_seg_nn::SegmentationModel;
    use rstest::rstest;
    use serde_json::Value;

    use super::*;
    use crate::network::{BackboneConfig, ContextConfig};

    /// The pointers to all numbers, and to all lists.
    fn places(value: &Value, at: &str, places: &mut Vec<String>) {
        match value {
            Value::Number(_) => places.push(at.to_string()),
            Value::Array(items) => {
                places.push(at.to_string());
                for (index, item) in items.iter().enumerate() {
                    self::places(item, &format!("{at}/{index}"), places);
                }
            }
            Value::Object(entries) => {
                for (key, item) in entries {
                    self::places(item, &format!("{at}/{key}"), places);
                }
            }
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }

    /// What is put into the place of a value.
    fn others(value: &Value) -> Vec<Value> {
        let text = match value {
            Value::Array(_) => "[[]]",
            Value::Number(number) if number.is_f64() => "[0.0, 1.0, -1.0, 0.5, 70.0, 1e6, 1e300]",
            _ => "[0, 1, 3, 7, 1000, 1000000, 18446744073709551615]",
        };
        serde_json::from_str(text).expect("JSON")
    }

    /// Reads, checks, and, where the check says that it can be built, builds and runs a network, if it is small. Returns
    /// whether it got so far.
    fn use_description(text: &str) -> bool {
        let Ok(network) = serde_json::from_str::<DecoupledSegNetConfig>(text) else {
            return false;
        };
        if network.validate().is_err() {
            return false;
        }
        let size = Size::square(network.min_image_side().max(17));
        let cost = network.cost(size, Outputs::All).total();
        if cost.parameters > 200_000 || cost.conv_macs > 60_000_000 {
            return false;
        }
        let device = Device::default();
        let channels = network.backbone.image_channels();
        let images = Tensor::zeros([1, channels, size.height, size.width], &device);
        let logits = network.init(&device).predict(images);
        let expected = [1, network.num_classes(), size.height, size.width];
        assert_eq!(logits.dims(), expected);
        true
    }

    #[rstest]
    fn no_number_of_a_description_makes_it_panic(
        #[values(
            (ResNetConfig::resnet18().with_width(2).into(), FcnHeadConfig::new([16, 4]).into()),
            (WideResNet38Config::new().with_width(1).into(), AsppConfig::new([64, 4]).into()),
            (
                MobileNetV3Config::new().with_width(0.1).into(),
                PyramidPoolingConfig::new([96, 4]).into()
            ),
            (ResNetConfig::resnet50().with_width(1).into(), DenseAsppConfig::new([32, 4]).into())
        )]
        parts: (BackboneConfig, ContextConfig),
        #[values("decoupled", "plain", "gated")] decoder: &str,
    ) {
        let (backbone, context) = parts;
        let network = DecoupledSegNetConfig::new(3, backbone.clone(), context)
            .with_backbone(backbone)
            .with_fine_channels(Some(3))
            .with_in_channels(4)
            .with_auxiliary(true);
        let network = match decoder {
            "plain" => network.plain(),
            "gated" => network.gated(),
            _ => network.map_head(|head| head.with_edge_channels(3)),
        };
        let whole = serde_json::to_value(&network).expect("plain data");
        assert!(use_description(&whole.to_string()), "{whole}");

        let mut found = Vec::new();
        places(&whole, "", &mut found);
        assert!(found.len() > 15, "{found:?}");
        let (mut panicked, mut built) = (Vec::new(), 0);
        for place in &found {
            for other in others(whole.pointer(place).expect("found")) {
                let mut changed = whole.clone();
                *changed.pointer_mut(place).expect("found") = other.clone();
                let text = changed.to_string();
                match catch_unwind(AssertUnwindSafe(|| use_description(&text))) {
                    Ok(was_built) => built += usize::from(was_built),
                    Err(_) => panicked.push(format!("{place} = {other}")),
                }
            }
        }
        assert!(panicked.is_empty(), "panics: {panicked:#?}");
        assert!(built > 0, "every changed network was refused");
    }

    #[test]
    fn names_are_those_of_descriptions() {
        let first = |value: Value| {
            let entries = value.as_object().expect("a tagged variant");
            entries.keys().next().expect("one").clone()
        };
        let tiny = DecoupledSegNetConfig::tiny(3);
        let contexts: [ContextConfig; 4] = [
            FcnHeadConfig::new([4, 4]).into(),
            PyramidPoolingConfig::new([4, 4]).into(),
            AsppConfig::new([4, 4]).into(),
            DenseAsppConfig::new([4, 4]).into(),
        ];
        for context in contexts {
            let text = serde_json::to_value(&context).expect("plain data");
            assert_eq!(first(text), context.name());
        }
        let backbones: [BackboneConfig; 3] = [
            ResNetConfig::resnet18().into(),
            WideResNet38Config::new().into(),
            MobileNetV3Config::new().into(),
        ];
        for backbone in backbones {
            let text = serde_json::to_value(&backbone).expect("plain data");
            assert_eq!(first(text), backbone.name());
        }
        for network in [tiny.clone(), tiny.clone().plain(), tiny.gated()] {
            let text = serde_json::to_value(&network.decoder).expect("plain data");
            assert_eq!(first(text), network.decoder.name());
        }
    }

    #[test]
    fn the_key_is_named_with_those_above_it() {
        let message = |place: &str, other: Value, network: DecoupledSegNetConfig| {
            let mut text = serde_json::to_value(&network).expect("plain data");
            let value = text.pointer_mut(place);
            *value.unwrap_or_else(|| panic!("{place}")) = other;
            let network: DecoupledSegNetConfig = serde_json::from_value(text).expect("a network");
            network.validate().expect_err(place).to_string()
        };
        let tiny = || DecoupledSegNetConfig::tiny(3).with_auxiliary(true);
        for (place, other, network, expected) in [
            (
                "/backbone/resnet/width",
                0,
                tiny(),
                "`backbone.resnet.width` is 0, expected 1 to 2048",
            ),
            (
                "/context/fcn/channels/0",
                32,
                tiny(),
                "`context.fcn.channels[0]` is 32, expected 64, the channels of the backbone's last stage",
            ),
            (
                "/decoder/decoupled/body_edge/strided_steps",
                9,
                tiny(),
                "`decoder.decoupled.body_edge.strided_steps` is 9, expected 1 to 4",
            ),
            (
                "/decoder/gated/plain/channels",
                9,
                tiny().gated(),
                "`decoder.gated.plain.channels` is 9, expected 32, the channels of the context head",
            ),
            (
                "/decoder/plain/fine/0",
                9,
                tiny().plain(),
                "`decoder.plain.fine[0]` is 9, expected 8, the channels of the backbone's first stage",
            ),
            (
                "/decoder/gated/shape/stages/3",
                9,
                tiny().gated(),
                "`decoder.gated.shape.stages` is [8, 16, 32, 9], expected [8, 16, 32, 64], the channels of the backbone's \
                 stages",
            ),
            (
                "/auxiliary/num_classes",
                2,
                tiny(),
                "`auxiliary.num_classes` is 2, expected 3, the classes of the decoder",
            ),
        ] {
            assert_eq!(message(place, other.into(), network), expected);
        }
    }

    #[test]
    fn a_network_beyond_any_memory_is_refused_before_it_is_built() {
        let backbone = WideResNet38Config::new().with_width(1024);
        let network = DecoupledSegNetConfig::tiny(3).with_backbone(backbone);
        let error = network.validate().expect_err("35 billion parameters");
        let expected = "expected at most 2147483648: make it narrower";
        assert!(error.to_string().ends_with(expected), "{error}");
        // Counting is still possible.
        let cost = network.cost(Size::square(64), Outputs::All);
        assert!(cost.total().parameters > DecoupledSegNetConfig::MAX_PARAMETERS);
        for network in crate::network::NETWORKS {
            assert_eq!(network.config(150).validate(), Ok(()));
        }
    }
}
