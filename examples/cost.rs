//! What the networks cost, beside the paper's Table 2(a). Nothing is built, so it takes no time.
//!
//! ```sh
//! cargo run --example cost                     # the table of all networks at 512x512
//! cargo run --example cost -- 360x480 11       # size of the image, number of classes
//! ```

use clap::Parser;
use decoupled_seg::cost::{Outputs, comparison_table};
use decoupled_seg::network::NETWORKS;
use decoupled_seg::nn::Size;

#[derive(Parser)]
#[command(about)]
struct Args {
    /// Size of the image, HEIGHTxWIDTH.
    #[arg(default_value = "512x512")]
    size: Size,
    /// Number of classes.
    #[arg(default_value_t = 19)]
    classes: usize,
}

fn main() {
    let Args { size, classes } = Args::parse();

    println!("Billions of operations for one image of {size} pixels:\n");
    println!("{}", comparison_table(size, classes));
    for network in NETWORKS {
        if network.name == "deeplabv3plus-resnet50" {
            println!("{}, part by part, in training:\n", network.title);
            println!("{}", network.config(classes).cost(size, Outputs::All));
        }
    }
}
