//! Builds the page of `examples/browser` and serves it on this machine.
//!
//! ```sh
//! cargo run -p decoupled-seg-browser-serve
//! ```
//!
//! `--port 8000` names another port. `--build-only` serves nothing: `target/browser-site` can be put on any static host.
//! `--serve-only` serves what was built before.

mod build;
mod server;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut port = 8000;
    let (mut build, mut serve) = (true, true);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--build-only" => serve = false,
            "--serve-only" => build = false,
            "--port" => {
                let given = args.next().unwrap_or_default();
                port = given
                    .parse()
                    .map_err(|_| format!("--port wants a number up to 65535, got `{given}`"))?;
            }
            _ => {
                return Err(format!(
                    "`{arg}`: there are --port PORT, --build-only and --serve-only"
                ));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let root = root
        .canonicalize()
        .map_err(|error| format!("{}: {error}", root.display()))?;
    let site = root.join("target/browser-site");
    if build {
        build::build(&root, &site)?;
    }
    match serve {
        true => server::serve(&site, port),
        false => Ok(()),
    }
}
