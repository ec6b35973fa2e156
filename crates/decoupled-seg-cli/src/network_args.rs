use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use decoupled_seg::DecoupledSegNetConfig;
use decoupled_seg::backbones::{MobileNetV3Config, OutputStride, ResNetConfig, WideResNet38Config};
use decoupled_seg::heads::{AsppConfig, DenseAsppConfig, FcnHeadConfig, PyramidPoolingConfig};
use decoupled_seg::network::{
    BackboneConfig, ContextConfig, DecoderConfig, NetworkPreset, atrous_rates,
};

use crate::CliError;

/// Which network to build.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct NetworkArgs {
    /// The network: a name, or a file that describes one, as `summary --write` writes it (TOML).
    #[arg(long, value_name = "NAME|FILE")]
    network: Option<String>,
    /// In place of a name: the backbone.
    #[arg(long, conflicts_with = "network")]
    backbone: Option<BackboneName>,
    /// In place of a name: the context head.
    #[arg(long, conflicts_with = "network")]
    head: Option<HeadName>,
    /// Channels of the backbone, as a factor on the published ones: 0.125 is an eighth of them.
    #[arg(long, value_name = "FACTOR", conflicts_with = "network", value_parser = factor)]
    width: Option<f64>,
    /// How many times smaller than the image the last stage is.
    #[arg(long, conflicts_with = "network")]
    output_stride: Option<Stride>,
    /// Channels of the context features.
    #[arg(long, conflicts_with = "network", value_parser = clap::value_parser!(u32).range(1..))]
    channels: Option<u32>,
    /// Channels of the images: 1 for grey, 4 with a fourth band; those of the data unless given. Weights for others are
    /// fitted.
    #[arg(long, value_name = "CHANNELS", value_parser = clap::value_parser!(u16).range(1..))]
    channels_in: Option<u16>,
    /// Without the body/edge module: the twin to compare with.
    #[arg(long)]
    pub plain: bool,
    /// With a shape stream in place of the body/edge module: GSCNN, the rival to compare with.
    #[arg(long, conflicts_with = "plain")]
    pub gated: bool,
    /// Whether the warp takes the corner pixels' centres for the corners. `false` is for weights that the authors' code
    /// trained on PyTorch 1.3 or later; no file says which it needs.
    #[arg(long, value_name = "true|false")]
    align_corners: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BackboneName {
    /// ResNet-18.
    #[value(name = "resnet18")]
    ResNet18,
    /// ResNet-34.
    #[value(name = "resnet34")]
    ResNet34,
    /// ResNet-50.
    #[value(name = "resnet50")]
    ResNet50,
    /// ResNet-101.
    #[value(name = "resnet101")]
    ResNet101,
    /// MobileNetV3-Large.
    #[value(name = "mobilenet-v3-large")]
    MobileNetV3Large,
    /// WideResNet-38 (A2).
    #[value(name = "wide-resnet38")]
    WideResNet38,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HeadName {
    /// One convolution.
    Fcn,
    /// Average pooling into grids (PSPNet).
    #[value(name = "pspnet")]
    PyramidPooling,
    /// Dilated convolutions side by side (ASPP).
    #[value(name = "deeplabv3plus")]
    Aspp,
    /// Dilated convolutions one behind another.
    DenseAspp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stride {
    #[value(name = "8")]
    Os8,
    #[value(name = "16")]
    Os16,
    #[value(name = "32")]
    Os32,
}

/// Channels of the published first stage.
const WIDTH: f64 = 64.0;
/// Channels of the context features in published networks.
const CHANNELS: u32 = 256;
/// Channels to which the decoder reduces the low-level features in published networks.
const FINE_CHANNELS: f64 = 48.0;

fn factor(text: &str) -> Result<f64, String> {
    match text.parse() {
        // Sixteen times the published width is beyond any memory.
        Ok(factor) if factor > 0.0 && factor <= 16.0 => Ok(factor),
        _ => Err("expected a factor above 0, at most 16".to_string()),
    }
}

impl NetworkArgs {
    /// With FCN on the backbone of this name, which `--backbone` would take.
    ///
    /// # Panics
    ///
    /// Panics if there is no such backbone.
    pub fn with_backbone(self, name: &str) -> Self {
        let backbone = BackboneName::from_str(name, false);
        Self {
            backbone: Some(backbone.expect("published weights are of known backbones")),
            ..self
        }
    }

    /// Whether a network is named or described.
    pub fn is_given(&self) -> bool {
        self.network.is_some() || self.parts_are_given()
    }

    /// Whether anything is said of the network, its images, its twin or its warp.
    pub fn says_anything(&self) -> bool {
        self.is_given()
            || self.channels_in.is_some()
            || self.plain
            || self.gated
            || self.align_corners.is_some()
    }

    /// Whether the channels of the images are said: here or in a file.
    pub fn says_channels(&self) -> bool {
        let file = |name: &String| Path::new(name).extension().is_some();
        self.channels_in.is_some() || self.network.as_ref().is_some_and(file)
    }

    /// Whether the corners of the warp are said.
    pub fn says_corners(&self) -> bool {
        self.align_corners.is_some()
    }

    fn parts_are_given(&self) -> bool {
        self.backbone.is_some()
            || self.head.is_some()
            || self.width.is_some()
            || self.output_stride.is_some()
            || self.channels.is_some()
    }

    /// The network for so many classes; `tiny` if nothing is said.
    pub fn config(&self, num_classes: usize) -> Result<DecoupledSegNetConfig, CliError> {
        self.changed(match &self.network {
            Some(name) => named(name, num_classes)?,
            None if self.parts_are_given() => self.composed(num_classes),
            None => DecoupledSegNetConfig::tiny(num_classes),
        })
    }

    /// The network of the file that is named, if it is one.
    pub fn described(&self) -> Result<Option<DecoupledSegNetConfig>, CliError> {
        let name = self.network.as_deref().map(Path::new);
        name.filter(|name| is_description(name))
            .map(read)
            .transpose()
    }

    /// A network with the channels, the decoder and the corners that are asked for.
    pub fn changed(
        &self,
        network: DecoupledSegNetConfig,
    ) -> Result<DecoupledSegNetConfig, CliError> {
        let network = match self.channels_in {
            Some(channels) => network.with_in_channels(channels.into()),
            None => network,
        };
        let network = match (self.plain, self.gated) {
            (true, _) => network.plain(),
            (false, true) => network.gated(),
            (false, false) => network,
        };
        let network = match self.align_corners {
            Some(aligned) => aligned_corners(network, aligned)?,
            None => network,
        };
        network.validate()?;
        Ok(network)
    }

    fn composed(&self, num_classes: usize) -> DecoupledSegNetConfig {
        let backbone = self.backbone_config();
        let [.., last] = backbone.channels();
        let channels = [last, self.channels.unwrap_or(CHANNELS) as usize];
        let context: ContextConfig = match self.head.unwrap_or(HeadName::Fcn) {
            HeadName::Fcn => FcnHeadConfig::new(channels).into(),
            HeadName::PyramidPooling => PyramidPoolingConfig::new(channels).into(),
            HeadName::Aspp => AsppConfig::new(channels)
                .with_atrous_rates(atrous_rates(backbone.output_stride()))
                .into(),
            HeadName::DenseAspp => DenseAsppConfig::new(channels).into(),
        };
        DecoupledSegNetConfig::new(num_classes, backbone, context)
            .with_fine_channels(Some(self.times_width(FINE_CHANNELS)))
    }

    /// Published channels in the width that is asked for.
    fn times_width(&self, channels: f64) -> usize {
        ((channels * self.width.unwrap_or(1.0)).round() as usize).max(1)
    }

    fn backbone_config(&self) -> BackboneConfig {
        let width = self.times_width(WIDTH);
        let name = self.backbone.unwrap_or(BackboneName::ResNet50);
        let stride = self.output_stride.map(|stride| match stride {
            Stride::Os8 => OutputStride::Os8,
            Stride::Os16 => OutputStride::Os16,
            Stride::Os32 => OutputStride::Os32,
        });
        let resnet = match name {
            BackboneName::ResNet18 => ResNetConfig::resnet18(),
            BackboneName::ResNet34 => ResNetConfig::resnet34(),
            BackboneName::ResNet50 => ResNetConfig::resnet50(),
            BackboneName::ResNet101 => ResNetConfig::resnet101(),
            BackboneName::MobileNetV3Large => {
                let config = MobileNetV3Config::new();
                let config = config.with_width(self.width.unwrap_or(1.0));
                let stride = stride.unwrap_or(config.output_stride);
                return config.with_output_stride(stride).into();
            }
            BackboneName::WideResNet38 => {
                let config = WideResNet38Config::new().with_width(width);
                let stride = stride.unwrap_or(config.output_stride);
                return config.with_output_stride(stride).into();
            }
        };
        let stride = stride.unwrap_or(resnet.output_stride);
        resnet.with_width(width).with_output_stride(stride).into()
    }
}

/// The network with another corner convention of its warp.
fn aligned_corners(
    network: DecoupledSegNetConfig,
    aligned: bool,
) -> Result<DecoupledSegNetConfig, CliError> {
    let DecoderConfig::Decoupled(_) = network.decoder else {
        return Err(CliError::NoWarp);
    };
    Ok(network.map_head(|mut head| {
        head.body_edge.warp = head.body_edge.warp.with_align_corners(aligned);
        head
    }))
}

/// A network by its name, or from the file that describes it.
pub(crate) fn named(name: &str, num_classes: usize) -> Result<DecoupledSegNetConfig, CliError> {
    let path = Path::new(name);
    if !is_description(path) {
        return Ok(name.parse::<NetworkPreset>()?.config(num_classes));
    }
    let network = read(path)?;
    match network.num_classes() == num_classes {
        true => Ok(network),
        false => Err(CliError::NetworkClasses {
            path: path.to_path_buf(),
            found: network.num_classes(),
            expected: num_classes,
        }),
    }
}

fn is_description(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "toml")
}

/// Reads the file that describes a network.
fn read(path: &Path) -> Result<DecoupledSegNetConfig, CliError> {
    let text = fs::read_to_string(path).map_err(|source| CliError::Io {
        path: path.to_path_buf(),
        source,
    })?;
    let network: DecoupledSegNetConfig =
        toml::from_str(&text).map_err(|source| CliError::NetworkFile {
            path: path.to_path_buf(),
            source: Box::new(source),
        })?;
    network
        .validate()
        .map_err(|source| CliError::NetworkOfFile {
            path: path.to_path_buf(),
            source,
        })?;
    Ok(network)
}

/// Writes a network so that `--network` reads it.
pub(crate) fn write(network: &DecoupledSegNetConfig, path: &Path) -> Result<PathBuf, CliError> {
    if !is_description(path) {
        return Err(CliError::NetworkEnding {
            path: path.to_path_buf(),
        });
    }
    // One that was changed until it cannot be read may be replaced.
    let describes = |text: &str| {
        toml::from_str::<toml::Table>(text).is_ok_and(|table| table.contains_key("backbone"))
    };
    if fs::read_to_string(path).is_ok_and(|there| !describes(&there)) {
        return Err(CliError::OtherFile {
            path: path.to_path_buf(),
        });
    }
    let text = toml::to_string_pretty(network).expect("a network's config is plain data");
    decoupled_seg_types::write_atomic(path, |file| file.write_all(text.as_bytes())).map_err(
        |source| CliError::Io {
            path: path.to_path_buf(),
            source,
        },
    )?;
    Ok(path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use decoupled_seg::network::NETWORKS;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        network: NetworkArgs,
    }

    fn config(args: &str) -> Result<DecoupledSegNetConfig, CliError> {
        let words = std::iter::once("test").chain(args.split_whitespace());
        Command::try_parse_from(words)?.network.config(5)
    }

    #[test]
    fn every_backbone_takes_every_head() {
        for backbone in BackboneName::value_variants() {
            for head in HeadName::value_variants() {
                let name = |value: &dyn Fn() -> Option<clap::builder::PossibleValue>| {
                    value().expect("not hidden").get_name().to_string()
                };
                let backbone = name(&|| backbone.to_possible_value());
                let head = name(&|| head.to_possible_value());
                let args =
                    format!("--backbone {backbone} --head {head} --width 0.125 --channels 16");
                let network = config(&args).expect("a network");
                // Costs assert that the parts fit each other.
                let size = decoupled_seg::types::Size::square(129);
                let cost = network.cost(size, decoupled_seg::cost::Outputs::All);
                assert!(cost.total().parameters > 0, "{args}");
            }
        }
    }

    #[test]
    fn composed_networks_are_the_named_ones() {
        for (args, name) in [
            ("--backbone resnet50 --head fcn", "fcn-resnet50"),
            ("--backbone resnet101 --head pspnet", "pspnet-resnet101"),
            (
                "--backbone resnet50 --head deeplabv3plus --gated",
                "gscnn-resnet50",
            ),
            (
                "--backbone resnet50 --head dense-aspp",
                "dense-aspp-resnet50",
            ),
            (
                "--backbone mobilenet-v3-large --head deeplabv3plus",
                "deeplabv3plus-mobilenet-v3-large",
            ),
            (
                "--backbone wide-resnet38 --head deeplabv3plus",
                "deeplabv3plus-wide-resnet38",
            ),
        ] {
            let named = config(&format!("--network {name}")).expect("a name");
            assert_eq!(
                config(args).expect("parts").to_string(),
                named.to_string(),
                "{args}"
            );
        }
    }

    #[test]
    fn a_written_network_is_read_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for network in NETWORKS {
            let path = folder.path().join("net.toml");
            let network = network.config(5);
            write(&network, &path).expect("writable");
            let read = config(&format!("--network {}", path.display())).expect("as written");
            assert_eq!(read.to_string(), network.to_string());
        }
    }

    #[test]
    fn published_weights_are_of_backbones_that_can_be_named() {
        for weights in &decoupled_seg_pretrained::TABLE {
            NetworkArgs::default().with_backbone(weights.network);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let message = |args: &str| config(args).expect_err("a mistake").to_string();
        assert!(message("--network unet").contains("fcn-resnet50"));
        assert!(message("--network no/net.toml").contains("no/net.toml"));
        assert!(message("--backbone vgg").contains("resnet18"));
        assert!(message("--width 0 --backbone resnet18").contains("above 0"));
        assert!(message("--network tiny --backbone resnet18").contains("cannot be used with"));
        for without_warp in ["--plain", "--gated", "--network gscnn-resnet50"] {
            let error = message(&format!("{without_warp} --align-corners false"));
            assert!(error.contains("leave out --align-corners"), "{error}");
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("net.toml");
        std::fs::write(&path, "backbone = 3").expect("writable");
        let error = message(&format!("--network {}", path.display()));
        assert!(error.contains("net.toml"), "{error}");
        write(&DecoupledSegNetConfig::tiny(4), &path).expect("writable");
        let error = message(&format!("--network {}", path.display()));
        assert!(
            error.contains("4 classes") && error.contains("has 5"),
            "{error}"
        );
        let error = message("--backbone resnet18 --channels 4000000000");
        assert!(
            error.contains("`context.fcn.channels` is [512, 4000000000]"),
            "{error}"
        );
        let error = message("--backbone wide-resnet38 --width 16");
        assert!(error.contains("make it narrower"), "{error}");
    }

    #[test]
    fn a_number_that_no_network_can_have_is_named_with_its_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("net.toml");
        let whole = toml::to_string_pretty(&DecoupledSegNetConfig::tiny(5)).expect("plain data");
        for (number, other, expected) in [
            ("width = 8", "width = 0", "`backbone.resnet.width` is 0"),
            (
                "width = 8",
                "width = 9223372036854775807",
                "`backbone.resnet.width` is 9223372036854775807",
            ),
            (
                "strided_steps = 2",
                "strided_steps = 70",
                "`decoder.decoupled.body_edge.strided_steps` is 70",
            ),
            (
                "edge_channels = 16",
                "edge_channels = 0",
                "`decoder.decoupled.edge_channels` is 0",
            ),
        ] {
            assert!(whole.contains(number), "{number}: {whole}");
            std::fs::write(&path, whole.replace(number, other)).expect("writable");
            for twin in ["", " --plain", " --gated", " --channels-in 4"] {
                let args = format!("--network {}{twin}", path.display());
                let error = config(&args).expect_err("no network").to_string();
                assert!(
                    error.contains("net.toml") && error.contains(expected),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn images_have_the_channels_that_are_asked_for() {
        for backbone in BackboneName::value_variants() {
            let backbone = backbone.to_possible_value().expect("not hidden");
            let args = format!("--backbone {} --width 0.125", backbone.get_name());
            for channels in [1, 3, 4, 13] {
                let network = config(&format!("{args} --channels-in {channels}"));
                let network = network.expect("a network");
                assert_eq!(network.backbone.image_channels(), channels, "{args}");
            }
        }
        let rgb = config("").expect("a network").to_string();
        assert_eq!(config("--channels-in 3").expect("RGB").to_string(), rgb);
    }

    #[test]
    fn corners_are_those_that_are_asked_for() {
        let text = |args: &str| config(args).expect("a network").to_string();
        assert!(text("--align-corners false").contains("\"align_corners\": false"));
        assert_eq!(text("--align-corners true"), text(""));
    }
}
