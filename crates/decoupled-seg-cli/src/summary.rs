//! `summary`: parameters and operations of a network, part by part.

use std::path::PathBuf;

use clap::Args;
use decoupled_seg::DecoupledSegNetConfig;
use decoupled_seg::cost::{Counts, NetworkCost, Outputs};
use decoupled_seg::engine::EngineError;
use decoupled_seg_types::Size;
use serde_json::{Value, json};

use crate::CliError;
use crate::args::picture_size;
use crate::checkpoint::CheckpointArgs;
use crate::network_args::{self, NetworkArgs};
use crate::say::{say, tell};

#[derive(Args)]
pub(crate) struct SummaryArgs {
    #[command(flatten)]
    network: NetworkArgs,
    /// Folder of a run, whose network to describe.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// Number of classes; a run knows its own.
    #[arg(long, default_value_t = 19, value_parser = clap::value_parser!(u8).range(1..),
        conflicts_with_all = ["out", "checkpoint"])]
    classes: u8,
    /// Size of the image, in pixels.
    #[arg(long, value_name = "HEIGHTxWIDTH", default_value = "512x512", value_parser = picture_size)]
    size: Size,
    /// Count the branches too that are there for the loss.
    #[arg(long)]
    training: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write the network's description into a file that --network reads (TOML).
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

pub(crate) fn run(args: &SummaryArgs) -> Result<(), CliError> {
    let network = args.network()?;
    let outputs = match args.training {
        true => Outputs::All,
        false => Outputs::Segmentation,
    };
    let (size, least) = (args.size, network.min_image_side());
    if size.height.min(size.width) < least {
        return Err(EngineError::SmallImages { size, least }.into());
    }
    let cost = network.cost(size, outputs);
    match args.json {
        true => say!("{:#}", as_json(&cost)),
        false => say!("one image of {} (height x width)\n\n{cost}", args.size),
    }
    if let Some(path) = &args.write {
        let path = network_args::write(&network, path)?;
        tell!("{}", path.display());
    }
    Ok(())
}

impl SummaryArgs {
    fn network(&self) -> Result<DecoupledSegNetConfig, CliError> {
        let Some(named) = self.checkpoint.open_named(self.out.as_deref()) else {
            return self.network.config(self.classes.into());
        };
        if self.network.says_anything() {
            return Err(CliError::NetworkOfRun);
        }
        Ok(named?.1)
    }
}

fn as_json(cost: &NetworkCost) -> Value {
    let counts = |counts: &Counts| {
        json!({
            "parameters": counts.parameters,
            "macs": counts.conv_macs,
            "activation_bytes": counts.activation_bytes(4),
        })
    };
    let parts = cost.parts.iter().map(|part| {
        let mut row = counts(&part.counts);
        row["name"] = json!(part.name);
        row["output"] = json!(part.output.to_string());
        row
    });
    json!({
        "image": { "height": cost.image_size.height, "width": cost.image_size.width },
        "parts": parts.collect::<Vec<_>>(),
        "total": counts(&cost.total()),
    })
}
