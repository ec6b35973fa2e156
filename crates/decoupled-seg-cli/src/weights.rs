//! `weights`: looks into files of weights, and converts PyTorch's to safetensors. Nothing in a file is executed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use decoupled_seg::DecoupledSegNetConfig;
use decoupled_seg::engine::Protected;
use decoupled_seg::weights::{LoadPolicy, Mismatch, WeightsError, WeightsFile, convert, load};

use crate::network_args::{self, NetworkArgs};
use crate::say::{say, tell};
use crate::{CliError, checkpoint, device, pretrained};

/// Classes of a network whose classes are not told: those of Cityscapes.
const CLASSES: u8 = 19;

#[derive(Args)]
pub(crate) struct WeightsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the tensors of a file, and says whether they are those of a network.
    Inspect {
        /// A `.pth` or `.safetensors` file.
        file: PathBuf,
        /// The network to compare with, if one is named.
        #[command(flatten)]
        network: NetworkArgs,
        /// Its number of classes; that of a file which describes the network, or 19, unless given.
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
        classes: Option<u8>,
    },
    /// Writes an untrained network, to see the names or to try them in PyTorch.
    New {
        /// The network: a name, or a file that describes one.
        network: String,
        /// The `.safetensors` file to write.
        to: PathBuf,
        /// Its twin without body and edge.
        #[arg(long)]
        plain: bool,
        /// Its number of classes.
        #[arg(long, default_value_t = CLASSES, value_parser = clap::value_parser!(u8).range(1..))]
        classes: u8,
        /// Random seed: the same one writes the same numbers.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Lists the published weights that are known by name.
    List,
    /// Gets the file of published weights from the cache or its address, checks it, and says where it lies.
    Fetch {
        /// Its name, see `weights list`.
        name: String,
        /// Where it is kept; the user's cache unless given.
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// Writes a file as safetensors, under the same names.
    Convert {
        /// A `.pth` or `.safetensors` file.
        from: PathBuf,
        /// The `.safetensors` file to write.
        to: PathBuf,
    },
}

pub(crate) fn run(args: WeightsArgs) -> Result<(), CliError> {
    match args.command {
        Command::Inspect {
            file,
            network,
            classes,
        } => {
            if !network.is_given() && (network.says_anything() || classes.is_some()) {
                return Err(CliError::NoNetwork { path: file });
            }
            let file = WeightsFile::open(file)?;
            list(&file);
            if !network.is_given() {
                return Ok(());
            }
            let config = match classes {
                Some(classes) => network.config(classes.into())?,
                // A description knows its own.
                None => match network.described()? {
                    Some(described) => network.changed(described)?,
                    None => network.config(CLASSES.into())?,
                },
            };
            compare(&file, &config.with_stem_of(&file))
        }
        Command::New {
            network,
            to,
            plain,
            classes,
            seed,
        } => {
            let config = network_args::named(&network, classes.into())?;
            let config = match plain {
                true => config.plain(),
                false => config,
            };
            checkpoint::check_outside(&to)?;
            let device = device::default()?;
            device.seed(seed);
            config.init(&device).save_weights(to)?;
            Ok(())
        }
        Command::List => {
            pretrained::list();
            Ok(())
        }
        Command::Fetch { name, folder } => {
            say!("{}", pretrained::get(&name, folder.as_deref())?.display());
            Ok(())
        }
        Command::Convert { from, to } => {
            let file = WeightsFile::open(from)?;
            Protected::new([file.path()]).check(&to)?;
            checkpoint::check_outside(&to)?;
            convert(&file, &to)?;
            say!("{} tensors in {}", file.entries().count(), to.display());
            tell_beside(&file);
            Ok(())
        }
    }
}

fn list(file: &WeightsFile) {
    let mut numbers = 0;
    for entry in file.entries() {
        numbers += entry.shape.iter().product::<usize>();
        say!("{:<56} {:>5?} {:?}", entry.key, entry.dtype, entry.shape);
    }
    say!(
        "{}: {:?}, {} tensors, {numbers} numbers",
        name(file.path()),
        file.format(),
        file.entries().count()
    );
    tell_beside(file);
}

/// Counts the tensors that are not of the network, by the words that their names begin with.
fn tell_beside(file: &WeightsFile) {
    let mut words = BTreeMap::<&str, usize>::new();
    for name in file.beside() {
        let word = name.split('.').next().unwrap_or_default();
        *words.entry(word).or_default() += 1;
    }
    let words = words
        .iter()
        .map(|(word, count)| format!("{count} of `{word}`"));
    let words: Vec<String> = words.collect();
    if !words.is_empty() {
        tell!(
            "note: left out, as beside the weights: {}",
            words.join(", ")
        );
    }
}

fn compare(file: &WeightsFile, config: &DecoupledSegNetConfig) -> Result<(), CliError> {
    let mut network = config.init(&device::default()?);
    let keys = config.official_keys();
    let report = match load(&mut network, &keys, file, LoadPolicy::Partial) {
        Ok(report) => report,
        Err(error) => {
            if let WeightsError::Mismatch { mismatch, .. } = &error {
                print(mismatch);
                say!("nothing fits the network");
            }
            return Err(error.into());
        }
    };
    print(&report.left_out);
    match report.left_out.is_empty() {
        true => say!(
            "the file fits the network, all {} tensors",
            report.loaded.len()
        ),
        false => say!("{} tensors fit the network", report.loaded.len()),
    }
    Ok(())
}

fn print(mismatch: &Mismatch) {
    for key in &mismatch.missing {
        say!("missing     {key}");
    }
    for key in &mismatch.unexpected {
        say!("unexpected  {key}");
    }
    for tensor in &mismatch.misshaped {
        say!("misshaped   {tensor}");
    }
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
