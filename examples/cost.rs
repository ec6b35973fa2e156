//! What the networks cost, beside the paper's Table 2(a). Nothing is built, so it takes no time.
//!
//! ```sh
//! cargo run --example cost                     # the table of all networks at 512x512
//! cargo run --example cost -- 360 480 11       # height, width and classes
//! ```

use clap::Parser;
use decoupled_seg::cost::{Outputs, compared_networks, comparison_table};

#[derive(Parser)]
#[command(about)]
struct Args {
    /// Height of the image.
    #[arg(default_value_t = 512)]
    height: usize,
    /// Width of the image.
    #[arg(default_value_t = 512)]
    width: usize,
    /// Number of classes.
    #[arg(default_value_t = 19)]
    classes: usize,
}

fn main() {
    let Args {
        height,
        width,
        classes,
    } = Args::parse();
    let image_size = [height, width];

    println!(
        "Billions of operations for one image of {}x{} pixels:\n",
        image_size[0], image_size[1]
    );
    println!("{}", comparison_table(image_size, classes));
    for network in compared_networks(classes) {
        if network.name == "DeepLabV3+, ResNet-50" {
            println!("{}, part by part, in training:\n", network.name);
            println!("{}", network.config.cost(image_size, Outputs::All));
        }
    }
}
