//! What the networks cost, beside the paper's Table 2(a). Nothing is built, so it takes no time.
//!
//! ```sh
//! cargo run --example cost                     # the table of all networks at 512x512
//! cargo run --example cost -- 360 480 11       # height, width and classes
//! ```

use decoupled_seg::cost::{Outputs, compared_networks, comparison_table};

fn main() {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .map(|argument| {
            argument
                .parse()
                .expect("height, width and classes are whole numbers")
        })
        .collect();
    let (image_size, classes) = match numbers[..] {
        [] => ([512, 512], 19),
        [height, width, classes] => ([height, width], classes),
        _ => panic!("expected height, width and classes, or nothing"),
    };

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
