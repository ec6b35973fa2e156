//! Writes the files of a run that was stopped after step 30 and went on at step 20: a check for TensorBoard itself.
//!
//! ```text
//! cargo run -p decoupled-seg-tensorboard --example two_sessions -- /tmp/run
//! tensorboard --logdir /tmp/run
//! ```

use std::path::PathBuf;

use decoupled_seg_tensorboard::EventWriter;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or("run".into(), PathBuf::from);
    for (from, to, value) in [(0, 30, 1.0), (20, 40, 2.0)] {
        let mut events = EventWriter::create(&folder, from)?;
        for step in from..to {
            events.scalar("loss/edge", step, value / (step + 1) as f32)?;
        }
        events.flush()?;
    }
    Ok(())
}
