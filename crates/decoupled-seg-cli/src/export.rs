use std::path::PathBuf;

use burn::tensor::FloatDType;
use clap::Args;
use decoupled_seg::engine::Protected;
use decoupled_seg::weights::{NamedClass, NetworkDescription};

use crate::checkpoint::CheckpointArgs;
use crate::onnx::{self, OnnxArgs};
use crate::say::say;
use crate::{CliError, Project, checkpoint, device};

#[derive(Args)]
pub(crate) struct ExportArgs {
    /// The file to write: `.safetensors` for PyTorch, `.onnx` for onnxruntime and others.
    to: PathBuf,
    /// Folder of the run.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// Numbers of 16 bits instead of 32, in a .safetensors file: half the size.
    #[arg(long)]
    half: bool,
    #[command(flatten)]
    onnx: OnnxArgs,
}

pub(crate) fn run(project: &Project, args: &ExportArgs) -> Result<(), CliError> {
    let ending = args.to.extension().and_then(|ending| ending.to_str());
    let onnx = match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("onnx") if args.half => return Err(CliError::SafetensorsOnly { flag: "--half" }),
        Some("onnx") => true,
        Some("safetensors") => {
            args.onnx.refuse()?;
            false
        }
        _ => {
            return Err(CliError::Ending {
                path: args.to.clone(),
            });
        }
    };
    let out = args.checkpoint.out(project, args.out.as_deref());
    let (checkpoint, network) = args.checkpoint.open(&out)?;
    Protected::new([checkpoint.model_path(), checkpoint.weights_path()]).check(&args.to)?;
    checkpoint::check_outside(&args.to)?;
    let model = checkpoint.load(network.init(&device::default()?))?;
    if onnx {
        return onnx::write(&model, checkpoint.state(), &args.onnx, &args.to);
    }
    let state = checkpoint.state();
    let named = state
        .classes
        .names()
        .into_iter()
        .zip(state.classes.colors());
    let description = NetworkDescription {
        network: model.config().clone(),
        classes: named
            .map(|(name, color)| NamedClass {
                name: name.to_string(),
                color,
            })
            .collect(),
        mean: state.recipe.normalization.mean.clone(),
        std: state.recipe.normalization.std.clone(),
    };
    let options = match args.half {
        true => description.options().with_dtype(FloatDType::F16),
        false => description.options(),
    };
    model.save_weights_with(&args.to, &options)?;
    say!("{}", args.to.display());
    Ok(())
}
