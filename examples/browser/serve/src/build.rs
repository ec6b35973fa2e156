//! From sources to a folder of files.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
const CRATE: &str = "decoupled-seg-browser";
/// The cargo profile of the page's program.
const PROFILE: &str = "browser";
/// Instructions that every browser of today has.
const RUSTFLAGS: &str = "-C target-feature=+simd128";
/// Library and command line must be of one version.
const BINDGEN: &str = "wasm-bindgen";

/// Builds the page into the folder `site`.
pub fn build(root: &Path, site: &Path) -> Result<(), String> {
    let target = root.join("target");
    add_target()?;
    run(cargo(root)
        .args([
            "build",
            "--locked",
            "--package",
            CRATE,
            "--lib",
            "--features",
            "webgpu",
        ])
        .args(["--target", TARGET, "--profile", PROFILE, "--target-dir"])
        .arg(&target)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", RUSTFLAGS))?;
    let bindgen = bindgen(root, &target)?;
    let wasm = format!("{}.wasm", CRATE.replace('-', "_"));
    run(Command::new(bindgen)
        .args(["--target", "web", "--no-typescript", "--out-dir"])
        .arg(site.join("pkg"))
        .arg(target.join(TARGET).join(PROFILE).join(wasm)))?;
    let example = root.join("examples/browser");
    copy_all(&example.join("page"), site)?;
    copy_all(&example.join("weights"), site)?;
    println!("the page lies in {}", site.display());
    Ok(())
}

/// Has rustup fetch the standard library of the target, if it is not there.
fn add_target() -> Result<(), String> {
    let add = Command::new("rustup")
        .args(["target", "add", TARGET])
        .status();
    match add {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("rustup could not add the target {TARGET}")),
        // Without rustup, the target may be there all the same.
        Err(_) => Ok(()),
    }
}

/// `wasm-bindgen` of the version in the lock file, installed below the target folder if it is not there.
fn bindgen(root: &Path, target: &Path) -> Result<PathBuf, String> {
    let lock = root.join("Cargo.lock");
    let text = fs::read_to_string(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    let version = locked_version(&text, BINDGEN)
        .ok_or_else(|| format!("{}: no {BINDGEN} in it", lock.display()))?;
    let folder = target.join(format!("wasm-bindgen-{version}"));
    let program = folder
        .join("bin")
        .join(format!("{BINDGEN}{}", std::env::consts::EXE_SUFFIX));
    if !program.is_file() {
        println!(
            "installing wasm-bindgen-cli {version} into {}, once",
            folder.display()
        );
        run(cargo(root)
            .args(["install", "wasm-bindgen-cli", "--version", version])
            // The command line's own downloads are for its test runner.
            .args(["--no-default-features", "--bin", BINDGEN, "--root"])
            .arg(&folder)
            // It runs for seconds, and takes minutes to build.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"))?;
    }
    Ok(program)
}

/// The version of a package in a lock file.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines
        .next()?
        .strip_prefix("version = \"")?
        .strip_suffix('"')
}

fn cargo(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root);
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = |command: &Command| {
        let program = Path::new(command.get_program())
            .file_name()
            .unwrap_or_default();
        let words = std::iter::once(program).chain(command.get_args());
        words
            .map(OsStr::to_string_lossy)
            .collect::<Vec<_>>()
            .join(" ")
    };
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` failed: {status}", name(command))),
        Err(error) => Err(format!("`{}` could not be started: {error}", name(command))),
    }
}

/// Copies the files of a folder, which has no folders in it.
fn copy_all(from: &Path, to: &Path) -> Result<(), String> {
    let copy = || {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        Ok(())
    };
    copy().map_err(|error: std::io::Error| format!("copying {}: {error}", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_tells_the_version() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(locked_version(lock, BINDGEN), Some("0.2.130"));
        assert_eq!(locked_version(lock, "burn"), None);
    }
}
