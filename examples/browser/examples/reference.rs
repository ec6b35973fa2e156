//! Writes scenes and what the network says about them on this machine, for `tests/page.mjs` to compare a browser with.
//!
//! ```sh
//! cargo run -p decoupled-seg-browser --example reference -- target/browser-reference
//! ```

use std::error::Error;
use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use decoupled_seg::nn::Size;
use decoupled_seg_browser::Network;
use decoupled_seg_datasets::Dataset;
use decoupled_seg_synthetic::{StreetScenes, StreetScenesConfig};

/// Scenes of this size are taken as they are by a page whose longest side is 256.
const SIZE: Size = Size::new(128, 256);
const SCENES: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("name a folder")?;
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder)?;
    let weights =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("weights/street_scenes.safetensors");
    let network = Network::read("street_scenes.safetensors", fs::read(weights)?)?;
    let scenes = StreetScenes::new(StreetScenesConfig {
        len: SCENES,
        size: SIZE,
        seed: 3,
    });
    for index in 0..scenes.len() {
        let image = scenes.get(index)?.image;
        image.save(folder.join(format!("scene-{index}.png")))?;
        let found = at_once(network.segment(&image))?;
        let bytes: Vec<u8> = found
            .logits
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        fs::write(folder.join(format!("scene-{index}.logits")), bytes)?;
        fs::write(folder.join(format!("scene-{index}.labels")), found.labels)?;
    }
    println!("{}", folder.display());
    Ok(())
}

/// The result of work that never waits: that of a CPU.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(work).poll(&mut context) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("the CPU has finished when it answers"),
    }
}
