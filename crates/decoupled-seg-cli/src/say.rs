//! What commands say. A reader that is gone (`| head`), or a full disk behind the output, must not end a command that has
//! hours of work in its hands, as `println!` would.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

/// Why the standard output took no more, the first time.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Says a line on the standard output.
macro_rules! say {
    ($($part:tt)*) => { $crate::say::line(format_args!($($part)*)) };
}

/// Says a line on the standard error.
macro_rules! tell {
    ($($part:tt)*) => { $crate::say::error_line(format_args!($($part)*)) };
}

pub(crate) use {say, tell};

pub(crate) fn line(text: Arguments<'_>) {
    if LOST.get().is_none()
        && let Err(error) = writeln!(io::stdout(), "{text}")
    {
        // Another thread may have been first.
        let _ = LOST.set(error);
    }
}

pub(crate) fn error_line(text: Arguments<'_>) {
    // Nobody is left to be told.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Why not all was said; `None` if it was, or the reader had heard enough.
pub(crate) fn lost() -> Option<&'static io::Error> {
    LOST.get()
        .filter(|error| error.kind() != ErrorKind::BrokenPipe)
}
