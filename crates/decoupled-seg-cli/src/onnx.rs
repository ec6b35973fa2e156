//! `export net.onnx`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use burn::tensor::FloatDType;
use clap::Args;
use decoupled_seg::DecoupledSegNet;
use decoupled_seg::datasets::files::read_image_size;
use decoupled_seg::engine::{CheckpointState, Protocol, Window};
use decoupled_seg::nn::{SegmentationModel, Size};
use decoupled_seg::onnx::{OnnxExport, OnnxFile, OnnxInput};
use decoupled_seg::types::IGNORE_LABEL;
use sha2::{Digest, Sha256};

use crate::CliError;
use crate::args::picture_size;
use crate::say::say;

#[derive(Args)]
#[command(next_help_heading = "Options of an .onnx file")]
pub(crate) struct OnnxArgs {
    /// Height and width of the pictures, in pixels; those of the picture of `--check` unless given.
    #[arg(long, value_name = "HEIGHTxWIDTH", value_parser = picture_size)]
    size: Option<Size>,
    /// Take normalised numbers, `f32` [batch, channels, height, width], instead of pictures as bytes [batch, height, width,
    /// channels]. Bands of 16 bits are less exact as bytes.
    #[arg(long)]
    raw: bool,
    /// Put out edge, body and flow as well.
    #[arg(long)]
    inspect: bool,
    /// Run the file on a picture, and compare it with the network's own prediction.
    #[arg(long, value_name = "PICTURE")]
    check: Option<PathBuf>,
}

impl OnnxArgs {
    /// Refuses what a file of weights has no use for.
    pub fn refuse(&self) -> Result<(), CliError> {
        let given = [
            ("--size", self.size.is_some()),
            ("--raw", self.raw),
            ("--inspect", self.inspect),
            ("--check", self.check.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(CliError::OnnxOnly { flag }),
            None => Ok(()),
        }
    }

    fn size(&self) -> Result<Size, CliError> {
        match (self.size, &self.check) {
            (Some(size), _) => Ok(size),
            (None, Some(picture)) => Ok(read_image_size(picture)?),
            (None, None) => Err(CliError::NoSize),
        }
    }
}

/// Writes the network of a checkpoint, and compares the file with it if asked to.
pub(crate) fn write(
    network: &DecoupledSegNet,
    state: &CheckpointState,
    args: &OnnxArgs,
    to: &Path,
) -> Result<(), CliError> {
    let network = network.for_inference(FloatDType::F32);
    let export = settings(network.min_image_side(), state, args)?;
    let file = export.export(&network)?;
    file.save(to)?;
    say!("{}", to.display());
    if let Some(difference) = not_in_the_file(&state.recipe.validation.protocol) {
        say!("the run was validated {difference}, the file takes whole pictures at one scale");
    }
    match &args.check {
        Some(picture) => check(&export, &network, &file, args, picture),
        None => Ok(()),
    }
}

fn settings(
    smallest: usize,
    state: &CheckpointState,
    args: &OnnxArgs,
) -> Result<OnnxExport, CliError> {
    let size = args.size()?;
    let CheckpointState {
        recipe, classes, ..
    } = state;
    let input = match args.raw {
        true => OnnxInput::Normalised {
            channels: recipe.normalization.channels(),
        },
        false => {
            let normalization = recipe.normalization.clone();
            OnnxInput::bytes(normalization.mean, normalization.std)
        }
    };
    let named: Vec<_> = classes.names().into_iter().zip(classes.colors()).collect();
    let recipe_text = serde_json::to_vec(recipe).expect("a recipe is plain data");
    Ok(OnnxExport::new(size)
        .with_padding_to(padded(size, smallest, &recipe.validation.protocol))
        .with_input(input)
        .with_inspection(args.inspect)
        .with_classes(&named)
        .with_metadata("ignore_index", IGNORE_LABEL.to_string())
        .with_metadata("recipe_sha256", hexadecimal(&Sha256::digest(recipe_text)))
        .with_metadata("step", state.position.step.to_string())
        .with_metadata("network", state.network.to_string()))
}

/// The size that the run's validation shows the network for images of a size, or more if the network has to have it.
fn padded(size: Size, smallest: usize, protocol: &Protocol) -> Size {
    let padded = |side: usize| {
        side.max(protocol.min_size)
            .max(smallest)
            .next_multiple_of(protocol.pad_to_multiple)
    };
    Size::new(padded(size.height), padded(size.width))
}

/// What validation did beyond one pass over the whole image, in words.
fn not_in_the_file(protocol: &Protocol) -> Option<String> {
    let mut words = Vec::new();
    if protocol.scales != [1.0] {
        words.push(format!("at scales {:?}", protocol.scales));
    }
    if protocol.flip {
        words.push("with mirrored images".to_string());
    }
    if protocol.window != Window::Whole {
        words.push("in tiles".to_string());
    }
    (!words.is_empty()).then(|| words.join(", "))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes what is written");
        text
    })
}

