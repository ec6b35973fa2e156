//! The program `decoupled-seg`; `decoupled-seg --help` says what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    decoupled_seg_cli::main_with_data()
}
