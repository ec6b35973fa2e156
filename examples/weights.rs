//! Looks into files of weights, and converts PyTorch's to safetensors.
//!
//! ```sh
//! cargo run --release --example weights -- inspect checkpoint.pth
//! cargo run --release --example weights -- inspect checkpoint.pth --network deeplabv3plus-resnet50
//! cargo run --release --example weights -- convert checkpoint.pth checkpoint.safetensors
//! cargo run --release --example weights -- new fcn-resnet50 untrained.safetensors
//! ```
//!
//! No Python is needed, and nothing in a file is executed: a pickle that asks for more than tensors is refused.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::Device;
use clap::{Parser, Subcommand};
use decoupled_seg::cli::NetworkName;
use decoupled_seg::network::{DecoderConfig, DecoupledSegNetConfig};
use decoupled_seg::weights::{Checkpoint, LoadPolicy, Mismatch, WeightsError, convert, load};

/// Looks into files of weights, and converts PyTorch's to safetensors.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the tensors of a file, and says whether they are those of a network.
    Inspect {
        /// A `.pth` or `.safetensors` file.
        file: PathBuf,
        /// The network to compare with.
        #[arg(long)]
        network: Option<NetworkName>,
        /// Its twin without body and edge.
        #[arg(long)]
        plain: bool,
        /// Its number of classes.
        #[arg(long, default_value_t = 19)]
        classes: usize,
    },
    /// Writes an untrained network, to see the names or to try them in PyTorch.
    New {
        /// The network.
        network: NetworkName,
        /// The `.safetensors` file to write.
        to: PathBuf,
        /// Its twin without body and edge.
        #[arg(long)]
        plain: bool,
        /// Its number of classes.
        #[arg(long, default_value_t = 19)]
        classes: usize,
    },
    /// Writes a file as safetensors, under the same names.
    Convert {
        /// A `.pth` or `.safetensors` file.
        from: PathBuf,
        /// The `.safetensors` file to write.
        to: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn config(network: NetworkName, classes: usize, plain: bool) -> DecoupledSegNetConfig {
    let config = network.config(classes);
    match plain {
        true => config.with_decoder(DecoderConfig::Plain),
        false => config,
    }
}

fn run(command: Command) -> Result<(), WeightsError> {
    match command {
        Command::Inspect {
            file,
            network,
            plain,
            classes,
        } => {
            let checkpoint = Checkpoint::open(file)?;
            list(&checkpoint);
            match network {
                Some(network) => compare(&checkpoint, &config(network, classes, plain)),
                None => Ok(()),
            }
        }
        Command::New {
            network,
            to,
            plain,
            classes,
        } => {
            let config = config(network, classes, plain);
            config.save_weights(&config.init(&Device::default()), to)
        }
        Command::Convert { from, to } => {
            let checkpoint = Checkpoint::open(from)?;
            convert(&checkpoint, &to)?;
            println!(
                "{} tensors in {}",
                checkpoint.entries().count(),
                to.display()
            );
            Ok(())
        }
    }
}

fn list(checkpoint: &Checkpoint) {
    let mut numbers = 0;
    for entry in checkpoint.entries() {
        numbers += entry.shape.iter().product::<usize>();
        println!("{:<56} {:>5?} {:?}", entry.key, entry.dtype, entry.shape);
    }
    println!(
        "{}: {:?}, {} tensors, {numbers} numbers",
        name(checkpoint.path()),
        checkpoint.format(),
        checkpoint.entries().count()
    );
}

fn compare(checkpoint: &Checkpoint, config: &DecoupledSegNetConfig) -> Result<(), WeightsError> {
    let mut network = config.init(&Device::default());
    let keys = config.official_keys();
    let report = match load(&mut network, &keys, checkpoint, LoadPolicy::Partial) {
        Ok(report) => report,
        Err(WeightsError::Mismatch { mismatch, .. }) => {
            print(&mismatch);
            println!("nothing fits the network");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    print(&report.left_out);
    match report.left_out.is_empty() {
        true => println!(
            "the file fits the network, all {} tensors",
            report.loaded.len()
        ),
        false => println!("{} tensors fit the network", report.loaded.len()),
    }
    Ok(())
}

fn print(mismatch: &Mismatch) {
    for key in &mismatch.missing {
        println!("missing     {key}");
    }
    for key in &mismatch.unexpected {
        println!("unexpected  {key}");
    }
    for tensor in &mismatch.misshaped {
        println!("misshaped   {tensor}");
    }
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