#[cfg(feature = "rten")]
fn check(
    export: &OnnxExport,
    network: &DecoupledSegNet,
    file: &OnnxFile,
    args: &OnnxArgs,
    picture: &Path,
) -> Result<(), CliError> {
    use decoupled_seg::datasets::augment::{ResizeFilter, resize_bands, resize_image};
    use decoupled_seg::datasets::files::{read_bands, read_image};

    let size = args.size()?;
    let bytes = match network.in_channels() {
        3 => {
            let mut image = read_image(picture)?;
            if (image.height() as usize, image.width() as usize) != (size.height, size.width) {
                image = resize_image(&image, size, ResizeFilter::Bilinear);
            }
            image.into_raw()
        }
        bands => {
            let image = read_bands(picture, bands)?;
            resize_bands(&image, size, ResizeFilter::Bilinear).to_bytes()
        }
    };
    let parity = export.compare(network, file, &bytes)?;
    say!("{}", parity.to_string().trim_end());
    match parity.holds() {
        true => Ok(()),
        false => Err(CliError::NotTheSame),
    }
}

#[cfg(not(feature = "rten"))]
fn check(
    _: &OnnxExport,
    _: &DecoupledSegNet,
    _: &OnnxFile,
    _: &OnnxArgs,
    _: &Path,
) -> Result<(), CliError> {
    Err(CliError::NoRuntime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_padded_as_in_validation() {
        let protocol = Protocol {
            min_size: 40,
            pad_to_multiple: 32,
            ..Protocol::default()
        };
        assert_eq!(padded(Size::new(30, 65), 49, &protocol), Size::new(64, 96));
        assert_eq!(padded(Size::new(30, 65), 97, &protocol), Size::square(128));
        let size = Size::new(80, 65);
        assert_eq!(padded(size, 49, &Protocol::default()), size);
    }

    #[test]
    fn the_size_of_a_picture_stands_in_its_header() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let picture = folder.path().join("street.png");
        let noise = |x: u32, y: u32| {
            [7 * x + 3 * y, x * y, 11 * y]
                .map(|value| value as u8)
                .into()
        };
        let image = image::RgbImage::from_fn(40, 30, noise);
        image.save(&picture).expect("writable");
        let whole = std::fs::read(&picture).expect("written");
        // Nothing behind the header is decoded.
        std::fs::write(&picture, &whole[..whole.len() / 2]).expect("writable");
        let args = OnnxArgs {
            size: None,
            raw: false,
            inspect: false,
            check: Some(picture),
        };
        assert_eq!(args.size().expect("a whole header"), Size::new(30, 40));
    }

    #[test]
    fn what_the_file_leaves_out_is_said() {
        assert_eq!(not_in_the_file(&Protocol::default()), None);
        let protocol = Protocol {
            scales: vec![0.5, 1.0],
            flip: true,
            window: Window::sliding(64),
            ..Protocol::default()
        };
        let words = not_in_the_file(&protocol).expect("three things");
        assert_eq!(
            words,
            "at scales [0.5, 1.0], with mirrored images, in tiles"
        );
    }
}
